#include "lab/report/json.h"

#include "base/error.h"
#include "lab/report/summary.h"

namespace kvsplit::lab {
namespace {

constexpr const char* kFormat = "kvsplit compare 1";

Json kv_stats_json(const KvStats& kv) {
    return {{"bits_per_element", {{"key", kv.key_bits_per_element}, {"value", kv.value_bits_per_element}}},
            {"kv_bytes", kv_bytes_json(kv)},
            {"saved_pct", kv.saved_pct()}};
}

KvStats read_kv_stats(const Json& json) {
    KvStats kv;
    kv.key_bits_per_element = json.at("bits_per_element").at("key");
    kv.value_bits_per_element = json.at("bits_per_element").at("value");
    const Json& bytes = json.at("kv_bytes");
    kv.bytes = {bytes.at("key"), bytes.at("value"), bytes.at("exact")};
    kv.f16_total = bytes.at("f16_total");
    return kv;
}

Json subject_json(const CompareSubject& s) {
    const ModelInfo& m = s.model;
    return {{"program", s.program},
            {"machine",
             {{"processor", s.machine.processor},
              {"kernels", s.machine.kernels},
              {"threads", s.machine.threads}}},
            {"model",
             {{"file", m.path},
              {"file_bytes", m.file_bytes},
              {"hash", s.model_hash},
              {"name", m.name},
              {"architecture", m.architecture},
              {"weight_type", m.weight_type},
              {"parameters", m.n_parameters},
              {"layers", m.n_layers},
              {"heads", m.n_heads},
              {"kv_heads", m.n_kv_heads},
              {"head_dim", m.head_dim},
              {"context", m.context_length}}},
            {"text", {{"name", s.text.name}, {"bytes", s.text.bytes}, {"hash", s.text.hash}}}};
}

Json settings_json(const CompareSettings& s) {
    Json specs = Json::array();
    for (const KvSpec& spec : s.specs) specs.push_back(spec.name());
    return {{"kv", std::move(specs)},
            {"exact", s.exact},
            {"quality_context", s.quality_context},
            {"quality_chunks", s.quality_chunks},
            {"contexts", s.contexts},
            {"prefill_tokens", s.prefill_tokens},
            {"decode_tokens", s.decode_tokens},
            {"repeats", s.repeats}};
}

Json quality_json(const CompareQuality& q) {
    const PerplexityResult& r = q.result;
    Json out{{"kv", r.spec.name()},
             {"whole", q.whole},
             {"tokens_scored", q.tokens_scored},
             {"nll", r.nll.value},
             {"nll_stderr", r.nll.stderr_},
             {"ppl", r.perplexity.value},
             {"ppl_stderr", r.perplexity.stderr_},
             {"vs_f16", divergence_json(r.vs_f16)}};
    out.update(kv_stats_json(r.kv));
    return out;
}

Divergence read_divergence(const Json& json) {
    Divergence d;
    d.ppl_change_pct = json.at("ppl_change_pct");
    d.ppl_change_stderr_pct = json.at("ppl_change_stderr_pct");
    d.kld_mean = json.at("kld_mean");
    d.kld_stderr = json.at("kld_stderr");
    d.kld_median = json.at("kld_median");
    d.kld_p99 = json.at("kld_p99");
    d.kld_p999 = json.at("kld_p999");
    d.top1_agreement = json.at("top1_agreement");
    d.rms_dp = json.at("rms_dp");
    return d;
}

// Reads measurements from JSON. Looks cache names up in the settings instead of parsing them.
class Reader {
  public:
    Reader(const CompareSettings& settings, const std::string& file) : settings_(settings), file_(file) {}

    CompareQuality quality(const Json& json) const;
    CompareMemory memory(const Json& json) const;
    SpeedResult speed(const Json& json) const;

  private:
    KvSpec spec(const Json& json) const {
        const auto& name = json.at("kv").get_ref<const std::string&>();
        for (const KvSpec& spec : settings_.specs) {
            if (spec.name() == name) return spec;
        }
        fail(ErrorCode::kFormat, "{}: damaged: {} is not among its settings", file_, json.at("kv").dump());
    }

    const CompareSettings& settings_;
    const std::string& file_;
};

CompareQuality Reader::quality(const Json& json) const {
    CompareQuality q;
    q.whole = json.at("whole");
    q.tokens_scored = json.at("tokens_scored");
    q.result.spec = spec(json);
    q.result.nll = {json.at("nll"), json.at("nll_stderr")};
    q.result.perplexity = {json.at("ppl"), json.at("ppl_stderr")};
    if (!json.at("vs_f16").is_null()) q.result.vs_f16 = read_divergence(json.at("vs_f16"));
    q.result.kv = read_kv_stats(json);
    return q;
}

Json memory_json(const CompareMemory& m) {
    Json out{{"kv", m.spec.name()}, {"context", m.context}};
    out.update(kv_stats_json(m.kv));
    out["peak_rss"] = m.peak_rss;
    return out;
}

CompareMemory Reader::memory(const Json& json) const {
    return {spec(json), json.at("context"), read_kv_stats(json), json.at("peak_rss")};
}

SpeedResult Reader::speed(const Json& json) const {
    SpeedResult s;
    s.spec = spec(json);
    s.test = json.at("test") == "prefill" ? SpeedResult::Test::kPrefill : SpeedResult::Test::kDecode;
    s.depth = json.at("depth");
    s.tokens = json.at("tokens");
    s.tokens_per_s = json.at("tokens_per_s");
    s.stddev = json.at("stddev");
    s.samples = json.at("samples").get<std::vector<double>>();
    if (s.test == SpeedResult::Test::kDecode) {
        s.kv_bytes_per_token = json.at("kv_bytes_per_token");
        s.kv_gb_per_s = json.at("kv_gb_per_s");
    }
    return s;
}

template <typename T, typename F>
Json array_of(const std::vector<T>& items, F&& convert) {
    Json out = Json::array();
    for (const T& item : items) out.push_back(convert(item));
    return out;
}

template <typename T, typename F>
std::vector<T> vector_of(const Json& array, F&& convert) {
    std::vector<T> out;
    for (const Json& item : array) out.push_back(convert(item));
    return out;
}

Json recommendation_json(const CompareResults& results) {
    const Summary summary(results);
    const auto name = [](const SummaryRow* row) { return row ? Json(row->name) : Json(nullptr); };
    Json front = Json::array();
    for (const auto& row : summary.rows) {
        if (row.on_front) front.push_back(row.name);
    }
    std::string text;
    for (const auto& sentence : advice(summary)) text += (text.empty() ? "" : " ") + sentence;
    return {{"kv", name(summary.everyday)},
            {"max_kld", summary.limit(kEverydayKld)},
            {"faithful", name(summary.faithful)},
            {"pareto_front", std::move(front)},
            {"text", std::move(text)}};
}

// The first field of the subject or the settings in which an earlier run differs from this one.
void require_same(const Json& earlier, const Json& now, const std::string& file) {
    for (const char* part : {"program", "machine", "model", "text", "settings"}) {
        const Json before =
            earlier.at(part).is_structured() ? earlier.at(part).flatten() : Json{{"", earlier.at(part)}};
        const Json after = now.at(part).is_structured() ? now.at(part).flatten() : Json{{"", now.at(part)}};
        for (const auto& [key, value] : after.items()) {
            const Json old = before.value(key, Json(nullptr));
            // The same file under another path is the same model.
            if (old == value || key == "/file") continue;
            fail(ErrorCode::kInvalidArgument,
                 "{}: these are results of another run: {}{} is {} there and {} here. Give the settings of "
                 "that run, or "
                 "another folder",
                 file, part, key, old.dump(), value.dump());
        }
        if (before.size() != after.size()) {
            fail(ErrorCode::kInvalidArgument,
                 "{}: these are results of another run: {} has other parts there. "
                 "Give the settings of that run, or another folder",
                 file, part);
        }
    }
}

}  // namespace

Json kv_bytes_json(const KvStats& stats) {
    return {{"key", stats.bytes.key},
            {"value", stats.bytes.value},
            {"exact", stats.bytes.exact},
            {"total", stats.bytes.total()},
            {"f16_total", stats.f16_total}};
}

Json divergence_json(const std::optional<Divergence>& d) {
    if (!d) return nullptr;
    return {{"ppl_change_pct", d->ppl_change_pct},
            {"ppl_change_stderr_pct", d->ppl_change_stderr_pct},
            {"kld_mean", d->kld_mean},
            {"kld_stderr", d->kld_stderr},
            {"kld_median", d->kld_median},
            {"kld_p99", d->kld_p99},
            {"kld_p999", d->kld_p999},
            {"top1_agreement", d->top1_agreement},
            {"rms_dp", d->rms_dp}};
}

Json speed_json(const SpeedResult& s) {
    // Bytes read per token only make sense if tokens are evaluated one by one.
    const bool decode = s.test == SpeedResult::Test::kDecode;
    return {{"kv", s.spec.name()},
            {"test", decode ? "decode" : "prefill"},
            {"tokens", s.tokens},
            {"depth", s.depth},
            {"tokens_per_s", s.tokens_per_s},
            {"stddev", s.stddev},
            {"samples", s.samples},
            {"kv_bytes_per_token", decode ? Json(s.kv_bytes_per_token) : Json(nullptr)},
            {"kv_gb_per_s", decode ? Json(s.kv_gb_per_s) : Json(nullptr)}};
}

Json to_json(const CompareResults& results) {
    Json out{{"format", kFormat}, {"complete", results.complete()}};
    out.update(subject_json(results.subject));
    out["settings"] = settings_json(results.settings);
    out["notes"] = results.notes;
    out["seconds"] = results.seconds;
    out["read_gb_per_s"] = results.read_gb_per_s;
    out["speed_done"] = results.speed_done;
    out["recommendation"] = recommendation_json(results);
    out["floor"] = divergence_json(results.floor);
    out["quality"] = array_of(results.quality, quality_json);
    out["memory"] = array_of(results.memory, memory_json);
    out["speed"] = array_of(results.speed, speed_json);
    return out;
}

void read_measurements(const Json& json, const std::string& file, CompareResults& results) {
    try {
        if (!json.is_object() || json.value("format", "") != kFormat) {
            fail(ErrorCode::kFormat, "{}: not the results of a comparison of this version", file);
        }
        require_same(json, to_json(results), file);
        CompareResults read = results;
        read.seconds = json.at("seconds");
        read.read_gb_per_s = json.at("read_gb_per_s");
        read.speed_done = json.at("speed_done").get<std::vector<int>>();
        if (!json.at("floor").is_null()) read.floor = read_divergence(json.at("floor"));
        const Reader reader(read.settings, file);
        read.quality =
            vector_of<CompareQuality>(json.at("quality"), [&](const Json& j) { return reader.quality(j); });
        read.memory =
            vector_of<CompareMemory>(json.at("memory"), [&](const Json& j) { return reader.memory(j); });
        read.speed = vector_of<SpeedResult>(json.at("speed"), [&](const Json& j) { return reader.speed(j); });
        results = std::move(read);
    } catch (const nlohmann::json::exception& error) {
        fail(ErrorCode::kFormat, "{}: damaged: {}", file, error.what());
    }
}

}  // namespace kvsplit::lab
