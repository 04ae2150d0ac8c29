// Excessive templates fail soon, and with little memory.
#include <gtest/gtest.h>

#include <thread>

#include "text/jinja/template.h"

namespace kvsplit::text::jinja {
namespace {

std::string repeated(std::string_view text, int times) {
    std::string out;
    for (int i = 0; i < times; ++i) out += text;
    return out;
}

std::string render(const std::string& source, const Json& variables = Json::object(),
                   std::size_t work = 2'000'000) {  // enough for the tests, quick under sanitizers
    RenderOptions options;
    options.limits.work = work;
    return Template(source).render(variables, options);
}

Fault fault_of(const std::string& source, const Json& variables = Json::object()) {
    try {
        render(source, variables);
    } catch (const TemplateError& error) {
        return error.fault();
    }
    ADD_FAILURE() << "no error: " << source.substr(0, 200);
    return Fault::kRaised;
}

TEST(JinjaLimits, WorkAndMemory) {
    for (const std::string& source : std::initializer_list<std::string>{
             "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}",
             "{% for a in range(99999) %}{{ 'a line of text that adds up' }}{% endfor %}",
             "{{ 'a' * 1000000000000 }}",
             "{{ [0] * 1000000000000 }}",
             "{{ 'ab' * 4611686018427387904 }}",
             "{% set ns = namespace(x='ab') %}{% for i in range(99) %}{% set ns.x = ns.x ~ ns.x %}{% endfor "
             "%}",
             "{% set ns = namespace(x=[1]) %}{% for i in range(99) %}{% set ns.x = ns.x + ns.x %}{% endfor "
             "%}",
             "{{ 'x'.center(1000000000000) }}",
             "{{ 'x'.rjust(999999999999, 'é') }}",
             "{{ '7'.zfill(999999999999) }}",
             "{{ '%999999999d' % 7 }}",
             "{{ '%.999999999d' % 7 }}",
             "{{ '{:999999999}'.format(7) }}",
             "{{ 'a\tb'.expandtabs(999999999999) }}",
             "{{ 'a\nb'|indent(999999999999) }}",
             "{{ [1]|tojson(indent=999999999999) }}",
             "{{ [1]|batch(999999999999, 0)|list }}",
             "{{ [1]|slice(999999999999)|list }}",
             "{{ ('a' * 9999).replace('', 'b' * 9999) }}",
             "{{ (('a' * 9999)|list).__class__ or ('a' * 9999).join(('b' * 9999)|list) }}",
             "{% set ns = namespace() %}{% for i in range(99999) %}{% set ns.x = namespace(y=ns) %}{{ "
             "i|string * 9 }}{% endfor %}",
             "{{ ('a' * 1000000).rfind('a' * 500000 ~ 'b') }}",
         }) {
        EXPECT_EQ(fault_of(source), Fault::kLimit) << source;
    }
}

TEST(JinjaLimits, NestingAtRunTime) {
    for (const std::string& source : std::initializer_list<std::string>{
             "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
             "{% macro m() %}{% call m() %}{{ caller() }}{% endcall %}{% endmacro %}{% call m() %}{% endcall "
             "%}",
             "{% for x in [1] recursive %}{{ loop([1]) }}{% endfor %}",
             "{% set ns = namespace(x=[]) %}{% for i in range(9999) %}{% set ns.x = [ns.x] %}{% endfor %}",
             "{% set ns = namespace(x={}) %}{% for i in range(9999) %}{% set ns.x = {'k': ns.x} %}{% endfor "
             "%}",
             "{% set ns = namespace(x={}) %}{% for i in range(9999) %}{% set ns.x = {'k': ns.x}.items() %}{% "
             "endfor %}",
             "{% set ns = namespace(x={}) %}{% for i in range(9999) %}{% set ns.x = [ns.x].index %}{% endfor "
             "%}",
             "{% set ns = namespace() %}{% set ns.x = ns %}{{ ns }}",
             "{% set ns = namespace(g=[1]) %}{% for i in range(9999) %}{% set ns.g = ns.g|map('string') %}{% "
             "endfor %}{{ ns.g|list }}",
         }) {
        EXPECT_EQ(fault_of(source), Fault::kLimit) << source;
    }
}

// Deep or circular structures are released without recursion and without a leak.
TEST(JinjaLimits, ChainsOfObjects) {
    for (const std::string& source : std::initializer_list<std::string>{
             "{% set ns = namespace() %}{% for i in range(20000) %}{% set ns.x = namespace(y=ns.x) %}{% "
             "endfor %}",
             "{% set ns = namespace(g=[1]) %}{% for i in range(9999) %}{% set ns.g = ns.g|map('string') %}{% "
             "endfor %}",
             "{% set ns = namespace() %}{% for i in range(9999) %}{% for x in [ns.l] %}{% set ns.l = loop "
             "%}{% endfor %}{% endfor %}",
             "{% set ns = namespace() %}{% for i in range(9) %}{% if loop.changed(loop) %}{% endif %}{% set "
             "ns.l = [loop, ns] %}{% endfor %}",
             "{% set ns = namespace() %}{% macro m(x) %}{% macro inner() %}{{ x }}{% endmacro %}{% set ns.m "
             "= inner %}{% endmacro %}"
             "{% for i in range(9999) %}{{ m(ns.m) }}{% endfor %}",
             "{% set ns = namespace() %}{% set ns.c = cycler(ns) %}{% set ns.j = joiner(ns) %}{{ ns.c.next() "
             "is defined }}",
         }) {
        EXPECT_NO_THROW(render(source, Json::object(), 20'000'000)) << source;
    }
}

TEST(JinjaLimits, NestingInTheSource) {
    constexpr int kDeep = 20'000;
    for (const std::string& source : std::initializer_list<std::string>{
             "{{ " + repeated("(", kDeep) + "1" + repeated(")", kDeep) + " }}",
             "{{ " + repeated("[", kDeep) + repeated("]", kDeep) + " }}",
             "{{ " + repeated("{1:", kDeep) + " }}",
             "{{ " + repeated("not ", kDeep) + "1 }}",
             "{{ " + repeated("-", kDeep) + "1 }}",
             "{{ " + repeated("1 if 1 else ", kDeep) + "1 }}",
             "{{ 1" + repeated(" + 1", kDeep) + " }}",
             "{{ a" + repeated(".b", kDeep) + " }}",
             "{{ a" + repeated("|upper", kDeep) + " }}",
             "{{ a" + repeated("()", kDeep) + " }}",
             "{{ a" + repeated("[0]", kDeep) + " }}",
             repeated("{% if 1 %}", kDeep),
             repeated("{% for a in b %}", kDeep),
             repeated("{% macro m() %}", kDeep),
             "{% set " + repeated("(", kDeep) + " = 1 %}",
             "{{ a is " + repeated("b(", kDeep) + " }}",
         }) {
        EXPECT_EQ(fault_of(source), Fault::kSyntax) << source.substr(0, 40);
    }
    EXPECT_EQ(fault_of(std::string(Template::kMaxBytes + 1, 'x')), Fault::kLimit);
    // Long, but not deep.
    EXPECT_EQ(render("{{ 1" + repeated(" ~ 1", 5000) + " }}").size(), 5001u);
    EXPECT_EQ(render("{% if 0 %}" + repeated("{% elif 0 %}", 2000) + "{% else %}x{% endif %}"), "x");
}

TEST(JinjaLimits, DeepInput) {
    Json deep = Json::array();
    for (int i = 0; i < 1000; ++i) deep = Json::array({std::move(deep)});
    EXPECT_EQ(fault_of("{{ x }}", {{"x", deep}}), Fault::kLimit);
}

TEST(JinjaLimits, BrokenUtf8) {
    const Json variables{{"x", "a\xff\xc3"}};
    EXPECT_EQ(render("{{ x }}{{ x|length }}{{ x[1] }}", variables),
              "a\xff\xc3"
              "3\xff");
    EXPECT_EQ(render("{{ x|upper }} {{ [x] }} {{ x|tojson }} {{ x[::-1]|length }} \xfe", variables),
              "A\xff\xc3 ['a\\xff\\xc3'] \"a\xff\xc3\" 3 \xfe");
}

TEST(JinjaErrors, NameTemplateAndLine) {
    const Template prompt("{% if true %}\n\n{{ raise_exception('Not like this') }}{% endif %}",
                          "model.gguf: template");
    try {
        prompt.render(Json::object());
        FAIL();
    } catch (const TemplateError& error) {
        EXPECT_STREQ(error.what(), "model.gguf: template, line 3: Not like this");
        EXPECT_EQ(error.detail(), "Not like this");
        EXPECT_EQ(error.code(), ErrorCode::kInvalidArgument);
    }
    try {
        Template("a\n{% if x %}\n{{ 1 + }}", "file.jinja");
        FAIL();
    } catch (const TemplateError& error) {
        EXPECT_EQ(error.line(), 3);
        EXPECT_EQ(error.code(), ErrorCode::kFormat);
    }
}

TEST(JinjaThreads, ShareATemplate) {
    const Template prompt(
        "{% macro m(x) %}[{{ x|upper }}é]{% endmacro %}{% for x in l %}{{ m(x) }}{{ 'äöü'[1] }}{% endfor %}");
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t) {
        threads.emplace_back([&] {
            for (int i = 0; i < 50; ++i) EXPECT_EQ(prompt.render({{"l", {"a", "b"}}}), "[Aé]ö[Bé]ö");
        });
    }
    for (std::thread& thread : threads) thread.join();
}

}  // namespace
}  // namespace kvsplit::text::jinja
