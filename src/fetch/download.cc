#include "fetch/download.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <thread>

#include "base/error.h"
#include "fetch/sha256.h"

namespace kvsplit::fetch {
namespace {

namespace fs = std::filesystem;

constexpr int kTries = 5;  // in a row without a byte
constexpr int kMaxRedirections = 10;

std::uint64_t to_number(const std::string& text) {
    std::uint64_t number = 0;
    std::from_chars(text.data(), text.data() + text.size(), number);
    return number;
}

// An ETag without its quotes and its mark of weakness.
std::string bare_etag(std::string etag) {
    if (etag.starts_with("W/")) etag.erase(0, 2);
    if (etag.size() >= 2 && etag.front() == '"' && etag.back() == '"') etag = etag.substr(1, etag.size() - 2);
    return etag;
}

// "https://host" of an URL.
std::string origin_of(const std::string& url) {
    const auto host = url.find("://");
    return url.substr(0, url.find('/', host == std::string::npos ? 0 : host + 3));
}

// Eight letters that stand for an identity.
std::string mark_of(const std::string& identity) {
    std::uint32_t hash = 0x811c9dc5;
    for (const char c : identity) hash = (hash ^ static_cast<std::uint8_t>(c)) * 0x01000193;
    return fmt::format("{:08x}", hash);
}

// The unfinished file: locked, so that two programs do not write into one.
class PartFile {
  public:
    explicit PartFile(std::string path) : path_(std::move(path)) {
        fd_ = ::open(path_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
        if (fd_ < 0) fail(ErrorCode::kIo, "{}: cannot write: {}", path_, errno_text(errno));
        if (::flock(fd_, LOCK_EX | LOCK_NB) != 0) {
            ::close(fd_);
            fail(ErrorCode::kIo, "{}: another program is loading this file", path_);
        }
        size_ = static_cast<std::uint64_t>(std::max<off_t>(::lseek(fd_, 0, SEEK_END), 0));
    }
    ~PartFile() { ::close(fd_); }
    PartFile(const PartFile&) = delete;
    PartFile& operator=(const PartFile&) = delete;

    const std::string& path() const { return path_; }
    std::uint64_t size() const { return size_; }

    void clear() {
        if (::ftruncate(fd_, 0) != 0) fail(ErrorCode::kIo, "{}: cannot write: {}", path_, errno_text(errno));
        ::lseek(fd_, 0, SEEK_SET);
        size_ = 0;
    }

    // False, with errno, where the disk refuses.
    bool append(const char* data, std::size_t n) {
        while (n > 0) {
            const ssize_t written = ::write(fd_, data, n);
            if (written < 0 && errno == EINTR) continue;
            if (written < 0) return false;
            data += written;
            n -= static_cast<std::size_t>(written);
            size_ += static_cast<std::uint64_t>(written);
        }
        return true;
    }

  private:
    std::string path_;
    int fd_ = -1;
    std::uint64_t size_ = 0;
};

class Download {
  public:
    Download(Http& http, const RemoteFile& remote, const fs::path& target, const OnProgress& on_progress)
        : http_(http),
          remote_(remote),
          target_(target),
          on_progress_(on_progress),
          part_(fmt::format("{}.{}.part", target.string(), mark_of(remote.identity))) {}

    void run() {
        // Without an identity nobody knows whether it is still the same file.
        if (remote_.identity.empty() || (remote_.bytes > 0 && part_.size() > remote_.bytes)) part_.clear();
        require_room();
        for (int tries = 0; !is_whole();) {
            const std::uint64_t before = part_.size();
            const Reply reply = request();
            if (reply.is_whole()) {
                whole_ = true;
                if (remote_.bytes > 0 && part_.size() != remote_.bytes) break;
                continue;
            }
            if (reply.no_ranges && before > 0) {
                part_.clear();
                continue;
            }
            if (reply.status >= 400 && reply.status < 500 && reply.status != 408 && reply.status != 429) {
                refuse(remote_.url, reply);
            }
            tries = part_.size() > before ? 0 : tries + 1;
            if (tries == kTries) give_up(reply);
            wait(std::chrono::seconds(1 << tries));
        }
        check();
        std::error_code error;
        fs::rename(part_.path(), target_, error);
        if (error) fail(ErrorCode::kIo, "{}: cannot write: {}", target_.string(), error.message());
    }

  private:
    bool is_whole() const {
        return whole_ || (remote_.bytes > 0 && !remote_.identity.empty() && part_.size() == remote_.bytes);
    }

    bool report(Progress::Stage stage, std::uint64_t done) const {
        return on_progress_({stage, target_.filename().string(), done, remote_.bytes});
    }

    Reply request() {
        int refused = 0;  // errno of the disk
        const auto write = [&](const char* data, std::size_t size) {
            if (!part_.append(data, size)) refused = errno;
            return refused == 0;
        };
        const auto keep_on = [&] { return report(Progress::Stage::kDownload, part_.size()); };
        Reply reply = http_.get_from(remote_.url, part_.size(), write, keep_on);
        if (refused) fail(ErrorCode::kIo, "{}: cannot write: {}", part_.path(), errno_text(refused));
        return reply;
    }

    void require_room() const {
        std::error_code error;
        const auto room = fs::space(target_.parent_path(), error).available;
        const std::uint64_t left = remote_.bytes > part_.size() ? remote_.bytes - part_.size() : 0;
        if (error || left <= room) return;
        fail(ErrorCode::kIo,
             "{}: {} bytes are still to be loaded, and the disk has room for {}: free some, or set "
             "KVSPLIT_CACHE to a folder on another disk",
             target_.string(), left, room);
    }

    [[noreturn]] void give_up(const Reply& reply) const {
        const std::string why = reply.failure.empty() ? fmt::format("HTTP {}", reply.status) : reply.failure;
        fail(ErrorCode::kIo,
             "{}: the download stopped after {} bytes: {}; run the command again to go on from there",
             remote_.url, part_.size(), why);
    }

    void wait(std::chrono::milliseconds time) const {
        constexpr std::chrono::milliseconds kStep{100};
        for (; time.count() > 0; time -= kStep) {
            if (!report(Progress::Stage::kDownload, part_.size())) fail(ErrorCode::kCancelled, "stopped");
            std::this_thread::sleep_for(kStep);
        }
    }

    void check() {
        if (remote_.bytes > 0 && part_.size() != remote_.bytes) {
            discard(fmt::format("{} bytes, but the server states {}", part_.size(), remote_.bytes));
        }
        if (remote_.sha256.empty()) return;
        const std::string found = sha256_of_file(
            part_.path(), [&](std::uint64_t done) { return report(Progress::Stage::kCheck, done); });
        if (found.empty()) fail(ErrorCode::kCancelled, "stopped");
        if (found != remote_.sha256) {
            discard(fmt::format("SHA-256 {}, but the server states {}", found, remote_.sha256));
        }
    }

    [[noreturn]] void discard(const std::string& why) const {
        ::unlink(part_.path().c_str());
        fail(ErrorCode::kFormat,
             "{}: what was loaded has {}; it is deleted, run the command again to load it anew", remote_.url,
             why);
    }

    Http& http_;
    const RemoteFile& remote_;
    const fs::path& target_;
    const OnProgress& on_progress_;
    PartFile part_;
    bool whole_ = false;
};

}  // namespace

void refuse(const std::string& url, const Reply& reply) {
    if (reply.status == 404) fail(ErrorCode::kNotFound, "{}: there is no such file (HTTP 404)", url);
    if (reply.status == 401 || reply.status == 403) {
        fail(ErrorCode::kIo,
             "{}: access is refused (HTTP {}): a name may be misspelt; for a private or gated model accept "
             "its "
             "terms on its page and set HF_TOKEN to a token of yours",
             url, reply.status);
    }
    if (reply.status >= 400) fail(ErrorCode::kIo, "{}: the server answers HTTP {}", url, reply.status);
    fail(ErrorCode::kIo, "{}: {}", url, reply.failure);
}

RemoteFile inspect(Http& http, const std::string& url, const OnProgress& on_progress) {
    const std::string name = url.substr(url.find_last_of('/') + 1);
    const auto keep_on = [&] { return on_progress({Progress::Stage::kDownload, name, 0, 0}); };
    RemoteFile remote;
    remote.url = url;
    std::string at = url;
    for (int i = 0; i < kMaxRedirections; ++i) {
        const Reply reply = http.head(at, keep_on);
        if (reply.status < 200 || reply.status >= 400) {
            // Storage behind a redirection may know GET alone; then nothing is known of the file.
            if (i > 0 && (reply.status == 403 || reply.status == 405)) return remote;
            refuse(at, reply);
        }
        // A hub states the file's own hash and size beside the redirection to its storage.
        const std::string linked = bare_etag(reply.header("x-linked-etag"));
        const bool redirected = reply.status >= 300;
        if (!linked.empty() || !redirected) {
            remote.identity = linked.empty() ? bare_etag(reply.header("etag")) : linked;
            if (is_sha256(remote.identity)) remote.sha256 = remote.identity;
            if (remote.identity.empty()) remote.identity = reply.header("last-modified");
            remote.bytes = to_number(reply.header(linked.empty() ? "content-length" : "x-linked-size"));
            return remote;
        }
        const std::string location = reply.header("location");
        at = location.starts_with("/") ? origin_of(at) + location : location;
    }
    fail(ErrorCode::kIo, "{}: more than {} redirections", url, kMaxRedirections);
}

void download(Http& http, const RemoteFile& remote, const fs::path& target, const OnProgress& on_progress) {
    std::error_code error;
    fs::create_directories(target.parent_path(), error);
    if (error)
        fail(ErrorCode::kIo, "{}: cannot make this folder: {}", target.parent_path().string(),
             error.message());
    Download(http, remote, target, on_progress).run();
}

}  // namespace kvsplit::fetch
