// Parses a template into a tree. Its variables have no slots yet: see resolve_names().
#pragma once

#include <string_view>

#include "text/jinja/ast.h"

namespace kvsplit::text::jinja {

// Throws TemplateError(kSyntax), also where the nesting is deeper than Python's own compiler allows.
TemplateTree parse(std::string_view source);

}  // namespace kvsplit::text::jinja
