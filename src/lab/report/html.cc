#include "lab/report/html.h"

#include <fmt/core.h>
#include <fmt/ranges.h>

#include <map>

#include "base/html.h"
#include "base/printable.h"
#include "lab/report/format.h"
#include "lab/report/summary_tables.h"
#include "lab/report/svg.h"
#include "lab/report/theme.h"

namespace kvsplit::lab {
namespace {

// Replaces each {{name}} in the template with its text.
std::string fill(std::string_view page, const std::map<std::string, std::string, std::less<>>& fields) {
    std::string out;
    while (true) {
        const auto open = page.find("{{");
        out += page.substr(0, open);
        if (open == std::string_view::npos) return out;
        const auto close = page.find("}}", open);
        out += fields.at(std::string(page.substr(open + 2, close - open - 2)));
        page.remove_prefix(close + 2);
    }
}

// Makes text from a file safe for a page.
std::string foreign(std::string_view text) { return escape_html(printable(text, 4096)); }

std::string paragraphs(const std::vector<std::string>& sentences) {
    // The first sentence is a paragraph of its own: the answer.
    std::string rest;
    for (std::size_t i = 1; i < sentences.size(); ++i) rest += (i > 1 ? " " : "") + sentences[i];
    std::string out = fmt::format("<p class=\"answer\">{}</p>\n", escape_html(sentences.front()));
    return rest.empty() ? out : out + fmt::format("<p>{}</p>\n", escape_html(rest));
}

std::string model_facts(const CompareSubject& subject) {
    const ModelInfo& m = subject.model;
    return fmt::format(
        "{} million parameters, {}, {} layers, {} query and {} key/value heads of size {}, made for {} "
        "tokens",
        format_count(static_cast<long long>(double(m.n_parameters) / 1e6 + 0.5)), foreign(m.weight_type),
        m.n_layers, m.n_heads, m.n_kv_heads, m.head_dim, format_count(m.context_length));
}

std::string title_of(const CompareSubject& subject) {
    const std::string name = subject.model.name.empty() ? subject.model.path : subject.model.name;
    return fmt::format("What the cache's precision costs: {}", foreign(name));
}

std::string caption_of(const std::string& chart, const Summary& summary) {
    if (chart == "divergence") {
        return "No cache measured here beats the filled points, joined by the line, in both size and "
               "divergence. Bars show one standard error.";
    }
    if (chart == "widths") {
        return fmt::format(
            "The stronger the colour, the further from f16; below each divergence are the bytes at {} "
            "tokens. The outlined pair has the same bytes.",
            format_count(summary.context));
    }
    if (chart == "memory") {
        return fmt::format("Bytes of a cache that holds {} tokens, and how much less than f16 that is.",
                           format_count(summary.context));
    }
    return fmt::format(
        "{}, against the tokens already in the cache. Grey: the other caches; all figures are in the table "
        "below.",
        chart == "decode" ? "Tokens generated one by one" : "Tokens of a prompt, evaluated together");
}

std::string figures(const Summary& summary, const std::vector<NamedChart>& charts) {
    std::string out;
    for (const auto& chart : charts) {
        out += fmt::format(
            "<figure id=\"{0}\">\n<figcaption><h3>{1}</h3><span "
            "class=\"caption\">{2}</span></figcaption>\n{3}{4}</figure>\n",
            chart.name, escape_html(chart.wide->title()), escape_html(caption_of(chart.name, summary)),
            chart.wide->element(chart.name + "-wide", "wide"),
            chart.narrow->element(chart.name + "-narrow", "narrow"));
    }
    return out;
}

std::string quality_method(const CompareResults& results) {
    const auto& s = results.settings;
    std::string out = fmt::format(
        "The same text, {} ({} bytes), went through every cache: {} chunk{} of {} tokens. The second half of "
        "each is scored. ",
        foreign(results.subject.text.name), format_count(static_cast<long long>(results.subject.text.bytes)),
        s.quality_chunks, s.quality_chunks == 1 ? "" : "s", format_count(s.quality_context));
    if (s.exact) {
        out +=
            "Activations were kept in 32 bits (<code>--exact</code>), so that nothing but the cache differs.";
        return out;
    }
    out +=
        "Activations were rounded, as in a normal run. Any change of the cache then also flips roundings "
        "elsewhere, which adds a floor of noise to all divergences";
    if (results.floor) {
        out += fmt::format(
            ": f32 instead of f16 keys and values, a meaningless change, already gives {} thousandths of a "
            "nat",
            format_kld(results.floor->kld_mean));
    }
    out += ". Without <code>--no-exact</code> the cache alone is measured.";
    return out;
}

std::string speed_method(const CompareResults& results) {
    const auto& s = results.settings;
    return fmt::format(
        "Caches were filled to each context with random keys and values; then {} tokens were evaluated "
        "together (prefill) and {} one by one (decode). The caches took turns, {}. A plain loop reads "
        "{:.1f} GB/s from this machine's memory.",
        s.prefill_tokens, s.decode_tokens,
        s.repeats == 1 ? std::string("once each")
                       : fmt::format("{} times each; medians are shown", s.repeats),
        results.read_gb_per_s);
}

std::string commands(const CompareResults& results) {
    const auto& s = results.settings;
    std::vector<std::string> specs;
    for (const KvSpec& spec : s.specs) specs.push_back(spec.name());
    const std::string list = fmt::format("{}", fmt::join(specs, ","));
    const std::string model = foreign(results.subject.model.path);
    return fmt::format(
        "kvsplit perplexity -m {0} -f TEXT -c {1} --chunks {2}{3} --kv {4}\n"
        "kvsplit bench -m {0} -d {5} -p {6} -n {7} -r {8} --fast-fill --kv {4}",
        model, s.quality_context, s.quality_chunks, s.exact ? " --exact" : "", list,
        fmt::join(s.contexts, ","), s.prefill_tokens, s.decode_tokens, s.repeats);
}

std::string notes(const std::vector<std::string>& all) {
    if (all.empty()) return "";
    std::string out = "<p>Left out or changed:</p>\n<ul>\n";
    for (const auto& note : all) out += fmt::format("<li>{}</li>\n", foreign(note));
    return out + "</ul>\n";
}

std::string machine(const CompareResults& results) {
    const CompareSubject& s = results.subject;
    std::string out;
    const auto item = [&](const char* name, const std::string& value) {
        out += fmt::format("<dt>{}</dt><dd>{}</dd>\n", name, value);
    };
    item("model file", fmt::format("{}, {}, {}", foreign(s.model.path),
                                   format_bytes(double(s.model.file_bytes)), foreign(s.model.architecture)));
    item("hash of the file", s.model_hash);
    item("processor", foreign(s.machine.processor));
    item("kernels", fmt::format("{}, {} thread{}", foreign(s.machine.kernels), s.machine.threads,
                                s.machine.threads == 1 ? "" : "s"));
    item("time to measure", format_time(results.seconds));
    return out;
}

}  // namespace

std::string to_html(const Summary& summary, const std::vector<NamedChart>& charts) {
    const CompareResults& results = summary.results;
    const std::string partial =
        results.complete()
            ? ""
            : "<p class=\"partial\">This report is incomplete: the measurement was stopped early. "
              "<code>kvsplit compare --resume</code> with the same options continues it.</p>";
    return fill(page_template(),
                {{"title", title_of(results.subject)},
                 {"style", page_style()},
                 {"facts", model_facts(results.subject)},
                 {"partial", partial},
                 {"advice", paragraphs(advice(summary))},
                 {"context", format_count(summary.context)},
                 {"overview", to_html(overview_table(summary))},
                 {"overview_caption",
                  "KLD: divergence of the next-token probabilities from those with an f16 cache, mean and "
                  "quantiles. Bits count everything stored per element, including scales and means. Same "
                  "token: share of positions where the most likely next token is that of f16."},
                 {"figures", figures(summary, charts)},
                 {"details", to_html(quality_table(summary)) + to_html(memory_table(summary)) +
                                 to_html(speed_table(summary))},
                 {"quality_method", quality_method(results)},
                 {"speed_method", speed_method(results)},
                 {"commands", commands(results)},
                 {"notes", notes(results.notes)},
                 {"machine", machine(results)},
                 {"program", foreign(results.subject.program)}});
}

}  // namespace kvsplit::lab
