#include "text/jinja/runtime.h"

#include <algorithm>

#include "text/jinja/show.h"

namespace kvsplit::text::jinja {

Runtime::~Runtime() {
    // Cleared one by one while all are still held, so that no chain of them is destroyed recursively.
    for (const auto& object : retained_) object->clear();
}

void Runtime::out_of_work() const {
    exceed(
        "more than {} million operations and bytes: the template does not end, or the conversation is too "
        "long",
        limits_.work / 1'000'000);
}

void Runtime::too_deep() {
    --depth_;  // the destructor of a Nested that was never made does not run
    exceed("more than {} levels of nesting", limits_.nesting);
}

Value Runtime::text(std::string text, bool markup) {
    charge(text.size() + 1);
    return std::make_shared<const String>(std::move(text), markup);
}

Value Runtime::list(std::vector<Value> items, List::Kind kind) {
    charge(items.size() * sizeof(Value) + 1);
    int depth = 1;
    for (const Value& item : items) depth = std::max(depth, 1 + item.depth());
    if (depth > kMaxValueDepth) exceed("a list nested more than {} levels deep", kMaxValueDepth);
    return std::make_shared<const List>(List{std::move(items), kind, depth});
}

Value Runtime::dict(Dict entries) {
    charge(entries.entries().size() * 2 * sizeof(Value) + 1);
    if (entries.depth() > kMaxValueDepth) exceed("a dict nested more than {} levels deep", kMaxValueDepth);
    return std::make_shared<const Dict>(std::move(entries));
}

Value Runtime::undefined(Undefined::What what, std::string name, std::string owner) {
    return std::make_shared<const Undefined>(Undefined{what, std::move(name), std::move(owner)});
}

Value Runtime::undefined(const Value& owner, const Value& key) {
    std::string type = owner.is_none() ? "None" : std::string(owner.type_name()) + " object";
    if (const String* name = key.string())
        return undefined(Undefined::What::kAttribute, name->text, std::move(type));
    return undefined(Undefined::What::kElement, plain_repr(key), std::move(type));
}

Text& Text::repeat(std::string_view piece, std::int64_t times) {
    if (times <= 0 || piece.empty()) return *this;
    std::size_t bytes = 0;
    if (__builtin_mul_overflow(piece.size(), static_cast<std::size_t>(times), &bytes)) bytes = SIZE_MAX;
    runtime_.charge(bytes);
    text_.reserve(text_.size() + bytes);
    for (std::int64_t i = 0; i < times; ++i) text_ += piece;
    return *this;
}

Value Text::value(bool markup) { return runtime_.text(take(), markup); }

}  // namespace kvsplit::text::jinja
