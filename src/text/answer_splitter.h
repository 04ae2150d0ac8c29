// AnswerSplitter: divides an answer into reasoning and content while it is generated.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "text/answer_format.h"

namespace kvsplit::text {

enum class AnswerPart { kReasoning, kContent };

struct AnswerDelta {
    AnswerPart part = AnswerPart::kContent;
    std::string text;
};
using AnswerDeltas = std::vector<AnswerDelta>;

// The parts do not depend on how the answer's bytes are split into pushes. Line breaks around reasoning
// belong to neither part; an answer without marks is content, byte for byte. Messages of one part are
// separated by an empty line. A spelled-out mark counts only where the format expects it: an opening mark at
// the start of the answer, a closing mark inside reasoning. Not thread-safe.
class AnswerSplitter {
  public:
    // Treats everything as content.
    AnswerSplitter() = default;
    // For an answer to this prompt, which may end inside the reasoning.
    AnswerSplitter(AnswerFormat format, std::string_view prompt);

    // Adds a token of the answer with its bytes. Returns the text that is now certain, in order.
    AnswerDeltas push(Token token, std::string_view bytes);
    // The same for bytes that are no mark's token.
    AnswerDeltas push(std::string_view bytes) { return push(kNoToken, bytes); }
    // Ends the answer; returns what was held back.
    AnswerDeltas finish();

    // Whether the token is a mark. A mark ends the answer only if ended() says so, even if it is an
    // end-of-turn token.
    bool is_mark(Token token) const { return format_.mark_of(token) != nullptr; }
    // Whether a mark has ended the last message of the answer.
    bool ended() const { return state_ == State::kEnded; }
    // The text before the content, with marks by name. Nothing if there was no content, or if marks came
    // after its start.
    const std::optional<std::string>& before_content() const { return before_content_; }

  private:
    enum class State {
        kStart,  // of the answer, or after reasoning: a mark may open a part
        kReasoning,
        kContent,
        kHeader,     // a role or a channel, up to a mark
        kNamedLine,  // a channel, up to the end of the line
        kEnded,
    };
    void read(AnswerDeltas& out);
    bool read_start();
    bool read_line();
    bool read_mark(AnswerDeltas& out);
    bool expects(const AnswerMark& mark) const;
    void apply(const AnswerMark& mark);
    void open(State part);
    void end_message();
    void take(std::string text, AnswerDeltas& out);
    void give(AnswerPart part, std::string text, AnswerDeltas& out);
    void settle(AnswerDeltas& out);

    AnswerFormat format_;
    State state_ = State::kStart;
    std::string held_;          // bytes not yet assigned to a part
    std::string space_;         // white space that may turn out to surround a part
    std::string header_;        // role or channel so far
    std::string seen_;          // everything pushed before content begins
    bool fresh_ = true;         // the part has no text yet
    bool after_mark_ = false;   // the part was opened by a mark
    bool last_message_ = true;  // the end of this content is the answer's
    bool has_reasoning_ = false, has_content_ = false;
    std::optional<std::string> before_content_;
};

}  // namespace kvsplit::text
