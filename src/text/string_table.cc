#include "text/string_table.h"

#include <algorithm>
#include <cstring>
#include <random>

namespace kvsplit::text {
namespace {

std::uint64_t process_key() {
    static const std::uint64_t key = [] {
        std::random_device device;
        return (std::uint64_t{device()} << 32) | device();
    }();
    return key;
}

// Murmur3's finaliser: every input bit reaches every output bit.
std::uint64_t mix(std::uint64_t x) {
    x ^= x >> 33;
    x *= 0xff51afd7ed558ccdULL;
    x ^= x >> 33;
    x *= 0xc4ceb9fe1a85ec53ULL;
    return x ^ (x >> 33);
}

std::uint64_t load(const char* p, std::size_t n_bytes) {
    std::uint64_t word = 0;
    std::memcpy(&word, p, n_bytes);
    return word;
}

std::uint64_t hash_text(std::string_view text) {
    const char* p = text.data();
    const std::size_t n = text.size();
    std::uint64_t h = process_key() ^ n;
    const auto add = [&](std::uint64_t word) {
        h = (h ^ word) * 0x9e3779b97f4a7c15ULL;
        h ^= h >> 32;
    };
    // Loads of a fixed size are fast, so the last word may overlap the one before it.
    if (n >= 8) {
        for (std::size_t i = 0; i + 8 < n; i += 8) add(load(p + i, 8));
        add(load(p + n - 8, 8));
    } else if (n >= 4) {
        add(load(p, 4) << 32 | load(p + n - 4, 4));
    } else if (n > 0) {
        add(load(p, 1) | load(p + n / 2, 1) << 8 | load(p + n - 1, 1) << 16);
    }
    return mix(h);
}

std::uint64_t hash_pair(std::int32_t left, std::int32_t right) {
    const auto l = static_cast<std::uint32_t>(left), r = static_cast<std::uint32_t>(right);
    return mix(((std::uint64_t{l} << 32) | r) ^ process_key());
}

// Slots for n entries, at most half of them taken.
std::size_t slots_for(std::size_t n) {
    std::size_t slots = 16;
    while (slots < 2 * n) slots *= 2;
    return slots;
}

}  // namespace

void StringTable::reserve(std::size_t n) {
    if (slots_for(n) <= slots_.size()) return;
    entries_.reserve(n);
    slots_.assign(slots_for(n), {});
    for (std::size_t e = 0; e < entries_.size(); ++e) {
        const std::uint64_t hash = hash_text(entries_[e].key);
        slots_[slot_of(entries_[e].key, hash)] = {static_cast<std::uint32_t>(hash >> 32),
                                                  static_cast<std::int32_t>(e)};
    }
}

// The key's slot, or the free one for it.
std::size_t StringTable::slot_of(std::string_view key, std::uint64_t hash) const {
    const auto tag = static_cast<std::uint32_t>(hash >> 32);
    const std::size_t mask = slots_.size() - 1;
    std::size_t i = hash & mask;
    for (; slots_[i].entry >= 0; i = (i + 1) & mask) {
        if (slots_[i].tag == tag && entries_[static_cast<std::size_t>(slots_[i].entry)].key == key) break;
    }
    return i;
}

bool StringTable::insert(std::string_view key, std::int32_t value) {
    if (2 * (size() + 1) > slots_.size()) reserve(std::max<std::size_t>(8, 2 * size()));
    const std::uint64_t hash = hash_text(key);
    Slot& slot = slots_[slot_of(key, hash)];
    if (slot.entry >= 0) return false;
    slot = {static_cast<std::uint32_t>(hash >> 32), static_cast<std::int32_t>(entries_.size())};
    entries_.push_back({key, value});
    return true;
}

std::int32_t StringTable::find(std::string_view key) const {
    if (slots_.empty()) return -1;
    const Slot& slot = slots_[slot_of(key, hash_text(key))];
    return slot.entry < 0 ? -1 : entries_[static_cast<std::size_t>(slot.entry)].value;
}

void PairTable::reserve(std::size_t n) {
    if (slots_for(n) <= slots_.size()) return;
    std::vector<Entry> old(slots_for(n));
    old.swap(slots_);
    size_ = 0;
    for (const Entry& entry : old) {
        if (entry.left >= 0) insert(entry);
    }
}

void PairTable::insert(const Entry& entry) {
    if (2 * (size_ + 1) > slots_.size()) reserve(std::max<std::size_t>(8, 2 * size_));
    const std::size_t mask = slots_.size() - 1;
    std::size_t i = hash_pair(entry.left, entry.right) & mask;
    for (; slots_[i].left >= 0; i = (i + 1) & mask) {
        if (slots_[i].left == entry.left && slots_[i].right == entry.right) return;
    }
    slots_[i] = entry;
    ++size_;
}

const PairTable::Entry* PairTable::find(std::int32_t left, std::int32_t right) const {
    if (slots_.empty()) return nullptr;
    const std::size_t mask = slots_.size() - 1;
    for (std::size_t i = hash_pair(left, right) & mask; slots_[i].left >= 0; i = (i + 1) & mask) {
        if (slots_[i].left == left && slots_[i].right == right) return &slots_[i];
    }
    return nullptr;
}

}  // namespace kvsplit::text
