// generate(): evaluates a prompt and makes text until something ends it.
#pragma once

#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "cli/output.h"
#include "kvsplit/model.h"
#include "kvsplit/sampler.h"

namespace kvsplit::cli {

enum class StopReason {
    kEnd,          // the model ended its answer
    kLength,       // as many tokens as asked for
    kStop,         // a stop string
    kContext,      // the context is full
    kInterrupted,  // Ctrl-C
    kClosed,       // nobody reads the text any more
};
std::string_view stop_reason_name(StopReason reason);  // "end", "length", ...

struct GenerationLimits {
    int max_tokens = -1;  // -1: until the answer or the context ends
    std::vector<std::string> stops;
};

struct Generation {
    std::string text;
    std::vector<Token> tokens;  // generated, without the end-of-generation token
    int evaluated = 0;          // how many of tokens the session holds: all, or all but the last
    int prompt_tokens = 0;      // evaluated now
    int decode_steps = 0;
    double prefill_seconds = 0, decode_seconds = 0;
    StopReason reason = StopReason::kEnd;

    double prefill_rate() const { return prefill_seconds > 0 ? prompt_tokens / prefill_seconds : 0; }
    double decode_rate() const { return decode_seconds > 0 ? decode_steps / decode_seconds : 0; }
};

// Gets whole characters as they are made; false: nobody reads any more.
using TextSink = std::function<bool(std::string_view)>;

// prompt: the tokens to append to the session, at least one. Throws Error(kOutOfMemory) if they do not fit.
Generation generate(const Model& model, Session& session, Sampler& sampler, std::span<const Token> prompt,
                    const GenerationLimits& limits, const std::function<bool()>& stop_asked,
                    const TextSink& sink);

// Two lines for stderr: speeds and why it ended.
std::string speed_text(const Generation& generation);

}  // namespace kvsplit::cli
