#include "text/jinja/methods.h"

#include <algorithm>
#include <array>

#include "text/jinja/access.h"
#include "text/jinja/arguments.h"
#include "text/jinja/iterators.h"
#include "text/jinja/object.h"
#include "text/jinja/operators.h"
#include "text/jinja/runtime.h"
#include "text/jinja/template_error.h"

namespace kvsplit::text::jinja {
namespace {

class BoundMethod final : public Object {
  public:
    BoundMethod(Value self, const Method& method) : self_(std::move(self)), method_(method) {}

    std::string_view type_name() const override { return "builtin_function_or_method"; }
    int depth() const override { return 1 + self_.depth(); }
    bool callable() const override { return true; }
    Value call(Runtime& runtime, Arguments& arguments) override {
        if (const String* text = self_.string()) runtime.charge(1 + text->text.size() / 4);
        return method_.call(runtime, self_, arguments);
    }

  private:
    Value self_;
    const Method& method_;
};

Value list_count(Runtime& runtime, const Value& self, const Arguments& arguments) {
    ArgumentReader in("count", arguments);
    const Value& wanted = in.required("value");
    in.finish();
    const auto items = elements(runtime, self);
    return static_cast<std::int64_t>(std::count_if(
        items.begin(), items.end(), [&](const Value& item) { return equal(runtime, item, wanted); }));
}

Value list_index(Runtime& runtime, const Value& self, const Arguments& arguments) {
    ArgumentReader in("index", arguments);
    const Value& wanted = in.required("value");
    const auto items = elements(runtime, self);
    const auto size = static_cast<std::int64_t>(items.size());
    const auto place = [&](std::int64_t i) {
        return std::clamp<std::int64_t>(i < 0 ? i + size : i, 0, size);
    };
    const std::int64_t start = place(in.integer("start", 0)), stop = place(in.integer("stop", size));
    in.finish();
    for (std::int64_t i = start; i < stop; ++i)
        if (equal(runtime, items[static_cast<std::size_t>(i)], wanted)) return i;
    refuse("the value is not in the list");
}

Value list_copy(Runtime&, const Value& self, const Arguments& arguments) {
    ArgumentReader("copy", arguments).finish();
    return self;  // nothing can tell the copy from the original
}

template <ViewKind kind>
Value dict_view_method(Runtime& runtime, const Value& self, const Arguments& arguments) {
    ArgumentReader("items", arguments).finish();
    return dict_view(runtime, self, kind);
}

Value dict_get(Runtime&, const Value& self, const Arguments& arguments) {
    ArgumentReader in("get", arguments);
    const Value* found = self.dict()->find(in.required("key"));
    Value otherwise = in.optional("default", nullptr);
    in.finish();
    return found ? *found : otherwise;
}

constexpr std::array<Method, 2> kTupleMethods = {{{"count", list_count}, {"index", list_index}}};
constexpr std::array<Method, 3> kListMethods = {
    {{"count", list_count}, {"index", list_index}, {"copy", list_copy}}};
constexpr std::array<Method, 5> kDictMethods = {{{"get", dict_get},
                                                 {"items", dict_view_method<ViewKind::kItems>},
                                                 {"keys", dict_view_method<ViewKind::kKeys>},
                                                 {"values", dict_view_method<ViewKind::kValues>},
                                                 {"copy", list_copy}}};

std::span<const Method> methods_of(const Value& owner) {
    if (owner.string()) return string_methods();
    if (owner.dict()) return kDictMethods;
    if (owner.object() && owner.object()->has_items()) return kTupleMethods;  // a range
    if (!owner.list()) return {};
    return owner.list()->kind == List::Kind::kList ? std::span<const Method>(kListMethods)
                                                   : std::span<const Method>(kTupleMethods);
}

}  // namespace

const Method* find_method(const Value& owner, std::string_view name) {
    const auto methods = methods_of(owner);
    const auto it =
        std::find_if(methods.begin(), methods.end(), [&](const Method& m) { return m.name == name; });
    return it == methods.end() ? nullptr : &*it;
}

Value bound_method(Runtime& runtime, const Value& self, const Method& method) {
    runtime.charge(sizeof(BoundMethod));
    if (self.depth() + 1 > kMaxValueDepth) exceed("values nested more than {} levels deep", kMaxValueDepth);
    return std::static_pointer_cast<Object>(std::make_shared<BoundMethod>(self, method));
}

}  // namespace kvsplit::text::jinja
