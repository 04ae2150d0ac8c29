#include "model/logits_golden.h"

#include <array>
#include <cstring>
#include <fstream>

#include "base/error.h"

namespace kvsplit::test {
namespace {

class Reader {
  public:
    explicit Reader(const std::string& path) : path_(path), in_(path, std::ios::binary) {
        if (!in_) fail(ErrorCode::kNotFound, "{}: cannot be opened", path);
    }

    template <class T>
    std::vector<T> take(std::size_t count) {
        std::vector<T> out(count);
        in_.read(reinterpret_cast<char*>(out.data()), static_cast<std::streamsize>(count * sizeof(T)));
        if (!in_) fail(ErrorCode::kFormat, "{}: ends early", path_);
        return out;
    }

  private:
    std::string path_;
    std::ifstream in_;
};

}  // namespace

LogitsGolden read_logits_golden(const std::string& path) {
    Reader in(path);
    const auto magic = in.take<char>(4);
    const auto header = in.take<std::uint32_t>(7);
    const auto [version, n_tokens, first, n_vocab, n_top, n_fixed, n_full] =
        std::to_array({header[0], header[1], header[2], header[3], header[4], header[5], header[6]});
    if (std::memcmp(magic.data(), "KVLG", 4) != 0 || version != 1 || first >= n_tokens)
        fail(ErrorCode::kFormat, "{}: not a logits golden of version 1", path);
    LogitsGolden golden;
    golden.first = static_cast<int>(first);
    golden.n_vocab = static_cast<int>(n_vocab);
    golden.n_top = static_cast<int>(n_top);
    golden.tokens = in.take<std::int32_t>(n_tokens);
    golden.fixed_ids = in.take<std::int32_t>(n_fixed);
    golden.full_positions = in.take<std::int32_t>(n_full);
    const std::size_t n = n_tokens - first;
    golden.logsumexp = in.take<float>(n);
    golden.top_ids = in.take<std::int32_t>(n * n_top);
    golden.top = in.take<float>(n * n_top);
    golden.fixed = in.take<float>(n * n_fixed);
    golden.full = in.take<float>(std::size_t{n_full} * n_vocab);
    return golden;
}

}  // namespace kvsplit::test
