// Word patterns of every family of byte-level BPE, by their names in tokenizer.ggml.pre.
//
// A model was trained with the patterns of its own tokenizer.json; GGUF keeps only their name. If llama.cpp's
// version is coarser than the original (no case beyond ASCII), this table follows llama.cpp: the same file
// should give the same tokens everywhere.
#include <algorithm>

#include "text/pretokenizer.h"

namespace kvsplit::text {
namespace {

using Cut = PreTokenizer::Cut;
using Step = PreTokenizer::Step;
using Names = const std::string_view[];

// Parts that many patterns share. "Upper" and "lower" both include letters beyond ASCII.
#define CONTRACTION R"('(?:[sS]|[tT]|[rR][eE]|[vV][eE]|[mM]|[lL]{2}|[dD]))"
#define BEFORE_WORD R"([^\r\n\p{L}\p{N}]?)"
#define WORD BEFORE_WORD R"(\p{L}+)"
#define SYMBOLS R"( ?[^\s\p{L}\p{N}]+)"
#define SPACES R"(\s+(?!\S)|\s+)"
#define LINES R"(\s*[\r\n]+|)" SPACES
#define UPPER R"([^\P{L}a-z])"
#define LOWER R"([^\P{L}A-Z])"
#define KANA_AND_HAN R"(\x{4e00}-\x{9fa5}\x{3040}-\x{30ff})"
#define PUNCTUATED_WORD R"([!-/:-@\[-`{-~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+)"

constexpr std::string_view kGpt2 = R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|)" SPACES;
constexpr std::string_view kLlama3 = CONTRACTION "|" WORD R"(|\p{N}{1,3}|)" SYMBOLS R"([\r\n]*|)" LINES;
constexpr std::string_view kQwen2 = CONTRACTION "|" WORD R"(|\p{N}|)" SYMBOLS R"([\r\n]*|)" LINES;
constexpr std::string_view kOneNumber = R"(\p{N})";
constexpr std::string_view kThreeNumbers = R"(\p{N}{1,3})";
constexpr std::string_view kThreeDigits = "[0-9]{3}";
// U+0800 to U+9FA5 and U+AC00 to U+D7FF, without white space.
constexpr std::string_view kHanAndHangul = R"([^\s\x{0}-\x{7ff}\x{9fa6}-\x{abff}\x{e000}-\x{10ffff}]+)";
constexpr std::string_view kKanaAndHan = "[" KANA_AND_HAN "]+";
constexpr std::string_view kDeepseek3 = PUNCTUATED_WORD R"(| ?[\p{P}\p{S}]+[\r\n]*|)" LINES;
constexpr std::string_view kLine = R"([^\n]+|\n+)";
constexpr std::string_view kBloom = R"( ?[^(\s|.,!?\x{2026}\x{3002}\x{ff0c}\x{3001}\x{964}\x{6d4}\x{60c})]+)";
constexpr std::string_view kJais2 =
    CONTRACTION "|" WORD R"(|\p{N}{1,3}|)" SYMBOLS
                R"([\r\n]*|\s*[\r\n]+|\s{512}(?!\S)|\s{256}(?!\S)|\s{128}(?!\S)|\s{64}(?!\S)|\s{32}(?!\S)|)"
                R"(\s{16}(?!\S)|\s{8}(?!\S)|\s{4}(?!\S)|\s{1,2}(?!\S)|\s)";
constexpr std::string_view kQwen35 =
    CONTRACTION "|" BEFORE_WORD R"([\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|)" LINES;
constexpr std::string_view kTekken =
    BEFORE_WORD UPPER "*" LOWER "+|" BEFORE_WORD UPPER "+" LOWER R"(*|\p{N}|)" SYMBOLS R"([\r\n/]*|)" LINES;
constexpr std::string_view kGpt4o =
    BEFORE_WORD UPPER "*" LOWER "+(?:" CONTRACTION ")?|" BEFORE_WORD UPPER "+" LOWER "*(?:" CONTRACTION
                      R"()?|\p{N}{1,3}|)" SYMBOLS R"([\r\n/]*|)" LINES;
#define MARKED_UPPER R"((?:[^\P{L}a-z]|\p{M}))"
#define MARKED_LOWER R"((?:[^\P{L}A-Z]|\p{M}))"
constexpr std::string_view kGraniteEmbedding = BEFORE_WORD MARKED_UPPER
    "*" MARKED_LOWER "+(?:" CONTRACTION ")?|" BEFORE_WORD MARKED_UPPER "+" MARKED_LOWER "*(?:" CONTRACTION
    R"()?|\p{N}{1,3}|)" SYMBOLS R"([\r\n/]*|)" LINES;
#define MARKED_WORD BEFORE_WORD R"([\p{L}\p{M}]+(?:)" CONTRACTION ")?"
constexpr std::string_view kYoutu = MARKED_WORD R"(|\p{N}|)" SYMBOLS R"([\r\n/]*|)" LINES;
constexpr std::string_view kTinyAya = MARKED_WORD R"(|\p{N}{1,3}|)" SYMBOLS R"([\r\n/]*|)" LINES;
constexpr std::string_view kYoutuAsian =
    R"([\x{ac00}-\x{d7a3}\x{3131}-\x{318e}]+|)"
    R"([\x{ff01}\x{2026}\x{201c}\x{201d}\x{2018}\x{2019}\x{2014}\x{ff1a}-\x{ff1b}\x{ff0c}\x{3001}-\x{303f})"
    R"(\x{fe30}-\x{fe4f}]+|[\x{3105}-\x{312f}]+|[)" KANA_AND_HAN "]+";
// Cased letters, except a few blocks, as listed by DeepSeek's first tokenizer.
constexpr std::string_view kDeepseekLetters =
    R"(\s?[^\P{L&}\x{560}-\x{588}\x{10c7}-\x{10ff}\x{1c80}-\x{1c88}\x{2d00}-\x{2d2d}\x{a790}-\x{ab68})"
    R"(\x{10570}-\x{105bc}\x{16e40}-\x{1df1e}]+)";
#define HAN                                                                                        \
    R"(\x{3400}-\x{4dbf}\x{4e00}-\x{9fff}\x{f900}-\x{faff}\x{20000}-\x{2a6df}\x{2a700}-\x{2ebef})" \
    R"(\x{2f800}-\x{2fa1f})"
constexpr std::string_view kKimi = "[" HAN "]+|" BEFORE_WORD R"([^\P{L})" HAN "]+(?:" CONTRACTION
                                   R"()?|\p{N}{1,3}|)" SYMBOLS R"([\r\n]*|)" LINES;
constexpr std::string_view kAfmoeAsian =
    R"([\x{4e00}-\x{9fff}\x{3400}-\x{4dbf}\x{8c48}-\x{faff}\x{3040}-\x{30ff}\x{ff65}-\x{ff9f})"
    R"(\x{2f00}-\x{2fdf}\x{e40}-\x{eff}\x{1780}-\x{17ff}\x{1000}-\x{109f}\x{aa60}-\x{aa7f})"
    R"(\x{a9e0}-\x{a9ff}\x{1100}-\x{11ff}]+)";

constexpr Step kGpt2Steps[] = {{kGpt2}};
constexpr Step kLlama3Steps[] = {{kLlama3}};
constexpr Step kQwen2Steps[] = {{kQwen2}};
constexpr Step kSingleDigitSteps[] = {{kOneNumber}, {kGpt2}};
constexpr Step kFalconSteps[] = {{R"([\p{P}$+<=>^~|`]+)"}, {kGpt2}, {kThreeDigits}};
constexpr Step kDefaultSteps[] = {{R"([\p{P}$+<=>^~|]+)"}, {kGpt2}, {R"(\p{N}+)"}, {kThreeDigits}};
constexpr Step kDeepseekCoderSteps[] = {
    {R"([\r\n])"}, {R"(\s?\p{L}+)"}, {R"(\s?\p{P}+)"}, {kHanAndHangul}, {kOneNumber}};
// Trailing white space, matched from the start of its run: long runs take linear time.
constexpr Step kDeepseekLlmSteps[] = {
    {R"([\r\n])"},
    {kDeepseekLetters},
    {R"(\s?[!-/:-~\x{ff01}-\x{ff0f}\x{ff1a}-\x{ff5e}\x{2018}-\x{201f}\x{3001}-\x{3002}]+)"},
    {R"((?<!\s)\s++\z)"},
    {kHanAndHangul},
    {R"(\p{N}+)"}};
constexpr Step kDeepseek3Steps[] = {{kThreeNumbers}, {kKanaAndHan}, {kDeepseek3}};
constexpr Step kSparkSteps[] = {
    {kThreeNumbers}, {kKanaAndHan}, {PUNCTUATED_WORD R"(| ?[\p{P}\p{S}]+|[\r\n]|)" SPACES}, {kOneNumber}};
constexpr Step kYoutuSteps[] = {{kYoutuAsian}, {kYoutu}};
constexpr Step kJais2Steps[] = {{kJais2}};
constexpr Step kQwen35Steps[] = {{kQwen35}};
constexpr Step kBloomSteps[] = {{kBloom}};
constexpr Step kVikingSteps[] = {{kBloom}, {kOneNumber}};
constexpr Step kTekkenSteps[] = {{kTekken}};
constexpr Step kGpt4oSteps[] = {{kGpt4o}};
constexpr Step kGraniteEmbeddingSteps[] = {{kGraniteEmbedding}};
constexpr Step kTinyAyaSteps[] = {{R"(\p{N}+)", Cut::kAfterThousands}, {kTinyAya}};
constexpr Step kAfmoeSteps[] = {{R"(\p{N}+)", Cut::kAfterThousands}, {kAfmoeAsian}, {kDeepseek3}};
constexpr Step kSuperBpeSteps[] = {{R"(\p{N}+)"}, {"[0-9]+", Cut::kBeforeThousands}};
constexpr Step kChameleonSteps[] = {{"<sentinel:[0-9]+>"}, {"IMGIMG[A-I]{1,4}Z"},       {R"([\t\n]|    |  )"},
                                    {kOneNumber},          {R"([\p{P}!-/:-@\[-`{-~])"}, {kGpt2}};
constexpr Step kKimiSteps[] = {{kKimi}};
constexpr Step kBailingSteps[] = {{CONTRACTION "|" WORD R"(|\p{N}|)" SYMBOLS R"([\r\n]*|\s*[\r\n]|)" SPACES}};
constexpr Step kSeedCoderSteps[] = {{CONTRACTION "|" WORD R"(|\p{N}|)" SYMBOLS "|" LINES}};
constexpr Step kUfakzekaSteps[] = {{WORD R"(|\p{N}|)" SYMBOLS R"([\r\n]*|)" LINES}};
constexpr Step kLagunaSteps[] = {{kLine}, {kQwen2}};
constexpr Step kLineSteps[] = {{kLine}};
constexpr Step kMiniCpm5Steps[] = {{kThreeNumbers}, {kLlama3}};
constexpr Step kExaoneMoeSteps[] = {{CONTRACTION "|" BEFORE_WORD
                                                 R"(\p{L}\p{M}*+(?: ?\p{L}\p{M}*+)*+|\p{N}|)" SYMBOLS
                                                 R"([\r\n/]?|\s*[\r\n]|)" SPACES}};

constexpr Names kGpt2Names = {"gpt-2",      "phi-2",        "mpt",         "olmo",           "jais",
                              "jina-es",    "jina-de",      "gigachat",    "a.x-4.0",        "mellum",
                              "exaone4",    "trillion",     "modern-bert", "jina-v2-es",     "jina-v2-de",
                              "jina-v1-en", "jina-v2-code", "roberta-bpe", "granite-docling"};
constexpr Names kLlama3Names = {"llama-bpe", "llama3",   "llama-v3", "falcon3",     "falcon-h1",
                                "pixtral",   "midm-2.0", "lfm2",     "jina-v5-nano"};
// llama-bpe's patterns without its other traits.
constexpr Names kDbrxNames = {"dbrx", "smaug-bpe"};
constexpr Names kChatGlmNames = {"chatglm-bpe"};
constexpr Names kGlm4Names = {"glm4", "glm5"};
constexpr Names kQwen2Names = {"qwen2",      "deepseek-r1-qwen", "stablelm2", "megrez", "hunyuan",
                               "solar-open", "grok-2",           "kormo",     "f2llmv2"};
constexpr Names kSingleDigitNames = {"smollm",    "starcoder", "refact",     "command-r",
                                     "codeshell", "exaone",    "minerva-7b", "mellum2"};
constexpr Names kFalconNames = {"falcon"};
constexpr Names kDefaultNames = {"default", ""};
constexpr Names kDeepseekCoderNames = {"deepseek-coder"};
constexpr Names kDeepseekLlmNames = {"deepseek-llm"};
constexpr Names kDeepseek3Names = {"deepseek-v3", "hunyuan-dense", "joyai-llm", "hy_v4"};
constexpr Names kSparkNames = {"spark2_5"};
constexpr Names kYoutuNames = {"youtu"};
constexpr Names kJais2Names = {"jais-2"};
constexpr Names kQwen35Names = {"qwen35"};
constexpr Names kBloomNames = {"bloom", "poro-chat", "gpt3-finnish"};
constexpr Names kVikingNames = {"viking"};
constexpr Names kTekkenNames = {"tekken"};
constexpr Names kGpt4oNames = {"gpt-4o", "llama4", "kanana2", "talkie", "minimax-m2"};
constexpr Names kGraniteEmbeddingNames = {"granite-embed-multi-97m"};
constexpr Names kTinyAyaNames = {"tiny_aya", "cohere2moe"};
constexpr Names kAfmoeNames = {"afmoe"};
constexpr Names kSuperBpeNames = {"superbpe"};
constexpr Names kChameleonNames = {"chameleon"};
constexpr Names kKimiNames = {"kimi-k2"};
constexpr Names kBailingNames = {"bailingmoe", "bailingmoe2", "llada-moe"};
constexpr Names kSeedCoderNames = {"seed-coder"};
constexpr Names kUfakzekaNames = {"ufakzeka"};
constexpr Names kLagunaNames = {"laguna"};
constexpr Names kGemma4Names = {"gemma4", "granite-embed-multi-311m"};
constexpr Names kSarvamNames = {"sarvam-moe"};
constexpr Names kMiniCpm5Names = {"minicpm5"};
constexpr Names kExaoneMoeNames = {"exaone-moe"};

constexpr PreTokenizer::Traits kTraits[] = {
    {.names = kGpt2Names, .steps = kGpt2Steps},
    {.names = kLlama3Names, .steps = kLlama3Steps, .ignore_merges = true, .add_bos = true},
    {.names = kDbrxNames, .steps = kLlama3Steps},
    {.names = kChatGlmNames, .steps = kLlama3Steps, .has_default_bos = false},
    {.names = kGlm4Names, .steps = kLlama3Steps, .ignore_merges = true, .has_default_bos = false},
    {.names = kQwen2Names, .steps = kQwen2Steps},
    {.names = kSingleDigitNames, .steps = kSingleDigitSteps},
    {.names = kFalconNames, .steps = kFalconSteps},
    {.names = kDefaultNames, .steps = kDefaultSteps},
    {.names = kDeepseekCoderNames, .steps = kDeepseekCoderSteps},
    {.names = kDeepseekLlmNames, .steps = kDeepseekLlmSteps},
    {.names = kDeepseek3Names, .steps = kDeepseek3Steps},
    {.names = kSparkNames, .steps = kSparkSteps},
    {.names = kYoutuNames, .steps = kYoutuSteps, .ignore_merges = true},
    {.names = kJais2Names, .steps = kJais2Steps},
    {.names = kQwen35Names, .steps = kQwen35Steps},
    {.names = kBloomNames, .steps = kBloomSteps},
    {.names = kVikingNames, .steps = kVikingSteps},
    {.names = kTekkenNames, .steps = kTekkenSteps, .ignore_merges = true, .add_bos = true},
    {.names = kGpt4oNames, .steps = kGpt4oSteps},
    {.names = kGraniteEmbeddingNames, .steps = kGraniteEmbeddingSteps, .ignore_merges = true},
    {.names = kTinyAyaNames, .steps = kTinyAyaSteps},
    {.names = kAfmoeNames, .steps = kAfmoeSteps},
    {.names = kSuperBpeNames, .steps = kSuperBpeSteps},
    {.names = kChameleonNames, .steps = kChameleonSteps, .add_bos = true},
    {.names = kKimiNames, .steps = kKimiSteps, .needs_merges = false},
    {.names = kBailingNames, .steps = kBailingSteps},
    {.names = kSeedCoderNames, .steps = kSeedCoderSteps},
    {.names = kUfakzekaNames, .steps = kUfakzekaSteps},
    {.names = kLagunaNames, .steps = kLagunaSteps},
    {.names = kGemma4Names, .steps = kLineSteps, .spaces_as_marks = true, .whole_line_breaks = true},
    {.names = kSarvamNames, .steps = kLineSteps, .spaces_as_marks = true},
    {.names = kMiniCpm5Names, .steps = kMiniCpm5Steps, .ignore_merges = true},
    {.names = kExaoneMoeNames, .steps = kExaoneMoeSteps},
};

}  // namespace

const PreTokenizer::Traits* PreTokenizer::find(std::string_view name) {
    for (const Traits& traits : kTraits) {
        if (std::find(traits.names.begin(), traits.names.end(), name) != traits.names.end()) return &traits;
    }
    return nullptr;
}

}  // namespace kvsplit::text
