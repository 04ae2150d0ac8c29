#include "lab/tasks/generated.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "base/error.h"
#include "lab/tasks/filler.h"
#include "lab/tasks/question.h"

namespace kvsplit::lab {
namespace {

constexpr int kRecordsPerDepth = 4;

// What a prompt is filled with, and the tokens up to the end of each piece.
struct Pieces {
    std::vector<std::string> texts;
    std::vector<int> ends;

    int total() const { return ends.empty() ? 0 : ends.back(); }
    void pop() {
        texts.pop_back();
        ends.pop_back();
    }
    // How many pieces stand before `depth` of the text.
    std::size_t before(double depth) const {
        const auto at = static_cast<int>(std::lround(depth * total()));
        return static_cast<std::size_t>(std::upper_bound(ends.begin(), ends.end(), at) - ends.begin());
    }
};

// The questions of one prompt, or of prompts with the same filler. None if the pieces are too few for them.
struct Asked {
    Question question;
    double depth;
};
using Ask = std::function<std::vector<Asked>(const Pieces&)>;

[[noreturn]] void fail_small(const Task& task, int context) {
    fail(ErrorCode::kInvalidArgument, "a context of {} tokens is too small for the task {} and what it asks",
         context, task.info.name);
}

Pieces gather(const Task& task, const Model& model, int context, const Filler& next,
              const GeneratedOptions& o) {
    Pieces pieces;
    while (pieces.total() < context) {
        if (o.haystack && pieces.texts.size() == o.haystack->size()) {
            fail(ErrorCode::kInvalidArgument,
                 "the text to hide things in has {} tokens, and {} are needed for the task {}: give a longer "
                 "text or a "
                 "smaller context",
                 pieces.total(), context, task.info.name);
        }
        pieces.texts.push_back(next());
        const auto n = model.tokenize(" " + pieces.texts.back(), false, false).size();
        pieces.ends.push_back(pieces.total() + static_cast<int>(n));
    }
    return pieces;
}

// Appends the questions of one filler to the task, filled up to the context: what is too long loses its last
// pieces.
void add_group(Task& task, const Model& model, int context, Pieces pieces, const Ask& ask, int most) {
    for (;;) {
        const std::vector<Asked> asked = ask(pieces);
        if (asked.empty()) fail_small(task, context);
        std::vector<TaskItem> items;
        int longest = 0, group = task.items.empty() ? 0 : task.items.back().group + 1;
        for (const Asked& a : asked) {
            TaskItem item = tokenize_question(model, a.question);
            item.depth = a.depth;
            item.context = context;
            item.group = group;
            longest = std::max(longest, static_cast<int>(item.prompt.size() + item.answers[0].size()));
            items.push_back(std::move(item));
            group += task.info.kind == TaskKind::kPasskey;  // the others ask all of one prompt
        }
        if (longest <= context) {
            const auto n = std::min(items.size(), static_cast<std::size_t>(most));
            std::move(items.begin(), items.begin() + static_cast<std::ptrdiff_t>(n),
                      std::back_inserter(task.items));
            return;
        }
        const int keep = pieces.total() - (longest - context);
        while (pieces.total() > std::max(keep, 0)) pieces.pop();
        if (pieces.texts.empty()) fail_small(task, context);
    }
}

// One stream for each prompt: which questions come does not depend on how many there are.
Random stream(std::uint64_t seed, TaskKind kind, int context, int prompt) {
    std::uint64_t state = seed;
    for (const std::uint64_t part : {static_cast<std::uint64_t>(kind), static_cast<std::uint64_t>(context),
                                     static_cast<std::uint64_t>(prompt)}) {
        state = next_random(state) ^ part;
    }
    return Random(next_random(state));
}

// make(random): the filler and what to ask of it.
struct Prompt {
    Filler filler;
    Ask ask;
};
void add_groups(Task& task, const Model& model, const GeneratedOptions& options,
                const std::function<Prompt(Random&)>& make) {
    for (const int context : options.contexts) {
        const std::size_t end = task.items.size() + static_cast<std::size_t>(options.items);
        for (int prompt = 0; task.items.size() < end; ++prompt) {
            Random random = stream(options.seed, task.info.kind, context, prompt);
            const Prompt p = make(random);
            add_group(task, model, context, gather(task, model, context, p.filler, options), p.ask,
                      static_cast<int>(end - task.items.size()));
        }
    }
}

struct Needle {
    std::string name, code;
    double depth;
};

std::string needle_text(TaskKind kind, const Needle& n) {
    if (kind == TaskKind::kNeedle) return fmt::format("The locker code of {} is {}.", n.name, n.code);
    return fmt::format("The pass key is {0}. Keep it in mind: {0} is the pass key.", n.code);
}

// The text with the needles in it; ends: bytes up to the end of each.
std::string haystack(TaskKind kind, const Pieces& pieces, std::span<const Needle> needles,
                     std::vector<std::size_t>& ends) {
    std::string text = kind == TaskKind::kNeedle
                           ? "Some locker codes are hidden in the text below. Keep them in mind.\n\n"
                           : "A pass key is hidden in the text below. Find it and keep it in mind.\n\n";
    std::size_t i = 0;
    const auto add = [&](const std::string& piece) {
        if (text.back() != '\n') text += ' ';
        text += piece;
    };
    for (const Needle& needle : needles) {
        for (const std::size_t end = pieces.before(needle.depth); i < end; ++i) add(pieces.texts[i]);
        add(needle_text(kind, needle));
        ends.push_back(text.size());
    }
    for (; i < pieces.texts.size(); ++i) add(pieces.texts[i]);
    return text;
}

std::vector<Asked> ask_needles(TaskKind kind, const Pieces& pieces, const std::vector<Needle>& needles) {
    std::vector<Asked> asked;
    const auto place = fmt::format("a {} prompt", kind == TaskKind::kNeedle ? "needle" : "passkey");
    std::vector<std::size_t> ends;
    if (kind == TaskKind::kNeedle) {
        const std::string text = haystack(kind, pieces, needles, ends);
        for (std::size_t i = 0; i < needles.size(); ++i) {
            const Needle& n = needles[i];
            const auto prompt = fmt::format("{}\n\nThe locker code of {} is", text, n.name);
            asked.push_back({{place, prompt, {" " + n.code}, 0, ends[i]}, n.depth});
        }
        return asked;
    }
    for (const Needle& n : needles) {
        ends.clear();
        const std::string text = haystack(kind, pieces, {&n, 1}, ends);
        const auto prompt = fmt::format("{}\n\nWhat is the pass key? The pass key is", text);
        asked.push_back({{place, prompt, {" " + n.code}, 0, ends[0]}, n.depth});
    }
    return asked;
}

std::string five_digits(Random& random) { return std::to_string(10000 + random.below(90000)); }

std::vector<Needle> make_needles(const std::vector<double>& depths, Random& random) {
    std::vector<Needle> needles;
    std::set<std::string_view> used;
    for (const double depth : depths) {
        std::string_view name;
        do name = words::place(random);
        while (!used.insert(name).second);
        needles.push_back({std::string(name), five_digits(random), depth});
    }
    return needles;
}

struct Record {
    std::string key, value;
};

// Names of the same few syllables, so that only all of a key tells it from the others; digits for values,
// which small models copy best.
Record make_record(std::set<std::string>& used, Random& random) {
    std::string key = words::invented(random);
    while (!used.insert(key).second) key += words::invented(random);
    return {key, five_digits(random)};
}

// Indices of the records nearest to each depth, each asked once, in order.
std::vector<std::pair<std::size_t, double>> choose_records(std::size_t n, const std::vector<double>& depths) {
    std::vector<std::pair<std::size_t, double>> chosen;
    std::set<std::size_t> used;
    for (const double depth : depths) {
        const double centre = depth * static_cast<double>(n - 1);
        std::vector<std::size_t> free;
        for (std::size_t i = 0; i < n; ++i) {
            if (!used.contains(i)) free.push_back(i);
        }
        const auto distance = [&](std::size_t i) { return std::abs(static_cast<double>(i) - centre); };
        std::stable_sort(free.begin(), free.end(), [&](auto a, auto b) { return distance(a) < distance(b); });
        free.resize(std::min<std::size_t>(free.size(), kRecordsPerDepth));
        for (const std::size_t i : free) {
            used.insert(i);
            chosen.emplace_back(i, depth);
        }
    }
    std::sort(chosen.begin(), chosen.end());
    return chosen;
}

std::vector<Asked> ask_records(const Pieces& pieces, const std::vector<Record>& records,
                               const std::vector<double>& depths) {
    const std::size_t n = pieces.texts.size();
    if (n < depths.size()) return {};
    std::string text = "A list of pairs:\n\n";
    std::vector<std::size_t> ends;
    for (const std::string& piece : pieces.texts) {
        text.append(piece).append("\n");
        ends.push_back(text.size() - 1);
    }
    std::vector<Asked> asked;
    for (const auto& [i, depth] : choose_records(n, depths)) {
        const auto prompt = fmt::format("{}\nOne pair of the list again:\n\n{}:", text, records[i].key);
        asked.push_back({{"a copy prompt", prompt, {" " + records[i].value}, 0, ends[i]}, depth});
    }
    return asked;
}

}  // namespace

void add_hidden_code_items(Task& task, const Model& model, const GeneratedOptions& options) {
    const TaskKind kind = task.info.kind;
    add_groups(task, model, options, [&](Random& random) -> Prompt {
        auto needles = make_needles(options.depths, random);
        Filler filler = options.haystack            ? sentences_of(*options.haystack, random)
                        : kind == TaskKind::kNeedle ? prose(random)
                                                    : refrain();
        return {filler, [kind, needles](const Pieces& p) { return ask_needles(kind, p, needles); }};
    });
}

void add_record_items(Task& task, const Model& model, const GeneratedOptions& options) {
    add_groups(task, model, options, [&](Random& random) -> Prompt {
        const auto records = std::make_shared<std::vector<Record>>();
        const auto used = std::make_shared<std::set<std::string>>();
        Filler filler = [records, used, random]() mutable {
            records->push_back(make_record(*used, random));
            return fmt::format("{}: {}", records->back().key, records->back().value);
        };
        return {filler,
                [records, &options](const Pieces& p) { return ask_records(p, *records, options.depths); }};
    });
}

}  // namespace kvsplit::lab
