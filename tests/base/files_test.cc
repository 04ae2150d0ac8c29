// Mapped files, and the choice of an instruction set.
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <string>
#include <utility>

#include "base/cpu_features.h"
#include "base/mapped_file.h"
#include "kvsplit/error.h"

namespace kvsplit {
namespace {

namespace fs = std::filesystem;

class MappedFileTest : public testing::Test {
  protected:
    MappedFileTest() : folder_(fs::temp_directory_path() / ("kvsplit-files." + std::to_string(::getpid()))) {
        fs::create_directories(folder_);
    }
    ~MappedFileTest() override { fs::remove_all(folder_); }

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

std::string text(const MappedFile& file) {
    return {reinterpret_cast<const char*>(file.bytes().data()), file.bytes().size()};
}

TEST_F(MappedFileTest, HoldsTheBytes) {
    const std::string contents("GGUF\0\1\2\3", 8);
    MappedFile file(write(contents));
    EXPECT_EQ(text(file), contents);
    MappedFile moved(std::move(file));
    EXPECT_EQ(text(moved), contents);
    moved.release(0, 1 << 20);  // a hint: beyond the end it does nothing
    EXPECT_EQ(text(moved), contents);
}

TEST_F(MappedFileTest, EmptyFileIsEmpty) { EXPECT_TRUE(MappedFile(write("")).bytes().empty()); }

TEST_F(MappedFileTest, ErrorsNameThePath) {
    const std::string missing = (folder_ / "missing").string();
    EXPECT_EQ(error_of([&] { MappedFile file(missing); }, missing), ErrorCode::kNotFound);
    EXPECT_EQ(error_of([&] { MappedFile file(folder_.string()); }, "directory"), ErrorCode::kIo);
    EXPECT_EQ(error_of([&] { MappedFile file("/dev/null"); }, "/dev/null"), ErrorCode::kIo);
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
