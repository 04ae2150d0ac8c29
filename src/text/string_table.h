// StringTable and PairTable: open-addressing hash tables from token texts, and from pairs of ids, to numbers.
//
// Vocabularies have up to half a million entries, looked up at least once per character of text, so the
// tables are flat: a lookup costs about one cache miss. The hash is keyed by a random number per process, so
// a hostile file cannot choose colliding texts.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

namespace kvsplit::text {

// Keys are views: their text must outlive the table. Reading is thread-safe.
class StringTable {
  public:
    // Room for n entries without growing.
    void reserve(std::size_t n);
    // False (and no change) if the key exists. value must not be negative.
    bool insert(std::string_view key, std::int32_t value);
    // -1 if absent.
    std::int32_t find(std::string_view key) const;
    std::size_t size() const { return entries_.size(); }

  private:
    // Separate from the slots, which stay small: most lookups find nothing and end there.
    struct Entry {
        std::string_view key;
        std::int32_t value;
    };
    struct Slot {
        std::uint32_t tag = 0;    // upper half of the hash
        std::int32_t entry = -1;  // index into entries_; -1: free
    };
    std::size_t slot_of(std::string_view key, std::uint64_t hash) const;
    std::vector<Slot> slots_;  // a power of two
    std::vector<Entry> entries_;
};

// (left id, right id) -> (rank, merged id).
class PairTable {
  public:
    struct Entry {
        std::int32_t left = -1;  // -1: free
        std::int32_t right = -1;
        std::int32_t rank = 0;
        std::int32_t merged = 0;
    };
    void reserve(std::size_t n);
    // Keeps the first entry of a pair. Ids must not be negative.
    void insert(const Entry& entry);
    const Entry* find(std::int32_t left, std::int32_t right) const;  // nullptr if absent

  private:
    std::vector<Entry> slots_;  // a power of two
    std::size_t size_ = 0;
};

}  // namespace kvsplit::text
