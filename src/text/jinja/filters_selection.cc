// Filters that apply a filter or a test to each element: map, select, reject, selectattr, rejectattr.
#include <array>
#include <optional>

#include "text/jinja/access.h"
#include "text/jinja/arguments.h"
#include "text/jinja/attribute_path.h"
#include "text/jinja/filters.h"
#include "text/jinja/iterators.h"
#include "text/jinja/operators.h"
#include "text/jinja/predicates.h"
#include "text/jinja/runtime.h"
#include "text/jinja/template_error.h"

namespace kvsplit::text::jinja {
namespace {

// Arguments after the first `skip`, for the filter or test that is applied.
Arguments without_first(const Arguments& arguments, std::size_t skip) {
    Arguments out = arguments;
    out.positional.erase(out.positional.begin(), out.positional.begin() + static_cast<std::ptrdiff_t>(skip));
    return out;
}

// The operation of `map` on an element.
class Mapping {
  public:
    explicit Mapping(const Arguments& arguments) {
        if (!arguments.positional.empty()) {
            filter_ = arguments.positional[0];
            arguments_ = without_first(arguments, 1);
            return;
        }
        ArgumentReader in("map", arguments);
        const Value* attribute = in.take("attribute");
        if (!attribute) refuse("map requires a filter argument");
        path_.emplace(*attribute);
        otherwise_ = in.optional("default", nullptr);
        in.finish();
    }
    Value operator()(Runtime& runtime, const Value& item) const {
        return path_ ? path_->of(runtime, item, otherwise_) : call_filter(runtime, filter_, item, arguments_);
    }

  private:
    Value filter_, otherwise_;
    Arguments arguments_;
    std::optional<AttributePath> path_;
};

Value filter_map(Runtime& runtime, const Value& value, const Arguments& arguments) {
    std::shared_ptr<Iterator> iterator;
    std::optional<Mapping> mapping;
    return make_generator(runtime, [=](Runtime& rt, Value& out) mutable {
        if (!iterator) {
            if (!truth(rt, value)) return false;
            mapping.emplace(arguments);
            iterator = iterate(rt, value);
        }
        Value item;
        if (!iterator->next(rt, item)) return false;
        out = (*mapping)(rt, item);
        return true;
    });
}

// Which elements `select` and the like keep.
class Selection {
  public:
    Selection(const Arguments& arguments, bool by_attribute) {
        if (by_attribute && arguments.positional.empty()) refuse("Missing parameter for attribute name");
        path_ = AttributePath(by_attribute ? arguments.positional[0] : Value(nullptr));
        const std::size_t at = by_attribute ? 1 : 0;
        if (arguments.positional.size() <= at) return;
        test_ = arguments.positional[at];
        arguments_ = without_first(arguments, at + 1);
    }
    bool operator()(Runtime& runtime, const Value& item) const {
        const Value value = path_.of(runtime, item);
        return test_.is_missing() ? truth(runtime, value) : call_test(runtime, test_, value, arguments_);
    }

  private:
    AttributePath path_{nullptr};
    Value test_;
    Arguments arguments_;
};

template <bool by_attribute, bool keep>
Value filter_select(Runtime& runtime, const Value& value, const Arguments& arguments) {
    std::shared_ptr<Iterator> iterator;
    std::optional<Selection> selection;
    return make_generator(runtime, [=](Runtime& rt, Value& out) mutable {
        if (!iterator) {
            if (!truth(rt, value)) return false;
            selection.emplace(arguments, by_attribute);
            iterator = iterate(rt, value);
        }
        while (iterator->next(rt, out))
            if ((*selection)(rt, out) == keep) return true;
        return false;
    });
}

constexpr std::array kSelectionFilters = std::to_array<FilterEntry>({
    {"map", filter_map},
    {"reject", filter_select<false, false>},
    {"rejectattr", filter_select<true, false>},
    {"select", filter_select<false, true>},
    {"selectattr", filter_select<true, true>},
});

}  // namespace

std::span<const FilterEntry> selection_filters() { return kSelectionFilters; }

}  // namespace kvsplit::text::jinja
