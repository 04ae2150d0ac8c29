#include "cli/terminal.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <cstdlib>
#include <cwchar>

#include "text/utf8.h"

namespace kvsplit::cli {

bool can_erase_lines(int fd) {
    const char* kind = std::getenv("TERM");
    return kind && *kind && std::string_view(kind) != "dumb" && ::isatty(fd) != 0;
}

int terminal_columns(int fd) {
    winsize size{};
    return ::ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}

int column_count(char32_t c) {
    const int columns = ::wcwidth(static_cast<wchar_t>(c));
    return columns < 0 ? 1 : columns;
}

std::string_view cut_to_columns(std::string_view line, int columns) {
    std::size_t kept = 0;
    while (kept < line.size()) {
        const text::Utf8Step step = text::next_utf8(line.substr(kept));
        columns -= column_count(step.state == text::Utf8State::kCharacter ? step.code_point : U'?');
        if (columns < 0) break;
        kept += step.length;
    }
    return line.substr(0, kept);
}

}  // namespace kvsplit::cli
