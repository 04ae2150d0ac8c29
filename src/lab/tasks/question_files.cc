#include "lab/tasks/question_files.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "base/error.h"

namespace kvsplit::lab {
namespace {

constexpr int kEndings = 4, kLinesPerQuestion = 2 + kEndings;

// Reads lines and counts them. "\r\n" also ends a line.
class Lines {
  public:
    Lines(std::string_view text, std::string_view name) : text_(text), name_(name) {
        // Empty lines at the end belong to no question.
        while (!text_.empty() && (text_.back() == '\n' || text_.back() == '\r')) text_.remove_suffix(1);
    }

    bool at_end() const { return at_ >= text_.size(); }
    std::string_view next() {
        const std::size_t end = std::min(text_.find('\n', at_), text_.size());
        std::string_view line = text_.substr(at_, end - at_);
        at_ = end + 1;
        ++number_;
        if (line.ends_with('\r')) line.remove_suffix(1);
        return line;
    }
    // The place of the latest line: "questions.txt:7".
    std::string place() const { return fmt::format("{}:{}", name_, number_); }

  private:
    std::string_view text_, name_;
    std::size_t at_ = 0;
    int number_ = 0;
};

bool is_blank(std::string_view text) { return text.find_first_not_of(" \t") == text.npos; }

int parse_label(std::string_view line, const std::string& place) {
    const auto first = line.find_first_not_of(' '), last = line.find_last_not_of(' ');
    if (first != line.npos && first == last && line[first] >= '0' && line[first] < '0' + kEndings) {
        return line[first] - '0';
    }
    fail(ErrorCode::kFormat,
         "{}: '{}' should be the index of the right ending, 0 to {} (a question has {} lines)", place,
         line.substr(0, 40), kEndings - 1, kLinesPerQuestion);
}

Question passage_question(std::string passage, const std::string& place) {
    const std::size_t end = passage.find_last_not_of(" \t\r\n");
    passage.resize(end == passage.npos ? 0 : end + 1);
    const std::size_t space = passage.rfind(' ');
    if (space == passage.npos || is_blank(std::string_view(passage).substr(0, space))) {
        fail(ErrorCode::kFormat, "{}: \"text\" needs at least two words: the last one is predicted", place);
    }
    Question question{place, passage.substr(0, space), {passage.substr(space)}};
    return question;
}

}  // namespace

std::vector<Question> parse_hellaswag(std::string_view text, std::string_view name) {
    std::vector<Question> questions;
    for (Lines lines(text, name); !lines.at_end();) {
        Question question;
        const auto line = [&](const char* what) {
            if (lines.at_end()) {
                fail(ErrorCode::kFormat, "{}: the file ends before {}: each question has {} lines",
                     lines.place(), what, kLinesPerQuestion);
            }
            const std::string_view found = lines.next();
            if (is_blank(found))
                fail(ErrorCode::kFormat, "{}: an empty line instead of {}", lines.place(), what);
            return found;
        };
        question.prompt = line("the beginning of a question");
        question.place = lines.place();
        const std::string_view label = line("the index of the right ending");
        question.right = parse_label(label, lines.place());
        for (int i = 0; i < kEndings; ++i) {
            question.answers.push_back(std::string(" ").append(line("one of four endings")));
        }
        questions.push_back(std::move(question));
    }
    return questions;
}

std::vector<Question> parse_lambada(std::string_view text, std::string_view name) {
    using Json = nlohmann::json;
    std::vector<Question> questions;
    for (Lines lines(text, name); !lines.at_end();) {
        const std::string_view line = lines.next();
        if (is_blank(line)) continue;
        const Json object = Json::parse(line.begin(), line.end(), nullptr, /*allow_exceptions=*/false);
        if (object.is_discarded()) fail(ErrorCode::kFormat, "{}: not a JSON object", lines.place());
        const auto field = object.is_object() ? object.find("text") : object.end();
        if (field == object.end() || !field->is_string()) {
            fail(ErrorCode::kFormat, "{}: no object with a string \"text\"", lines.place());
        }
        questions.push_back(passage_question(field->get<std::string>(), lines.place()));
    }
    return questions;
}

}  // namespace kvsplit::lab
