// Files that cannot be run: each a clear error at load time, naming what is wrong.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <fstream>
#include <functional>
#include <limits>

#include "kvsplit/error.h"
#include "kvsplit/model.h"
#include "model/architectures/architecture.h"
#include "model/tiny_models.h"

namespace kvsplit::test {
namespace {

using Json = nlohmann::json;

// The error message of loading a small model after a change.
std::string refusal(const std::function<void(Json&)>& change, ErrorCode code,
                    const std::function<void(Bytes&)>& damage = {}, const char* model = "llama") {
    TinyModelGolden golden = read_tiny_model(model);
    change(golden.spec);
    Bytes bytes = golden.file().bytes();
    if (damage) damage(bytes);
    const TempFile file(bytes);
    try {
        Model::load(file.path(), {.threads = 1});
    } catch (const Error& e) {
        EXPECT_EQ(e.code(), code) << e.what();
        EXPECT_NE(std::string(e.what()).find(file.path()), std::string::npos) << e.what();
        return e.what();
    }
    return "no error";
}

#define EXPECT_SAYS(text, part) EXPECT_NE((text).find(part), std::string::npos) << (text)

Json& tensor(Json& spec, const std::string& name) {
    for (Json& t : spec["tensors"]) {
        if (t[0] == name) return t;
    }
    throw std::runtime_error("no tensor " + name);
}

TEST(LoadErrors, UnknownArchitecture) {
    const std::string text =
        refusal([](Json& spec) { spec["architecture"] = "perceptron"; }, ErrorCode::kUnsupported);
    EXPECT_SAYS(text, "architecture 'perceptron' is not supported");
    EXPECT_SAYS(text, "qwen3");  // the supported ones are listed
}

// Every known name has either a description or a reason why not.
TEST(LoadErrors, EveryKnownArchitectureSaysWhatItLacks) {
    const auto known = known_architectures();
    std::ifstream names(std::string(KVSPLIT_TEST_DATA) + "/architectures.txt");
    int n_names = 0;
    for (std::string name; std::getline(names, name); ++n_names) {
        if (std::ranges::find(known, name) != known.end()) {
            EXPECT_EQ(lacking_for(name), "") << name;
            continue;
        }
        EXPECT_NE(lacking_for(name), "") << name;
        const std::string text =
            refusal([&](Json& spec) { spec["architecture"] = name; }, ErrorCode::kUnsupported);
        EXPECT_SAYS(text, "architecture '" + name + "' is not supported: ");
    }
    EXPECT_GT(n_names, 150);
    const std::string text =
        refusal([](Json& spec) { spec["architecture"] = "rwkv7"; }, ErrorCode::kUnsupported);
    EXPECT_SAYS(text, "'rwkv7' is not supported: models without attention");
}

TEST(LoadErrors, MissingMetadata) {
    for (const char* key : {"block_count", "embedding_length", "attention.head_count", "feed_forward_length",
                            "context_length"}) {
        const std::string text =
            refusal([&](Json& spec) { spec["metadata"].erase(key); }, ErrorCode::kFormat);
        EXPECT_SAYS(text, std::string("llama.") + key);
        EXPECT_SAYS(text, "missing");
    }
}

TEST(LoadErrors, KeysThatAreNotUnderstood) {
    const auto with = [](const char* model, const char* key, const Json& value) {
        return refusal([&](Json& spec) { spec["metadata"][key] = value; }, ErrorCode::kUnsupported, {},
                       model);
    };
    EXPECT_SAYS(with("llama", "attention.value_length", 32), "keys and values of different lengths");
    EXPECT_SAYS(with("nanbeige", "num_loops", 2), "nanbeige.num_loops: layers that run more than once");
    EXPECT_SAYS(with("grok", "attention.temperature_length", 1024), "grok.attention.temperature_length");
    EXPECT_SAYS(with("llama4", "attention.sliding_window", 100), "llama4.attention.sliding_window");
    EXPECT_SAYS(with("hunyuan_vl", "rope.scaling.alpha", 1000.0), "hunyuan_vl.rope.scaling.alpha");
}

TEST(LoadErrors, SizesThatDoNotFitTogether) {
    EXPECT_SAYS(
        refusal([](Json& spec) { spec["metadata"]["attention.head_count_kv"] = 3; }, ErrorCode::kFormat),
        "4 heads cannot share 3 key-value heads");
    EXPECT_SAYS(refusal(
                    [](Json& spec) {
                        spec["metadata"]["attention.head_count"] = {4, 3, 4};
                    },
                    ErrorCode::kFormat),
                "3 heads cannot share 2 key-value heads");
    EXPECT_SAYS(refusal(
                    [](Json& spec) {
                        spec["metadata"]["attention.head_count_kv"] = {2, 1, 2};
                    },
                    ErrorCode::kFormat),
                "'blk.1.attn_k.weight': has shape 256 x 128, the model's metadata asks for 256 x 64");
    EXPECT_SAYS(refusal(
                    [](Json& spec) {
                        spec["metadata"]["feed_forward_length"] = {192, 64, 192};
                    },
                    ErrorCode::kFormat),
                "'blk.1.ffn_gate.weight': has shape 256 x 192, the model's metadata asks for 256 x 64");
    EXPECT_SAYS(refusal(
                    [](Json& spec) {
                        spec["metadata"]["attention.head_count"] = {4, 4};
                    },
                    ErrorCode::kFormat),
                "'llama.attention.head_count': has 2 entries for 3 layers");
    EXPECT_SAYS(
        refusal([](Json& spec) { spec["metadata"]["feed_forward_length"] = 200; }, ErrorCode::kFormat),
        "'blk.0.ffn_gate.weight': has shape 256 x 192, the model's metadata asks for 256 x 200");
    EXPECT_SAYS(refusal([](Json& spec) { spec["metadata"]["block_count"] = 4; }, ErrorCode::kFormat),
                "blk.3.attn_norm.weight");
    EXPECT_SAYS(
        refusal([](Json& spec) { tensor(spec, "blk.1.attn_norm.weight")[1][0] = 255; }, ErrorCode::kFormat),
        "'blk.1.attn_norm.weight': has 255 numbers, the model's metadata asks for 256");
}

TEST(LoadErrors, VocabulariesThatDisagree) {
    EXPECT_SAYS(refusal([](Json& spec) { spec["vocabulary"] = 300; }, ErrorCode::kFormat),
                "'tokenizer.ggml.tokens': names 300 tokens, but token_embd.weight has 320 rows");
}

TEST(LoadErrors, TensorsOfOtherModels) {
    EXPECT_SAYS(refusal(
                    [](Json& spec) {
                        spec["tensors"].push_back({"blk.0.attn_sinks.weight", {4}, 0.0, 1.0});
                    },
                    ErrorCode::kUnsupported),
                "tensor 'blk.0.attn_sinks.weight'");
}

TEST(LoadErrors, ExpertsThatAreNotThere) {
    const auto with = [](const char* key, const Json& value) {
        return refusal([&](Json& spec) { spec["metadata"][key] = value; }, ErrorCode::kFormat, {}, "dots1");
    };
    EXPECT_SAYS(with("expert_used_count", 9), "dots1.expert_used_count");
    EXPECT_SAYS(with("expert_count", 12), "'blk.1.ffn_gate_inp.weight': has shape 256 x 8");
    EXPECT_SAYS(with("expert_feed_forward_length", 96), "'blk.1.ffn_gate_exps.weight': has shape 256 x 512");
    EXPECT_SAYS(with("expert_group_count", 3), "cannot be taken from 3 of 3 groups");
    EXPECT_SAYS(refusal([](Json& spec) { spec["metadata"]["expert_gating_func"] = 4; },
                        ErrorCode::kUnsupported, {}, "dots1"),
                "expert_gating_func 4");
    EXPECT_SAYS(refusal([](Json& spec) { spec["metadata"]["expert_count"] = 8; }, ErrorCode::kUnsupported, {},
                        "qwen3"),
                "qwen3 with experts");
}

TEST(LoadErrors, LayersThatShareKeysAndValues) {
    const auto with = [](const char* key, const Json& value) {
        return refusal([&](Json& spec) { spec["metadata"][key] = value; }, ErrorCode::kFormat, {},
                       "gemma4_e2b");
    };
    EXPECT_SAYS(with("attention.shared_kv_layers", 6), "leaves no layer whose cache layer 0 could read");
    EXPECT_SAYS(with("attention.shared_kv_layers", 4), "leaves no layer whose cache layer 2 could read");
    EXPECT_SAYS(with("attention.shared_kv_layers", 7), "must be between 1 and 6");
    EXPECT_SAYS(with("attention.shared_kv_layers", 2), "blk.3.attn_k_norm.weight");
    EXPECT_SAYS(with("embedding_length_per_layer_input", 16),
                "'per_layer_token_embd.weight': has shape 192 x 320, the model's metadata asks for 96 x 320");
}

TEST(LoadErrors, LatentAttention) {
    EXPECT_SAYS(refusal([](Json& spec) { spec["metadata"].erase("attention.key_length_mla"); },
                        ErrorCode::kFormat, {}, "deepseek2"),
                "deepseek2.attention.key_length_mla");
    EXPECT_SAYS(refusal([](Json& spec) { spec["metadata"]["attention.value_length"] = 32; },
                        ErrorCode::kFormat, {}, "deepseek3_whole"),
                "'blk.0.attn_kv_b.weight': has shape 96 x 512, the model's metadata asks for 96 x 384");
    EXPECT_SAYS(refusal([](Json& spec) { spec["metadata"]["attention.key_length_mla"] = 32; },
                        ErrorCode::kFormat, {}, "deepseek2"),
                "keys of 32, 32 of them rotating");
    EXPECT_SAYS(refusal([](Json& spec) { spec["metadata"]["attention.kv_lora_rank"] = 64; },
                        ErrorCode::kFormat, {}, "deepseek2"),
                "'blk.0.attn_kv_a_mqa.weight'");
}

TEST(LoadErrors, StatesThatDoNotFit) {
    const auto with = [](const char* model, const char* key, const Json& value,
                         ErrorCode code = ErrorCode::kFormat) {
        return refusal([&](Json& spec) { spec["metadata"][key] = value; }, code, {}, model);
    };
    EXPECT_SAYS(with("llama", "attention.head_count_kv", {2, 0, 2}, ErrorCode::kUnsupported),
                "llama.attention.head_count_kv gives layer 1 no heads");
    EXPECT_SAYS(with("lfm2", "attention.head_count_kv", {0, 0, 0, 0}), "lfm2.attention.head_count_kv");
    EXPECT_SAYS(with("lfm2", "shortconv.l_cache", 4), "'blk.0.shortconv.conv.weight': has shape 3 x 256");
    EXPECT_SAYS(with("granitehybrid", "ssm.time_step_rank", 7), "cannot be cut into 7 heads of 2 groups");
    EXPECT_SAYS(with("granitehybrid", "ssm.state_size", 63), "'blk.0.ssm_in.weight': has shape");
    EXPECT_SAYS(with("nemotron_h", "feed_forward_length", 192, ErrorCode::kUnsupported),
                "nemotron_h.feed_forward_length");
    EXPECT_SAYS(with("jamba", "ssm.time_step_rank", 8), "'blk.0.ssm_x.weight'");
    EXPECT_SAYS(with("qwen3next", "full_attention_interval", 5, ErrorCode::kUnsupported),
                "models without attention");
}

TEST(LoadErrors, NumbersThatAreNone) {
    // The last number of the file is the last of the matrix blk.2.ffn_down.weight.
    for (const float bad :
         {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
        EXPECT_SAYS(refusal([](Json&) {}, ErrorCode::kFormat,
                            [&](Bytes& bytes) {
                                std::memcpy(bytes.data() + bytes.size() - sizeof bad, &bad, sizeof bad);
                            }),
                    "'blk.2.ffn_down.weight': row 255 has a weight that is not finite");
    }
    EXPECT_SAYS(refusal(
                    [](Json& spec) {
                        tensor(spec, "output_norm.weight")[2] = std::numeric_limits<float>::infinity();
                    },
                    ErrorCode::kFormat),
                "'output_norm.weight': has a number that is not finite");
}

TEST(LoadErrors, HeadsThatNoCodeTakes) {
    EXPECT_SAYS(
        refusal([](Json& spec) { spec["metadata"]["attention.key_length"] = 4096; }, ErrorCode::kFormat),
        "llama.attention.key_length");
}

TEST(LoadErrors, HeadsOfUnusualSizesAreNone) {
    TinyModelGolden golden = read_tiny_model("llama");
    Json& metadata = golden.spec["metadata"];
    metadata["attention.key_length"] = metadata["attention.value_length"] = 40;
    metadata["rope.dimension_count"] = 40;
    for (Json& t : golden.spec["tensors"]) {
        const std::string name = t[0];
        if (name.ends_with("attn_q.weight")) t[1][1] = 160;
        if (name.ends_with("attn_k.weight") || name.ends_with("attn_v.weight")) t[1][1] = 80;
        if (name.ends_with("attn_output.weight")) t[1][0] = 160;
    }
    const TempFile file(golden.file().bytes());
    const auto model = Model::load(file.path(), {.threads = 1});
    EXPECT_EQ(Session::create(model, {8, 4})->eval(golden.tokens), 200);
}

TEST(LoadErrors, MorePositionsThanTheModelHas) {
    const TinyModelGolden golden = read_tiny_model("gpt2");
    const TempFile file(golden.file().bytes());
    const auto model = Model::load(file.path(), {.threads = 1});
    EXPECT_NO_THROW(Session::create(model, {16, 16}, 1024));
    EXPECT_THROW(Session::create(model, {16, 16}, 1025), Error);
}

}  // namespace
}  // namespace kvsplit::test
