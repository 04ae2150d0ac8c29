#include "text/answer_splitter.h"

#include <algorithm>
#include <utility>

#include "text/utf8.h"

namespace kvsplit::text {
namespace {

constexpr std::string_view kSpace = " \t\r\n";
constexpr std::string_view kRecipient = "to=";  // of a message, written after the role

std::size_t first_letter(std::string_view text) {
    return std::min(text.find_first_not_of(kSpace), text.size());
}

// The number of bytes at the end of text that begin the mark.
std::size_t begun(std::string_view text, std::string_view mark) {
    for (std::size_t n = std::min(mark.size() - 1, text.size()); n > 0; --n)
        if (text.ends_with(mark.substr(0, n))) return n;
    return 0;
}

}  // namespace

AnswerSplitter::AnswerSplitter(AnswerFormat format, std::string_view prompt) : format_(std::move(format)) {
    if (format_.opened_by(prompt)) open(State::kReasoning);
}

AnswerDeltas AnswerSplitter::push(Token token, std::string_view bytes) {
    AnswerDeltas out;
    if (ended()) return out;
    const AnswerMark* mark = format_.mark_of(token);
    if (mark) settle(out);
    if (!has_content_) seen_ += mark ? std::string_view(mark->text) : bytes;
    if (mark) {
        apply(*mark);
    } else {
        held_ += bytes;
        read(out);
    }
    return out;
}

AnswerDeltas AnswerSplitter::finish() {
    AnswerDeltas out;
    if (state_ == State::kStart && !after_mark_) state_ = State::kContent;  // even if only white space came
    settle(out);
    return out;
}

void AnswerSplitter::read(AnswerDeltas& out) {
    bool more = true;
    while (more && !held_.empty()) {
        switch (state_) {
            case State::kStart:
                more = read_start();
                break;
            case State::kNamedLine:
                more = read_line() || read_mark(out);
                break;
            case State::kEnded:
                held_.clear();
                break;
            default:
                more = read_mark(out);
        }
    }
}

// Reads a mark that opens a part, else starts content. False: needs more text.
bool AnswerSplitter::read_start() {
    const std::string_view body = std::string_view(held_).substr(first_letter(held_));
    if (body.empty()) return false;
    bool undecided = false;
    const auto comes = [&](std::string_view text) {
        undecided |= text.starts_with(body);
        return body.starts_with(text);
    };
    for (const AnswerMark& mark : format_.marks) {
        if (!expects(mark) || !comes(mark.text)) continue;
        held_ = body.substr(mark.text.size());
        apply(mark);
        return true;
    }
    if (!after_mark_ && !format_.lead_in.empty() && comes(format_.lead_in)) {
        held_ = body.substr(format_.lead_in.size());
        state_ = State::kContent;
        return true;
    }
    if (!after_mark_ && format_.has_roles() && comes(kRecipient)) {
        state_ = State::kHeader;
        return true;
    }
    if (undecided) return false;
    state_ = State::kContent;
    return true;
}

// Reads the channel's name on its own line.
bool AnswerSplitter::read_line() {
    const std::size_t end = held_.find('\n');
    if (end == held_.npos) return false;
    for (const AnswerMark& mark : format_.marks)
        if (expects(mark) && held_.find(mark.text) < end) return false;
    header_ += held_.substr(0, end);
    held_.erase(0, end + 1);
    open(strip(header_) == "thought" ? State::kReasoning : State::kContent);
    return true;
}

// Applies the first spelled-out mark, else releases text that can no longer be one. False: nothing left to
// do.
bool AnswerSplitter::read_mark(AnswerDeltas& out) {
    const AnswerMark* first = nullptr;
    std::size_t at = held_.npos, keep = 0;
    for (const AnswerMark& mark : format_.marks) {
        if (!expects(mark)) continue;
        const std::size_t found = held_.find(mark.text);
        if (found < at) {
            at = found;
            first = &mark;
        }
        keep = std::max(keep, begun(held_, mark.text));
    }
    std::string text = held_.substr(0, first ? at : held_.size() - keep);
    held_.erase(0, text.size());
    take(std::move(text), out);
    if (!first) return false;
    held_.erase(0, first->text.size());
    apply(*first);
    return true;
}

// Whether this spelled-out mark can occur here.
bool AnswerSplitter::expects(const AnswerMark& mark) const {
    if (mark.token != kNoToken) return false;
    switch (state_) {
        case State::kReasoning:
            return mark.after != AfterMark::kReasoning;
        case State::kContent:
            return mark.after == AfterMark::kNothing && after_mark_;
        default:
            return true;
    }
}

void AnswerSplitter::apply(const AnswerMark& mark) {
    space_.clear();
    if (has_content_) before_content_.reset();
    switch (mark.after) {
        case AfterMark::kReasoning:
            return open(State::kReasoning);
        case AfterMark::kContent:
            last_message_ = true;
            return open(State::kStart);
        case AfterMark::kNothing:
            return end_message();
        case AfterMark::kMessage: {
            const std::string_view channel = strip(header_);
            last_message_ = !channel.starts_with("commentary");
            return open(channel.starts_with("analysis") ? State::kReasoning : State::kContent);
        }
        case AfterMark::kRole:
        case AfterMark::kChannel:
            header_.clear();
            state_ = State::kHeader;
            return;
        case AfterMark::kNamedLine:
            header_.clear();
            state_ = State::kNamedLine;
            return;
    }
}

void AnswerSplitter::open(State part) {
    state_ = part;
    fresh_ = after_mark_ = true;
    space_.clear();
    header_.clear();
}

void AnswerSplitter::end_message() {
    if (state_ == State::kContent && last_message_) {
        state_ = State::kEnded;
    } else if (format_.has_roles()) {
        state_ = State::kHeader;
        header_.clear();
    } else {
        open(State::kStart);
    }
}

void AnswerSplitter::take(std::string text, AnswerDeltas& out) {
    if (state_ == State::kReasoning) {
        give(AnswerPart::kReasoning, std::move(text), out);
    } else if (state_ == State::kContent) {
        give(AnswerPart::kContent, std::move(text), out);
    } else {
        header_ += text;
    }
}

// Drops empty lines before a part opened by a mark, and white space after reasoning.
void AnswerSplitter::give(AnswerPart part, std::string text, AnswerDeltas& out) {
    text.insert(0, std::exchange(space_, {}));
    const std::size_t letter = first_letter(text);
    if (fresh_ && after_mark_) {
        if (letter == text.size()) {
            space_ = std::move(text);
            return;
        }
        text.erase(0, text.rfind('\n', letter) + 1);
    }
    if (part == AnswerPart::kReasoning) {
        const std::size_t end = text.find_last_not_of(kSpace) + 1;
        space_ = text.substr(end);
        text.resize(end);
    }
    if (text.empty()) return;
    bool& has_part = part == AnswerPart::kReasoning ? has_reasoning_ : has_content_;
    if (part == AnswerPart::kContent && !has_content_)
        before_content_ = seen_.substr(0, seen_.size() - held_.size() - text.size());
    if (fresh_ && has_part) text.insert(0, "\n\n");
    fresh_ = false;
    has_part = true;
    out.push_back({part, std::move(text)});
}

// No later text can turn the held bytes into a mark.
void AnswerSplitter::settle(AnswerDeltas& out) {
    if (state_ == State::kStart && first_letter(held_) < held_.size()) state_ = State::kContent;
    take(std::exchange(held_, {}), out);
}

}  // namespace kvsplit::text
