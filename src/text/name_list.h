// NameList: sorted names, searched letter by letter.
#pragma once

#include <algorithm>
#include <bitset>
#include <cstddef>
#include <iterator>
#include <string>
#include <utility>
#include <vector>

namespace kvsplit::text {

// add() all names, then sort(); after that thread-safe.
class NameList {
  public:
    void add(std::string name) {
        longest_ = std::max(longest_, name.size());
        names_.push_back(std::move(name));
    }
    void sort() {
        std::sort(names_.begin(), names_.end());
        for (const std::string& name : names_) first_.set(static_cast<unsigned char>(name[0]));
    }
    std::size_t longest() const { return longest_; }

    struct Walk {
        bool name = false;   // some name is a prefix of the text
        bool reach = false;  // the text is a proper prefix of some name
    };
    // letter(i): the i-th of the text's `size` letters.
    template <typename Letter>
    Walk walk(std::size_t size, const Letter& letter) const {
        Walk out;
        auto begin = names_.begin(), end = names_.end();
        if (size == 0 || !first_[static_cast<unsigned char>(letter(0))]) return out;
        for (std::size_t i = 0; i < size && begin != end; ++i) {
            const auto at = [&](const std::string& name) {  // names that end here come first
                return name.size() > i ? static_cast<int>(static_cast<unsigned char>(name[i])) : -1;
            };
            const int c = static_cast<unsigned char>(letter(i));
            begin = std::partition_point(begin, end, [&](const std::string& name) { return at(name) < c; });
            end = std::partition_point(begin, end, [&](const std::string& name) { return at(name) <= c; });
            out.name |= begin != end && begin->size() == i + 1;
        }
        out.reach = begin != end && std::prev(end)->size() > size;
        return out;
    }

  private:
    std::vector<std::string> names_;
    std::bitset<256> first_;
    std::size_t longest_ = 0;
};

}  // namespace kvsplit::text
