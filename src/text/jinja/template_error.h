// Errors of chat templates.
#pragma once

#include <fmt/core.h>

#include <string>
#include <string_view>
#include <utility>

#include "kvsplit/error.h"

namespace kvsplit::text::jinja {

enum class Fault {
    kSyntax,     // the template cannot be read
    kOperation,  // an operation has no result: 1 + 'a', a missing variable's attribute, ...
    kRaised,     // the template itself refused its input, by raise_exception(message)
    kLimit,      // more work, memory or nesting than a template is allowed
};

// What users of templates see. what() is "NAME, line 7: detail".
class TemplateError : public Error {
  public:
    // name: of the template.
    TemplateError(Fault fault, int line, std::string detail, std::string_view name = "chat template");
    Fault fault() const noexcept { return fault_; }
    int line() const noexcept { return line_; }  // of the template, from 1
    const std::string& detail() const noexcept { return detail_; }

  private:
    Fault fault_;
    int line_;
    std::string detail_;
};

// Thrown by operations, which do not know the line. The evaluator turns it into a TemplateError.
struct Failure {
    Fault fault;
    std::string detail;
};

template <typename... Args>
[[noreturn]] void refuse(fmt::format_string<Args...> format, Args&&... args) {
    throw Failure{Fault::kOperation, fmt::format(format, std::forward<Args>(args)...)};
}

template <typename... Args>
[[noreturn]] void exceed(fmt::format_string<Args...> format, Args&&... args) {
    throw Failure{Fault::kLimit, fmt::format(format, std::forward<Args>(args)...)};
}

}  // namespace kvsplit::text::jinja
