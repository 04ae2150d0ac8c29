// needle and passkey.
#include <fmt/format.h>

#include <set>

#include "lab/tasks/generated.h"

namespace kvsplit::lab {
namespace {

struct Needle {
    std::string text, question, code;
    double depth;
};

std::vector<Needle> make_needles(TaskKind kind, const std::vector<double>& depths, Random& random) {
    std::vector<Needle> needles;
    std::set<std::string_view> used;
    for (const double depth : depths) {
        const std::string code = words::five_digits(random);
        if (kind == TaskKind::kPasskey) {
            needles.push_back(
                {fmt::format("The pass key is {0}. Keep it in mind: {0} is the pass key.", code),
                 "What is the pass key? The pass key is", code, depth});
            continue;
        }
        std::string_view name = words::place(random);
        while (!used.insert(name).second) name = words::place(random);
        needles.push_back({fmt::format("The locker code of {} is {}.", name, code),
                           fmt::format("The locker code of {} is", name), code, depth});
    }
    return needles;
}

// The text with the needles in it, in order of their depths; ends: bytes up to the end of each.
std::string hide(std::string_view intro, const Pieces& pieces, std::span<const Needle> needles,
                 std::vector<std::size_t>& ends) {
    std::string text(intro);
    std::size_t i = 0;
    const auto add = [&](const std::string& piece) {
        if (text.back() != '\n') text += ' ';
        text += piece;
    };
    for (const Needle& needle : needles) {
        for (const std::size_t end = pieces.before(needle.depth); i < end; ++i) add(pieces.texts[i]);
        add(needle.text);
        ends.push_back(text.size());
    }
    for (; i < pieces.texts.size(); ++i) add(pieces.texts[i]);
    return text;
}

FilledPrompt::Asked ask(std::string place, const std::string& text, const Needle& needle, std::size_t end) {
    Question question;
    question.place = std::move(place);
    question.prompt = fmt::format("{}\n\n{}", text, needle.question);
    question.answers.push_back(fmt::format(" {}", needle.code));
    question.evidence_end = end;
    return {std::move(question), needle.depth};
}

// All needles in one text.
std::vector<FilledPrompt::Asked> ask_needles(const Pieces& pieces, std::span<const Needle> needles) {
    std::vector<std::size_t> ends;
    const std::string text =
        hide("Some locker codes are hidden in the text below. Keep them in mind.\n\n", pieces, needles, ends);
    std::vector<FilledPrompt::Asked> asked;
    for (std::size_t i = 0; i < needles.size(); ++i)
        asked.push_back(ask("a needle", text, needles[i], ends[i]));
    return asked;
}

// Each key in its own text.
std::vector<FilledPrompt::Asked> ask_passkeys(const Pieces& pieces, std::span<const Needle> needles) {
    std::vector<FilledPrompt::Asked> asked;
    for (const Needle& needle : needles) {
        std::vector<std::size_t> ends;
        const std::string text =
            hide("A pass key is hidden in the text below. Find it and keep it in mind.\n\n", pieces,
                 {&needle, 1}, ends);
        asked.push_back(ask("a pass key", text, needle, ends[0]));
    }
    return asked;
}

}  // namespace

void add_hidden_code_items(Task& task, const Model& model, FilledOptions options,
                           const std::vector<std::string>& haystack, const TaskCallback& callback) {
    const TaskKind kind = task.info.kind;
    options.most_pieces = haystack.size();
    add_filled_items(
        task, model, options,
        [&](Random random) -> FilledPrompt {
            const auto needles = make_needles(kind, options.depths, random);
            FilledPrompt prompt;
            prompt.separator = " ";
            prompt.filler = !haystack.empty()            ? sentences_of(haystack, random)
                            : kind == TaskKind::kPasskey ? refrain()
                                                         : prose(random);
            prompt.ask = [kind, needles](const Pieces& pieces) {
                return kind == TaskKind::kPasskey ? ask_passkeys(pieces, needles)
                                                  : ask_needles(pieces, needles);
            };
            return prompt;
        },
        callback);
    if (kind != TaskKind::kPasskey) return;
    // Every key has its own prompt, so errors hardly correlate even with the same filler.
    for (std::size_t i = 0; i < task.items.size(); ++i) task.items[i].group = static_cast<int>(i);
}

}  // namespace kvsplit::lab
