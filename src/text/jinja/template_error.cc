#include "text/jinja/template_error.h"

namespace kvsplit::text::jinja {
namespace {

ErrorCode code_of(Fault fault) {
    switch (fault) {
        case Fault::kSyntax:
            return ErrorCode::kFormat;
        case Fault::kLimit:
            return ErrorCode::kUnsupported;
        case Fault::kOperation:
        case Fault::kRaised:
            break;
    }
    return ErrorCode::kInvalidArgument;
}

}  // namespace

TemplateError::TemplateError(Fault fault, int line, std::string detail, std::string_view name)
    : Error(code_of(fault), fmt::format("{}, line {}: {}", name, line, detail)),
      fault_(fault),
      line_(line),
      detail_(std::move(detail)) {}

}  // namespace kvsplit::text::jinja
