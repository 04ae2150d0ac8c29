// The metadata of a model's architecture: keys that begin with its name.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "gguf/gguf.h"

namespace kvsplit {

// Reads "<architecture>.<name>", with bounds that keep products of sizes far from overflow. The file must
// outlive it. Everything throws Error(kFormat) naming the file and the key for a value of the wrong type or
// out of bounds.
class ArchitectureKeys {
  public:
    explicit ArchitectureKeys(const gguf::File& file);

    bool has(const std::string& name) const { return find(name) != nullptr; }
    // From 1 to `most`.
    int count(const std::string& name, int most) const;
    int count_or(const std::string& name, int most, int absent) const;
    // From 0 to `most`; 0 means absent.
    int size_or(const std::string& name, int most, int absent) const;
    // Accepts a per-layer array if its numbers are equal, ignoring zeros (flags() finds them). Throws
    // Error(kUnsupported) if they differ.
    int head_count(const std::string& name, int most, int absent) const;
    // One per layer, n in all, each from 0 to `most`; a single number applies to all layers.
    std::vector<int> counts(const std::string& name, int n, int most) const;
    // Finite.
    double number_or(const std::string& name, double absent) const;
    double positive_or(const std::string& name, double absent) const;
    bool flag_or(const std::string& name, bool absent) const;
    // One per layer, n in all; empty if the key is absent or a single number.
    std::vector<bool> flags(const std::string& name, int n) const;
    // An array of integers.
    std::vector<std::int64_t> numbers(const std::string& name) const;
    std::string text_or(const std::string& name, std::string_view absent) const;

    // Throws Error(kFormat) for a bad value; `what` says what is wrong with it.
    [[noreturn]] void reject(const std::string& name, std::string_view what) const;
    // Throws Error(kUnsupported); `what` names the feature that the key asks for.
    [[noreturn]] void refuse(const std::string& name, std::string_view what) const;

    const gguf::File& file() const { return file_; }

  private:
    const gguf::Value* find(const std::string& name) const { return file_.find(prefix_ + name); }
    int bounded(const std::string& name, std::uint64_t n, int most) const;

    const gguf::File& file_;
    std::string prefix_;  // "llama."
};

}  // namespace kvsplit
