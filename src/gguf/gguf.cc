#include "gguf/gguf.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <numeric>
#include <utility>

#include "base/error.h"
#include "base/printable.h"
#include "gguf/cursor.h"

namespace kvsplit::gguf {
namespace {

constexpr std::uint64_t kMaxKeyBytes = 65535;                 // the format's own limit
constexpr std::uint64_t kMaxAlignment = 1ull << 30;           // far above any in use
constexpr std::uint64_t kMinEntryBytes = 8 + 4 + 1;           // key length, type, the shortest value
constexpr std::uint64_t kMinTensorBytes = 8 + 4 + 8 + 4 + 8;  // name length, n_dims, one size, type, offset

// Reads magic and version; leaves the cursor at the tensor count.
std::uint32_t read_version(Cursor& in, const std::string& path) {
    const auto magic = in.take(4, "the magic number");
    if (as_text(magic) != "GGUF") {
        in.fail_at(0, "not a GGUF file (it starts with '{}' instead of 'GGUF')", printable(as_text(magic)));
    }
    const auto version = in.read<std::uint32_t>("the version");
    if (version != 0 && (version & 0xffffu) == 0) {
        fail(ErrorCode::kUnsupported, "{} @0x4: big-endian GGUF is not supported; convert the file again",
             path);
    }
    if (version < 2 || version > 3) {
        fail(ErrorCode::kUnsupported,
             "{} @0x4: GGUF version {} is not supported, only 2 and 3; convert the model again", path,
             version);
    }
    return version;
}

std::string_view read_key(Cursor& in) {
    const std::uint64_t at = in.position();
    const std::string_view key = in.read_string("metadata key");
    if (key.empty() || key.size() > kMaxKeyBytes) {
        in.fail_at(at, "metadata key of {} bytes, must be 1 to {}; the file is damaged", key.size(),
                   kMaxKeyBytes);
    }
    return key;
}

// Reads value.count elements, checks them and returns their bytes.
std::span<const std::uint8_t> take_elements(Cursor& in, const Value& value) {
    const std::string what = fmt::format("metadata '{}'", printable(value.key));
    const std::uint64_t start = in.position();
    if (value.element_type == ValueType::kString) {
        in.check_count(start, value.count, 8, what + ": string count");
        for (std::uint64_t i = 0; i < value.count; ++i) in.read_string(what);
        return in.since(start);
    }
    const std::size_t bytes = value_bytes(value.element_type);
    in.check_count(start, value.count, bytes, what + ": element count");
    const auto data = in.take(value.count * bytes, what);
    if (value.element_type == ValueType::kBool) {
        const auto bad = std::find_if(data.begin(), data.end(), [](std::uint8_t b) { return b > 1; });
        if (bad != data.end()) {
            in.fail_at(start + static_cast<std::uint64_t>(bad - data.begin()),
                       "{}: a bool of value {}, must be 0 or 1; the file is damaged", what, *bad);
        }
    }
    return data;
}

Value read_value(Cursor& in) {
    Value value;
    value.file_offset = in.position();
    value.key = read_key(in);
    const std::string what = fmt::format("metadata '{}'", printable(value.key));
    const auto read_type = [&](std::string_view field) {
        const std::uint64_t at = in.position();
        const auto type = static_cast<ValueType>(in.read<std::uint32_t>(what));
        if (type_name(type) == "unknown") {
            in.fail_at(at, "{}: unknown {} {}; the file is damaged or newer than this program", what, field,
                       static_cast<std::uint32_t>(type));
        }
        return type;
    };
    value.type = value.element_type = read_type("type");
    if (value.is_array()) {
        const std::uint64_t at = in.position();
        value.element_type = read_type("element type");
        if (value.element_type == ValueType::kArray)
            in.fail_at(at, "{}: arrays of arrays are not supported", what);
        value.count = in.read<std::uint64_t>(what);
    }
    value.data = take_elements(in, value);
    return value;
}

// The size in bytes of a tensor's data. Throws unless the shape and type make sense; no overflow.
std::uint64_t checked_data_bytes(const Cursor& in, std::uint64_t at, const Tensor& tensor,
                                 std::string_view what) {
    constexpr auto kMax = static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());
    std::uint64_t elements = 1;
    for (const std::int64_t size : tensor.shape) {
        if (size <= 0) {
            in.fail_at(at, "{}: dimensions {} must be positive; the file is damaged", what,
                       fmt::join(tensor.shape, " x "));
        }
        if (elements > kMax / static_cast<std::uint64_t>(size)) {
            in.fail_at(at, "{}: dimensions {} are too large; the file is damaged", what,
                       fmt::join(tensor.shape, " x "));
        }
        elements *= static_cast<std::uint64_t>(size);
    }
    if (tensor.shape[0] % block_size(tensor.type) != 0) {
        in.fail_at(at, "{}: rows of {} elements are not a multiple of {}'s block of {}", what,
                   tensor.shape[0], type_name(tensor.type), block_size(tensor.type));
    }
    const std::uint64_t blocks = elements / static_cast<std::uint64_t>(block_size(tensor.type));
    const auto bytes = static_cast<std::uint64_t>(block_bytes(tensor.type));
    if (blocks > kMax / bytes) {
        in.fail_at(at, "{}: dimensions {} are too large; the file is damaged", what,
                   fmt::join(tensor.shape, " x "));
    }
    return blocks * bytes;
}

// A tensor's description and the size of its data, whose place is known only after all descriptions.
struct TensorEntry {
    Tensor tensor;
    std::uint64_t at = 0;      // where the description starts
    std::uint64_t offset = 0;  // of the data, from the start of the data section
    std::uint64_t bytes = 0;
};

TensorEntry read_tensor(Cursor& in, const std::string& path) {
    TensorEntry entry;
    Tensor& tensor = entry.tensor;
    entry.at = in.position();
    const std::string_view name = in.read_string("tensor name");
    if (name.empty() || name.size() > kMaxKeyBytes) {
        in.fail_at(entry.at, "tensor name of {} bytes, must be 1 to {}; the file is damaged", name.size(),
                   kMaxKeyBytes);
    }
    const std::string what = fmt::format("tensor '{}'", printable(name));
    tensor.name = name;
    const auto n_dims = in.read<std::uint32_t>(what);
    if (n_dims < 1 || n_dims > tensor.shape.size()) {
        in.fail_at(entry.at, "{}: {} dimensions, must be 1 to {}", what, n_dims, tensor.shape.size());
    }
    tensor.n_dims = static_cast<int>(n_dims);
    for (std::uint32_t d = 0; d < n_dims; ++d) tensor.shape[d] = in.read<std::int64_t>(what);
    const auto type = in.read<std::uint32_t>(what);
    tensor.type = static_cast<TensorType>(type);
    if (block_size(tensor.type) == 0) {
        fail(ErrorCode::kUnsupported,
             "{} @{:#x}: {}: unknown type {}; the file is damaged, or its format is withdrawn or newer than "
             "this program",
             path, entry.at, what, type);
    }
    entry.offset = in.read<std::uint64_t>(what);
    entry.bytes = checked_data_bytes(in, entry.at, tensor, what);
    return entry;
}

// Finds the data of all tensors in the data section, which starts at data_start. No two may share bytes: the
// sum of all tensors is thus bounded by the file's size.
void place_tensors(const Cursor& in, std::uint64_t file_bytes, std::uint64_t data_start,
                   std::uint64_t alignment, std::vector<TensorEntry>& entries) {
    const std::uint64_t data_bytes = file_bytes > data_start ? file_bytes - data_start : 0;
    for (TensorEntry& e : entries) {
        if (e.offset % alignment != 0) {
            in.fail_at(e.at,
                       "tensor '{}': offset {} is not a multiple of the alignment {}; the file is damaged, "
                       "download it again",
                       printable(e.tensor.name), e.offset, alignment);
        }
        if (e.offset > data_bytes || e.bytes > data_bytes - e.offset) {
            in.fail_at(
                e.at,
                "tensor '{}': {} bytes at offset {} reach beyond the end of the file ({} bytes of data); the "
                "file is cut off or damaged, download it again",
                printable(e.tensor.name), e.bytes, e.offset, data_bytes);
        }
        e.tensor.file_offset = data_start + e.offset;
        e.tensor.bytes = e.bytes;
    }
    std::vector<const TensorEntry*> by_offset;
    by_offset.reserve(entries.size());
    for (const TensorEntry& e : entries) by_offset.push_back(&e);
    std::sort(by_offset.begin(), by_offset.end(), [](auto* a, auto* b) { return a->offset < b->offset; });
    for (std::size_t i = 1; i < by_offset.size(); ++i) {
        const TensorEntry& before = *by_offset[i - 1];
        const TensorEntry& e = *by_offset[i];
        if (e.offset < before.offset + before.bytes) {
            in.fail_at(
                e.at,
                "tensor '{}' at offset {} overlaps tensor '{}' ({} bytes at offset {}); the file is damaged",
                printable(e.tensor.name), e.offset, printable(before.tensor.name), before.bytes,
                before.offset);
        }
    }
}

// Indices of items in the order of their names. Sorting instead of hashing: names from a hostile file cannot
// make it slow.
template <typename Item, typename NameOf>
std::vector<std::uint32_t> sorted_by_name(const std::vector<Item>& items, NameOf&& name_of) {
    std::vector<std::uint32_t> order(items.size());
    std::iota(order.begin(), order.end(), 0u);
    std::sort(order.begin(), order.end(),
              [&](auto a, auto b) { return name_of(items[a]) < name_of(items[b]); });
    return order;
}

template <typename Item, typename NameOf>
const Item* find_by_name(const std::vector<Item>& items, const std::vector<std::uint32_t>& order,
                         std::string_view name, NameOf&& name_of) {
    const auto it =
        std::lower_bound(order.begin(), order.end(), name,
                         [&](std::uint32_t i, std::string_view n) { return name_of(items[i]) < n; });
    if (it == order.end() || name_of(items[*it]) != name) return nullptr;
    return &items[*it];
}

std::string_view key_of(const Value& value) { return value.key; }
std::string_view name_of(const Tensor& tensor) { return tensor.name; }

}  // namespace

std::int64_t Tensor::row_bytes() const { return shape[0] / block_size(type) * block_bytes(type); }

File::File(std::string path, FileAccess access, OnePart)
    : input_(std::move(path), access), shown_path_(printable_path(input_.path())) {
    Cursor in(input_);
    version_ = read_version(in, shown_path_);
    const std::uint64_t counts_at = in.position();
    const auto n_tensors = in.read<std::uint64_t>("the tensor count");
    const auto n_values = in.read<std::uint64_t>("the metadata count");
    in.check_count(counts_at, n_tensors, kMinTensorBytes, "tensor count");
    in.check_count(counts_at + 8, n_values, kMinEntryBytes, "metadata count");
    read_metadata(in, n_values);
    read_tensors(in, n_tensors);
}

void File::read_metadata(Cursor& in, std::uint64_t count) {
    metadata_.reserve(count);
    for (std::uint64_t i = 0; i < count; ++i) metadata_.push_back(read_value(in));
    metadata_by_key_ = sorted_by_name(metadata_, key_of);
    for (std::size_t i = 1; i < count; ++i) {
        const Value& value = metadata_[metadata_by_key_[i]];
        if (value.key == metadata_[metadata_by_key_[i - 1]].key) reject(value, "the key occurs twice");
    }
    if (const Value* value = find("general.alignment")) {
        alignment_ = get_u64(value->key);
        if (alignment_ < 8 || alignment_ > kMaxAlignment || (alignment_ & (alignment_ - 1)) != 0) {
            reject(*value, fmt::format("{} is not a power of two from 8 to {}", alignment_, kMaxAlignment));
        }
    }
}

void File::read_tensors(Cursor& in, std::uint64_t count) {
    std::vector<TensorEntry> entries;
    in.check_count(in.position(), count, kMinTensorBytes, "tensor count");
    entries.reserve(count);
    for (std::uint64_t i = 0; i < count; ++i) entries.push_back(read_tensor(in, path()));
    const std::uint64_t data_start = (in.position() + alignment_ - 1) / alignment_ * alignment_;
    place_tensors(in, input_.size(), data_start, alignment_, entries);

    tensors_.reserve(count);
    for (TensorEntry& e : entries) tensors_.push_back(std::move(e.tensor));
    index_tensors();
}

void File::index_tensors() {
    tensors_by_name_ = sorted_by_name(tensors_, name_of);
    for (std::size_t i = 1; i < tensors_.size(); ++i) {
        const Tensor& tensor = tensors_[tensors_by_name_[i]];
        if (tensor.name == tensors_[tensors_by_name_[i - 1]].name) {
            reject(tensor, "the name occurs twice; the file is damaged");
        }
    }
}

std::uint64_t File::file_bytes() const {
    std::uint64_t bytes = input_.size();
    for (const File& part : parts_) bytes += part.input_.size();
    return bytes;
}

const InputFile& File::input(const Tensor& tensor) const {
    return tensor.part == 0 ? input_ : parts_[static_cast<std::size_t>(tensor.part - 1)].input_;
}

const std::uint8_t* File::read(const Tensor& tensor, std::uint64_t first, std::size_t n,
                               std::vector<std::uint8_t>& scratch) const {
    if (tensor.made) return tensor.made + first;
    return input(tensor).read(tensor.file_offset + first, n, scratch);
}

std::vector<std::uint8_t> File::data(const Tensor& tensor) const {
    std::vector<std::uint8_t> scratch;
    const std::uint8_t* bytes = read(tensor, 0, tensor.bytes, scratch);
    if (bytes == scratch.data()) return scratch;
    return {bytes, bytes + tensor.bytes};
}

void File::release(const Tensor& tensor) const {
    if (!tensor.made) input(tensor).release(tensor.file_offset, tensor.bytes);
}

void File::require_unchanged() const {
    input_.require_unchanged();
    for (const File& part : parts_) part.input_.require_unchanged();
}

const Tensor* File::find_tensor(std::string_view name) const {
    return find_by_name(tensors_, tensors_by_name_, name, name_of);
}

const Tensor& File::tensor(std::string_view name) const {
    const Tensor* found = find_tensor(name);
    if (!found) fail(ErrorCode::kFormat, "{}: tensor '{}' is missing", path(), printable(name));
    return *found;
}

const Value* File::find(std::string_view key) const {
    return find_by_name(metadata_, metadata_by_key_, key, key_of);
}

void File::require_supported_types() const {
    for (const Tensor& t : tensors_) {
        if (is_supported(t.type)) continue;
        fail(ErrorCode::kUnsupported,
             "{} @{:#x}: tensor '{}': type {} is not supported; use a file with F32, F16, BF16, Q8_0, Q4_0, "
             "Q4_1, "
             "Q5_0, Q5_1, Q4_K, Q5_K or Q6_K weights",
             printable_path(input(t).path()), t.file_offset, printable(t.name), type_name(t.type));
    }
}

void File::reject(const Value& value, std::string_view message) const {
    fail(ErrorCode::kFormat, "{} @{:#x}: metadata '{}': {}", path(), value.file_offset, printable(value.key),
         message);
}

void File::reject(const Tensor& tensor, std::string_view message) const {
    fail(ErrorCode::kFormat, "{} @{:#x}: tensor '{}': {}", printable_path(input(tensor).path()),
         tensor.file_offset, printable(tensor.name), message);
}

}  // namespace kvsplit::gguf
