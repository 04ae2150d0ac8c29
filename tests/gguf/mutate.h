// Random damage to a file's bytes.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <random>

#include "gguf/gguf_writer.h"

namespace kvsplit::test {

// A number that is likely to overflow something.
inline std::uint64_t nasty_number(std::mt19937& rng) {
    static constexpr std::uint64_t kNasty[] = {0,
                                               1,
                                               0x7f,
                                               0x7fffffff,
                                               0xffffffff,
                                               0x100000000,
                                               1ull << 40,
                                               1ull << 61,
                                               1ull << 62,
                                               0x7fffffffffffffff,
                                               1ull << 63,
                                               0xfffffffffffffff0,
                                               0xffffffffffffffff};
    return kNasty[rng() % std::size(kNasty)];
}

// header: the size of the file's header, which gets most of the damage.
inline void mutate(Bytes& file, std::size_t header, std::mt19937& rng) {
    const std::size_t range = rng() % 4 ? header : file.size();
    const std::size_t at = rng() % range;
    switch (rng() % 6) {
        case 0:
            file.resize(rng() % file.size());
            return;
        case 1:
        case 2:
            for (unsigned n = rng() % 4; n-- > 0;)
                file[rng() % range] ^= static_cast<std::uint8_t>(1u << rng() % 8);
            file[at] ^= static_cast<std::uint8_t>(1u << rng() % 8);
            return;
        case 3: {
            const std::uint64_t number = nasty_number(rng);
            std::memcpy(file.data() + at, &number,
                        std::min<std::size_t>(rng() % 2 ? 8 : 4, file.size() - at));
            return;
        }
        case 4: {
            const auto first = file.begin() + static_cast<std::ptrdiff_t>(at);
            file.erase(first, first + static_cast<std::ptrdiff_t>(
                                          std::min<std::size_t>(1 + rng() % 9, file.size() - at)));
            return;
        }
        default:
            file.insert(file.begin() + static_cast<std::ptrdiff_t>(at), 1 + rng() % 9,
                        static_cast<std::uint8_t>(rng()));
    }
}

}  // namespace kvsplit::test
