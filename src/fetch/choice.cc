#include "fetch/choice.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/ascii.h"
#include "base/error.h"
#include "base/split_name.h"

namespace kvsplit::fetch {
namespace {

// Best first.
constexpr std::array kPreferred{"q4_k_m", "q4_k_s", "q4_k",   "q4_0", "q4_1",   "q5_k_m", "q5_k_s",
                                "q5_0",   "q5_1",   "q6_k",   "q8_0", "iq4_xs", "iq4_nl", "mxfp4",
                                "q3_k_l", "q3_k_m", "q3_k_s", "bf16", "f16",    "q2_k",   "f32"};

// A language model, not what belongs to one (projectors of pictures, importance matrices).
bool is_model(const std::string& file) {
    const std::string name = lower_ascii(file.substr(file.find_last_of('/') + 1));
    const auto split = parse_split_name(file);
    return is_safe_file_name(file) && name.ends_with(".gguf") && !name.starts_with("mmproj") &&
           name.find("imatrix") == std::string::npos && (!split || split->number == 1);
}

}  // namespace

std::string choose_file(const std::vector<std::string>& files, const HubAddress& address) {
    std::vector<std::string> models;
    std::copy_if(files.begin(), files.end(), std::back_inserter(models), is_model);
    std::sort(models.begin(), models.end());
    if (models.empty()) {
        fail(ErrorCode::kNotFound, "hf:{}: this repository has no GGUF files", address.repository);
    }
    const std::string wanted = lower_ascii(address.wanted);
    const auto first_with = [&](const std::string& text) {
        return std::find_if(models.begin(), models.end(), [&](const std::string& file) {
            const std::string name = lower_ascii(file);
            return name.find(text) != std::string::npos && name.find(wanted) != std::string::npos;
        });
    };
    for (const char* type : kPreferred) {
        if (const auto found = first_with(type); found != models.end()) return *found;
    }
    if (const auto found = first_with(""); found != models.end()) return *found;
    fail(ErrorCode::kNotFound, "hf:{}: no file has '{}' in its name; there are {}", address.repository,
         address.wanted, fmt::join(models, ", "));
}

}  // namespace kvsplit::fetch
