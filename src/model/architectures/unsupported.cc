// Known architectures that this build cannot run, and what it lacks for each.
#include <algorithm>

#include "model/architectures/architecture.h"

namespace kvsplit {
namespace {

constexpr std::string_view kRecurrent = "its kind of recurrent layers",
                           kNoAttention = "models without attention",
                           kEncoder = "attention to both sides, as encoders have it",
                           kDiffusion = "generation by diffusion",
                           kDraft = "it only drafts for another model", kNoText = "it does not continue text",
                           kIndexer = "attention to tokens that an indexer picks",
                           kUneven = "layers with unequal keys and values or widths",
                           kPictures = "weights for pictures alone";

struct Unsupported {
    std::string_view name, lacking;
};

constexpr Unsupported kUnsupported[] = {
    {"arwkv7", kNoAttention},
    {"bailingmoe3", kRecurrent},
    {"bert", kEncoder},
    {"chameleon", kPictures},
    {"clip", kNoText},
    {"cogvlm", kPictures},
    {"deci", kUneven},
    {"deepseek2-ocr", kPictures},
    {"deepseek32", kIndexer},
    {"deepseek4", "compressed keys and values"},
    {"dflash", kDraft},
    {"dots3note", kIndexer},
    {"dream", kDiffusion},
    {"eagle3", kDraft},
    {"eurobert", kEncoder},
    {"gemma-embedding", kEncoder},
    {"gemma3n", "embeddings for each layer"},
    {"gemma4-assistant", kDraft},
    {"glm-dsa", kIndexer},
    {"glm5-next", kRecurrent},
    {"gptj", "no converter writes such files"},
    {"graniteswitch", "adapters that change from token to token"},
    {"grovemoe", "experts that groups of experts share"},
    {"hrm_text", "layers that run more than once"},
    {"hy_v4", kIndexer},
    {"jina-bert-v2", kEncoder},
    {"jina-bert-v3", kEncoder},
    {"kimi-k3", kRecurrent},
    {"kimi-linear", kRecurrent},
    {"llada", kDiffusion},
    {"llada-moe", kDiffusion},
    {"llama-embed", kEncoder},
    {"mamba", kNoAttention},
    {"mamba2", kNoAttention},
    {"maple", "clamped gates of its own"},
    {"mimo2", kUneven},
    {"minimax-01", kRecurrent},
    {"minimax-m3", kIndexer},
    {"modern-bert", kEncoder},
    {"neo-bert", kEncoder},
    {"nomic-bert", kEncoder},
    {"nomic-bert-moe", kEncoder},
    {"openelm", kUneven},
    {"plamo2", kRecurrent},
    {"plamo3", kUneven},
    {"pockettts", kNoText},
    {"qwen3tts", kNoText},
    {"qwen4exp", kRecurrent},
    {"rnd1", kDiffusion},
    {"rwkv6", kNoAttention},
    {"rwkv6qwen2", kNoAttention},
    {"rwkv7", kNoAttention},
    {"spark2_5", "another implementation to be compared with"},
    {"step35", kUneven},
    {"t5", kEncoder},
    {"t5encoder", kEncoder},
    {"talkie", "sums with the embedding in every layer"},
    {"wavtokenizer-dec", kNoText},
};

}  // namespace

std::string_view lacking_for(std::string_view architecture) {
    const auto* found = std::ranges::find(kUnsupported, architecture, &Unsupported::name);
    return found == std::end(kUnsupported) ? std::string_view{} : found->lacking;
}

}  // namespace kvsplit
