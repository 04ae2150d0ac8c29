// Values of the template language, as in Python: none, numbers, strings, lists, dicts, and objects.
//
// Strings, lists and dicts never change once made, and are shared. Objects may change. A Value belongs to one
// rendering and one thread, except for the strings and numbers in a parsed template.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <variant>
#include <vector>

namespace kvsplit::text::jinja {

class Dict;
class Object;
struct List;
struct String;
struct Undefined;

class Value {
  public:
    // In the order of the alternatives of Data.
    enum class Kind {
        kMissing,  // a variable or an argument that was not given; operations never see it
        kNone,
        kBool,
        kInt,
        kFloat,
        kUndefined,
        kString,
        kList,  // and tuples
        kDict,
        kObject,
    };

    Value() = default;  // kMissing
    Value(std::nullptr_t) : data_(nullptr) {}
    Value(bool value) : data_(value) {}
    Value(std::int64_t value) : data_(value) {}
    Value(double value) : data_(value) {}
    Value(std::shared_ptr<const Undefined> value) : data_(std::move(value)) {}
    Value(std::shared_ptr<const String> value) : data_(std::move(value)) {}
    Value(std::shared_ptr<const List> value) : data_(std::move(value)) {}
    Value(std::shared_ptr<const Dict> value) : data_(std::move(value)) {}
    Value(std::shared_ptr<Object> value) : data_(std::move(value)) {}
    Value(const char*) = delete;  // would be a bool
    // Not charged to a rendering; for constants and input.
    static Value string(std::string text);

    Kind kind() const { return static_cast<Kind>(data_.index()); }
    bool is_missing() const { return kind() == Kind::kMissing; }
    bool is_none() const { return kind() == Kind::kNone; }
    bool is_bool() const { return kind() == Kind::kBool; }
    bool is_float() const { return kind() == Kind::kFloat; }
    bool is_number() const { return integer().has_value() || is_float(); }

    // Null for values of other kinds.
    const Undefined* undefined() const { return pointer<Undefined>(); }
    const String* string() const { return pointer<String>(); }
    const List* list() const { return pointer<List>(); }
    const Dict* dict() const { return pointer<Dict>(); }
    Object* object() const;

    std::optional<std::int64_t> integer() const;  // of ints and bools
    std::optional<double> number() const;         // of ints, bools and floats

    // Python's name of the type: "str", "int", ...
    std::string_view type_name() const;
    // The depth of nested lists and dicts; 0 if this is neither.
    int depth() const;
    // The very same object, or equal scalars.
    bool same_as(const Value& other) const { return data_ == other.data_; }

  private:
    template <typename T>
    const T* pointer() const {
        const auto* shared = std::get_if<std::shared_ptr<const T>>(&data_);
        return shared ? shared->get() : nullptr;
    }

    std::variant<std::monostate, std::nullptr_t, bool, std::int64_t, double, std::shared_ptr<const Undefined>,
                 std::shared_ptr<const String>, std::shared_ptr<const List>, std::shared_ptr<const Dict>,
                 std::shared_ptr<Object>>
        data_;
};

// A variable, attribute or element that does not exist. Prints as nothing; most operations refuse it, with
// message().
struct Undefined {
    enum class What { kVariable, kAttribute, kElement, kOther };
    What what = What::kOther;
    std::string name;   // kOther: the message
    std::string owner;  // of an attribute or element: "dict object"

    std::string message() const;
};

struct String {
    explicit String(std::string t, bool m = false) : text(std::move(t)), markup(m) {}
    std::string text;  // UTF-8; an invalid byte counts as a character
    bool markup;       // from `safe` or `escape`: text added to it is escaped, as in Python's Markup

    std::int64_t length() const;  // characters
    bool ascii() const { return length() == static_cast<std::int64_t>(text.size()); }

  private:
    mutable std::atomic<std::int64_t> length_{-1};  // -1: not counted yet
};

struct List {
    enum class Kind {
        kList,
        kTuple,
        kGroup,  // groupby's tuple, with elements named grouper and list
    };
    std::vector<Value> items;
    Kind kind = Kind::kList;
    int depth = 1;
};

// Keeps the order of insertion. Keys are hashable values.
class Dict {
  public:
    using Entry = std::pair<Value, Value>;

    // Null if absent. Refuses keys that are not hashable.
    const Value* find(const Value& key) const;
    const Value* find(std::string_view key) const;
    // An existing key keeps its place.
    void set(Value key, Value value);
    void set(std::string_view key, Value value) { set(Value::string(std::string(key)), std::move(value)); }
    const std::vector<Entry>& entries() const { return entries_; }
    int depth() const { return depth_; }

  private:
    template <typename Equal>
    std::optional<std::size_t> position(std::size_t hash, const Equal& equal) const;

    std::vector<Entry> entries_;
    std::unordered_multimap<std::size_t, std::size_t> index_;  // hash to entry; empty for small dicts
    int depth_ = 1;
};

// Python's hash(): equal values have equal ones. Refuses lists and dicts.
std::size_t hash_of(const Value& value);

}  // namespace kvsplit::text::jinja
