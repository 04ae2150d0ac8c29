// Fuzz target: bytes as a file of questions, in both formats.
#include <cstdint>
#include <string_view>

#include "base/check.h"
#include "kvsplit/error.h"
#include "lab/tasks/question_files.h"

namespace {

template <typename Parse>
void parse_all(Parse parse, std::string_view text) {
    try {
        for (const auto& question : parse(text, "questions")) {
            KVSPLIT_CHECK(!question.prompt.empty() && !question.answers.empty());
            KVSPLIT_CHECK(question.right >= 0 && question.right < static_cast<int>(question.answers.size()));
        }
    } catch (const kvsplit::Error& error) {
        KVSPLIT_CHECK(error.code() == kvsplit::ErrorCode::kFormat);
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    parse_all(kvsplit::lab::parse_hellaswag, text);
    parse_all(kvsplit::lab::parse_lambada, text);
    return 0;
}
