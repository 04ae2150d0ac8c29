// Random numbers that are the same on every machine, unlike the standard library's distributions.
#pragma once

#include <cstdint>

namespace kvsplit {

// splitmix64 (Steele, Lea, Flood 2014): one word of state, any seed is good.
inline std::uint64_t next_random(std::uint64_t& state) {
    std::uint64_t z = (state += 0x9E3779B97F4A7C15u);
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
}

class Random {
  public:
    explicit Random(std::uint64_t seed) : state_(seed) {}

    std::uint64_t next() { return next_random(state_); }
    // In [0, n), n > 0. The bias is less than n / 2^32.
    std::uint32_t below(std::uint32_t n) {
        return static_cast<std::uint32_t>(((next() >> 32) * std::uint64_t{n}) >> 32);
    }

  private:
    std::uint64_t state_;
};

}  // namespace kvsplit
