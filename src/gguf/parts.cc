// Opens a model that is split into several files as one File.
#include <iterator>
#include <optional>
#include <utility>

#include "base/error.h"
#include "base/printable.h"
#include "base/split_name.h"
#include "gguf/gguf.h"

namespace kvsplit::gguf {
namespace {

constexpr std::string_view kCount = "split.count", kNumber = "split.no", kTensors = "split.tensors.count";

std::string first_part(std::string path) {
    const auto name = parse_split_name(path);
    return name && name->number > 1 ? name->part(1) : path;
}

}  // namespace

File::File(std::string path, FileAccess access) : File(first_part(std::move(path)), access, OnePart{}) {
    const auto name = parse_split_name(raw_path());
    const std::uint64_t count = get_u64_or(kCount, 1);
    if (count > 1 && !name) {
        reject(*find(kCount),
               fmt::format("the model is cut into {} files, but the name of this one does not end in "
                           "-00001-of-{:05}.gguf: give the files the names that they were made with",
                           count, count));
    }
    if (!name || (name->count == 1 && count <= 1)) return;
    if (!has(kCount)) {
        fail(ErrorCode::kFormat,
             "{}: the name is that of the first of {} files, but metadata '{}' is missing", this->path(),
             name->count, kCount);
    }
    if (count != static_cast<std::uint64_t>(name->count)) {
        reject(*find(kCount), fmt::format("{} files, but the name says {}", count, name->count));
    }
    require_number(0);
    for (int n = 2; n <= name->count; ++n) add_part(name->part(n), access, n, name->count);
    index_tensors();
    if (has(kTensors) && get_u64(kTensors) != tensors_.size()) {
        reject(*find(kTensors), fmt::format("the model has {} tensors, but its {} files hold {}",
                                            get_u64(kTensors), count, tensors_.size()));
    }
}

void File::require_number(std::uint64_t number) const {
    if (const std::uint64_t found = get_u64(kNumber); found != number) {
        reject(*find(kNumber),
               fmt::format("{}, but by its name the file is number {} (counted from 0)", found, number));
    }
}

void File::add_part(const std::string& path, FileAccess access, int n, int count) {
    std::optional<File> part;
    try {
        part.emplace(File(path, access, OnePart{}));
    } catch (const Error& error) {
        if (error.code() != ErrorCode::kNotFound) throw;
        fail(ErrorCode::kNotFound,
             "{}: this file is missing, part {} of the {} that the model is cut into; all must be in one "
             "folder",
             printable_path(path), n, count);
    }
    part->require_number(static_cast<std::uint64_t>(n - 1));
    if (const std::uint64_t found = part->get_u64(kCount); found != static_cast<std::uint64_t>(count)) {
        part->reject(*part->find(kCount), fmt::format("{} files, but the first file says {}", found, count));
    }
    for (Tensor& tensor : part->tensors_) tensor.part = n - 1;
    std::move(part->tensors_.begin(), part->tensors_.end(), std::back_inserter(tensors_));
    part->tensors_.clear();
    part->tensors_by_name_.clear();
    parts_.push_back(std::move(*part));
}

}  // namespace kvsplit::gguf
