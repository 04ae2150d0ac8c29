#include "cli/generate.h"

#include <chrono>

#include "base/error.h"
#include "text/stream_decoder.h"

namespace kvsplit::cli {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) {
    return std::chrono::duration<double>(Clock::now() - start).count();
}

// False after Ctrl-C.
bool prefill(Session& session, std::span<const Token> prompt, const std::function<bool()>& stop_asked) {
    const int room = session.context() - session.length();
    if (prompt.size() > static_cast<std::size_t>(room)) {
        fail(ErrorCode::kOutOfMemory,
             "the prompt has {} tokens, but the context of {} has room for {}: choose a "
             "larger one with -c",
             prompt.size(), session.context(), room);
    }
    ProgressLine line("reading the prompt");
    const int done = session.eval(prompt, [&](int n) {
        line.update(double(n) / double(prompt.size()));
        return !stop_asked();
    });
    return static_cast<std::size_t>(done) == prompt.size() && !stop_asked();
}

// From sampled tokens to text that can be shown.
class TextMaker {
  public:
    TextMaker(std::vector<std::string> stops, const TextSink& sink, std::string& text)
        : stops_(std::move(stops)), sink_(sink), text_(text) {}

    void push(std::string_view bytes) { show(stops_.push(decoder_.push(bytes))); }
    void finish() {
        show(stops_.push(decoder_.flush()));
        if (!stops_.matched()) show(stops_.flush());
    }
    bool stopped() const { return stops_.matched(); }
    bool closed() const { return closed_; }

  private:
    void show(const std::string& piece) {
        if (piece.empty()) return;
        text_ += piece;
        if (!closed_) closed_ = !sink_(piece);
    }

    text::StreamDecoder decoder_;
    text::StopMatcher stops_;
    const TextSink& sink_;
    std::string& text_;
    bool closed_ = false;
};

StopReason decode(const Model& model, Session& session, Sampler& sampler, int max_tokens,
                  const std::function<bool()>& stop_asked, TextMaker& maker, Generation& out) {
    while (true) {
        if (stop_asked()) return StopReason::kInterrupted;
        if (max_tokens >= 0 && static_cast<int>(out.tokens.size()) >= max_tokens) return StopReason::kLength;
        if (out.evaluated < static_cast<int>(out.tokens.size())) {
            if (session.length() >= session.context()) return StopReason::kContext;
            session.eval(std::span(&out.tokens.back(), 1));
            ++out.evaluated;
            ++out.decode_steps;
        }
        const Token token = sampler.sample(session.logits());
        if (model.is_end_of_generation(token)) return StopReason::kEnd;
        sampler.accept(token);
        out.tokens.push_back(token);
        maker.push(model.token_bytes(token));
        if (maker.stopped()) return StopReason::kStop;
        if (maker.closed()) return StopReason::kClosed;
    }
}

}  // namespace

std::string_view stop_reason_name(StopReason reason) {
    switch (reason) {
        case StopReason::kEnd:
            return "end";
        case StopReason::kLength:
            return "length";
        case StopReason::kStop:
            return "stop";
        case StopReason::kContext:
            return "context";
        case StopReason::kInterrupted:
            return "interrupted";
        case StopReason::kClosed:
            return "closed";
    }
    return "unknown";
}

Generation generate(const Model& model, Session& session, Sampler& sampler, std::span<const Token> prompt,
                    const GenerationLimits& limits, const std::function<bool()>& stop_asked,
                    const TextSink& sink) {
    Generation out;
    const int before = session.length();
    auto start = Clock::now();
    const bool whole = prefill(session, prompt, stop_asked);
    out.prefill_seconds = seconds_since(start);
    out.prompt_tokens = session.length() - before;
    if (!whole) {
        out.reason = StopReason::kInterrupted;
        return out;
    }
    for (const Token token : prompt) sampler.accept(token);
    start = Clock::now();
    TextMaker maker(limits.stops, sink, out.text);
    out.reason = decode(model, session, sampler, limits.max_tokens, stop_asked, maker, out);
    out.decode_seconds = seconds_since(start);
    maker.finish();
    return out;
}

std::string speed_text(const Generation& g) {
    return fmt::format(
        "prompt: {} tokens in {:.2f} s, {:.1f} tokens/s\nanswer: {} tokens, {:.1f} tokens/s, ended "
        "by: {}\n",
        format_count(g.prompt_tokens), g.prefill_seconds, g.prefill_rate(),
        format_count(static_cast<long long>(g.tokens.size())), g.decode_rate(), stop_reason_name(g.reason));
}

}  // namespace kvsplit::cli
