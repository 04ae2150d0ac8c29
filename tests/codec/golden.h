// The cases of golden/codec, written by scripts/oracles/codec_pages.py.
#pragma once

#include <cstdint>
#include <cstring>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <string>
#include <vector>

namespace kvsplit::codec::test {

class GoldenCase {
  public:
    GoldenCase(const nlohmann::json& description, const std::string& bytes)
        : name(description.at("name")),
          head_dim(description.at("head_dim")),
          lab_smoothing(description.at("lab_smoothing")),
          offsets_(description.at("offsets")),
          bytes_(bytes) {}

    std::vector<std::uint16_t> tokens() const { return read<std::uint16_t>("x", 128); }
    std::vector<float> row(const char* array) const { return read<float>(array, 1); }
    // Tokens 1, 9, 17, ..., 121.
    std::vector<float> reconstruction(const char* array) const { return read<float>(array, 16); }

    bool has(const char* array) const { return offsets_.contains(array); }

    std::string name;
    int head_dim;
    bool lab_smoothing;

  private:
    template <typename T>
    std::vector<T> read(const char* array, int rows) const {
        std::vector<T> v(static_cast<std::size_t>(rows * head_dim));
        const std::size_t offset = offsets_.at(array);
        if (offset + v.size() * sizeof(T) > bytes_.size()) throw std::runtime_error("pages.bin is too short");
        std::memcpy(v.data(), bytes_.data() + offset, v.size() * sizeof(T));
        return v;
    }

    nlohmann::json offsets_;
    std::string bytes_;
};

inline std::vector<GoldenCase> golden_cases() {
    const std::string folder = KVSPLIT_TEST_DATA "/codec/";
    std::ifstream index(folder + "pages.json"), data(folder + "pages.bin", std::ios::binary);
    const std::string bytes{std::istreambuf_iterator<char>(data), {}};
    const nlohmann::json contents = nlohmann::json::parse(index);
    std::vector<GoldenCase> cases;
    for (const nlohmann::json& description : contents.at("cases")) cases.emplace_back(description, bytes);
    if (cases.empty()) throw std::runtime_error("pages.json has no cases");
    return cases;
}

}  // namespace kvsplit::codec::test
