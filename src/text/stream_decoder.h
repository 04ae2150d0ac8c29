// StreamDecoder and StopMatcher: between generated tokens and the reader's screen.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace kvsplit::text {

// Turns a stream of bytes, cut anywhere, into whole UTF-8 characters. Not thread-safe.
class StreamDecoder {
  public:
    // Adds bytes; returns the characters that are now complete. Each broken sequence becomes U+FFFD
    // (Unicode's "maximal subpart" practice). Holds back at most 3 bytes.
    std::string push(std::string_view bytes);
    // Ends the stream: returns U+FFFD if a character was unfinished. Then ready for a new stream.
    std::string flush();

  private:
    std::string held_;  // the start of a character
};

// Looks for stop strings in a stream of text. Not thread-safe.
class StopMatcher {
  public:
    // Empty strings are ignored.
    explicit StopMatcher(std::vector<std::string> stops);
    // Adds text; returns what can be shown: everything before the first stop string, except a tail that may
    // begin one. Returns nothing after a match.
    std::string push(std::string_view text);
    // Ends the stream: returns what was held back. Then ready for a new stream.
    std::string flush();
    bool matched() const { return matched_; }

  private:
    std::vector<std::string> stops_;
    std::string held_;
    bool matched_ = false;
};

}  // namespace kvsplit::text
