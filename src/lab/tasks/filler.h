// Text to hide something in: one sentence after the other, without end.
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/random.h"

namespace kvsplit::lab {

// The next sentence, without spaces around it. Never empty.
using Filler = std::function<std::string()>;

// Made-up prose of a few hundred words: no sentence comes twice in a row, none means anything.
Filler prose(Random random);
// The same four sentences again and again.
Filler refrain();
// A text's sentences from a random one on, over and over. The sentences must outlive the filler.
Filler sentences_of(const std::vector<std::string>& sentences, Random random);

// Cuts after '.', '!' or '?' before a space, and at ends of lines.
std::vector<std::string> split_sentences(std::string_view text);

namespace words {
std::string_view place(Random& random);  // "Lisbon", one of 64
std::string invented(Random& random);    // "bakiro", one of 343,000
std::string five_digits(Random& random);
}  // namespace words

}  // namespace kvsplit::lab
