#include "lab/tasks/question.h"

#include <algorithm>
#include <string_view>

#include "base/error.h"

namespace kvsplit::lab {
namespace {

using Tokens = std::vector<Token>;

std::size_t common_length(const Tokens& a, const Tokens& b) {
    const auto ends = std::mismatch(a.begin(), a.end(), b.begin(), b.end());
    return static_cast<std::size_t>(ends.first - a.begin());
}

}  // namespace

TaskItem tokenize_question(const Model& model, const Question& question) {
    const auto tokenize = [&](const std::string& text) { return model.tokenize(text, true, false); };
    std::vector<Tokens> whole;
    for (const std::string& answer : question.answers) whole.push_back(tokenize(question.prompt + answer));

    std::size_t common = whole.front().size(), shortest = common;
    for (const Tokens& tokens : whole) {
        common = std::min(common, common_length(tokens, whole.front()));
        shortest = std::min(shortest, tokens.size());
    }
    if (whole.size() == 1) common = std::min(common, common_length(whole.front(), tokenize(question.prompt)));
    common = std::min(common, shortest - std::min<std::size_t>(shortest, 1));  // each answer keeps a token
    if (common == 0) {
        fail(ErrorCode::kInvalidArgument, "{}: there is nothing before the answer to predict it from",
             question.place);
    }

    const auto cut = static_cast<std::ptrdiff_t>(common);
    TaskItem item;
    item.prompt.assign(whole.front().begin(), whole.front().begin() + cut);
    for (const Tokens& tokens : whole) item.answers.emplace_back(tokens.begin() + cut, tokens.end());
    item.right = question.right;
    if (question.evidence_end != std::string::npos) {
        item.evidence_end =
            static_cast<int>(tokenize(question.prompt.substr(0, question.evidence_end)).size());
    }
    return item;
}

}  // namespace kvsplit::lab
