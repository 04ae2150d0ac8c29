#include "lab/report/csv.h"

#include <fmt/core.h>
#include <fmt/ranges.h>

namespace kvsplit::lab {
namespace {

// A precision's name may contain commas, in layer ranges.
std::string quoted(const std::string& text) {
    return text.find_first_of(",\"\n") == std::string::npos ? text : '"' + text + '"';
}

class Line {
  public:
    void text(const std::string& value) { fields_.push_back(quoted(value)); }
    template <typename T>
    void number(const T& value) {
        fields_.push_back(fmt::format("{}", value));
    }
    void empty(int n) { fields_.insert(fields_.end(), static_cast<std::size_t>(n), ""); }
    std::string str() const { return fmt::format("{}\n", fmt::join(fields_, ",")); }

  private:
    std::vector<std::string> fields_;
};

void add_memory(Line& line, const CompareMemory* m) {
    if (!m) return line.empty(8);
    line.number(m->kv.key_bits_per_element);
    line.number(m->kv.value_bits_per_element);
    line.number(m->kv.bytes.key);
    line.number(m->kv.bytes.value);
    line.number(m->kv.bytes.exact);
    line.number(m->kv.bytes.total());
    line.number(m->kv.saved_pct());
    line.number(m->peak_rss);
}

void add_speed(Line& line, const SpeedResult* s) {
    if (!s) return line.empty(2);
    line.number(s->tokens_per_s);
    line.number(s->stddev);
}

void add_quality(Line& line, const CompareQuality* q) {
    if (!q) return line.empty(12);
    line.number(q->tokens_scored);
    line.number(q->result.perplexity.value);
    line.number(q->result.perplexity.stderr_);
    if (!q->result.vs_f16) return line.empty(9);
    const Divergence& d = *q->result.vs_f16;
    for (const double value : {d.ppl_change_pct, d.ppl_change_stderr_pct, d.kld_mean, d.kld_stderr,
                               d.kld_median, d.kld_p99, d.kld_p999, d.top1_agreement, d.rms_dp}) {
        line.number(value);
    }
}

}  // namespace

std::string to_csv(const CompareResults& results) {
    std::string out =
        "kv,context,key_bits_per_element,value_bits_per_element,kv_bytes_key,kv_bytes_value,kv_bytes_exact,"
        "kv_bytes_total,saved_pct,peak_rss,prefill_tokens_per_s,prefill_stddev,decode_tokens_per_s,decode_"
        "stddev,"
        "tokens_scored,ppl,ppl_stderr,ppl_change_pct,ppl_change_stderr_pct,kld_mean,kld_stderr,kld_median,"
        "kld_p99,"
        "kld_p999,top1_agreement,rms_dp\n";
    for (const KvSpec& spec : results.settings.specs) {
        for (const int context : results.settings.contexts) {
            Line line;
            line.text(spec.name());
            line.number(context);
            add_memory(line, results.memory_of(spec, context));
            add_speed(line, results.speed_of(spec, SpeedResult::Test::kPrefill, context));
            add_speed(line, results.speed_of(spec, SpeedResult::Test::kDecode, context));
            add_quality(line, results.quality_of(spec));
            out += line.str();
        }
    }
    return out;
}

}  // namespace kvsplit::lab
