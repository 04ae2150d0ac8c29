#include "model/tiny_models.h"

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fstream>

namespace kvsplit::test {
namespace {

constexpr int kSpecial = 3;  // <unk> <s> </s>
constexpr int kBytes = 256;

std::filesystem::path folder() { return std::filesystem::path(KVSPLIT_TEST_DATA) / "models"; }

class Hashes {
  public:
    explicit Hashes(const std::string& name) {
        for (const char c : name) state_ = (state_ ^ static_cast<unsigned char>(c)) * 0x100000001b3u;
    }
    std::uint64_t next() {
        std::uint64_t z = state_ += 0x9e3779b97f4a7c15u;
        z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
        z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
        return z ^ (z >> 31);
    }

  private:
    std::uint64_t state_ = 0xcbf29ce484222325u;
};

void add_value(GgufWriter& w, const std::string& key, const nlohmann::json& value) {
    if (value.is_boolean()) {
        w.add(key, value.get<bool>());
    } else if (value.is_number_integer()) {
        w.add(key, value.get<std::uint32_t>());
    } else if (value.is_number()) {
        w.add(key, value.get<float>());
    } else if (value.is_string()) {
        w.add(key, value.get<std::string>());
    } else if (value.at(0).is_boolean()) {
        w.add_array(key, value.get<std::vector<bool>>());
    } else if (value.at(0).is_number_integer()) {
        w.add_array(key, value.get<std::vector<std::int32_t>>());
    } else {
        w.add_array(key, value.get<std::vector<float>>());
    }
}

std::vector<float> numbers_of(const nlohmann::json& tensor, const std::string& name,
                              const std::vector<std::int64_t>& shape) {
    std::vector<float> numbers;
    if (tensor.at(2).is_array()) {  // how many, and which
        for (const auto& step : tensor.at(2))
            numbers.insert(numbers.end(), step.at(0), step.at(1).get<float>());
        return numbers;
    }
    const float offset = tensor.at(2), amplitude = tensor.at(3);
    std::int64_t n = 1;
    for (const std::int64_t size : shape) n *= size;
    Hashes hashes(name);
    for (; n > 0; --n)
        numbers.push_back(offset + amplitude * (static_cast<float>(hashes.next() >> 40) * 0x1p-23f - 1));
    return numbers;
}

// SentencePiece: special tokens, a token for each byte, pieces.
void add_vocabulary(GgufWriter& w, int size) {
    constexpr int kNormal = 1, kUnknown = 2, kControl = 3, kByte = 6;
    std::vector<std::string> tokens{"<unk>", "<s>", "</s>"};
    std::vector<std::int32_t> types{kUnknown, kControl, kControl};
    for (int b = 0; b < kBytes; ++b) {
        char name[8];
        std::snprintf(name, sizeof name, "<0x%02X>", static_cast<unsigned>(b));
        tokens.emplace_back(name);
        types.push_back(kByte);
    }
    for (int i = kSpecial + kBytes; i < size; ++i) {
        tokens.push_back("p" + std::to_string(i));
        types.push_back(kNormal);
    }
    w.add("tokenizer.ggml.model", "llama").add_array("tokenizer.ggml.tokens", tokens);
    w.add_array("tokenizer.ggml.scores", std::vector<float>(tokens.size(), -1.0f));
    w.add_array("tokenizer.ggml.token_type", types);
    w.add<std::uint32_t>("tokenizer.ggml.bos_token_id", 1)
        .add<std::uint32_t>("tokenizer.ggml.eos_token_id", 2);
}

}  // namespace

GgufWriter TinyModelGolden::file() const {
    GgufWriter w;
    const std::string architecture = spec.at("architecture");
    w.add("general.architecture", architecture);
    for (const auto& [key, value] : spec.at("metadata").items())
        add_value(w, architecture + "." + key, value);
    const nlohmann::json plain = spec.value("plain_metadata", nlohmann::json::object());
    for (const auto& [key, value] : plain.items()) add_value(w, key, value);
    add_vocabulary(w, spec.at("vocabulary"));
    for (const auto& tensor : spec.at("tensors")) {
        const std::string tensor_name = tensor.at(0);
        const std::vector<std::int64_t> shape = tensor.at(1);
        w.tensor_f32(tensor_name, shape, numbers_of(tensor, tensor_name, shape));
    }
    return w;
}

TinyModelGolden read_tiny_model(const std::string& name) {
    std::ifstream in(folder() / (name + ".json"));
    TinyModelGolden golden;
    golden.name = name;
    golden.spec = nlohmann::json::parse(in);
    golden.positions = golden.spec.at("positions").get<std::vector<int>>();
    golden.ids = golden.spec.at("ids").get<std::vector<int>>();
    golden.logits = golden.spec.at("logits").get<std::vector<std::vector<float>>>();
    golden.stretch = golden.spec.value("stretch", 1.0);
    if (golden.stretch != 1) {
        golden.stretched_positions = golden.spec.at("stretched_positions").get<std::vector<int>>();
        golden.stretched_logits = golden.spec.at("stretched_logits").get<std::vector<std::vector<float>>>();
    }
    Hashes hashes("tokens");
    const std::uint64_t n_plain = golden.spec.at("vocabulary").get<std::uint64_t>() - kSpecial;
    for (int i = golden.spec.at("n_tokens"); i > 0; --i)
        golden.tokens.push_back(static_cast<Token>(kSpecial + hashes.next() % n_plain));
    return golden;
}

std::vector<std::string> tiny_model_names() {
    std::vector<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator(folder())) {
        if (entry.path().extension() == ".json") names.push_back(entry.path().stem());
    }
    std::sort(names.begin(), names.end());
    return names;
}

}  // namespace kvsplit::test
