#include "cli/chat_input.h"

#include <algorithm>
#include <array>
#include <string_view>
#include <utility>

#include "cli/output.h"
#include "cli/text_file.h"
#include "text/utf8.h"

namespace kvsplit::cli {
namespace {

constexpr std::array<std::string_view, 6> kCommands{"/help", "/reset", "/stats", "/kv", "/exit", "/quit"};

// Whether text looks like a command: "/word".
bool looks_like_command(std::string_view text) {
    return text.size() > 1 && text.front() == '/' &&
           std::ranges::all_of(text.substr(1), [](char c) { return (c | 0x20) >= 'a' && (c | 0x20) <= 'z'; });
}

}  // namespace

ChatInput::ChatInput(bool history) : lines_(LineReader::create(history)) {}

ChatEntry ChatInput::next() {
    while (true) {
        InputLine line = read_message();
        if (line.kind != InputLine::Kind::kText) return {};
        const std::string_view text = text::strip_right(line.text);
        if (text.empty()) continue;
        lines_->remember(line.text);
        if (std::ranges::find(kCommands, text) != kCommands.end()) {
            return {ChatEntry::Kind::kCommand, std::string(text)};
        }
        if (text.starts_with("//") && looks_like_command(text.substr(1))) {
            return {ChatEntry::Kind::kMessage, std::string(text.substr(1))};
        }
        if (looks_like_command(text)) {
            note("{} is not a command; /help lists them. /{} sends it as a message{}", text, text,
                 lines_->remembers() ? "; the up arrow brings it back" : ", as is done now");
            if (lines_->remembers()) continue;
        }
        return {ChatEntry::Kind::kMessage, std::move(line.text)};
    }
}

// Reads a line and its continuations. Ctrl-C drops an unfinished message.
InputLine ChatInput::read_message() {
    std::string message;
    for (bool continued = false;; continued = true) {
        InputLine line = lines_->next(continued ? ". " : "> ");
        if (std::exchange(first_, false)) line.text.erase(0, byte_order_mark(line.text));
        if (line.kind == InputLine::Kind::kInterrupted && continued) return read_message();
        if (line.kind != InputLine::Kind::kText) {
            return message.empty() ? line : InputLine{InputLine::Kind::kText, message};
        }
        message += line.text;
        if (!message.ends_with('\\')) return {InputLine::Kind::kText, message};
        message.back() = '\n';
    }
}

}  // namespace kvsplit::cli
