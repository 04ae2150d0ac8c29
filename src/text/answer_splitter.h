// AnswerSplitter: divides an answer into reasoning and content, as it is made.
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

// The parts do not depend on how the bytes of the answer are cut into pushes. Line ends around reasoning
// belong to neither part; an answer without marks is content, byte for byte. Messages of one part are
// separated by an empty line. A mark in letters counts only where the format expects it: the one that opens
// the reasoning at the start of the answer, the one that closes it inside. Not thread-safe.
class AnswerSplitter {
  public:
    // All is content.
    AnswerSplitter() = default;
    // For an answer to this prompt, which may end inside the reasoning.
    AnswerSplitter(AnswerFormat format, std::string_view prompt);

    // A token of the answer with its bytes. Returns the bytes of parts that are certain now, in order.
    AnswerDeltas push(Token token, std::string_view bytes);
    // Bytes of letters.
    AnswerDeltas push(std::string_view bytes) { return push(kNoToken, bytes); }
    // The end of the answer: what was held back.
    AnswerDeltas finish();

    // Whether the token divides answers. It then ends this one only if ended() says so, even if it ends
    // turns elsewhere.
    bool is_mark(Token token) const { return format_.mark_of(token) != nullptr; }
    // Whether a mark has ended the last message of the answer.
    bool ended() const { return state_ == State::kEnded; }
    // What stood before the content, marks by their names. Nothing if there was no content, or if marks came
    // after its beginning.
    const std::optional<std::string>& before_content() const { return before_content_; }

  private:
    enum class State {
        kStart,  // of the answer, or of what follows a reasoning: a mark may come that opens a part
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
    std::string held_;          // bytes that are not decided yet
    std::string space_;         // white space that may turn out to stand around a part
    std::string header_;        // role or channel so far
    std::string seen_;          // all that was pushed, until content begins
    bool fresh_ = true;         // the part has no text yet
    bool after_mark_ = false;   // the part was opened by a mark
    bool last_message_ = true;  // the end of this content is the answer's
    bool has_reasoning_ = false, has_content_ = false;
    std::optional<std::string> before_content_;
};

}  // namespace kvsplit::text
