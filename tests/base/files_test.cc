// Files, and the choice of an instruction set.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "base/cpu_features.h"
#include "base/input_file.h"
#include "kvsplit/error.h"

namespace kvsplit {
namespace {

namespace fs = std::filesystem;

class InputFileTest : public testing::Test {
  protected:
    InputFileTest() : folder_(fs::temp_directory_path() / ("kvsplit-files." + std::to_string(::getpid()))) {
        fs::create_directories(folder_);
    }
    ~InputFileTest() override { fs::remove_all(folder_); }

    std::string write(const std::string& contents) const {
        const fs::path path = folder_ / "file";
        std::ofstream(path, std::ios::binary) << contents;
        return path.string();
    }

    fs::path folder_;
};

// The code of the Error that fn throws; its message must name `where`.
ErrorCode error_of(const std::function<void()>& fn, const std::string& where) {
    try {
        fn();
    } catch (const Error& e) {
        EXPECT_NE(std::string(e.what()).find(where), std::string::npos) << e.what();
        return e.code();
    }
    ADD_FAILURE() << "nothing was thrown";
    return ErrorCode::kCancelled;
}

std::string text(const std::uint8_t* bytes, std::size_t n) {
    return {reinterpret_cast<const char*>(bytes), n};
}

TEST_F(InputFileTest, HoldsTheBytes) {
    const std::string contents = std::string("GGUF\0\1\2\3", 8) + std::string(1 << 20, 'x') + "end";
    for (const FileAccess access : {FileAccess::kOnDemand, FileAccess::kWhole}) {
        InputFile file(write(contents), access);
        ASSERT_EQ(file.size(), contents.size());
        const auto front = file.front(8);
        EXPECT_EQ(text(front.data(), 8), contents.substr(0, 8));
        InputFile moved(std::move(file));
        std::vector<std::uint8_t> scratch;
        EXPECT_EQ(text(moved.read(contents.size() - 5, 5, scratch), 5), "xxend");
        EXPECT_EQ(text(moved.read(0, 4, scratch), 4), "GGUF");
        EXPECT_EQ(text(front.data(), 8), contents.substr(0, 8));  // stays
        const auto all = moved.front(contents.size());
        EXPECT_EQ(all.data(), front.data());
        EXPECT_EQ(text(all.data(), all.size()), contents);
        moved.release(0, 1 << 30);  // beyond the end it does nothing
        EXPECT_EQ(text(moved.read(3, 5, scratch), 5), contents.substr(3, 5));
        EXPECT_NO_THROW(moved.require_unchanged());
    }
}

TEST_F(InputFileTest, EmptyFileIsEmpty) {
    EXPECT_EQ(InputFile(write("")).size(), 0u);
    EXPECT_TRUE(InputFile(write("")).front(0).empty());
}

TEST_F(InputFileTest, ErrorsNameThePath) {
    const std::string missing = (folder_ / "missing").string();
    EXPECT_EQ(error_of([&] { InputFile file(missing); }, missing), ErrorCode::kNotFound);
    EXPECT_EQ(error_of([&] { InputFile file(folder_.string()); }, "directory"), ErrorCode::kIo);
    EXPECT_EQ(error_of([&] { InputFile file("/dev/null"); }, "/dev/null"), ErrorCode::kIo);
    const std::string pipe = (folder_ / "pipe").string();
    ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
    EXPECT_EQ(error_of([&] { InputFile file(pipe); }, "is a pipe, not a file"), ErrorCode::kIo);
    EXPECT_EQ(error_of([&] { InputFile file("a\nb\x1b[2J"); }, "a\\nb\\x1b[2J"), ErrorCode::kNotFound);
}

// What other programs do to a file that is open.
TEST_F(InputFileTest, ChangesOfTheFileAreErrors) {
    const std::string path = write(std::string(3 << 20, 'x'));
    InputFile file(path);
    file.front(100);
    std::vector<std::uint8_t> scratch;
    fs::resize_file(path, 2 << 20);
    EXPECT_NO_THROW(file.read(1 << 20, 100, scratch));
    const auto beyond = [&] { file.read((3 << 20) - 50, 50, scratch); };
    EXPECT_EQ(error_of(beyond, "shorter"), ErrorCode::kIo);
    EXPECT_EQ(error_of([&] { file.front(3 << 20); }, "shorter"), ErrorCode::kIo);
    EXPECT_EQ(error_of([&] { file.require_unchanged(); }, "load it again"), ErrorCode::kIo);
    fs::resize_file(path, 3 << 20);
    EXPECT_NO_THROW(beyond());
    EXPECT_EQ(error_of([&] { file.require_unchanged(); }, "load it again"), ErrorCode::kIo);
    fs::remove(path);  // the name alone
    EXPECT_NO_THROW(beyond());
}

// A program that becomes a service closes all files, and opens its own.
TEST_F(InputFileTest, AFileThatTheProgramClosedIsAnError) {
    const std::string path = write(std::string(1 << 20, 'x'));
    const int next = ::open("/dev/null", O_RDONLY);
    ::close(next);
    InputFile file(path);
    std::vector<std::uint8_t> scratch;
    ASSERT_EQ(::close(next), 0);  // the lowest that is free: the file's
    const auto read = [&] { file.read(1 << 19, 100, scratch); };
    EXPECT_EQ(error_of(read, path), ErrorCode::kIo);
    std::ofstream(folder_ / "other") << "other";
    ASSERT_EQ(::open((folder_ / "other").c_str(), O_RDONLY), next);
    EXPECT_EQ(error_of(read, "closed"), ErrorCode::kIo);
}

TEST(CpuFeatures, EnvironmentChoosesAnInstructionSet) {
    const char* before = std::getenv("KVSPLIT_CPU");
    const std::string saved = before ? before : "";
    EXPECT_EQ(available_isas().front(), CpuIsa::kPortable);
    for (const CpuIsa isa : available_isas()) {
        ::setenv("KVSPLIT_CPU", std::string(isa_name(isa)).c_str(), 1);
        EXPECT_EQ(choose_isa(), isa);
    }
    ::setenv("KVSPLIT_CPU", "", 1);
    EXPECT_EQ(choose_isa(), detect_isa());
    ::setenv("KVSPLIT_CPU", "abacus", 1);
    EXPECT_EQ(error_of([] { choose_isa(); }, "abacus"), ErrorCode::kInvalidArgument);
    if (before) {
        ::setenv("KVSPLIT_CPU", saved.c_str(), 1);
    } else {
        ::unsetenv("KVSPLIT_CPU");
    }
    EXPECT_GE(physical_cores(), 1);
}

}  // namespace
}  // namespace kvsplit
