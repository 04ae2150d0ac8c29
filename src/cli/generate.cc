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

// Turns sampled tokens into parts of an answer that can be shown.
class AnswerMaker {
  public:
    AnswerMaker(text::AnswerSplitter splitter, std::vector<std::string> stops, const AnswerSink& sink,
                text::Answer& answer)
        : splitter_(std::move(splitter)), stops_(std::move(stops)), sink_(sink), answer_(answer) {}

    void push(Token token, std::string_view bytes) { show(splitter_.push(token, bytes)); }
    void finish() {
        show(splitter_.finish());
        end_part();
        if (!stops_.matched()) answer_.before_content = splitter_.before_content();
    }
    bool is_mark(Token token) const { return splitter_.is_mark(token); }
    bool ended() const { return splitter_.ended(); }
    bool stopped() const { return stops_.matched(); }
    bool closed() const { return closed_; }

  private:
    using Part = text::AnswerPart;

    void show(const text::AnswerDeltas& deltas) {
        for (const text::AnswerDelta& delta : deltas) {
            if (delta.part != part_) end_part();
            part_ = delta.part;
            give(decoder_.push(delta.text));
        }
    }
    // Text of the part that was held back.
    void end_part() {
        give(decoder_.flush());
        if (part_ == Part::kContent && !stops_.matched()) write(stops_.flush());
    }
    void give(const std::string& text) { write(part_ == Part::kContent ? stops_.push(text) : text); }
    void write(const std::string& text) {
        if (text.empty()) return;
        (part_ == Part::kContent ? answer_.content : answer_.reasoning) += text;
        if (!closed_) closed_ = !sink_(part_, text);
    }

    text::AnswerSplitter splitter_;
    text::StreamDecoder decoder_;
    text::StopMatcher stops_;
    const AnswerSink& sink_;
    text::Answer& answer_;
    Part part_ = Part::kContent;
    bool closed_ = false;
};

StopReason decode(const Model& model, Session& session, Sampler& sampler, const GenerationLimits& limits,
                  const std::function<bool()>& stop_asked, AnswerMaker& maker, Generation& out) {
    auto& tokens = out.answer.tokens;
    while (true) {
        if (stop_asked()) return StopReason::kInterrupted;
        if (limits.max_tokens >= 0 && static_cast<int>(tokens.size()) >= limits.max_tokens)
            return StopReason::kLength;
        if (out.evaluated < static_cast<int>(tokens.size())) {
            if (session.length() >= session.context()) return StopReason::kContext;
            session.eval(std::span(&tokens.back(), 1));
            ++out.evaluated;
            ++out.decode_steps;
        }
        const Token token = sampler.sample(session.logits());
        const bool ends = model.is_end_of_generation(token) || token == limits.end;
        if (ends && !maker.is_mark(token)) return StopReason::kEnd;
        sampler.accept(token);
        tokens.push_back(token);
        maker.push(token, model.token_bytes(token));
        if (maker.ended()) return StopReason::kEnd;
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

GenerationLimits GenerationLimits::with(const text::ChatFormat& format) const {
    GenerationLimits out = *this;
    if (!format.stop().empty()) out.stops.push_back(format.stop());
    out.end = format.end_token();
    return out;
}

Generation generate(const Model& model, Session& session, Sampler& sampler, std::span<const Token> prompt,
                    text::AnswerSplitter splitter, const GenerationLimits& limits,
                    const std::function<bool()>& stop_asked, const AnswerSink& sink) {
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
    AnswerMaker maker(std::move(splitter), limits.stops, sink, out.answer);
    out.reason = decode(model, session, sampler, limits, stop_asked, maker, out);
    out.decode_seconds = seconds_since(start);
    maker.finish();
    return out;
}

void note_format(const text::ChatFormat& format, std::string_view system) {
    if (!format.notice().empty()) note("{}", format.notice());
    if (!system.empty() && !format.takes_system())
        note("the chat template has no place for a system prompt: it opens the first message");
}

void note_missing_content(const Generation& g) {
    if (!g.answer.content.empty() || g.answer.reasoning.empty()) return;
    if (g.reason == StopReason::kLength || g.reason == StopReason::kContext) {
        note("the answer ended while the model was still thinking: a larger -n or -c gives it more room");
    } else if (g.reason == StopReason::kEnd) {
        note("the model thought, and said nothing: --reasoning show tells what");
    }
}

std::string speed_text(const Generation& g) {
    return fmt::format(
        "prompt: {} tokens in {:.2f} s, {:.1f} tokens/s\nanswer: {} tokens, {:.1f} tokens/s, ended "
        "by: {}\n",
        format_count(g.prompt_tokens), g.prefill_seconds, g.prefill_rate(),
        format_count(static_cast<long long>(g.answer.tokens.size())), g.decode_rate(),
        stop_reason_name(g.reason));
}

}  // namespace kvsplit::cli
