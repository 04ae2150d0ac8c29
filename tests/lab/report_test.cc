// Reports of made-up figures: tables, pictures, the page and the recommendation.
#include <gtest/gtest.h>

#include <cmath>
#include <regex>

#include "lab/made_up_results.h"
#include "lab/report/charts.h"
#include "lab/report/csv.h"
#include "lab/report/format.h"
#include "lab/report/html.h"
#include "lab/report/labels.h"
#include "lab/report/scale.h"
#include "lab/report/summary.h"
#include "lab/report/summary_tables.h"
#include "lab/report/theme.h"

namespace kvsplit::lab {
namespace {

std::size_t count(std::string_view text, std::string_view part) {
    std::size_t n = 0;
    for (auto at = text.find(part); at != std::string_view::npos; at = text.find(part, at + part.size())) ++n;
    return n;
}

TEST(ReportSummary, FrontMirrorsAndChoice) {
    const auto results = test::made_up_results();
    const Summary summary(results);
    EXPECT_EQ(summary.context, 2048);
    EXPECT_EQ(summary.reference->name, "f16");
    std::string front;
    for (const auto& row : summary.rows) {
        if (row.on_front) front += row.name + " ";
    }
    EXPECT_EQ(front, "k8v8 k6v6 k5v4 k4v4 ");  // k8v4 and k4v8 are as large as k6v6 and further away
    ASSERT_EQ(summary.mirrors.size(), 1u);
    EXPECT_EQ(summary.mirrors[0].more_for_keys->name, "k8v4");
    EXPECT_NEAR(summary.mirrors[0].ratio(), 0.0015 / 0.00036, 1e-9);
    ASSERT_NE(summary.everyday, nullptr);
    EXPECT_EQ(summary.everyday->name, "k5v4");
    ASSERT_NE(summary.faithful, nullptr);
    EXPECT_EQ(summary.faithful->name, "k8v8");
    EXPECT_EQ(advice(summary).front(), "Take k5v4.");
}

// A mean less than two standard errors below the limit may be there by chance.
TEST(ReportSummary, AnUncertainDivergenceIsNotWithinALimit) {
    auto results = test::made_up_results();
    for (auto& q : results.quality) {
        if (q.result.spec.name() == "k5v4") q.result.vs_f16->kld_stderr = 0.0002;
    }
    EXPECT_EQ(Summary(results).everyday->name, "k6v6");
}

// With rounded activations, noise lies under every divergence.
TEST(ReportSummary, TheFloorIsNotTheCaches) {
    auto results = test::made_up_results();
    results.settings.exact = false;
    for (auto& q : results.quality) q.result.vs_f16->kld_mean += 0.003;
    EXPECT_EQ(Summary(results).everyday, nullptr);
    results.floor.emplace().kld_mean = 0.003;
    EXPECT_EQ(Summary(results).everyday->name, "k5v4");
}

TEST(ReportSummary, NothingGoodEnough) {
    CompareResults results = test::made_up_results();
    for (auto& q : results.quality) q.result.vs_f16->kld_mean *= 1000;
    const Summary summary(results);
    EXPECT_EQ(summary.everyday, nullptr);
    EXPECT_EQ(summary.closest->name, "k8v8");
    EXPECT_NE(advice(summary)[0].find("None of the caches"), std::string::npos);
}

TEST(ReportSummary, NoAdviceWhereNothingIsSmaller) {
    CompareResults results = test::made_up_results();
    for (auto& memory : results.memory) memory.kv.bytes = {0, 0, memory.kv.f16_total + 1};
    const auto said = advice(Summary(results));
    ASSERT_EQ(said.size(), 1u);
    EXPECT_NE(said[0].find("no cache measured is smaller than f16"), std::string::npos);
}

TEST(ReportScale, RoundMarks) {
    const auto linear = Scale::linear(0, 87, 0, 100, 5);
    EXPECT_EQ(linear.marks(), (std::vector<double>{0, 20, 40, 60, 80, 100}));
    EXPECT_DOUBLE_EQ(linear(50), 50);
    const auto log = Scale::logarithmic(0.03, 15, 300, 0);
    EXPECT_NEAR(log.low(), 0.02, 1e-12);
    EXPECT_NEAR(log.high(), 20, 1e-9);
    ASSERT_EQ(log.marks().size(), 3u);
    EXPECT_NEAR(log.marks()[0], 0.1, 1e-12);
    EXPECT_NEAR(log.marks()[2], 10, 1e-9);
    EXPECT_NEAR(log(0.02 * std::sqrt(1000.0)), 150, 1e-9);
    // Within one power of ten all steps have marks.
    EXPECT_EQ(Scale::logarithmic(2.5, 4, 0, 1).marks().size(), 2u);
}

TEST(ReportLabels, SpreadKeepsOrderAndDistance) {
    const auto places = spread({50, 51, 52, 10, 99.5, 100}, 8, 0, 100);
    std::vector<double> sorted{places[3], places[0], places[1], places[2], places[4], places[5]};
    for (std::size_t i = 1; i < sorted.size(); ++i) EXPECT_GE(sorted[i] - sorted[i - 1], 8 - 1e-9);
    EXPECT_DOUBLE_EQ(places[3], 10);
    EXPECT_DOUBLE_EQ(places[1], 51);
    EXPECT_DOUBLE_EQ(places[5], 100);
    // More labels than there is room for: as far apart as possible.
    EXPECT_EQ(spread({1, 2, 3}, 80, 0, 100), (std::vector<double>{0, 50, 100}));
}

TEST(ReportLabels, DoNotCoverOneAnother) {
    const Box area{0, 0, 200, 200};
    std::vector<Mark> marks;
    for (int i = 0; i < 4; ++i) marks.push_back({{60.0 + 20 * i, 100.0 + 6 * i}, 4, "k8v4"});
    const auto labels = place_labels(marks, {}, 12, area);
    std::vector<Box> boxes;
    for (std::size_t i = 0; i < marks.size(); ++i) {
        const double width = text_width(marks[i].text, 12);
        const double left = labels[i].anchor == Anchor::kStart    ? labels[i].at.x
                            : labels[i].anchor == Anchor::kMiddle ? labels[i].at.x - width / 2
                                                                  : labels[i].at.x - width;
        boxes.push_back({left, labels[i].at.y - 9, left + width, labels[i].at.y + 2});
        for (std::size_t j = 0; j < i; ++j) EXPECT_EQ(boxes[i].overlap(boxes[j]), 0) << i << " " << j;
    }
}

TEST(ReportFormat, Numbers) {
    EXPECT_EQ(format_kld(0.0000089), "0.0089");
    EXPECT_EQ(format_kld(0.00182), "1.8");
    EXPECT_EQ(format_kld(0.0453), "45");
    EXPECT_EQ(format_kld(0), "0");
    EXPECT_EQ(format_signed(0.004, 2), "0.00");
    EXPECT_EQ(format_signed(-0.04, 2), "-0.04");
    EXPECT_EQ(format_count(1234567), "1,234,567");
    EXPECT_EQ(format_time(83.2), "1 min 23 s");
}

TEST(ReportTable, TextIsAlignedAscii) {
    const auto results = test::made_up_results();
    const Summary summary(results);
    for (const auto& table :
         {overview_table(summary), quality_table(summary), memory_table(summary), speed_table(summary)}) {
        const std::string text = to_text(table);
        EXPECT_TRUE(std::all_of(text.begin(), text.end(), [](char c) { return c > 0; })) << text;
        for (const char* name : {"f16", "k8v8", "k4v4"})
            EXPECT_EQ(count(text, std::string("\n") + name + " "), 1u);
        for (const auto& row : table.rows) EXPECT_EQ(row.cells.size(), table.columns.size());
    }
}

TEST(ReportTable, ColumnsNeverTouch) {
    Table table{"", {{"cache"}, {"PPL"}, {"mean "}, {"same\ntop"}, {"kind", false, true}}};
    table.gap = 1;
    table.longest_name = 6;
    table.groups = {{"both", 1, 2}};
    table.rows = {{{"f16", "1.5", "- ", "99.0", "x"}},
                  {{"k4v4+tail=128", "123456789.1234", "1000.5~", "100.0", "long"}},
                  {{"k2v2"}, false, "not possible: \xC3\xA4"},
                  {{"\xC3\xA4", "1", "2 ", "3", "y"}, false, "does not fit"}};
    EXPECT_EQ(to_text(table),
              "               both           same\n"
              "cache            PPL   mean    top kind\n"
              "f16              1.5      -   99.0 x\n"
              "k4v4+tail=128\n"
              "      123456789.1234 1000.5~ 100.0 long\n"
              "k2v2   not possible: \xC3\xA4\n"
              "\xC3\xA4                  1      2      3 y     does not fit\n");
    table.columns = {{""}, {""}};
    table.rows = {{{"a", "b"}}};
    table.groups = {};
    EXPECT_EQ(to_text(table), "a b\n");
}

TEST(ReportCsv, EveryLineHasEveryField) {
    auto results = test::made_up_results();
    test::add_cache(results, {"k4v4+0-1=k8v8+tail=0", 330'000, 0.0012});
    results.quality.erase(results.quality.begin());
    const std::string csv = to_csv(results);
    const auto fields = count(csv.substr(0, csv.find('\n')), ",");
    EXPECT_EQ(count(csv, "\n"), 1 + 8u * 2);
    std::istringstream lines(csv);
    for (std::string line; std::getline(lines, line);) EXPECT_EQ(count(line, ","), fields) << line;
}

TEST(ReportCharts, AllOfThemInBothWidths) {
    const auto results = test::made_up_results();
    const Summary summary(results);
    const auto charts = all_charts(summary);
    ASSERT_EQ(charts.size(), 5u);
    for (const auto& chart : charts) {
        SCOPED_TRACE(chart.name);
        EXPECT_EQ(chart.wide->width(), kWideChart);
        EXPECT_EQ(chart.narrow->width(), kNarrowChart);
        const std::string file = chart.wide->file(picture_style());
        EXPECT_EQ(file.find("var("), std::string::npos);
        EXPECT_EQ(file.find("nan"), std::string::npos);
        EXPECT_EQ(file.find("inf"), std::string::npos);
        EXPECT_EQ(count(file, "<svg "), 1u);
        for (const char* name : {"k8v8", "k4v4"}) {
            EXPECT_GE(count(chart.wide->description() + file, name), 1u) << name;
        }
    }
}

TEST(ReportSvg, TextWidths) {
    EXPECT_NEAR(text_width("k8v4", 10), 5 + 5.56 + 5 + 5.56, 1e-9);
    EXPECT_NEAR(text_width("A ~", 10), 6.67 + 2.78 + 5.84, 1e-9);
    EXPECT_NEAR(text_width("5 \xc2\xb1 2", 10), text_width("5  2", 10) + 5, 1e-9);
    EXPECT_GT(text_width("k8v4", 10, true), text_width("k8v4", 10));
}

// Long names and large figures too: each text says how wide it is, and that fits.
TEST(ReportCharts, TextsStayInsideThePicture) {
    auto results = test::made_up_results();
    test::add_cache(results, {"k4v4+0-1=k8v8+5-9=k6v6+12=k5v4+tail=0+sinks=0", 330'000, 0.0012});
    test::add_cache(results, {"k3v3", 230'000, 123.0});
    for (auto& speed : results.speed) speed.tokens_per_s *= 1e5;
    for (auto& memory : results.memory) memory.kv.bytes.key *= 123'456;
    const std::regex element(R"re(<text x="(-?[\d.]+)" [^>]*anchor="(\w+)" [^>]*textLength="([\d.]+)")re");
    for (const auto& chart : all_charts(Summary(results))) {
        for (const Svg& svg : {*chart.wide, *chart.narrow}) {
            const std::string file = svg.file(picture_style());
            std::size_t n = 0;
            for (std::sregex_iterator it(file.begin(), file.end(), element), end; it != end; ++it, ++n) {
                const double x = std::stod((*it)[1]), width = std::stod((*it)[3]);
                const double left = (*it)[2] == "start"    ? x
                                    : (*it)[2] == "middle" ? x - width / 2
                                                           : x - width;
                EXPECT_GE(left, -0.2) << chart.name << ": " << it->str();
                EXPECT_LE(left + width, svg.width() + 0.2) << chart.name << ": " << it->str();
            }
            EXPECT_EQ(n, count(file, "<text "));
        }
    }
}

// Whatever is missing, a report is made of the rest.
TEST(ReportCharts, WithoutFiguresThereIsNoPicture) {
    auto results = test::made_up_results();
    results.quality.clear();
    results.speed.clear();
    EXPECT_EQ(all_charts(Summary(results)).size(), 1u);
    results.memory.clear();
    const Summary empty(results);
    EXPECT_TRUE(all_charts(empty).empty());
    EXPECT_NE(to_html(empty, {}).find("Nothing to recommend yet"), std::string::npos);
    to_csv(results);
}

TEST(ReportCharts, OneCacheAtOneContext) {
    auto results = test::made_up_results();
    results.settings.specs.resize(2);
    results.settings.contexts = {2048};
    for (const auto& chart : all_charts(Summary(results))) {
        const std::string file = chart.narrow->file(picture_style());
        EXPECT_EQ(file.find("nan"), std::string::npos) << chart.name;
    }
}

class ReportPage : public testing::Test {
  protected:
    std::string page() {
        const Summary summary(results);
        return to_html(summary, all_charts(summary));
    }
    CompareResults results = test::made_up_results();
};

TEST_F(ReportPage, HasEverything) {
    const std::string html = page();
    EXPECT_EQ(html.find("{{"), std::string::npos);
    EXPECT_EQ(count(html, "<figure "), 5u);
    EXPECT_EQ(count(html, "<svg "), 10u);
    EXPECT_EQ(count(html, "<table>"), 4u);
    EXPECT_NE(html.find("Take k5v4."), std::string::npos);
    EXPECT_NE(
        html.find("kvsplit perplexity -m models/tiny.gguf -f TEXT -c 2048 --chunks 4 --exact --kv f16,k8v8"),
        std::string::npos);
    EXPECT_EQ(html.find("incomplete"), std::string::npos);
}

TEST_F(ReportPage, NeedsNothingElse) {
    const std::string html = page();
    for (const char* outside : {"http:", "https:", "<script", "@import", "url(", " src=", "file:"}) {
        EXPECT_EQ(html.find(outside), std::string::npos) << outside;
    }
}

TEST_F(ReportPage, IdsAreUnique) {
    const std::string html = page();
    std::set<std::string> seen;
    const std::regex id(" id=\"([^\"]*)\"");
    for (std::sregex_iterator at(html.begin(), html.end(), id), end; at != end; ++at) {
        EXPECT_TRUE(seen.insert((*at)[1]).second) << (*at)[1];
    }
}

TEST_F(ReportPage, NamesFromFilesAreHarmless) {
    results.subject.model.name = "<script>alert(1)</script>\x01\xff";
    results.subject.text.name = "a&b\"<img>";
    results.notes.push_back("left <b>out</b>");
    const std::string html = page();
    for (const char* bad : {"<script", "<img>", "<b>out", "\x01", "\xff"}) {
        EXPECT_EQ(html.find(bad), std::string::npos) << bad;
    }
}

TEST_F(ReportPage, SaysThatItIsIncomplete) {
    results.speed_done.pop_back();
    EXPECT_NE(page().find("This report is incomplete"), std::string::npos);
}

}  // namespace
}  // namespace kvsplit::lab
