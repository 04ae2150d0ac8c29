#include "text/vocab.h"

#include <algorithm>
#include <cctype>
#include <cmath>
#include <utility>

#include "base/error.h"
#include "base/printable.h"
#include "text/pretokenizer.h"

namespace kvsplit::text {
namespace {

// Drops invalid ids: files have 0xFFFFFFFF for "none", or ids of removed tokens.
Token read_id(const gguf::File& file, std::string_view name, std::size_t n_vocab, Token absent) {
    const std::int64_t fallback = absent < static_cast<std::int64_t>(n_vocab) ? absent : kNoToken;
    const std::int64_t id = file.get_i64_or(fmt::format("tokenizer.ggml.{}_token_id", name), fallback);
    return id >= 0 && id < static_cast<std::int64_t>(n_vocab) ? static_cast<Token>(id)
                                                              : static_cast<Token>(fallback);
}

std::uint8_t attr_of_type(std::int32_t type) {
    switch (type) {
        case 1:
            return kAttrNormal;
        case 2:
            return kAttrUnknown;
        case 3:
            return kAttrControl;
        case 4:
            return kAttrUserDefined;
        case 5:
            return kAttrUnused;
        case 6:
            return kAttrByte;
        default:
            return 0;
    }
}

bool contains_ignoring_case(std::string_view text, std::string_view lower_case) {
    const auto equal = [](char a, char b) {
        return std::tolower(static_cast<unsigned char>(a)) == static_cast<unsigned char>(b);
    };
    return std::search(text.begin(), text.end(), lower_case.begin(), lower_case.end(), equal) != text.end();
}

}  // namespace

VocabData VocabData::read(const gguf::File& file) {
    VocabData data;
    data.source = file.path();
    const std::string model = file.get_string("tokenizer.ggml.model");
    if (model != "llama" && model != "gpt2" && model != "gemma4") {
        fail(ErrorCode::kUnsupported,
             "{}: tokenizer.ggml.model: '{}' is not supported (llama, gpt2 and gemma4 are)", data.source,
             printable(model));
    }
    data.kind = model == "llama" ? VocabKind::kSpm : VocabKind::kBpe;
    const bool spm = data.kind == VocabKind::kSpm;
    data.pre = model == "gemma4" ? model : file.get_string_or("tokenizer.ggml.pre", "");
    const PreTokenizer::Traits traits =
        spm ? PreTokenizer::Traits{} : PreTokenizer::get(data.pre, data.source);
    data.model_name = file.get_string_or("general.name", "");
    data.tokens = file.get_string_array("tokenizer.ggml.tokens");
    if (file.has("tokenizer.ggml.token_type")) data.types = file.get_i32_array("tokenizer.ggml.token_type");
    if (spm && file.has("tokenizer.ggml.scores")) data.scores = file.get_f32_array("tokenizer.ggml.scores");
    if (!spm && (traits.needs_merges || file.has("tokenizer.ggml.merges"))) {
        data.merges = file.get_string_array("tokenizer.ggml.merges");
    }

    const std::size_t n = data.tokens.size();
    const Token byte_level = model == "gpt2" ? 11 : kNoToken;
    data.bos = read_id(file, "bos", n, spm ? 1 : traits.has_default_bos ? byte_level : kNoToken);
    data.eos = read_id(file, "eos", n, spm ? 2 : byte_level);
    data.unk = read_id(file, "unknown", n, spm ? 0 : kNoToken);
    data.eot = read_id(file, "eot", n, kNoToken);
    data.eom = read_id(file, "eom", n, kNoToken);
    data.fim_pad = read_id(file, "fim_pad", n, kNoToken);
    data.fim_rep = read_id(file, "fim_rep", n, kNoToken);
    data.fim_sep = read_id(file, "fim_sep", n, kNoToken);

    data.ignore_merges = traits.ignore_merges;
    data.add_bos = file.get_bool_or("tokenizer.ggml.add_bos_token", spm || traits.add_bos);
    if (traits.whole_line_breaks) data.add_bos = true;  // Gemma 4 files say no but need it
    data.add_space_prefix = spm && file.get_bool_or("tokenizer.ggml.add_space_prefix", true);
    return data;
}

Vocab::Vocab(VocabData data) : data_(std::move(data)) {
    check_lengths();
    by_text_.reserve(data_.tokens.size());
    for (std::size_t i = 0; i < data_.tokens.size(); ++i) {
        if (data_.tokens[i].empty()) continue;  // no text leads to an empty token
        by_text_.insert(data_.tokens[i], static_cast<Token>(i));
        max_token_bytes_ = std::max(max_token_bytes_, data_.tokens[i].size());
    }
    set_attrs();
    find_special_tokens();
    collect_end_of_generation();
    set_strip_attrs();
}

void Vocab::check_lengths() const {
    const std::size_t n = data_.tokens.size();
    const auto bad = [&](std::string_view key, std::string_view message) {
        fail(ErrorCode::kFormat, "{}: tokenizer.ggml.{}: {}", data_.source, key, message);
    };
    if (n == 0) bad("tokens", "is empty");
    if (n > 0x3fffffff) bad("tokens", fmt::format("has {} entries, too many", n));
    if (!data_.types.empty() && data_.types.size() < n) {
        bad("token_type", fmt::format("has {} entries for {} tokens", data_.types.size(), n));
    }
    if (!data_.scores.empty() && data_.scores.size() < n) {
        bad("scores", fmt::format("has {} entries for {} tokens", data_.scores.size(), n));
    }
    for (std::size_t i = 0; i < data_.scores.size(); ++i) {
        if (std::isnan(data_.scores[i])) bad("scores", fmt::format("entry {} is not a number", i));
    }
    if (data_.merges.size() > 0x3fffffff) bad("merges", "has too many entries");
}

void Vocab::set_attrs() {
    attrs_.assign(data_.tokens.size(), kAttrNormal);
    if (data_.types.empty()) return;
    for (std::size_t i = 0; i < attrs_.size(); ++i) attrs_[i] = attr_of_type(data_.types[i]);
}

// Finds the first of the names that is a token, and makes it a control token whatever its type.
Token Vocab::make_control(std::initializer_list<std::string_view> names) {
    for (const std::string_view name : names) {
        const Token token = find(name);
        if (token == kNoToken) continue;
        attrs_[static_cast<std::size_t>(token)] |= kAttrControl;
        return token;
    }
    return kNoToken;
}

// GGUF has keys for these, but most files lack them, so they are found by name.
void Vocab::find_special_tokens() {
    if (data_.eot == kNoToken) {
        data_.eot = make_control({"<|eot_id|>", "<|im_end|>", "<|end|>", "<end_of_turn>", "<|endoftext|>",
                                  "<|end_of_text|>", "<EOT>", "_<EOT>", "[EOT]", "<｜end▁of▁sentence｜>",
                                  "<end_of_utterance>"});
    }
    if (data_.eom == kNoToken) data_.eom = make_control({"<|eom_id|>"});
    if (data_.fim_pad == kNoToken) {
        data_.fim_pad = make_control({"<|fim_pad|>", "<fim-pad>", "<fim_pad>", "<PAD>", "[PAD]"});
    }
    if (data_.fim_rep == kNoToken) {
        data_.fim_rep = make_control({"<|fim_repo|>", "<|repo_name|>", "<fim-repo>", "<REPO>", "<reponame>"});
    }
    if (data_.fim_sep == kNoToken) data_.fim_sep = make_control({"<|file_sep|>"});
    make_control({"<|fim_prefix|>", "<fim-prefix>", "<fim_prefix>", "<｜fim▁begin｜>", "<PRE>", "▁<PRE>",
                  "<|code_prefix|>", "<|prefix|>"});
    make_control({"<|fim_suffix|>", "<fim-suffix>", "<fim_suffix>", "<｜fim▁hole｜>", "<SUF>", "▁<SUF>",
                  "<|code_suffix|>", "<|suffix|>"});
    make_control({"<|fim_middle|>", "<fim-middle>", "<fim_middle>", "<｜fim▁end｜>", "<MID>", "▁<MID>",
                  "<|code_middle|>", "<|middle|>"});
}

void Vocab::collect_end_of_generation() {
    for (const Token token : {data_.fim_pad, data_.fim_rep, data_.fim_sep, data_.eos, data_.eot, data_.eom}) {
        if (token != kNoToken) eog_.push_back(token);
    }
    for (const std::string_view name : {"<|eot_id|>",
                                        "<|im_end|>",
                                        "<|end|>",
                                        "<|return|>",
                                        "<|call|>",
                                        "<|flush|>",
                                        "<|calls|>",
                                        "<end_of_turn>",
                                        "<|endoftext|>",
                                        "</s>",
                                        "<|eom_id|>",
                                        "<EOT>",
                                        "_<EOT>",
                                        "[EOT]",
                                        "[EOS]",
                                        "<|end_of_text|>",
                                        "<end_of_utterance>",
                                        "<eos>",
                                        "<turn|>",
                                        "<|tool_response>",
                                        "<｜end▁of▁sentence｜>",
                                        "[e~["}) {
        if (const Token token = make_control({name}); token != kNoToken) eog_.push_back(token);
    }
    settle_marked_tokens();
    std::sort(eog_.begin(), eog_.end());
    eog_.erase(std::unique(eog_.begin(), eog_.end()), eog_.end());
}

// Corrects tokens whose names mislead in some families.
void Vocab::settle_marked_tokens() {
    const auto set = [&](std::string_view name, TokenAttr attr) {
        const Token token = find(name);
        if (token != kNoToken) attrs_[static_cast<std::size_t>(token)] = attr;
        return token;
    };
    // These are always read and shown.
    for (const std::string_view name : kHarmonyMarks) set(name, kAttrUserDefined);
    // If other tokens close an answer or a call, <|end|> only closes a message.
    const bool calls = find("<|call|>") != kNoToken || find("<|calls|>") != kNoToken;
    const bool closes = find("<|return|>") != kNoToken || find("<|flush|>") != kNoToken;
    if (calls && closes) std::erase(eog_, set("<|end|>", kAttrUserDefined));
    // In Gemma 4 and PLaMo, </s> is an HTML tag.
    const auto ends = [&](std::string_view name) {
        return std::find(eog_.begin(), eog_.end(), find(name)) != eog_.end();
    };
    if (find("<|tool_response>") != kNoToken || ends("<|plamo:eos|>"))
        std::erase(eog_, set("</s>", kAttrNormal));
}

// GGUF does not store this property, so a few families are recognised by name.
void Vocab::set_strip_attrs() {
    const auto& pre = data_.pre;
    if (pre == "jina-v2-de" || pre == "jina-v2-es" || pre == "jina-v2-code") {
        if (const Token mask = find("<mask>"); mask != kNoToken) {
            attrs_[static_cast<std::size_t>(mask)] |= kAttrStripLeft;
        }
        return;
    }
    if (!contains_ignoring_case(data_.model_name, "phi-3") &&
        !contains_ignoring_case(data_.model_name, "phi3")) {
        return;
    }
    for (std::size_t i = 0; i < attrs_.size(); ++i) {
        const std::string_view name = data_.tokens[i];
        if (name == "<unk>" || name == "<s>" || name == "<|endoftext|>") continue;
        if (attrs_[i] & (kAttrControl | kAttrUnknown | kAttrUserDefined)) attrs_[i] |= kAttrStripRight;
    }
}

}  // namespace kvsplit::text
