// Frequencies of rotary embeddings against transformers (scripts/oracles/rope.py), from the metadata and
// tensors of a file, with and without the user's changes.
#include "model/rope.h"

#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>

#include "gguf/gguf_writer.h"
#include "kvsplit/error.h"
#include "model/rope_options.h"

namespace kvsplit {
namespace {

using nlohmann::json;

test::Bytes file_of(const json& metadata, const json& tensors) {
    test::GgufWriter writer;
    writer.add("general.architecture", "llama");
    for (const auto& [name, value] : metadata.items()) {
        const std::string key = "llama." + name;
        if (value.is_string()) writer.add(key, value.get<std::string>());
        if (value.is_number_integer()) writer.add(key, value.get<std::uint32_t>());
        if (value.is_number_float()) writer.add(key, value.get<float>());
    }
    for (const auto& [name, value] : tensors.items()) {
        const auto numbers = value.get<std::vector<float>>();
        writer.tensor_f32(name, {static_cast<std::int64_t>(numbers.size())}, numbers);
    }
    return writer.bytes();
}

// A file with metadata and no weights.
class RopeFile {
  public:
    RopeFile(const json& metadata, const json& tensors)
        : contents_(file_of(metadata, tensors)), file_(contents_.path()), keys_(file_) {}
    Rope read(int n_pairs, int context, const RopeOptions& user = {},
              const RopeDefaults& defaults = {}) const {
        return read_rope(keys_, n_pairs, context, user, defaults);
    }
    const ArchitectureKeys& keys() const { return keys_; }

  private:
    test::TempFile contents_;
    gguf::File file_;
    ArchitectureKeys keys_;
};

void expect_close(const std::vector<double>& got, const json& want) {
    ASSERT_EQ(got.size(), want.size());
    // The oracle computes in f32.
    for (std::size_t i = 0; i < got.size(); ++i) {
        const double w = want[i].get<double>();
        EXPECT_NEAR(got[i], w, 2e-6 * w) << "pair " << i;
    }
}

TEST(Rope, AgreesWithTransformers) {
    std::ifstream in(std::string(KVSPLIT_TEST_DATA) + "/rope/rope.json");
    const json cases = json::parse(in);
    ASSERT_GT(cases.size(), 10u);
    for (const json& c : cases) {
        SCOPED_TRACE(c.at("name").get<std::string>());
        const RopeFile file(c.at("metadata"), c.at("tensors"));
        const Rope rope = file.read(c.at("n_pairs"), c.at("context_length"), test::rope_options(c.at("user")),
                                    {.whole_pairs = c.at("whole_pairs")});
        expect_close(rope.in_context(0), c.at("frequencies"));
        EXPECT_NEAR(rope.magnitude, c.at("magnitude").get<double>(), 1e-6);
        if (!c.contains("long_context")) continue;
        const int longer = c.at("long_context");
        expect_close(rope.in_context(longer), c.at("long_frequencies"));
        expect_close(rope.in_context(longer - 1), c.at("frequencies"));
    }
}

TEST(Rope, StretchingLengthensTheContext) {
    const RopeFile file(json::object(), json::object());
    using Scaling = RopeOptions::Scaling;
    const auto reach = [&](const RopeOptions& user) { return stretched_context(file.keys(), 2048, user); };
    EXPECT_EQ(reach({}), 2048);
    EXPECT_EQ(reach({.scaling = Scaling::kLinear, .scale = 3}), 6144);
    EXPECT_EQ(reach({.scaling = Scaling::kYarn, .scale = 8, .original_context = 512}), 4096);
    EXPECT_EQ(reach({.scaling = Scaling::kNone, .scale = 3}), 2048);
    EXPECT_EQ(reach({.scaling = Scaling::kLinear, .scale = 0.5}), 2048);
}

TEST(Rope, DamagedFilesAreRefused) {
    const auto refused = [](const json& metadata, const json& tensors, const std::string& says) {
        const RopeFile file(metadata, tensors);
        try {
            file.read(2, 2048);
            ADD_FAILURE() << "accepted: " << metadata << tensors;
        } catch (const Error& e) {
            EXPECT_NE(std::string(e.what()).find(says), std::string::npos) << e.what();
        }
    };
    const json none = json::object();
    refused({{"rope.scaling.type", "su"}}, none, "'su' is not supported");
    refused({{"rope.scaling.factor", -1.0}}, none, "rope.scaling.factor");
    refused({{"rope.freq_base", 0.5}}, none, "rope.freq_base");
    refused({{"rope.scaling.type", "yarn"}, {"rope.scaling.yarn_beta_fast", 0.0}}, none, "yarn_beta_fast");
    refused(none, {{"rope_freqs.weight", {1.0}}}, "must hold 2 F32 numbers");
    refused(none, {{"rope_freqs.weight", {1.0, 0.0}}}, "not positive");
    refused(none, {{"rope_factors_long.weight", {1.0, 1.0}}}, "only one is there");
}

}  // namespace
}  // namespace kvsplit
