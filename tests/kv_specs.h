// The cache precisions that tests go through.
#pragma once

#include <vector>

#include "kvsplit/error.h"
#include "kvsplit/kv_spec.h"

namespace kvsplit::test {

// Every pair of widths up to 16 bits.
inline std::vector<KvSpec> every_pair() {
    std::vector<KvSpec> pairs;
    for (int key = 16; key > 1; --key) {
        for (int value = 16; value > 1; --value) {
            KvSpec spec;
            spec.key_bits = key;
            spec.value_bits = value;
            try {
                spec.validate();
            } catch (const Error&) {
                continue;  // not a width
            }
            pairs.push_back(spec);
        }
    }
    return pairs;
}

}  // namespace kvsplit::test
