// Assigns every variable of a template its slot, and every filter and test its function.
#pragma once

#include "text/jinja/ast.h"

namespace kvsplit::text::jinja {

// Throws TemplateError(kSyntax) for filters and tests that do not exist. As in jinja2, those inside an `if`
// only fail when they are reached.
void resolve_names(TemplateTree& tree);

}  // namespace kvsplit::text::jinja
