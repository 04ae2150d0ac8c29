#include "text/jinja/iterators.h"

#include <fmt/format.h>

#include "text/jinja/operators.h"
#include "text/jinja/show.h"
#include "text/jinja/template_error.h"
#include "text/jinja/text_search.h"
#include "text/utf8.h"

namespace kvsplit::text::jinja {
namespace {

// Iterates over elements accessed by index.
template <typename At>
class IndexIterator final : public Iterator {
  public:
    // owner: what keeps the elements alive.
    IndexIterator(Value owner, std::size_t size, bool backwards, At at)
        : owner_(std::move(owner)), size_(size), backwards_(backwards), at_(std::move(at)) {}

    bool next(Runtime& runtime, Value& out) override {
        if (done_ >= size_) return false;
        runtime.charge(1);
        out = at_(runtime, backwards_ ? size_ - 1 - done_ : done_);
        ++done_;
        return true;
    }

  private:
    Value owner_;
    std::size_t size_, done_ = 0;
    bool backwards_;
    At at_;
};

template <typename At>
std::shared_ptr<Iterator> by_index(Value owner, std::size_t size, bool backwards, At at) {
    return std::make_shared<IndexIterator<At>>(std::move(owner), size, backwards, std::move(at));
}

class CharacterIterator final : public Iterator {
  public:
    CharacterIterator(Value owner, bool backwards)
        : owner_(std::move(owner)), rest_(owner_.string()->text), backwards_(backwards) {}

    bool next(Runtime& runtime, Value& out) override {
        if (rest_.empty()) return false;
        std::size_t length = next_utf8(rest_).length;
        if (backwards_) {
            length = 1;
            while (length < 4 && length < rest_.size() && (rest_[rest_.size() - length] & 0xc0) == 0x80)
                ++length;
            if (next_utf8(rest_.substr(rest_.size() - length)).length != length) length = 1;
        }
        const std::string_view piece = rest_.substr(backwards_ ? rest_.size() - length : 0, length);
        out = runtime.text(std::string(piece));
        backwards_ ? rest_.remove_suffix(length) : rest_.remove_prefix(length);
        return true;
    }

  private:
    Value owner_;
    std::string_view rest_;
    bool backwards_;
};

class NoElements final : public Iterator {
  public:
    bool next(Runtime&, Value&) override { return false; }
};

class DictView final : public Object {
  public:
    DictView(Value dict, ViewKind kind) : dict_(std::move(dict)), kind_(kind) {}

    std::string_view type_name() const override {
        constexpr std::string_view kNames[] = {"dict_keys", "dict_values", "dict_items"};
        return kNames[static_cast<int>(kind_)];
    }
    std::string repr(Runtime& runtime) const override {
        std::vector<Value> items;
        for (std::size_t i = 0; i < entries().size(); ++i) items.push_back(element(runtime, i));
        return fmt::format("{}({})", type_name(), jinja::repr(runtime, runtime.list(std::move(items))));
    }
    int depth() const override { return 1 + dict_.depth(); }
    std::optional<std::int64_t> length(Runtime&) override {
        return static_cast<std::int64_t>(entries().size());
    }
    std::shared_ptr<Iterator> iterate(Runtime&) override { return iterator(false); }
    std::shared_ptr<Iterator> iterate_backwards(Runtime&) override { return iterator(true); }

  private:
    const std::vector<Dict::Entry>& entries() const { return dict_.dict()->entries(); }
    Value element(Runtime& runtime, std::size_t i) const {
        const auto& [key, value] = entries()[i];
        if (kind_ == ViewKind::kKeys) return key;
        return kind_ == ViewKind::kValues ? value : runtime.tuple({key, value});
    }
    std::shared_ptr<Iterator> iterator(bool backwards) const {
        return by_index(dict_, entries().size(), backwards,
                        [view = *this](Runtime& runtime, std::size_t i) { return view.element(runtime, i); });
    }

    Value dict_;
    ViewKind kind_;
};

class Range final : public Object {
  public:
    Range(std::int64_t start, std::int64_t stop, std::int64_t step, std::int64_t count)
        : start_(start), stop_(stop), step_(step), count_(count) {}

    std::string_view type_name() const override { return "range"; }
    std::string repr(Runtime&) const override {
        return step_ == 1 ? fmt::format("range({}, {})", start_, stop_)
                          : fmt::format("range({}, {}, {})", start_, stop_, step_);
    }
    bool has_items() const override { return true; }
    Value item(Runtime&, const Value& key) override {
        auto index = key.integer().value_or(count_);
        if (index < 0) index += count_;
        return index < 0 || index >= count_ ? Value{} : Value{start_ + index * step_};
    }
    Value slice(Runtime& runtime, const SliceRange& part) override {
        const auto at = [&](std::int64_t index) { return start_ + index * step_; };
        runtime.charge(sizeof(Range));
        return std::static_pointer_cast<Object>(
            std::make_shared<Range>(at(part.start), at(part.stop), step_ * part.step, part.count));
    }
    std::optional<std::int64_t> length(Runtime&) override { return count_; }
    std::shared_ptr<Iterator> iterate(Runtime&) override { return iterator(false); }
    std::shared_ptr<Iterator> iterate_backwards(Runtime&) override { return iterator(true); }

  private:
    std::shared_ptr<Iterator> iterator(bool backwards) {
        return by_index({}, static_cast<std::size_t>(count_), backwards,
                        [start = start_, step = step_](Runtime&, std::size_t i) -> Value {
                            return start + static_cast<std::int64_t>(i) * step;
                        });
    }

    std::int64_t start_, stop_, step_, count_;
};

}  // namespace

std::shared_ptr<Iterator> iterator_of(Runtime& runtime, const Value& value, bool backwards) {
    if (const List* list = value.list()) {
        return by_index(value, list->items.size(), backwards,
                        [list](Runtime&, std::size_t i) -> Value { return list->items[i]; });
    }
    if (const Dict* dict = value.dict()) {
        return by_index(value, dict->entries().size(), backwards,
                        [dict](Runtime&, std::size_t i) -> Value { return dict->entries()[i].first; });
    }
    if (value.string()) return std::make_shared<CharacterIterator>(value, backwards);
    if (value.undefined()) return std::make_shared<NoElements>();
    if (!value.object()) return nullptr;
    return backwards ? value.object()->iterate_backwards(runtime) : value.object()->iterate(runtime);
}

bool Generator::next(Runtime& runtime, Value& out) {
    if (running_) refuse("generator already executing");
    if (!step_) return false;
    const Runtime::Nested nested(runtime);
    runtime.charge(1);
    running_ = true;
    Step step = std::exchange(step_, nullptr);
    const bool has_more = step(runtime, out);
    running_ = false;
    if (has_more) step_ = std::move(step);
    return has_more;
}

Value make_generator(Runtime& runtime, Generator::Step step, std::string_view name) {
    return std::static_pointer_cast<Object>(runtime.retain<Generator>(std::move(step), name));
}

Value dict_view(Runtime& runtime, const Value& dict, ViewKind kind) {
    runtime.charge(sizeof(DictView));
    if (dict.depth() + 1 > kMaxValueDepth) exceed("values nested more than {} levels deep", kMaxValueDepth);
    return std::static_pointer_cast<Object>(std::make_shared<DictView>(dict, kind));
}

Value make_range(Runtime& runtime, std::int64_t start, std::int64_t stop, std::int64_t step) {
    constexpr std::int64_t kMaxRange = 100'000;
    if (step == 0) refuse("range() arg 3 must not be zero");
    // In 128 bits nothing overflows.
    __extension__ using Wide = __int128;
    const Wide distance = step > 0 ? Wide{stop} - start : Wide{start} - stop;
    const Wide stride = step > 0 ? Wide{step} : -Wide{step};
    const Wide count = distance > 0 ? (distance - 1) / stride + 1 : 0;
    if (count > kMaxRange) {
        refuse("Range too big. The sandbox blocks ranges larger than MAX_RANGE ({}).", kMaxRange);
    }
    runtime.charge(sizeof(Range));
    return std::static_pointer_cast<Object>(
        std::make_shared<Range>(start, stop, step, static_cast<std::int64_t>(count)));
}

}  // namespace kvsplit::text::jinja
