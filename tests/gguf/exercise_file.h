// Opens a file and reads everything in it, for the mutation test and the fuzzer.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "gguf/blocks.h"
#include "gguf/gguf.h"
#include "kvsplit/error.h"

namespace kvsplit::test {

// Swallows the Error that a wrongly typed access throws; every other exception passes.
template <typename F>
void tolerate_errors(F&& fn) {
    try {
        fn();
    } catch (const Error&) {
    }
}

inline void read_metadata(const gguf::File& file) {
    for (const gguf::Value& value : file.metadata()) {
        gguf::to_display(value, 60);
        tolerate_errors([&] { file.get_i64(value.key); });
        tolerate_errors([&] { file.get_u64(value.key); });
        tolerate_errors([&] { file.get_f64(value.key); });
        tolerate_errors([&] { file.get_bool(value.key); });
        tolerate_errors([&] { file.get_string(value.key); });
        tolerate_errors([&] { file.get_i32_array(value.key); });
        tolerate_errors([&] { file.get_f32_array(value.key); });
        tolerate_errors([&] { file.get_bool_array(value.key); });
        tolerate_errors([&] { file.get_string_array(value.key); });
    }
}

// Reads all tensors completely, in both ways.
inline void read_tensors(const gguf::File& file) {
    std::vector<float> row;
    gguf::AffineRow codes;
    for (const gguf::Tensor& t : file.tensors()) {
        row.resize(static_cast<std::size_t>(t.shape[0]));
        const std::vector<std::uint8_t> data = file.data(t);
        for (std::int64_t r = 0; r < t.rows(); ++r) {
            const std::uint8_t* src = data.data() + r * t.row_bytes();
            gguf::dequantize_row(t.type, src, row.data(), t.shape[0]);
            if (gguf::affine_spec(t.type)) gguf::unpack_row(t.type, src, t.shape[0], codes);
        }
    }
}

// True: everything could be read. False: an Error said why not, and `why` has its message.
inline bool exercise_file(const std::string& path, std::string& why) {
    try {
        const gguf::File file(path);
        read_metadata(file);
        file.require_supported_types();
        read_tensors(file);
        return true;
    } catch (const Error& e) {
        why = e.what();
        return false;
    }
}

}  // namespace kvsplit::test
