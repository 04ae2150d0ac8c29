#include "text/answer_format.h"

#include <algorithm>

#include "text/utf8.h"

namespace kvsplit::text {
namespace {

constexpr std::size_t kLongestTag = 64;

struct Known {
    // Any of these shows the format, all of them where they are tokens.
    std::vector<std::string_view> shown_by;
    std::vector<AnswerMark> marks;
    bool all = false;  // all of shown_by are needed
};

std::vector<AnswerMark> tags(std::string_view open, std::string_view close) {
    return {{std::string(open), AfterMark::kReasoning}, {std::string(close), AfterMark::kContent}};
}

std::vector<AnswerMark> with_response(std::vector<AnswerMark> marks, std::string_view open,
                                      std::string_view close) {
    marks.push_back({std::string(open), AfterMark::kContent});
    marks.push_back({std::string(close), AfterMark::kNothing});
    return marks;
}

// In order of preference: the most specific first.
const std::vector<Known>& known_formats() {
    static const std::vector<Known> formats = {
        {{"<|channel|>", "<|message|>"},  // gpt-oss
         {{"<|channel|>", AfterMark::kChannel},
          {"<|message|>", AfterMark::kMessage},
          {"<|end|>", AfterMark::kNothing},
          {"<|start|>", AfterMark::kRole}},
         true},
        {{"<|think|>", "<|content|>"},  // Solar
         {{"<|think|>", AfterMark::kReasoning},
          {"<|content|>", AfterMark::kContent},
          {"<|end|>", AfterMark::kNothing},
          {"<|begin|>", AfterMark::kRole}},
         true},
        {{"<|channel>", "<channel|>"},  // Gemma 4
         {{"<|channel>", AfterMark::kNamedLine}, {"<channel|>", AfterMark::kContent}},
         true},
        {{"[BEGIN FINAL RESPONSE]"},  // Apriel
         {{"Here are my reasoning steps:", AfterMark::kReasoning},
          {"[BEGIN FINAL RESPONSE]", AfterMark::kContent},
          {"[END FINAL RESPONSE]", AfterMark::kNothing}}},
        {{"<|START_THINKING|>", "<|END_THINKING|>"},  // Command
         with_response(tags("<|START_THINKING|>", "<|END_THINKING|>"), "<|START_RESPONSE|>",
                       "<|END_RESPONSE|>")},
        {{"<|inner_prefix|>", "<|inner_suffix|>"}, tags("<|inner_prefix|>", "<|inner_suffix|>")},  // Apertus
        {{"<seed:think>", "</seed:think>"}, tags("<seed:think>", "</seed:think>")},
        {{"[THINK]", "[/THINK]"}, tags("[THINK]", "[/THINK]")},  // Mistral
        {{"◁think▷", "◁/think▷"}, tags("◁think▷", "◁/think▷")},  // Kimi-VL
        {{"<response></response>"},                              // Granite
         with_response(tags("<think>", "</think>"), "<response>", "</response>")},
        {{"<think>", "</think>"}, tags("<think>", "</think>")},
        {{"</thought>"}, tags("<thought>", "</thought>")},
        {{"</reasoning>"}, tags("<reasoning>", "</reasoning>")},
        {{"</thinking>"}, tags("<thinking>", "</thinking>")},
    };
    return formats;
}

AnswerFormat with_tokens(std::vector<AnswerMark> marks, const TextGuard& tokens) {
    for (AnswerMark& mark : marks) mark.token = tokens.token(mark.text);
    return {std::move(marks), {}};
}

// The last line of the last token or plain text that is not blank.
std::string last_piece(std::string_view text, const TextGuard& tokens) {
    std::string last;
    for (const PromptPiece& piece : tokens.cut(text))
        if (!strip(piece.text).empty()) last = strip(piece.text);
    const auto line = last.rfind('\n');
    return line == last.npos ? last : last.substr(line + 1);
}

}  // namespace

AnswerFormat AnswerFormat::find(std::string_view template_source, const TextGuard& tokens) {
    const auto in_source = [&](std::string_view text) { return template_source.find(text) != text.npos; };
    const auto is_token = [&](std::string_view text) { return tokens.token(text) != kNoToken; };
    AnswerFormat out;
    for (const Known& known : known_formats()) {
        const bool shown = known.all ? std::ranges::all_of(known.shown_by, in_source)
                                     : std::ranges::any_of(known.shown_by, in_source);
        if (shown) {
            out = with_tokens(known.marks, tokens);
            break;
        }
    }
    if (in_source(">>>all\\n")) out.lead_in = "all\n";  // functionary: the recipient of a message
    if (!out.marks.empty() || !out.lead_in.empty()) return out;
    for (const Known& known : known_formats())
        if (std::ranges::all_of(known.shown_by, is_token)) return with_tokens(known.marks, tokens);
    return out;
}

AnswerFormat AnswerFormat::of_tags(std::string_view before, std::string_view after, const TextGuard& tokens) {
    const std::string open = last_piece(before, tokens);
    const std::string_view close = strip(after);
    const auto is_tag = [](std::string_view text) {
        return !text.empty() && text.size() <= kLongestTag && text.find('\n') == text.npos;
    };
    if (!is_tag(open) || !is_tag(close)) return {};
    return with_tokens(tags(open, close), tokens);
}

bool AnswerFormat::opened_by(std::string_view prompt) const {
    const std::string_view end = strip_right(prompt);
    return std::ranges::any_of(marks, [&](const AnswerMark& mark) {
        if (mark.after == AfterMark::kReasoning) return end.ends_with(mark.text);
        if (mark.after == AfterMark::kNamedLine) return end.ends_with(mark.text + "thought");
        if (mark.after == AfterMark::kMessage) return end.ends_with("analysis" + mark.text);
        return false;
    });
}

const AnswerMark* AnswerFormat::mark_of(Token token) const {
    if (token == kNoToken) return nullptr;
    const auto found = std::ranges::find(marks, token, &AnswerMark::token);
    return found == marks.end() ? nullptr : &*found;
}

bool AnswerFormat::has_roles() const {
    return std::ranges::any_of(marks, [](const AnswerMark& mark) { return mark.after == AfterMark::kRole; });
}

}  // namespace kvsplit::text
