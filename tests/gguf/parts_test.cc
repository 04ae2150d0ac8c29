// Models that are split into several files.
#include <gtest/gtest.h>

#include <filesystem>
#include <functional>

#include "base/split_name.h"
#include "gguf/gguf.h"
#include "gguf/gguf_writer.h"
#include "kvsplit/error.h"

namespace kvsplit::gguf {
namespace {

using test::GgufWriter;

TEST(SplitName, ReadsAndWrites) {
    const auto name = parse_split_name("a/b-00002-of-00012.gguf");
    ASSERT_TRUE(name);
    EXPECT_EQ(name->prefix, "a/b");
    EXPECT_EQ(name->number, 2);
    EXPECT_EQ(name->count, 12);
    EXPECT_EQ(name->part(10), "a/b-00010-of-00012.gguf");
    for (const char* other : {"", "b.gguf", "b-00000-of-00002.gguf", "b-00003-of-00002.gguf", "b-1-of-2.gguf",
                              "b-00001-of-00002.bin", "b00001-of-00002.gguf", "-0001-of-00002.gguf"}) {
        EXPECT_FALSE(parse_split_name(other)) << other;
    }
}

// A part's keys about the whole model; tests damage them.
struct PartKeys {
    std::optional<std::uint16_t> number, count;
    std::optional<std::int32_t> tensors;
};

// A model of three files with a tensor, two tensors and none. Each tensor holds its own number.
class Parts : public testing::Test {
  protected:
    Parts() : folder_(std::filesystem::temp_directory_path() / "kvsplit_parts_XXXXXX") {
        std::string name = folder_.string();
        if (::mkdtemp(name.data()) == nullptr) std::abort();
        folder_ = name;
        for (int i = 0; i < 3; ++i) write(i);
    }
    ~Parts() override { std::filesystem::remove_all(folder_); }

    std::string path(int i, const char* prefix = "m") const {
        return (folder_ / prefix).string() + "-0000" + std::to_string(i + 1) + "-of-00003.gguf";
    }

    void write(int i) { write(i, {static_cast<std::uint16_t>(i), 3, 3}); }
    void write(int i, const PartKeys& keys, int first_tensor = -1) {
        GgufWriter w;
        if (keys.number) w.add("split.no", *keys.number);
        if (keys.count) w.add("split.count", *keys.count);
        if (keys.tensors) w.add("split.tensors.count", *keys.tensors);
        if (i == 0) w.add("general.name", "cut");
        static constexpr int kFirst[] = {0, 1, 3, 3};
        for (int t = kFirst[i]; t < kFirst[i + 1]; ++t) {
            const int named = first_tensor >= 0 ? first_tensor : t;
            w.tensor_f32("t" + std::to_string(named), {2}, {static_cast<float>(t), 0.5f});
        }
        const auto bytes = w.bytes();
        std::ofstream(path(i), std::ios::binary)
            .write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
    }

    // The message must name the file of part i and contain all of these.
    void expect_refusal(int i, std::initializer_list<const char*> parts,
                        ErrorCode code = ErrorCode::kFormat) {
        try {
            const File file(path(0));
            ADD_FAILURE() << "opened";
        } catch (const Error& error) {
            const std::string message = error.what();
            EXPECT_EQ(error.code(), code) << message;
            EXPECT_TRUE(message.starts_with(path(i))) << message;
            for (const char* part : parts) EXPECT_NE(message.find(part), std::string::npos) << message;
        }
        for (int k = 0; k < 3; ++k) write(k);
    }

    std::filesystem::path folder_;
};

TEST_F(Parts, OpenAsOneModel) {
    for (const int opened : {0, 1, 2}) {
        for (const FileAccess access : {FileAccess::kOnDemand, FileAccess::kWhole}) {
            File first(path(opened), access);
            const File file = std::move(first);
            EXPECT_EQ(file.path(), path(0));
            EXPECT_EQ(file.n_parts(), 3);
            EXPECT_EQ(file.get_string("general.name"), "cut");
            ASSERT_EQ(file.tensors().size(), 3u);
            std::uint64_t bytes = 0;
            for (int i = 0; i < 3; ++i) bytes += std::filesystem::file_size(path(i));
            EXPECT_EQ(file.file_bytes(), bytes);
            for (int t = 0; t < 3; ++t) {
                const Tensor& tensor = file.tensor("t" + std::to_string(t));
                EXPECT_EQ(tensor.part, t == 0 ? 0 : 1);
                EXPECT_EQ(file.input(tensor).path(), path(tensor.part));
                float value = 0;
                std::memcpy(&value, file.data(tensor).data(), sizeof value);
                EXPECT_EQ(value, static_cast<float>(t));
                file.release(tensor);
            }
        }
    }
}

TEST_F(Parts, MissingOnesAreNamed) {
    for (const int i : {1, 2}) {
        std::filesystem::remove(path(i));
        expect_refusal(i, {"missing", i == 1 ? "part 2 of the 3" : "part 3 of the 3"}, ErrorCode::kNotFound);
    }
    std::filesystem::remove(path(0));
    expect_refusal(0, {"cannot open"}, ErrorCode::kNotFound);
}

TEST_F(Parts, ContradictionsAreNamed) {
    write(0, {0, {}, 3});
    expect_refusal(0, {"split.count"});
    write(0, {0, 2, 3});
    expect_refusal(0, {"split.count", "2 files", "3"});
    write(0, {1, 3, 3});
    expect_refusal(0, {"split.no"});
    write(0, {{}, 3, 3});
    expect_refusal(0, {"split.no", "missing"});
    write(0, {0, 3, 4});
    expect_refusal(0, {"split.tensors.count", "4 tensors", "hold 3"});
    write(1, {2, 3, 3});
    expect_refusal(1, {"split.no", "2", "number 1"});
    write(1, {1, 4, 3});
    expect_refusal(1, {"split.count", "4 files"});
    write(1, {1, 3, 3}, 0);
    expect_refusal(1, {"'t0'", "twice"});
    std::ofstream(path(2), std::ios::binary) << "GGUX";
    expect_refusal(2, {"GGUF"});
}

TEST_F(Parts, NamesMustTellThem) {
    const std::string other = (folder_ / "other.gguf").string();
    std::filesystem::copy_file(path(0), other);
    try {
        const File file(other);
        ADD_FAILURE() << "opened";
    } catch (const Error& error) {
        EXPECT_NE(std::string(error.what()).find("-00001-of-00003.gguf"), std::string::npos) << error.what();
    }
}

// "-00001-of-00001.gguf", with and without the keys of a split model.
TEST_F(Parts, OneOfOne) {
    const std::string name = (folder_ / "whole-00001-of-00001.gguf").string();
    for (const bool keys : {false, true}) {
        GgufWriter w;
        if (keys) {
            w.add("split.no", std::uint16_t{0}).add("split.count", std::uint16_t{1});
            w.add("split.tensors.count", std::int32_t{1});
        }
        w.tensor_f32("t", {1}, {1});
        const auto bytes = w.bytes();
        std::ofstream(name, std::ios::binary)
            .write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
        const File file(name);
        EXPECT_EQ(file.n_parts(), 1);
        EXPECT_EQ(file.tensors().size(), 1u);
    }
}

}  // namespace
}  // namespace kvsplit::gguf
