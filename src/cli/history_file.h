// HistoryFile: what was typed in earlier conversations, for the arrow keys.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace kvsplit::cli {

// $XDG_STATE_HOME/kvsplit/history, else ~/.local/state/kvsplit/history; only its owner can read it. Failures
// to read or write are silent: a history is a convenience. One line per text, with \n and \\ for newline and
// backslash.
class HistoryFile {
  public:
    static constexpr std::size_t kMaxEntries = 1000, kMaxEntryBytes = 1 << 16, kMaxBytes = 1 << 20;

    HistoryFile();

    // The latest texts, newest last. Shortens a file that exceeds the limits.
    std::vector<std::string> load() const;
    // Adds a text, unless it is longer than kMaxEntryBytes.
    void append(const std::string& text) const;

  private:
    void replace(const std::vector<std::string>& texts) const;

    std::string path_;  // empty: nowhere
};

}  // namespace kvsplit::cli
