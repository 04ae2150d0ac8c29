// copy.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <set>

#include "lab/tasks/generated.h"

namespace kvsplit::lab {
namespace {

constexpr std::size_t kRecordsPerDepth = 4;

struct Record {
    std::string key, value;
};

// Makes records and remembers them. Names are made of the same few syllables, so that only the whole name
// identifies a record. Values are digits, which small models copy best.
class RecordMaker {
  public:
    explicit RecordMaker(Random random) : random_(random) {}

    std::string next() {
        Record record{words::invented(random_), words::five_digits(random_)};
        while (!used_.insert(record.key).second) record.key += words::invented(random_);
        records_.push_back(std::move(record));
        return fmt::format("{}: {}", records_.back().key, records_.back().value);
    }
    const Record& operator[](std::size_t i) const { return records_[i]; }

  private:
    Random random_;
    std::vector<Record> records_;
    std::set<std::string> used_;
};

struct Choice {
    std::size_t record;
    double depth;
};

// Chooses from n records those nearest to each depth, none twice, taking depths in turn so that the first few
// cover all.
std::vector<Choice> choose_records(std::size_t n, const std::vector<double>& depths) {
    std::vector<Choice> chosen;
    std::vector<bool> used(n, false);
    while (chosen.size() < std::min(n, kRecordsPerDepth * depths.size())) {
        const double depth = depths[chosen.size() % depths.size()];
        const double centre = depth * static_cast<double>(n - 1);
        const auto distance = [&](std::size_t i) { return std::abs(static_cast<double>(i) - centre); };
        std::size_t best = n;
        for (std::size_t i = 0; i < n; ++i) {
            if (!used[i] && (best == n || distance(i) < distance(best))) best = i;
        }
        used[best] = true;
        chosen.push_back({best, depth});
    }
    return chosen;
}

std::vector<FilledPrompt::Asked> ask_records(const Pieces& pieces, const RecordMaker& records,
                                             const std::vector<double>& depths) {
    const std::size_t n = pieces.texts.size();
    if (n < depths.size()) return {};
    std::string text = "A list of pairs:\n";
    std::vector<std::size_t> ends;
    for (const std::string& piece : pieces.texts) {
        text.append("\n").append(piece);
        ends.push_back(text.size());
    }
    std::vector<FilledPrompt::Asked> asked;
    for (const auto& [i, depth] : choose_records(n, depths)) {
        Question question;
        question.place = "a record";
        question.prompt = fmt::format("{}\n\nOne pair of the list again:\n\n{}:", text, records[i].key);
        question.answers.push_back(fmt::format(" {}", records[i].value));
        question.evidence_end = ends[i];
        asked.push_back({std::move(question), depth});
    }
    return asked;
}

}  // namespace

void add_record_items(Task& task, const Model& model, const FilledOptions& options,
                      const TaskCallback& callback) {
    add_filled_items(
        task, model, options,
        [&](Random random) -> FilledPrompt {
            const auto records = std::make_shared<RecordMaker>(random);
            FilledPrompt prompt;
            prompt.separator = "\n";
            prompt.filler = [records] { return records->next(); };
            prompt.ask = [records, &options](const Pieces& pieces) {
                return ask_records(pieces, *records, options.depths);
            };
            return prompt;
        },
        callback);
}

}  // namespace kvsplit::lab
