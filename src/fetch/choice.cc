#include "fetch/choice.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <iterator>
#include <set>
#include <string_view>
#include <tuple>

#include "base/ascii.h"
#include "base/error.h"
#include "base/split_name.h"

namespace kvsplit::fetch {
namespace {

// Types of weights, best first.
constexpr std::array kPreferred{
    "q4_k_m", "q4_k_s",  "q4_k_l", "q4_k_xl", "q4_k",   "q4_0",  "q4_1",   "q4",     "q5_k_m",  "q5_k_s",
    "q5_k_l", "q5_k_xl", "q5_k",   "q5_0",    "q5_1",   "q5",    "q6_k",   "q6_k_l", "q6_k_xl", "q6",
    "q8_0",   "q8_k_xl", "q8",     "iq4_xs",  "iq4_nl", "mxfp4", "q3_k_l", "q3_k_m", "q3_k_s",  "q3_k_xl",
    "q3_k",   "bf16",    "f16",    "fp16",    "q2_k",   "f32",   "fp32"};

// Words in the names of side files. Some models' names contain them, too.
constexpr std::array kSideWords{"lora",  "adapter",   "adapters", "draft",       "drafter",    "dflash",
                                "eagle", "eagle2",    "eagle3",   "speculative", "mtp",        "nextn",
                                "vocab", "embed",     "embeds",   "embedding",   "embeddings", "tokenizer",
                                "proj",  "projector", "clip",     "vision",      "vit",        "encoder",
                                "vae",   "vocoder",   "cvector",  "control",     "imatrix",    "codec"};

bool is_word_char(char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0; }

// Whether a lower-case path has the word between other characters than letters and digits; `end` are those
// that may follow it ("q4_k" is not the type of "q4_k_m.gguf").
bool has_word(std::string_view path, std::string_view word, std::string_view end) {
    for (std::size_t at = path.find(word); at != path.npos; at = path.find(word, at + 1)) {
        const std::size_t after = at + word.size();
        const bool begins = at == 0 || !is_word_char(path[at - 1]) || !is_word_char(word.front());
        if (begins && (after == path.size() || end.find(path[after]) != end.npos)) return true;
    }
    return false;
}

bool has_type(const std::string& path, std::string_view type) { return has_word(path, type, "-./"); }

std::string name_of(const std::string& file) { return lower_ascii(file.substr(file.find_last_of('/') + 1)); }

bool has_any_type(const std::string& path) {
    return std::any_of(kPreferred.begin(), kPreferred.end(),
                       [&](const char* type) { return has_type(path, type); });
}

// A GGUF file that may be a model, whole or the first part of one. Projectors and importance matrices never
// are.
bool is_candidate(const std::string& file) {
    const std::string path = lower_ascii(file), name = name_of(file);
    const auto split = parse_split_name(file);
    const bool never =
        path.find("mmproj") != path.npos || (name.find("imatrix") != name.npos && !has_any_type(name));
    return is_safe_file_name(file) && name.ends_with(".gguf") && !never && (!split || split->number == 1);
}

// The parts of the model missing from the repository.
std::vector<std::string> missing_parts(const std::string& file, const std::set<std::string>& listed) {
    std::vector<std::string> missing;
    if (const auto split = parse_split_name(file)) {
        for (int n = 1; n <= split->count; ++n) {
            if (!listed.contains(split->part(n))) missing.push_back(split->part(n));
        }
    }
    return missing;
}

[[noreturn]] void refuse_all(const std::vector<std::string>& files, const std::set<std::string>& listed,
                             const HubAddress& address) {
    for (const std::string& file : files) {
        if (!is_candidate(file)) continue;
        const auto missing = missing_parts(file, listed);
        fail(ErrorCode::kNotFound, "hf:{}: {} needs {} more files, and {} is not there", address.repository,
             file, missing.size(), missing.front());
    }
    std::vector<std::string> others;
    std::copy_if(files.begin(), files.end(), std::back_inserter(others),
                 [](const std::string& file) { return name_of(file).ends_with(".gguf"); });
    fail(ErrorCode::kNotFound, "hf:{}: this repository has no GGUF files of models{}{}", address.repository,
         others.empty() ? "; look for another whose name ends in GGUF" : ", only ", fmt::join(others, ", "));
}

// Best first among files of the same type.
void sort_by_simplicity(std::vector<std::string>& models) {
    std::sort(models.begin(), models.end(), [](const std::string& a, const std::string& b) {
        const auto key = [](const std::string& file) {
            return std::tuple(std::count(file.begin(), file.end(), '/'), file.size(), std::string_view(file));
        };
        return key(a) < key(b);
    });
}

// Files with the wanted type or other word, else those that contain the text anywhere.
std::vector<std::string> matching(const std::vector<std::string>& models, const std::string& wanted) {
    if (wanted.empty()) return models;
    std::vector<std::string> exact, loose;
    for (const std::string& file : models) {
        const std::string path = lower_ascii(file);
        if (has_type(path, wanted)) exact.push_back(file);
        if (path.find(wanted) != path.npos) loose.push_back(file);
    }
    return exact.empty() ? loose : exact;
}

}  // namespace

bool is_side_file(const std::string& file) {
    const std::string path = lower_ascii(file);
    return !is_candidate(file) ||
           std::any_of(kSideWords.begin(), kSideWords.end(),
                       [&](std::string_view word) { return has_word(path, word, "-._ /"); });
}

std::string choose_file(const std::vector<std::string>& files, const HubAddress& address) {
    const std::set<std::string> listed(files.begin(), files.end());
    std::vector<std::string> models, side_files;
    for (const std::string& file : files) {
        if (!is_candidate(file) || !missing_parts(file, listed).empty()) continue;
        (is_side_file(file) ? side_files : models).push_back(file);
    }
    if (models.empty()) models = std::move(side_files);
    if (models.empty()) refuse_all(files, listed, address);
    sort_by_simplicity(models);
    const auto found = matching(models, lower_ascii(address.wanted));
    if (found.empty()) {
        fail(ErrorCode::kNotFound, "hf:{}: no file has '{}' in its name; there are {}", address.repository,
             address.wanted, fmt::join(models, ", "));
    }
    for (const char* type : kPreferred) {
        const auto best = std::find_if(found.begin(), found.end(), [&](const std::string& file) {
            return has_type(lower_ascii(file), type);
        });
        if (best != found.end()) return *best;
    }
    return found.front();
}

}  // namespace kvsplit::fetch
