#include "lab/tasks/filler.h"

#include <fmt/format.h>

#include <array>
#include <memory>

namespace kvsplit::lab {
namespace {

constexpr std::array<std::string_view, 64> kAdjectives{
    "small",  "green",  "old",    "quiet",   "heavy", "bright", "narrow",  "wooden", "yellow", "broken",
    "gentle", "early",  "grey",   "hollow",  "plain", "silver", "distant", "warm",   "lonely", "round",
    "sharp",  "slow",   "spare",  "strange", "tall",  "thin",   "white",   "wide",   "young",  "brown",
    "calm",   "clean",  "cold",   "dark",    "deep",  "dry",    "dusty",   "empty",  "fair",   "flat",
    "fresh",  "golden", "great",  "hard",    "high",  "iron",   "kind",    "large",  "late",   "light",
    "long",   "loud",   "modest", "new",     "pale",  "proud",  "red",     "rough",  "short",  "simple",
    "smooth", "soft",   "steep",  "stone"};

constexpr std::array<std::string_view, 64> kNouns{
    "river",    "lamp",   "window",  "garden",  "horse",  "bridge", "letter", "kettle", "tower",  "path",
    "basket",   "clock",  "boat",    "field",   "door",   "candle", "market", "school", "forest", "train",
    "table",    "mirror", "village", "road",    "wheel",  "apple",  "barn",   "bell",   "book",   "cart",
    "chair",    "cloud",  "coat",    "corner",  "cup",    "desk",   "farmer", "fence",  "fire",   "flower",
    "gate",     "hammer", "harbour", "hill",    "island", "jacket", "ladder", "lake",   "map",    "mill",
    "mountain", "needle", "orchard", "painter", "piano",  "pocket", "roof",   "sailor", "shelf",  "stream",
    "teacher",  "valley", "wall",    "wagon"};

constexpr std::array<std::string_view, 24> kVerbs{
    "waited", "rested",   "turned",  "leaned",   "appeared", "stood",  "slept",    "moved",
    "fell",   "arrived",  "shone",   "trembled", "lay",      "stayed", "vanished", "travelled",
    "worked", "remained", "drifted", "rose",     "settled",  "ended",  "began",    "returned"};

constexpr std::array<std::string_view, 12> kPrepositions{"behind", "beside", "near",   "above",
                                                         "below",  "beyond", "across", "under",
                                                         "inside", "around", "before", "against"};

constexpr std::array<std::string_view, 12> kTimes{"in the morning", "after a while",     "at noon",
                                                  "in the evening", "for an hour",       "before the rain",
                                                  "on that day",    "during the winter", "once a year",
                                                  "without a word", "until midnight",    "in early spring"};

constexpr std::array<std::string_view, 64> kPlaces{
    "Lisbon",    "Oslo",     "Madrid",   "Vienna",   "Prague",   "Warsaw",  "Athens",  "Dublin",
    "Helsinki",  "Budapest", "Cairo",    "Tunis",    "Nairobi",  "Lagos",   "Dakar",   "Accra",
    "Cape Town", "Tokyo",    "Seoul",    "Beijing",  "Delhi",    "Mumbai",  "Bangkok", "Hanoi",
    "Manila",    "Jakarta",  "Sydney",   "Perth",    "Auckland", "Toronto", "Boston",  "Chicago",
    "Denver",    "Dallas",   "Seattle",  "Atlanta",  "Havana",   "Lima",    "Bogota",  "Quito",
    "Santiago",  "Paris",    "Lyon",     "Berlin",   "Munich",   "Hamburg", "Rome",    "Milan",
    "Naples",    "Geneva",   "Zurich",   "Brussels", "London",   "Bristol", "Glasgow", "Moscow",
    "Kiev",      "Riga",     "Istanbul", "Ankara",   "Tehran",   "Baghdad", "Karachi", "Lahore"};

template <std::size_t N>
std::string_view pick(const std::array<std::string_view, N>& list, Random& random) {
    return list[random.below(N)];
}

std::string sentence(Random& random) {
    const auto adjective = [&] { return pick(kAdjectives, random); };
    const auto noun = [&] { return pick(kNouns, random); };
    // In separate statements, since compilers differ in the order of evaluating arguments.
    const auto a = adjective(), b = adjective();
    const auto n = noun(), m = noun();
    const auto verb = pick(kVerbs, random), where = pick(kPrepositions, random), when = pick(kTimes, random);
    switch (random.below(6)) {
        case 0:
            return fmt::format("The {} {} {} {} the {} {}.", a, n, verb, where, b, m);
        case 1:
            return fmt::format("The {} {} {}.", n, verb, when);
        case 2:
            return fmt::format("Nobody saw the {} that {} {} the {} {}.", n, verb, where, a, m);
        case 3:
            return fmt::format("One {} {} {} {}, and so did the {}.", a, n, verb, when, m);
        case 4:
            return fmt::format("There was a {} {} the {}, which {} {}.", n, where, m, verb, when);
        default:
            return fmt::format("The {} and the {} {} {} the {}.", n, m, verb, where, noun());
    }
}

}  // namespace

Filler prose(Random random) {
    return [random]() mutable { return sentence(random); };
}

Filler refrain() {
    return [i = std::size_t{0}]() mutable {
        constexpr std::array<std::string_view, 4> kLines{
            "The river runs down to the sea.", "The wind turns in the west.", "The lamp is lit at night.",
            "The road goes on and comes back again."};
        return std::string(kLines[i++ % kLines.size()]);
    };
}

Filler sentences_of(const std::vector<std::string>& sentences, Random random) {
    const auto n = sentences.size();
    return [&sentences, i = std::size_t{random.below(static_cast<std::uint32_t>(n))}]() mutable {
        return sentences[i++ % sentences.size()];
    };
}

std::vector<std::string> split_sentences(std::string_view text) {
    std::vector<std::string> sentences;
    std::string current;
    const auto finish = [&] {
        if (current.ends_with(' ')) current.pop_back();
        if (!current.empty()) sentences.push_back(std::move(current));
        current.clear();
    };
    for (const char c : text) {
        const bool space = c == ' ' || c == '\t' || c == '\n' || c == '\r';
        if (!space) {
            current += c;
        } else if (c == '\n' || (!current.empty() &&
                                 std::string_view(".!?").find(current.back()) != std::string_view::npos)) {
            finish();
        } else if (!current.empty() && current.back() != ' ') {
            current += ' ';
        }
    }
    finish();
    return sentences;
}

std::string_view words::place(Random& random) { return pick(kPlaces, random); }

std::string words::five_digits(Random& random) { return std::to_string(10000 + random.below(90000)); }

std::string words::invented(Random& random) {
    constexpr std::string_view kConsonants = "bdfgklmnprstvz", kVowels = "aeiou";
    std::string name;
    for (int syllable = 0; syllable < 3; ++syllable) {
        name += kConsonants[random.below(kConsonants.size())];
        name += kVowels[random.below(kVowels.size())];
    }
    return name;
}

}  // namespace kvsplit::lab
