#include "fetch/sha256.h"

#include <fmt/format.h>
#include <openssl/evp.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <memory>
#include <vector>

#include "base/error.h"

namespace kvsplit::fetch {

namespace {

class Sha256 {
  public:
    // name: what it is for, in messages.
    explicit Sha256(const std::string& name) : context_(EVP_MD_CTX_new(), EVP_MD_CTX_free) {
        if (!context_ || EVP_DigestInit_ex(context_.get(), EVP_sha256(), nullptr) != 1) {
            fail(ErrorCode::kOutOfMemory, "{}: no memory to compute its SHA-256", name);
        }
    }
    void add(const void* data, std::size_t size) { EVP_DigestUpdate(context_.get(), data, size); }
    std::string digits() {
        unsigned char digest[EVP_MAX_MD_SIZE];
        unsigned size = 0;
        EVP_DigestFinal_ex(context_.get(), digest, &size);
        return fmt::format("{:02x}", fmt::join(digest, digest + size, ""));
    }

  private:
    std::unique_ptr<EVP_MD_CTX, void (*)(EVP_MD_CTX*)> context_;
};

}  // namespace

std::string sha256_of_file(const std::string& path, const std::function<bool(std::uint64_t done)>& progress) {
    const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(path.c_str(), "rb"), std::fclose);
    if (!file) fail(ErrorCode::kIo, "{}: cannot open: {}", path, errno_text(errno));
    Sha256 hash(path);
    std::vector<unsigned char> buffer(std::size_t{1} << 20);
    std::uint64_t done = 0;
    for (std::size_t n; (n = std::fread(buffer.data(), 1, buffer.size(), file.get())) > 0;) {
        hash.add(buffer.data(), n);
        if (!progress(done += n)) return "";
    }
    if (std::ferror(file.get())) fail(ErrorCode::kIo, "{}: cannot read: {}", path, errno_text(errno));
    return hash.digits();
}

std::string sha256_of_text(std::string_view text) {
    Sha256 hash("a name");
    hash.add(text.data(), text.size());
    return hash.digits();
}

bool is_sha256(const std::string& text) {
    const auto is_digit = [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); };
    return text.size() == 64 && std::all_of(text.begin(), text.end(), is_digit);
}

}  // namespace kvsplit::fetch
