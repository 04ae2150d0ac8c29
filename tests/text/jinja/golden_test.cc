// Compared with jinja2 as transformers configures it (scripts/oracles/chat_templates.py).
#include <gtest/gtest.h>

#include "text/chat.h"
#include "text/jinja/template.h"
#include "text/model_templates.h"

namespace kvsplit::text::jinja {
namespace {

Json read_json(const std::string& name) {
    return Json::parse(test::read_text(std::string{KVSPLIT_TEST_DATA} + "/chat/" + name));
}

RenderOptions at(std::time_t seconds) {
    RenderOptions out;
    out.now = [seconds] {
        std::tm time{};
        ::gmtime_r(&seconds, &time);
        return time;
    };
    return out;
}

std::string fnv1a(std::string_view text) {
    std::uint64_t value = 0xcbf29ce484222325;
    for (const char c : text) value = (value ^ static_cast<unsigned char>(c)) * 0x100000001b3;
    return fmt::format("{:016x}", value);
}

// The result in the form of the golden.
Json outcome(const std::string& source, const Json& variables, const RenderOptions& options) {
    try {
        return {{"output", Template(source).render(variables, options)}};
    } catch (const TemplateError& error) {
        if (error.fault() == Fault::kRaised) return {{"raised", error.detail()}};
        // Python's compiler detects some excessive nesting only at run time.
        return {{"refused", error.fault() == Fault::kSyntax ? "syntax" : "operation"}};
    }
}

TEST(Jinja, TheLanguage) {
    const Json golden = read_json("language.json");
    const RenderOptions options = at(golden["now"]);
    for (const Json& c : golden["cases"]) {
        const Json& variables =
            c["variables"].is_object() ? c["variables"] : golden["data"][c["variables"].get<int>()];
        Json expected = c;
        expected.erase("template");
        expected.erase("variables");
        EXPECT_EQ(outcome(c["template"], variables, options), expected) << c["template"];
    }
}

TEST(Jinja, TemplatesOfModels) {
    const Json golden = read_json("templates.json");
    const RenderOptions options = at(golden["now"]);
    std::size_t found = 0;
    for (const auto& [name, entry] : golden["templates"].items()) {
        const std::string source = test::find_template(name);
        if (source.empty()) continue;
        ++found;
        ASSERT_EQ(fnv1a(source), entry["source"].get<std::string>()) << name << " is another version";
        const Template prompt(source, name);
        for (std::size_t i = 0; i < entry["results"].size(); ++i) {
            const Json& c = golden["conversations"][i / 2];
            ChatInput input{c["messages"], c["tools"], c["documents"], golden["tokens"], i % 2 == 1};
            input.variables.update(c["variables"]);
            Json got;
            try {
                const std::string text = prompt.render(template_variables(input), options);
                got = fmt::format("{} {}", text.size(), fnv1a(text));
            } catch (const TemplateError& error) {
                if (error.fault() == Fault::kRaised) got = {{"raised", error.detail()}};
            }
            EXPECT_EQ(got, entry["results"][i]) << name << ", conversation " << i / 2;
        }
    }
    EXPECT_GE(found, 28u);
    if (const std::size_t all = golden["templates"].size(); found < all) {
        GTEST_SKIP() << kNoTestData << all - found << " of " << all << " chat templates";
    }
}

}  // namespace
}  // namespace kvsplit::text::jinja
