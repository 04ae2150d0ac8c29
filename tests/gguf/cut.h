// cut(): splits a model's file into several, like llama.cpp's gguf-split.
#pragma once

#include <filesystem>
#include <string>

#include "base/split_name.h"
#include "gguf/gguf.h"
#include "gguf/gguf_writer.h"

namespace kvsplit::test {

// Writes `count` files beside each other, named after the prefix, and returns the path of the first.
inline std::string cut(const gguf::File& file, const std::string& prefix, int count) {
    const SplitName name{prefix, 1, count};
    const auto& tensors = file.tensors();
    for (int part = 0; part < count; ++part) {
        GgufWriter w;
        w.add("split.no", static_cast<std::uint16_t>(part));
        w.add("split.count", static_cast<std::uint16_t>(count));
        w.add("split.tensors.count", static_cast<std::int32_t>(tensors.size()));
        for (const gguf::Value& value : file.metadata()) {
            if (part > 0) break;
            Bytes payload;
            if (value.is_array()) {
                put(payload, static_cast<std::uint32_t>(value.element_type));
                put<std::uint64_t>(payload, value.count);
            }
            payload.insert(payload.end(), value.data.begin(), value.data.end());
            w.add_raw(value.key, value.type, payload);
        }
        const auto first = [&](int i) {
            return tensors.size() * static_cast<std::size_t>(i) / static_cast<std::size_t>(count);
        };
        for (std::size_t i = first(part); i < first(part + 1); ++i) {
            const gguf::Tensor& t = tensors[i];
            w.tensor(t.name, t.type, {t.shape.begin(), t.shape.begin() + t.n_dims}, file.data(t));
        }
        const Bytes bytes = w.bytes();
        std::ofstream(name.part(part + 1), std::ios::binary)
            .write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
    }
    return name.part(1);
}

}  // namespace kvsplit::test
