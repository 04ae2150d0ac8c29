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

std::uint64_t hash_text(std::string_view text) {
    std::uint64_t h = process_key() ^ text.size();
    const char* p = text.data();
    std::size_t n = text.size();
    for (; n >= 8; p += 8, n -= 8) {
        std::uint64_t word;
        std::memcpy(&word, p, 8);
        h = mix(h ^ word);
    }
    if (n > 0) {
        std::uint64_t word = 0;
        std::memcpy(&word, p, n);
        h = mix(h ^ word);
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
    std::vector<Slot> old(slots_for(n));
    old.swap(slots_);
    size_ = 0;
    for (const Slot& slot : old) {
        if (slot.value >= 0) insert({slot.text, slot.length}, slot.value);
    }
}

bool StringTable::insert(std::string_view key, std::int32_t value) {
    if (2 * (size_ + 1) > slots_.size()) reserve(std::max<std::size_t>(8, 2 * size_));
    const std::uint64_t hash = hash_text(key);
    const auto tag = static_cast<std::uint32_t>(hash >> 32);
    const std::size_t mask = slots_.size() - 1;
    std::size_t i = hash & mask;
    for (; slots_[i].value >= 0; i = (i + 1) & mask) {
        const Slot& slot = slots_[i];
        if (slot.tag == tag && std::string_view{slot.text, slot.length} == key) return false;
    }
    slots_[i] = {tag, value, key.data(), key.size()};
    ++size_;
    return true;
}

std::int32_t StringTable::find(std::string_view key) const {
    if (slots_.empty()) return -1;
    const std::uint64_t hash = hash_text(key);
    const auto tag = static_cast<std::uint32_t>(hash >> 32);
    const std::size_t mask = slots_.size() - 1;
    for (std::size_t i = hash & mask; slots_[i].value >= 0; i = (i + 1) & mask) {
        const Slot& slot = slots_[i];
        if (slot.tag == tag && std::string_view{slot.text, slot.length} == key) return slot.value;
    }
    return -1;
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
