// Fuzz target: bytes as a chat template. Rendering must end soon, with a text or a TemplateError.
#include <cstdint>
#include <string_view>

#include "text/jinja/template.h"

namespace {

using namespace kvsplit::text::jinja;

const Json& variables() {
    static const Json json = Json::parse(R"({
        "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "h\u00e9llo <x> {{ y }}"},
                     {"role": "assistant", "content": null, "tool_calls": [{"function": {"name": "f", "arguments": {"a": [1, 2.5]}}}]}],
        "tools": [{"type": "function", "function": {"name": "f", "parameters": {"type": "object", "properties": {}}}}],
        "add_generation_prompt": true, "bos_token": "<s>", "n": 3, "x": [3, 1, "b", [], {}, true, null], "s": "abc"})");
    return json;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    try {
        RenderOptions options;
        options.limits.work = 1'000'000;
        options.now = [] { return std::tm{}; };
        const Template prompt(std::string_view(reinterpret_cast<const char*>(data), size));
        prompt.render(variables(), options);
    } catch (const TemplateError&) {
    }
    return 0;
}
