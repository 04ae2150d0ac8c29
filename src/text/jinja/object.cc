#include "text/jinja/object.h"

#include "text/jinja/arguments.h"
#include "text/jinja/template_error.h"

namespace kvsplit::text::jinja {

std::string Object::repr(Runtime&) const { return "<" + std::string(type_name()) + " object>"; }
Value Object::attribute(Runtime&, std::string_view) { return {}; }
Value Object::item(Runtime&, const Value&) { return {}; }
Value Object::slice(Runtime&, const SliceRange&) { return {}; }
std::optional<std::int64_t> Object::length(Runtime&) { return std::nullopt; }
std::shared_ptr<Iterator> Object::iterate(Runtime&) { return nullptr; }
std::shared_ptr<Iterator> Object::iterate_backwards(Runtime&) { return nullptr; }
Value Object::call(Runtime&, Arguments&) { refuse("'{}' object is not callable", type_name()); }

}  // namespace kvsplit::text::jinja
