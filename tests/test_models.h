// Paths of the real models that some tests use.
#pragma once

#include <cstdlib>
#include <filesystem>
#include <string>

namespace kvsplit {

// The path in environment variable `name`, else `file` in the models' cache folder, else "".
inline std::string model_path(const char* name, const char* file) {
    if (const char* path = std::getenv(name); path && *path) return path;
    const char* cache = std::getenv("KVSPLIT_CACHE");
    const char* home = std::getenv("HOME");
    const std::filesystem::path folder = cache ? cache : std::string(home ? home : ".") + "/.cache/kvsplit";
    return std::filesystem::exists(folder / file) ? (folder / file).string() : "";
}

inline std::string smollm2_path() { return model_path("KVSPLIT_SMOLLM2", "SmolLM2-135M-Instruct.Q4_1.gguf"); }
inline std::string gemma3_path() { return model_path("KVSPLIT_GEMMA3", "gemma-3-270m-q4_k_m.gguf"); }

}  // namespace kvsplit
