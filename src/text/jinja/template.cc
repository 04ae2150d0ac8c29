#include "text/jinja/template.h"

#include <new>

#include "text/jinja/evaluator.h"
#include "text/jinja/names.h"
#include "text/jinja/parser.h"

namespace kvsplit::text::jinja {
namespace {

std::tm local_time() {
    const std::time_t now = std::time(nullptr);
    std::tm out{};
    ::localtime_r(&now, &out);
    return out;
}

// Runs an action and adds the template's name to its errors.
template <typename Action>
auto naming(const std::string& name, const Action& action) {
    try {
        return action();
    } catch (const TemplateError& error) {
        throw TemplateError(error.fault(), error.line(), error.detail(), name);
    } catch (const Failure& failure) {
        throw TemplateError(failure.fault, 1, failure.detail, name);
    } catch (const std::bad_alloc&) {
        throw TemplateError(Fault::kLimit, 1, "out of memory", name);
    }
}

TemplateTree parse_and_resolve(std::string_view source) {
    if (source.size() > Template::kMaxBytes) exceed("a template of more than {} bytes", Template::kMaxBytes);
    TemplateTree tree = parse(source);
    resolve_names(tree);
    return tree;
}

}  // namespace

Template::Template(std::string_view source, std::string name)
    : name_(std::move(name)), tree_(naming(name_, [&] { return parse_and_resolve(source); })) {}

std::string Template::render(const Json& variables, const RenderOptions& options) const {
    return naming(name_, [&] {
        Evaluator::Variables values;
        for (const auto& [name, value] : variables.items()) values.emplace(name, from_json(value));
        Runtime runtime(options.limits, options.now ? options.now : local_time);
        return Evaluator(runtime, values).run(tree_);
    });
}

}  // namespace kvsplit::text::jinja
