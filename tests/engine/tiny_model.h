// A random model of a few thousand weights as a GGUF file: its output is noise, but it runs every part of the
// engine.
#pragma once

#include <random>
#include <string>
#include <vector>

#include "gguf/gguf_writer.h"

namespace kvsplit::test {

struct TinyModel {
    std::string architecture = "llama";  // or "gemma3", with a window of 100 tokens
    int layers = 2;
    std::vector<std::string> pieces{"a", "b", "ab"};  // the vocabulary beside single bytes
    int extra_rows = 0;                               // of the embedding, beyond the vocabulary
    static constexpr int kEmbd = 32, kFf = 32, kHeads = 4, kKvHeads = 2, kHeadDim = 16, kContext = 4096;

    GgufWriter write(unsigned seed = 1) const {
        std::mt19937 rng(seed);
        GgufWriter w;
        const bool gemma = architecture == "gemma3";
        const auto key = [&](const char* name) { return architecture + "." + name; };
        w.add("general.architecture", architecture).add("general.name", "tiny");
        w.add<std::uint32_t>(key("block_count"), static_cast<std::uint32_t>(layers));
        w.add<std::uint32_t>(key("embedding_length"), kEmbd)
            .add<std::uint32_t>(key("feed_forward_length"), kFf);
        w.add<std::uint32_t>(key("attention.head_count"), kHeads);
        w.add<std::uint32_t>(key("attention.head_count_kv"), kKvHeads);
        w.add<std::uint32_t>(key("attention.key_length"), kHeadDim);
        w.add<std::uint32_t>(key("context_length"), kContext);
        w.add(key("attention.layer_norm_rms_epsilon"), 1e-5f).add(key("rope.freq_base"), 10000.0f);
        if (gemma) w.add<std::uint32_t>(key("attention.sliding_window"), 100);
        const int vocab = add_vocabulary(w) + extra_rows;
        const auto matrix = [&](const std::string& name, int cols, int rows, gguf::TensorType type) {
            const auto blocks = static_cast<std::size_t>(rows * cols / gguf::block_size(type));
            Bytes data(blocks * static_cast<std::size_t>(gguf::block_bytes(type)));
            for (auto& byte : data) byte = static_cast<std::uint8_t>(rng());
            // Scales of about 1/64 at the start of each block (f16 0x24..), a minimum near zero after it.
            for (std::size_t b = 0; b < blocks; ++b) {
                std::uint8_t* block = data.data() + b * static_cast<std::size_t>(gguf::block_bytes(type));
                block[1] = type == gguf::TensorType::kQ8_0 ? 0x14 : 0x2c;
                if (type == gguf::TensorType::kQ4_1) block[3] = 0xb0;
            }
            w.tensor(name + ".weight", type, {cols, rows}, data);
        };
        const auto norm = [&](const std::string& name, int n) {
            std::vector<float> gains(static_cast<std::size_t>(n));
            for (float& g : gains) g = 0.5f + static_cast<float>(rng() % 1000) / 1000.0f;
            w.tensor_f32(name + ".weight", {n}, gains);
        };
        using gguf::TensorType;
        matrix("token_embd", kEmbd, vocab, TensorType::kQ8_0);
        norm("output_norm", kEmbd);
        for (int i = 0; i < layers; ++i) {
            const std::string p = "blk." + std::to_string(i) + ".";
            for (const char* name : {"attn_norm", "ffn_norm"}) norm(p + name, kEmbd);
            if (gemma) {
                for (const char* name : {"post_attention_norm", "post_ffw_norm"}) norm(p + name, kEmbd);
                for (const char* name : {"attn_q_norm", "attn_k_norm"}) norm(p + name, kHeadDim);
            }
            matrix(p + "attn_q", kEmbd, kHeads * kHeadDim, TensorType::kQ4_0);
            matrix(p + "attn_k", kEmbd, kKvHeads * kHeadDim, TensorType::kQ4_1);
            matrix(p + "attn_v", kEmbd, kKvHeads * kHeadDim, TensorType::kQ8_0);
            matrix(p + "attn_output", kHeads * kHeadDim, kEmbd, TensorType::kQ4_0);
            matrix(p + "ffn_gate", kEmbd, kFf, TensorType::kQ4_0);
            matrix(p + "ffn_up", kEmbd, kFf, TensorType::kQ4_1);
            matrix(p + "ffn_down", kFf, kEmbd, TensorType::kQ4_0);
        }
        return w;
    }

  private:
    // SentencePiece with a token for each byte. Returns the number of tokens.
    int add_vocabulary(GgufWriter& w) const {
        std::vector<std::string> tokens{"<unk>", "<s>", "</s>"};
        std::vector<std::int32_t> types{2, 3, 3};
        for (int b = 0; b < 256; ++b) {
            constexpr const char* kHex = "0123456789ABCDEF";
            tokens.push_back(std::string("<0x") + kHex[b / 16] + kHex[b % 16] + ">");
            types.push_back(6);
        }
        for (const std::string& piece : pieces) {
            tokens.push_back(piece);
            types.push_back(1);
        }
        w.add("tokenizer.ggml.model", "llama").add_array("tokenizer.ggml.tokens", tokens);
        w.add_array("tokenizer.ggml.scores", std::vector<float>(tokens.size(), -1.0f));
        w.add_array("tokenizer.ggml.token_type", types);
        w.add<std::uint32_t>("tokenizer.ggml.bos_token_id", 1)
            .add<std::uint32_t>("tokenizer.ggml.eos_token_id", 2);
        return static_cast<int>(tokens.size());
    }
};

}  // namespace kvsplit::test
