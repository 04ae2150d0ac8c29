// Text to hide something in: an endless series of sentences.
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

// Meaningless prose of a few hundred words; never the same sentence twice in a row.
Filler prose(Random random);
// The same four sentences over and over.
Filler refrain();
// A text's sentences over and over, from a random one on. The sentences must outlive the filler.
Filler sentences_of(const std::vector<std::string>& sentences, Random random);

// Splits after '.', '!' or '?' before a space, and at line ends.
std::vector<std::string> split_sentences(std::string_view text);

namespace words {
std::string_view place(Random& random);  // "Lisbon", one of 64
std::string invented(Random& random);    // "bakiro", one of 343,000
std::string five_digits(Random& random);
}  // namespace words

}  // namespace kvsplit::lab
