// StreamDecoder and StopMatcher: what stands between generated tokens and the reader's screen.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace kvsplit::text {

// Turns a stream of bytes, cut anywhere, into whole UTF-8 characters. Not thread-safe.
class StreamDecoder {
  public:
    // Adds bytes; returns the characters that are now complete. What can never become a character gives
    // U+FFFD, one for each broken sequence (Unicode's "maximal subpart" practice). Keeps at most 3 bytes
    // back.
    std::string push(std::string_view bytes);
    // The end of the stream: U+FFFD if a character was left unfinished. Ready for a new stream afterwards.
    std::string flush();

  private:
    std::string held_;  // the start of a character
};

// Looks for stop strings in a stream of text. Not thread-safe.
class StopMatcher {
  public:
    // Empty strings are ignored.
    explicit StopMatcher(std::vector<std::string> stops);
    // Adds text; returns what can be shown now: everything before the first stop string, without a tail that
    // may yet turn out to begin one. After a match nothing more comes out.
    std::string push(std::string_view text);
    // The end of the stream: what was held back. Ready for a new stream afterwards.
    std::string flush();
    bool matched() const { return matched_; }

  private:
    std::vector<std::string> stops_;
    std::string held_;
    bool matched_ = false;
};

}  // namespace kvsplit::text
