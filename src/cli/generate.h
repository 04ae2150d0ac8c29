// generate(): evaluates a prompt and generates text until something ends it.
#pragma once

#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "cli/output.h"
#include "kvsplit/model.h"
#include "kvsplit/sampler.h"
#include "text/conversation.h"

namespace kvsplit::cli {

enum class StopReason {
    kEnd,          // the model ended its answer
    kLength,       // the token limit was reached
    kStop,         // a stop string
    kContext,      // the context is full
    kInterrupted,  // Ctrl-C
    kClosed,       // the reader has gone
};
std::string_view stop_reason_name(StopReason reason);  // "end", "length", ...

struct GenerationLimits {
    int max_tokens = -1;             // -1: until the answer or the context ends
    std::vector<std::string> stops;  // in the content; reasoning may contain them
    Token end = kNoEnd;  // a token that ends the answer, in addition to the end-of-generation tokens
    static constexpr Token kNoEnd = -1;

    // Adds what ends answers in this format.
    GenerationLimits with(const text::ChatFormat& format) const;
};

struct Generation {
    text::Answer answer;
    int evaluated = 0;      // answer tokens that the session holds: all, or all but the last
    int prompt_tokens = 0;  // evaluated now
    int decode_steps = 0;
    double prefill_seconds = 0, decode_seconds = 0;
    StopReason reason = StopReason::kEnd;

    double prefill_rate() const { return prefill_seconds > 0 ? prompt_tokens / prefill_seconds : 0; }
    double decode_rate() const { return decode_seconds > 0 ? decode_steps / decode_seconds : 0; }
};

// Receives whole characters of a part as they are generated; false: the reader has gone.
using AnswerSink = std::function<bool(text::AnswerPart, std::string_view)>;

// prompt: the tokens to append to the session, at least one. splitter: divides the answer. Throws
// Error(kOutOfMemory) if the prompt does not fit.
Generation generate(const Model& model, Session& session, Sampler& sampler, std::span<const Token> prompt,
                    text::AnswerSplitter splitter, const GenerationLimits& limits,
                    const std::function<bool()>& stop_asked, const AnswerSink& sink);

// Tells the user that a conversation's format was guessed, or where its system prompt goes.
void note_format(const text::ChatFormat& format, std::string_view system);
// Notes an answer that consists of reasoning only.
void note_missing_content(const Generation& generation);

// Two lines for stderr: speeds and the reason for stopping.
std::string speed_text(const Generation& generation);

}  // namespace kvsplit::cli
