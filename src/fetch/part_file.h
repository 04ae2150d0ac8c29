// PartFile: an incomplete file, beside its target.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

namespace kvsplit::fetch {

// Named "FILE.MARK.part": the mark identifies a version of the file, so that a later run knows whether it can
// resume. Without file locks it is "FILE.MARK.NUMBER.part" while open. The constructor and append() throw
// Error(kIo), which says what to do.
class PartFile {
  public:
    // Opens the part of this version, or begins one. locked: the caller holds the file's lock.
    PartFile(const std::filesystem::path& target, std::string mark, bool locked);
    // Keeps the part for the next run, unless it is empty.
    ~PartFile();
    PartFile(const PartFile&) = delete;
    PartFile& operator=(const PartFile&) = delete;

    const std::string& path() const { return path_; }
    const std::string& mark() const { return mark_; }
    std::uint64_t size() const { return size_; }
    bool is_of_known_version() const;

    void clear();
    void append(const char* data, std::size_t n);
    void discard();  // removes it
    void move_to(const std::filesystem::path& target);

  private:
    std::string kept_path_, path_, mark_;
    int fd_ = -1;
    std::uint64_t size_ = 0;
    bool gone_ = false;
};

// The mark of the server's `identity` of a version: 16 hexadecimal digits. "" gives the mark of unknown
// versions, whose parts are never resumed.
std::string mark_of(const std::string& identity);

// The mark of the newest resumable part of this file; "" if there is none.
std::string find_part(const std::filesystem::path& target);

// The bytes of the file that another program seems to have downloaded.
std::uint64_t largest_part(const std::filesystem::path& target);

// Removes parts of other versions of the file.
void remove_other_parts(const std::filesystem::path& target);

struct Removed {
    int files = 0;
    std::uint64_t bytes = 0;
};
// Removes parts in the cache that have not been touched for two weeks and are not open.
Removed remove_stale_parts(const std::filesystem::path& cache);

}  // namespace kvsplit::fetch
