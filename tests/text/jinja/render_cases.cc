// For scripts/oracles/chat_templates.py: renders templates, one JSON object per line.
//
// in:  {"template", "variables"[, "now": seconds since 1970]}
// out: {"output"}, or {"refused": message, "fault": "syntax", "operation", "raised" or "limit"};
//      with "microseconds" of one rendering, the fastest of a few, if the program was called with --time
#include <algorithm>
#include <chrono>
#include <cstring>
#include <iostream>

#include "text/jinja/template.h"

namespace {

using namespace kvsplit::text::jinja;

double microseconds(const Template& prompt, const Json& variables, const RenderOptions& options) {
    double best = 1e12;
    for (int i = 0; i < 5; ++i) {
        const auto start = std::chrono::steady_clock::now();
        prompt.render(variables, options);
        const std::chrono::duration<double, std::micro> took = std::chrono::steady_clock::now() - start;
        best = std::min(best, took.count());
    }
    return best;
}

Json result_of(const Json& test_case, bool with_time) {
    constexpr const char* kFaults[] = {"syntax", "operation", "raised", "limit"};
    RenderOptions options;
    options.now = [seconds = test_case.value("now", std::time_t{0})] {
        std::tm out{};
        ::gmtime_r(&seconds, &out);
        return out;
    };
    try {
        const Template prompt(test_case.at("template").get_ref<const std::string&>());
        const Json& variables = test_case.at("variables");
        Json out{{"output", prompt.render(variables, options)}};
        if (with_time) out["microseconds"] = microseconds(prompt, variables, options);
        return out;
    } catch (const TemplateError& error) {
        return {{"refused", error.detail()},
                {"line", error.line()},
                {"fault", kFaults[static_cast<int>(error.fault())]}};
    }
}

}  // namespace

int main(int argc, char** argv) {
    const bool with_time = argc > 1 && std::strcmp(argv[1], "--time") == 0;
    for (std::string line; std::getline(std::cin, line);) {
        const Json result = result_of(Json::parse(line), with_time);
        std::cout << result.dump(-1, ' ', false, Json::error_handler_t::replace) << "\n";
    }
}
