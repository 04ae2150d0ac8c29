#include "cli/history_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string_view>

namespace kvsplit::cli {
namespace {

namespace fs = std::filesystem;

fs::path state_folder() {
    // The XDG Base Directory Specification says to ignore relative paths.
    const char* state = std::getenv("XDG_STATE_HOME");
    if (state && *state == '/') return fs::path(state) / "kvsplit";
    const char* home = std::getenv("HOME");
    return home && *home == '/' ? fs::path(home) / ".local/state/kvsplit" : fs::path();
}

std::string line_of(const std::string& text) {
    std::string out;
    for (const char c : text) {
        if (c == '\n') {
            out += "\\n";
        } else {
            out += c == '\\' ? "\\\\" : std::string(1, c);
        }
    }
    return out + '\n';
}

std::string text_of(std::string_view line) {
    std::string out;
    for (std::size_t i = 0; i < line.size(); ++i) {
        if (line[i] != '\\' || i + 1 == line.size()) {
            out += line[i];
        } else {
            out += line[++i] == 'n' ? '\n' : line[i];
        }
    }
    return out;
}

void write_file(const std::string& path, int flags, const std::string& text) {
    const int fd =
        ::open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | flags, 0600);
    if (fd < 0) return;
    struct stat st {};
    // One write, so that two conversations do not interleave their lines.
    if (::fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && ::fchmod(fd, 0600) == 0) {
        [[maybe_unused]] const ssize_t n = ::write(fd, text.data(), text.size());
    }
    ::close(fd);
}

}  // namespace

HistoryFile::HistoryFile() {
    const fs::path folder = state_folder();
    if (!folder.empty()) path_ = (folder / "history").string();
}

std::vector<std::string> HistoryFile::load() const {
    std::vector<std::string> texts;
    std::error_code error;
    if (path_.empty() || !fs::is_regular_file(path_, error)) return texts;
    const auto size = fs::file_size(path_, error);
    if (error) return texts;
    std::ifstream in(path_, std::ios::binary);
    // Only the end of a file that something else made large.
    const bool cut = size > 2 * kMaxBytes;
    std::string line;
    if (cut) {
        in.seekg(static_cast<std::streamoff>(size - kMaxBytes));
        std::getline(in, line);
    }
    while (std::getline(in, line)) texts.push_back(text_of(line));
    if (texts.size() > kMaxEntries) {
        texts.erase(texts.begin(), texts.end() - static_cast<std::ptrdiff_t>(kMaxEntries));
    }
    if (size > kMaxBytes || texts.size() == kMaxEntries) replace(texts);
    return texts;
}

void HistoryFile::append(const std::string& text) const {
    if (path_.empty() || text.size() > kMaxEntryBytes) return;
    std::error_code error;
    const fs::path folder = fs::path(path_).parent_path();
    if (fs::create_directories(folder, error)) fs::permissions(folder, fs::perms::owner_all, error);
    write_file(path_, O_APPEND, line_of(text));
}

void HistoryFile::replace(const std::vector<std::string>& texts) const {
    std::size_t first = texts.size(), bytes = 0;
    std::vector<std::string> lines(texts.size());
    while (first > 0 && texts.size() - first < kMaxEntries / 2) {
        lines[first - 1] = line_of(texts[first - 1]);
        bytes += lines[first - 1].size();
        if (bytes > kMaxBytes / 2) break;
        --first;
    }
    std::string all;
    for (std::size_t i = first; i < lines.size(); ++i) all += lines[i];
    const std::string part = path_ + ".part";
    write_file(part, O_TRUNC, all);
    std::error_code error;
    fs::rename(part, path_, error);
}

}  // namespace kvsplit::cli
