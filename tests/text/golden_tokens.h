// Reads token goldens and the models that they belong to.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "kvsplit/model.h"

namespace kvsplit::test {

inline std::string read_text(const std::string& path) {
    std::ifstream in(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
}

inline nlohmann::json read_golden(const std::string& name) {
    return nlohmann::json::parse(read_text(std::string{KVSPLIT_TEST_DATA} + "/" + name));
}

inline std::string from_hex(const std::string& hex) {
    std::string out;
    for (std::size_t i = 0; i + 1 < hex.size(); i += 2) {
        out += static_cast<char>(std::stoi(hex.substr(i, 2), nullptr, 16));
    }
    return out;
}

// [[id, count], ...]
inline std::vector<Token> from_run_lengths(const nlohmann::json& runs) {
    std::vector<Token> out;
    for (const auto& run : runs) out.insert(out.end(), run[1].get<std::size_t>(), run[0].get<Token>());
    return out;
}

// The environment variable's path, else the file in ~/.cache/kvsplit; "" if there is none.
inline std::string find_model(const char* variable, const char* file_name) {
    const char* path = std::getenv(variable);
    const char* home = std::getenv("HOME");
    std::string found = path ? path : home ? std::string{home} + "/.cache/kvsplit/" + file_name : "";
    return std::filesystem::exists(found) ? found : "";
}

}  // namespace kvsplit::test
