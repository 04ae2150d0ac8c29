// AnswerFormat: the marks by which a model divides its answer into what it thinks and what it says.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "text/text_guard.h"

namespace kvsplit::text {

// What comes after a mark.
enum class AfterMark {
    kReasoning,
    kContent,
    kNothing,    // the message ended; another may follow
    kRole,       // a role, up to the next mark
    kChannel,    // a channel's name, up to kMessage
    kMessage,    // the text of the channel that was named
    kNamedLine,  // a channel's name, up to the end of the line, then its text
};

struct AnswerMark {
    std::string text;
    AfterMark after = AfterMark::kContent;
    // Where the model has a token of this name, only the token is the mark: the same text in letters is text.
    // kNoToken: the letters are the mark, where it can be expected.
    Token token = kNoToken;
};

struct AnswerFormat {
    std::vector<AnswerMark> marks;  // none: all is content
    std::string lead_in;            // what content begins with that is not part of it: "all\n"

    // What the template's source shows, else what the model's tokens do.
    static AnswerFormat find(std::string_view template_source, const TextGuard& tokens);
    // Tags that only stand around a reasoning as the template rendered it: `before` and `after` it, with what
    // the prompt ended with. No marks if these look like something else.
    static AnswerFormat of_tags(std::string_view before, std::string_view after, const TextGuard& tokens);

    // Whether a prompt ends inside the reasoning that the model is to go on with.
    bool opened_by(std::string_view prompt) const;
    const AnswerMark* mark_of(Token token) const;
    // Whether messages consist of a role, a channel and a text.
    bool has_roles() const;
};

}  // namespace kvsplit::text
