// The files of a comparison: writing and reading.
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <fstream>

#include "kvsplit/error.h"
#include "lab/made_up_results.h"
#include "lab/report/files.h"
#include "lab/report/json.h"

namespace kvsplit::lab {
namespace {

namespace fs = std::filesystem;

// The same subject and settings, without measurements.
CompareResults fresh() {
    CompareResults r = test::made_up_results();
    r.quality.clear();
    r.memory.clear();
    r.speed.clear();
    r.speed_done.clear();
    r.seconds = r.read_gb_per_s = 0;
    return r;
}

std::string refusal(const Json& json, CompareResults results = fresh()) {
    try {
        read_measurements(json, "results.json", results);
    } catch (const Error& error) {
        // A refused file changes nothing.
        EXPECT_TRUE(results.quality.empty());
        return error.what();
    }
    return "";
}

TEST(ReportJson, ReadsWhatItWrote) {
    auto written = test::made_up_results();
    written.quality[2].result.vs_f16->kld_mean = 0.1 + 0.2;  // all digits count
    written.floor = written.quality[1].result.vs_f16;
    const Json json = to_json(written);
    CompareResults read = fresh();
    read_measurements(Json::parse(json.dump()), "results.json", read);
    EXPECT_EQ(to_json(read).dump(), json.dump());
    EXPECT_TRUE(read.complete());
}

TEST(ReportJson, ResultsOfAnotherRunAreRefused) {
    const Json json = to_json(test::made_up_results());
    auto other = fresh();
    other.subject.model_hash = "another";
    EXPECT_EQ(refusal(json, other),
              "results.json: these are results of another run: model/hash is \"0123456789abcdef\" there and "
              "\"another\" here. Give the settings of that run, or another folder");
    other = fresh();
    other.settings.quality_chunks = 5;
    EXPECT_NE(refusal(json, other).find("settings/quality_chunks is 4 there and 5 here"), std::string::npos);
    other = fresh();
    other.settings.specs.pop_back();
    EXPECT_NE(refusal(json, other).find("settings"), std::string::npos);
    other = fresh();
    other.subject.machine.threads = 64;
    EXPECT_NE(refusal(json, other).find("machine/threads"), std::string::npos);
    other = fresh();
    other.subject.program = "kvsplit 9";
    EXPECT_NE(refusal(json, other).find("program"), std::string::npos);
    // The same model under another path is the same model.
    other = fresh();
    other.subject.model.path = "elsewhere.gguf";
    EXPECT_EQ(refusal(json, other), "");
}

TEST(ReportJson, DamagedResultsAreRefused) {
    const Json json = to_json(test::made_up_results());
    for (const char* text :
         {"{}", "[]", "7", "null", R"({"format": 1})", R"({"format": "kvsplit compare 1"})"}) {
        EXPECT_NE(refusal(Json::parse(text)).find("results.json: "), std::string::npos) << text;
    }
    // Without any of its fields, or with another type in its place, it is refused or read, never worse.
    const Json flat = json.flatten();
    for (const auto& [path, value] : flat.items()) {
        for (const Json& other : {Json("text"), Json(-1), Json::object(), Json(nullptr), Json::array({1})}) {
            Json damaged = json;
            damaged[Json::json_pointer(path)] = other;
            refusal(damaged);
        }
    }
}

class ReportFiles : public testing::Test {
  protected:
    ReportFiles() : folder_(fs::temp_directory_path() / ("kvsplit-report-" + std::to_string(::getpid()))) {
        fs::remove_all(folder_);
    }
    ~ReportFiles() override { fs::remove_all(folder_); }
    std::string path(const char* name) const { return (folder_ / name).string(); }

    fs::path folder_;
};

TEST_F(ReportFiles, WritesAllOfThem) {
    const ReportFolder folder((folder_ / "deep" / "er").string());
    EXPECT_FALSE(folder.has_results());
    const auto results = test::made_up_results();
    folder.write_results(results);
    folder.write_report(results);
    std::set<std::string> names;
    for (const auto& entry : fs::directory_iterator(folder.path())) names.insert(entry.path().filename());
    EXPECT_EQ(names, (std::set<std::string>{"results.json", "results.csv", "report.html", "divergence.svg",
                                            "widths.svg", "memory.svg", "decode.svg", "prefill.svg"}));
    EXPECT_EQ(folder.read_results(), to_json(results));
}

TEST_F(ReportFiles, AFolderThatCannotBe) {
    std::ofstream(folder_) << "a file";
    EXPECT_THROW(ReportFolder(folder_.string()), Error);
    EXPECT_THROW(ReportFolder((folder_ / "inside").string()), Error);
}

TEST_F(ReportFiles, BrokenResultsAreNamed) {
    const ReportFolder folder(folder_.string());
    for (const char* text : {"", "{", "{\"format\": ", "not json"}) {
        std::ofstream(path("results.json")) << text;
        EXPECT_TRUE(folder.has_results());
        EXPECT_THROW(folder.read_results(), Error) << text;
    }
}

// A full disk, simulated by a limit on file sizes.
class FullDisk {
  public:
    explicit FullDisk(rlim_t bytes) {
        ::getrlimit(RLIMIT_FSIZE, &before_);
        handler_ = std::signal(SIGXFSZ, SIG_IGN);
        const rlimit limit{bytes, before_.rlim_max};
        ::setrlimit(RLIMIT_FSIZE, &limit);
    }
    ~FullDisk() {
        ::setrlimit(RLIMIT_FSIZE, &before_);
        std::signal(SIGXFSZ, handler_);
    }

  private:
    rlimit before_{};
    void (*handler_)(int);
};

TEST_F(ReportFiles, AFullDiskIsSeenAtOnceAndCostsNothing) {
    const auto results = test::made_up_results();
    const ReportFolder folder(folder_.string());
    folder.write_results(results);
    {
        const FullDisk full(1000);
        EXPECT_THROW(ReportFolder(folder_.string()), Error);
        EXPECT_THROW(folder.write_results(fresh()), Error);
    }
    EXPECT_EQ(folder.read_results(), to_json(results));
    EXPECT_FALSE(fs::exists(path("results.json.part")));
}

}  // namespace
}  // namespace kvsplit::lab
