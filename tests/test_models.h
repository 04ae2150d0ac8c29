// Where the files are that some tests use and the repository does not hold: scripts/models.sh and
// test_data.sh get them.
#pragma once

#include <cstdlib>
#include <filesystem>
#include <string>

namespace kvsplit {

// "" if it is not in the cache folder.
inline std::string cached_path(const std::string& file) {
    const char* cache = std::getenv("KVSPLIT_CACHE");
    const char* home = std::getenv("HOME");
    const std::filesystem::path folder = cache ? cache : std::string(home ? home : ".") + "/.cache/kvsplit";
    return std::filesystem::exists(folder / file) ? (folder / file).string() : "";
}

// The path in environment variable `name`, else that of `file` in the cache folder, else "".
inline std::string model_path(const char* name, const char* file) {
    if (const char* path = std::getenv(name); path && *path) return path;
    return cached_path(file);
}

// A file of tests/golden, else of what scripts/test_data.sh got; "" if it is in neither. Paths are relative
// to them.
inline std::string test_data_path(const std::string& golden, const std::string& downloaded) {
    const std::string path = std::string(KVSPLIT_TEST_DATA) + "/" + golden;
    return std::filesystem::exists(path) ? path : cached_path("test-data/" + downloaded);
}
inline constexpr const char* kNoTestData = "NOT TESTED: scripts/test_data.sh has not got ";

inline std::string smollm2_path() { return model_path("KVSPLIT_SMOLLM2", "SmolLM2-135M-Instruct.Q4_1.gguf"); }
inline std::string gemma3_path() { return model_path("KVSPLIT_GEMMA3", "gemma-3-270m-q4_k_m.gguf"); }

}  // namespace kvsplit
