// AnswerFormat: the marks that divide a model's answer into reasoning and content.
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
    kChannel,    // a channel's name, up to a kMessage mark
    kMessage,    // the text of the channel just named
    kNamedLine,  // a channel's name, up to the end of the line, then its text
};

struct AnswerMark {
    std::string text;
    AfterMark after = AfterMark::kContent;
    // If the model has a token of this name, only the token is the mark; the same text spelled out is plain
    // text. kNoToken: the spelled-out text is the mark, where one is expected.
    Token token = kNoToken;
};

struct AnswerFormat {
    std::vector<AnswerMark> marks;  // none: all is content
    std::string lead_in;            // a prefix of content that is not part of it: "all\n"

    // Found from the template's source, else from the model's tokens.
    static AnswerFormat find(std::string_view template_source, const TextGuard& tokens);
    // Derives tags from a reasoning rendered by the template: `before` (with the prompt's end) and `after`
    // it. No marks if these do not look like tags.
    static AnswerFormat of_tags(std::string_view before, std::string_view after, const TextGuard& tokens);

    // Whether a prompt ends inside reasoning that the model is to continue.
    bool opened_by(std::string_view prompt) const;
    const AnswerMark* mark_of(Token token) const;
    // Whether messages consist of a role, a channel and a text.
    bool has_roles() const;
};

}  // namespace kvsplit::text
