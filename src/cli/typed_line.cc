#include "cli/typed_line.h"

#include <algorithm>
#include <string_view>

#include "cli/terminal.h"
#include "text/utf8.h"

namespace kvsplit::cli {
namespace {

constexpr unsigned char kEndOfInput = 4, kBackspace = 8, kKillLine = 21, kEscape = 27, kDelete = 127;

bool continues_character(char c) { return (static_cast<unsigned char>(c) & 0xC0) == 0x80; }

// The columns of a single line of text.
int columns_of(std::string_view text) {
    int columns = 0;
    while (!text.empty()) {
        const text::Utf8Step step = text::next_utf8(text);
        columns += column_count(step.state == text::Utf8State::kCharacter ? step.code_point : U'?');
        text.remove_prefix(step.length);
    }
    return columns;
}

}  // namespace

std::string TypedLine::type(unsigned char byte) {
    if (!escape_.empty()) {
        escape_ += static_cast<char>(byte);
        // "ESC [ parameters letter" or "ESC O letter"; anything else after ESC is one key with Alt.
        const bool goes_on = escape_.size() == 2 ? byte == '[' || byte == 'O' : byte < '@';
        if (!goes_on) end_escape();
        return "";
    }
    const bool second_half = byte == '\n' && after_return_;  // of "\r\n"
    after_return_ = byte == '\r';
    if (second_half) return "";
    if (byte == kEscape) {
        escape_.push_back(static_cast<char>(byte));
        return "";
    }
    return key(byte);
}

void TypedLine::end_escape() {
    if (escape_ == "\033[200~") pasting_ = true;
    if (escape_ == "\033[201~") {
        pasting_ = false;
        while (text_.ends_with('\n')) text_.pop_back();
    }
    escape_.clear();
}

std::string TypedLine::key(unsigned char byte) {
    if (byte == '\r' || byte == '\n') {
        if (pasting_) return add('\n');
        whole_ = true;
        return "\n";
    }
    if (byte == '\t' || (byte >= ' ' && byte != kDelete)) return add(static_cast<char>(byte));
    if (pasting_) return "";
    if (byte == kKillLine) return erase(0);
    if ((byte == kBackspace || byte == kDelete) && !text_.empty()) {
        std::size_t begin = text_.size() - 1;
        while (begin > 0 && continues_character(text_[begin])) --begin;
        return erase(begin);
    }
    end_ = byte == kEndOfInput && text_.empty();
    return end_ ? "\n" : "";
}

std::string TypedLine::add(char byte) {
    text_ += byte;
    return {byte};
}

// Lines above the last stay on the screen: their position is unknown.
std::string TypedLine::erase(std::size_t begin) {
    const std::size_t line = text_.rfind('\n') + 1;
    std::string shown;
    for (int i = columns_of(std::string_view(text_).substr(std::max(begin, line))); i > 0; --i)
        shown += "\b \b";
    text_.resize(begin);
    return shown;
}

}  // namespace kvsplit::cli
