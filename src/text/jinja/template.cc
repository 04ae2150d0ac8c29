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

TemplateTree checked_parse(std::string_view source) {
    if (source.size() > Template::kMaxBytes) {
        throw TemplateError(Fault::kLimit, 1, fmt::format("a template of more than {} bytes", Template::kMaxBytes));
    }
    TemplateTree tree = parse(source);
    resolve_names(tree);
    return tree;
}

}  // namespace

Template::Template(std::string_view source) : tree_(checked_parse(source)) {}

std::string Template::render(const Json& variables, const RenderOptions& options) const {
    try {
        Evaluator::Variables values;
        for (const auto& [name, value] : variables.items()) values.emplace(name, from_json(value));
        Runtime runtime(options.limits, options.now ? options.now : local_time);
        return Evaluator(runtime, values).run(tree_);
    } catch (const Failure& failure) {
        throw TemplateError(failure.fault, 1, failure.detail);
    } catch (const std::bad_alloc&) {
        throw TemplateError(Fault::kLimit, 1, "out of memory");
    }
}

}  // namespace kvsplit::text::jinja
