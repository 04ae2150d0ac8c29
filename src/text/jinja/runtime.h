// Runtime: the limits of one rendering, and the objects it made.
#pragma once

#include <ctime>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "text/jinja/object.h"
#include "text/jinja/template_error.h"
#include "text/jinja/value.h"

namespace kvsplit::text::jinja {

// Bounds time and memory of a rendering, whatever the template does.
struct Limits {
    std::size_t work = 200'000'000;  // operations plus bytes made: a few seconds, and that much memory
    int nesting = 1200;              // expressions, statements and macro calls inside each other
};

// The reaction of most operations to an undefined value.
[[noreturn]] inline void refuse_undefined(const Undefined& value) { refuse("{}", value.message()); }

constexpr int kMaxValueDepth = 200;  // lists and dicts inside each other

class Runtime {
  public:
    using Clock = std::function<std::tm()>;

    Runtime(const Limits& limits, Clock now) : limits_(limits), left_(limits.work), now_(std::move(now)) {}
    ~Runtime();
    Runtime(const Runtime&) = delete;
    Runtime& operator=(const Runtime&) = delete;

    // Call before doing the work or allocating the bytes. Throws Failure(kLimit).
    void charge(std::size_t work) {
        if (work > left_) out_of_work();
        left_ -= work;
    }
    std::tm now() const { return now_(); }

    Value text(std::string text, bool markup = false);
    Value list(std::vector<Value> items, List::Kind kind = List::Kind::kList);
    Value tuple(std::vector<Value> items) { return list(std::move(items), List::Kind::kTuple); }
    Value dict(Dict entries);
    static Value undefined(Undefined::What what, std::string name, std::string owner = {});
    // An undefined attribute or element of owner.
    static Value undefined(const Value& owner, const Value& key);
    static Value undefined(std::string message) {
        return undefined(Undefined::What::kOther, std::move(message));
    }

    // Makes an object that lives until the end of the rendering.
    template <typename T, typename... Args>
    std::shared_ptr<T> retain(Args&&... args) {
        charge(sizeof(T) + 96);  // and what it allocates
        auto object = std::make_shared<T>(std::forward<Args>(args)...);
        retained_.push_back(object);
        return object;
    }

    // Held while processing something that may be nested.
    class Nested {
      public:
        explicit Nested(Runtime& runtime) : runtime_(runtime) {
            if (++runtime.depth_ > runtime.limits_.nesting) runtime.too_deep();
        }
        ~Nested() { --runtime_.depth_; }
        Nested(const Nested&) = delete;
        Nested& operator=(const Nested&) = delete;

      private:
        Runtime& runtime_;
    };

  private:
    [[noreturn]] void out_of_work() const;
    [[noreturn]] void too_deep();

    const Limits limits_;
    std::size_t left_;
    int depth_ = 0;
    Clock now_;
    std::vector<std::shared_ptr<Object>> retained_;
};

// A growing text, charged as it grows.
class Text {
  public:
    explicit Text(Runtime& runtime) : runtime_(runtime) {}
    Text& append(std::string_view piece) {
        runtime_.charge(piece.size());
        text_ += piece;
        return *this;
    }
    Text& repeat(std::string_view piece, std::int64_t times);
    std::size_t size() const { return text_.size(); }
    std::string take() { return std::move(text_); }
    Value value(bool markup = false);

  private:
    Runtime& runtime_;
    std::string text_;
};

}  // namespace kvsplit::text::jinja
