#include "gguf/gguf.h"

#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <fstream>

#include "base/printable.h"
#include "gguf/blocks.h"
#include "gguf/exercise_file.h"
#include "gguf/gguf_writer.h"
#include "test_models.h"

namespace kvsplit::gguf {
namespace {

using test::Bytes;
using test::GgufWriter;
using test::put;
using test::put_string;
using test::TempFile;

// The error message for a file, without its path; "" if the file is accepted.
std::string refusal(const Bytes& bytes, ErrorCode code = ErrorCode::kFormat) {
    const TempFile file(bytes);
    try {
        const File opened(file.path());
        return "";
    } catch (const Error& e) {
        const std::string what = e.what();
        EXPECT_EQ(e.code(), code) << what;
        EXPECT_TRUE(what.starts_with(file.path())) << what;
        return what.substr(std::min(what.size(), file.path().size()));
    }
}

template <typename F>
std::string message_of(F&& fn) {
    try {
        fn();
    } catch (const Error& e) {
        return e.what();
    }
    return "";
}

#define EXPECT_CONTAINS(text, part) EXPECT_NE(std::string(text).find(part), std::string::npos) << (text)

GgufWriter sample(std::uint32_t version = 3) {
    GgufWriter w;
    w.version = version;
    w.add("general.architecture", "llama").add<std::uint32_t>("n", 7).add<std::int8_t>("minus", -3);
    w.add<std::uint64_t>("huge", ~0ull).add("eps", 1e-5f).add("pi", 3.25).add("yes", true);
    w.add_array("tokens", std::vector<std::string>{"a", "", "b\nc"});
    w.add_array("scores", std::vector<float>{0.5f, -1})
        .add_array("types", std::vector<std::int32_t>{1, -2, 3});
    w.add_array("flags", std::vector<std::uint16_t>{1, 65535}).add_array("none", std::vector<std::int32_t>{});
    w.tensor_f32("x", {2, 3}, {1, 2, 3, 4, 5, 6}).tensor("q", TensorType::kQ8_0, {64}, Bytes(68, 0));
    return w;
}

class BothVersions : public testing::TestWithParam<std::uint32_t> {};

TEST_P(BothVersions, ReadsMetadata) {
    const TempFile temp(sample(GetParam()).bytes());
    const File f(temp.path());
    EXPECT_EQ(f.version(), GetParam());
    EXPECT_EQ(f.path(), temp.path());
    EXPECT_EQ(f.metadata().size(), 12u);
    EXPECT_EQ(f.metadata()[1].key, "n");
    EXPECT_EQ(f.get_string("general.architecture"), "llama");
    EXPECT_EQ(f.get_u64("n"), 7u);
    EXPECT_EQ(f.get_i64("n"), 7);
    EXPECT_EQ(f.get_f64("n"), 7.0);
    EXPECT_EQ(f.get_i64("minus"), -3);
    EXPECT_EQ(f.get_u64("huge"), ~0ull);
    EXPECT_EQ(f.get_f64("eps"), static_cast<double>(1e-5f));
    EXPECT_EQ(f.get_f64("pi"), 3.25);
    EXPECT_TRUE(f.get_bool("yes"));
    EXPECT_EQ(f.get_u64_or("absent", 5), 5u);
    EXPECT_EQ(f.get_i64_or("minus", 5), -3);
    EXPECT_EQ(f.get_f64_or("absent", 0.5), 0.5);
    EXPECT_FALSE(f.get_bool_or("absent", false));
    EXPECT_EQ(f.get_string_or("absent", "z"), "z");
    EXPECT_EQ(f.get_string_array("tokens"), (std::vector<std::string_view>{"a", "", "b\nc"}));
    EXPECT_EQ(f.get_f32_array("scores"), (std::vector<float>{0.5f, -1}));
    EXPECT_EQ(f.get_i32_array("types"), (std::vector<std::int32_t>{1, -2, 3}));
    EXPECT_EQ(f.get_i64_array("flags"), (std::vector<std::int64_t>{1, 65535}));
    EXPECT_TRUE(f.get_string_array("none").empty());
    EXPECT_TRUE(f.has("eps"));
    EXPECT_FALSE(f.has("ep"));
}

TEST(ShrunkFile, IsAnErrorWhenItsDataIsRead) {
    GgufWriter w;
    w.add("general.architecture", "llama");
    w.tensor_f32("x", {1 << 18}, std::vector<float>(1 << 18, 1.0f));
    const TempFile temp(w.bytes());
    const File f(temp.path());
    EXPECT_EQ(f.data(f.tensor("x")).size(), std::size_t{1} << 20);
    std::filesystem::resize_file(temp.path(), 1 << 19);
    for (const auto& read : {std::function<void()>([&] { f.data(f.tensor("x")); }),
                             std::function<void()>([&] { f.require_unchanged(); })}) {
        try {
            read();
            ADD_FAILURE() << "nothing was thrown";
        } catch (const Error& error) {
            EXPECT_EQ(error.code(), ErrorCode::kIo) << error.what();
        }
    }
    EXPECT_EQ(f.get_string("general.architecture"), "llama");  // the header is in memory
}

TEST_P(BothVersions, ReadsTensorsAndSurvivesAMove) {
    const TempFile temp(sample(GetParam()).bytes());
    File first(temp.path());
    const File f = std::move(first);
    ASSERT_EQ(f.tensors().size(), 2u);
    const Tensor& x = f.tensor("x");
    EXPECT_EQ(x.n_dims, 2);
    EXPECT_EQ(x.shape, (std::array<std::int64_t, 4>{2, 3, 1, 1}));
    EXPECT_EQ(x.rows(), 3);
    EXPECT_EQ(x.row_bytes(), 8);
    EXPECT_EQ(x.elements(), 6);
    EXPECT_EQ(x.file_offset % 32, 0u);
    float row[2];
    dequantize_row(x.type, f.data(x).data() + x.row_bytes(), row, 2);
    EXPECT_EQ(row[0], 3);
    EXPECT_EQ(row[1], 4);
    EXPECT_EQ(f.tensor("q").row_bytes(), 68);
    EXPECT_EQ(f.find_tensor("y"), nullptr);
    EXPECT_EQ(message_of([&] { f.tensor("y"); }), temp.path() + ": tensor 'y' is missing");
    EXPECT_EQ(f.get_string_array("tokens")[2], "b\nc");
}

INSTANTIATE_TEST_SUITE_P(Versions, BothVersions, testing::Values(2u, 3u));

TEST(Gguf, WrongTypesAreNamed) {
    const TempFile temp(sample().bytes());
    const File f(temp.path());
    EXPECT_EQ(message_of([&] { f.get_u64("absent"); }), temp.path() + ": metadata 'absent' is missing");
    const std::string minus = message_of([&] { f.get_u64("minus"); });
    EXPECT_TRUE(minus.starts_with(temp.path() + " @0x")) << minus;
    EXPECT_CONTAINS(minus, "metadata 'minus': -3 does not fit into u64");
    EXPECT_CONTAINS(message_of([&] { f.get_i64("huge"); }), "18446744073709551615 does not fit into i64");
    EXPECT_CONTAINS(message_of([&] { f.get_u64("eps"); }), "is of type f32, not u64");
    EXPECT_CONTAINS(message_of([&] { f.get_u64("yes"); }), "is of type bool, not u64");
    EXPECT_CONTAINS(message_of([&] { f.get_bool("n"); }), "is of type u32, not bool");
    EXPECT_CONTAINS(message_of([&] { f.get_f64("tokens"); }), "is of type array of 3 string, not f64");
    EXPECT_CONTAINS(message_of([&] { f.get_string("n"); }), "is of type u32, not string");
    EXPECT_CONTAINS(message_of([&] { f.get_u64_or("eps", 1); }), "is of type f32");
    EXPECT_CONTAINS(message_of([&] { f.get_i32_array("n"); }), "is of type u32, not an array of i32");
    EXPECT_CONTAINS(message_of([&] { f.get_i32_array("tokens"); }), "not an array of i32");
    EXPECT_CONTAINS(message_of([&] { f.get_string_array("types"); }), "not an array of string");
    EXPECT_CONTAINS(message_of([&] { f.get_bool_array("types"); }), "not an array of bool");
}

TEST(Gguf, ValuesAreShownSafely) {
    const TempFile temp(sample().add("text", "a\x1b[1m\xff\xc3\xa9").bytes());
    const File f(temp.path());
    EXPECT_EQ(to_display(*f.find("tokens")), "[\"a\", \"\", \"b\\nc\"]");
    EXPECT_EQ(to_display(*f.find("text")), "a\\x1b[1m\\xff\xc3\xa9");
    EXPECT_EQ(to_display(*f.find("types")), "[1, -2, 3]");
    EXPECT_EQ(to_display(*f.find("types"), 3), "[1, ...]");
    EXPECT_EQ(to_display(*f.find("yes")), "true");
    EXPECT_EQ(to_display(*f.find("none")), "[]");
    EXPECT_EQ(f.find("tokens")->type_text(), "array of 3 string");
    EXPECT_EQ(printable("abc\xc3\xa9", 4), "abc...");
    EXPECT_EQ(printable("\xed\xa0\x80\xc0\x80\xf5"), "\\xed\\xa0\\x80\\xc0\\x80\\xf5");
    EXPECT_EQ(printable("\xc2\x9b\\"), "\\xc2\\x9b\\\\");
}

TEST(Gguf, RefusesWhatIsNotGguf) {
    EXPECT_CONTAINS(refusal({}), "@0x0: the magic number needs 4 bytes, but the file ends after 0");
    EXPECT_CONTAINS(refusal({'P', 'K', 3, 4, 0, 0}), "@0x0: not a GGUF file (it starts with 'PK\\x03\\x04'");
    EXPECT_CONTAINS(refusal(sample(1).bytes(), ErrorCode::kUnsupported), "GGUF version 1 is not supported");
    EXPECT_CONTAINS(refusal(sample(4).bytes(), ErrorCode::kUnsupported), "GGUF version 4 is not supported");
    EXPECT_CONTAINS(refusal(sample(3u << 24).bytes(), ErrorCode::kUnsupported), "big-endian");
    EXPECT_CONTAINS(message_of([] { File("/nonexistent/m.gguf"); }), "/nonexistent/m.gguf");
}

TEST(Gguf, RefusesImpossibleCounts) {
    GgufWriter w = sample();
    w.tensor_count = 1ull << 60;
    EXPECT_CONTAINS(refusal(w.bytes()),
                    "@0x8: tensor count 1152921504606846976 is more than the rest of the file");
    w = sample();
    w.metadata_count = ~0ull;
    EXPECT_CONTAINS(refusal(w.bytes()), "@0x10: metadata count 18446744073709551615 is more than");
    Bytes array;
    put<std::uint32_t>(array, 8);
    put<std::uint64_t>(array, 1ull << 61);
    EXPECT_CONTAINS(refusal(sample().add_raw("big", ValueType::kArray, array).bytes()),
                    "metadata 'big': string count 2305843009213693952 is more than");
    array[0] = 10;
    EXPECT_CONTAINS(refusal(sample().add_raw("big", ValueType::kArray, array).bytes()),
                    "metadata 'big': element count 2305843009213693952 is more than");
    Bytes text;
    put<std::uint64_t>(text, ~0ull - 2);
    EXPECT_CONTAINS(refusal(sample().add_raw("s", ValueType::kString, text).bytes()),
                    "metadata 's' needs 18446744073709551613 bytes, but the file ends after");
}

TEST(Gguf, RefusesBrokenMetadata) {
    EXPECT_CONTAINS(refusal(sample().add("n", 1).bytes()), "metadata 'n': the key occurs twice");
    EXPECT_CONTAINS(refusal(sample().add("", 1).bytes()), "metadata key of 0 bytes");
    EXPECT_CONTAINS(refusal(sample().add(std::string(70000, 'k'), 1).bytes()), "metadata key of 70000 bytes");
    EXPECT_CONTAINS(refusal(sample().add_raw("t\xff", ValueType(13), {}).bytes()),
                    "metadata 't\\xff': unknown type 13; the file is damaged");
    Bytes nested;
    put<std::uint32_t>(nested, 9);
    put<std::uint64_t>(nested, 1);
    EXPECT_CONTAINS(refusal(sample().add_raw("t", ValueType::kArray, nested).bytes()), "arrays of arrays");
    EXPECT_CONTAINS(refusal(sample().add_raw("t", ValueType::kBool, {2}).bytes()), "a bool of value 2");
    for (const std::uint32_t bad : {0u, 4u, 48u, 1u << 31}) {
        EXPECT_CONTAINS(refusal(sample().add("general.alignment", bad).bytes()),
                        "is not a power of two from 8 to");
    }
    EXPECT_CONTAINS(refusal(sample().add("general.alignment", "32").bytes()), "is of type string, not u64");
}

TEST(Gguf, RefusesBrokenTensors) {
    const Bytes data(128, 1);
    const auto with = [&](TensorType type, const std::vector<std::int64_t>& dims,
                          std::optional<std::uint64_t> offset = {}, ErrorCode code = ErrorCode::kFormat) {
        return refusal(sample().tensor("bad", type, dims, data, offset).bytes(), code);
    };
    const TensorType f32 = TensorType::kF32;
    EXPECT_EQ(with(f32, {32}), "");
    EXPECT_CONTAINS(with(f32, {32}, 123), "tensor 'bad': offset 123 is not a multiple of the alignment 32");
    EXPECT_CONTAINS(with(f32, {1024}),
                    "tensor 'bad': 4096 bytes at offset 128 reach beyond the end of the file");
    EXPECT_CONTAINS(with(f32, {32}, 1ull << 62), "reach beyond the end");
    EXPECT_CONTAINS(with(f32, {32}, ~0ull - 31), "reach beyond the end");
    EXPECT_CONTAINS(with(f32, {16}, 0), "overlaps tensor");
    EXPECT_CONTAINS(with(f32, {0}), "dimensions 0 x 1 x 1 x 1 must be positive");
    EXPECT_CONTAINS(with(f32, {4, -1}), "dimensions 4 x -1 x 1 x 1 must be positive");
    EXPECT_CONTAINS(with(f32, {1ll << 32, 1ll << 32}), "are too large");
    EXPECT_CONTAINS(with(f32, {1ll << 62}), "are too large");
    EXPECT_CONTAINS(with(f32, {}), "0 dimensions, must be 1 to 4");
    EXPECT_CONTAINS(with(f32, {1, 1, 1, 1, 1}), "5 dimensions, must be 1 to 4");
    EXPECT_CONTAINS(with(TensorType::kQ8_0, {33}),
                    "rows of 33 elements are not a multiple of Q8_0's block of 32");
    EXPECT_CONTAINS(with(TensorType::kQ6_K, {128, 2}), "not a multiple of Q6_K's block of 256");
    EXPECT_CONTAINS(with(TensorType(31), {32}, {}, ErrorCode::kUnsupported), "tensor 'bad': unknown type 31");
    EXPECT_CONTAINS(refusal(sample().tensor_f32("x", {1}, {1}).bytes()), "tensor 'x': the name occurs twice");
    EXPECT_CONTAINS(refusal(sample().tensor_f32("", {1}, {1}).bytes()), "tensor name of 0 bytes");
}

TEST(Gguf, KnownButUnsupportedTypesOpenAndAreRefusedByName) {
    const TempFile temp(sample().tensor("w", TensorType::kQ8_1, {32}, Bytes(40)).bytes());
    const File f(temp.path());
    const std::string message = message_of([&] { f.require_supported_types(); });
    EXPECT_CONTAINS(message, "tensor 'w': type Q8_1 is not supported");
}

TEST(Gguf, OtherAlignment) {
    GgufWriter w;
    w.alignment = 256;
    w.add<std::uint64_t>("general.alignment", 256).tensor_f32("a", {1}, {1}).tensor_f32("b", {1}, {2});
    const TempFile temp(w.bytes());
    const File f(temp.path());
    EXPECT_EQ(f.alignment(), 256u);
    EXPECT_EQ(f.tensor("b").file_offset - f.tensor("a").file_offset, 256u);
}

TEST(Gguf, VocabularyOnlyFileNeedsNoData) {
    const TempFile temp(GgufWriter().add("a", 1).bytes());
    EXPECT_TRUE(File(temp.path()).tensors().empty());
}

// Sorting must not go quadratic or worse on many keys with long common beginnings.
TEST(Gguf, ManySimilarKeys) {
    GgufWriter w;
    const std::string prefix(200, 'k');
    for (int i = 0; i < 20000; ++i) w.add(prefix + std::to_string(i), static_cast<std::int8_t>(1));
    const TempFile temp(w.bytes());
    EXPECT_EQ(File(temp.path()).metadata().size(), 20000u);
}

TEST(Gguf, RealFiles) {
    namespace fs = std::filesystem;
    const auto exercise_folder = [](const std::string& folder) {
        int files = 0;
        for (const auto& entry : fs::directory_iterator(folder)) {
            if (entry.path().extension() != ".gguf") continue;
            std::string why;
            EXPECT_TRUE(test::exercise_file(entry.path().string(), why)) << why;
            ++files;
        }
        return files;
    };
    EXPECT_EQ(exercise_folder(KVSPLIT_TEST_DATA "/tokens"), 2);
    const std::string downloaded = cached_path("test-data/vocab");
    if (downloaded.empty()) GTEST_SKIP() << kNoTestData << "llama.cpp's vocabularies";
    EXPECT_GT(exercise_folder(downloaded), 10);
}

}  // namespace
}  // namespace kvsplit::gguf
