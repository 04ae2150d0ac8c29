#include "fetch/download.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <tuple>
#include <utility>

#include "base/error.h"
#include "base/split_name.h"
#include "fetch/contents.h"
#include "fetch/file_lock.h"
#include "fetch/part_file.h"
#include "fetch/remote_file.h"
#include "fetch/retry.h"
#include "fetch/sha256.h"

namespace kvsplit::fetch {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kHead = 1024;   // bytes to identify a file that is not GGUF
constexpr int kMaxNewBeginnings = 5;  // gives up on a file that keeps changing

class Download {
  public:
    Download(Http& http, const Order& order, const Reports& reports, bool locked)
        : http_(http), order_(order), reports_(reports), locked_(locked), shown_(order.url.shown()) {}

    void run() {
        if (const std::string mark = find_part(order_.target); !mark.empty()) {
            part_.emplace(order_.target, mark, locked_);
        }
        Retry retry(order_.first_pause, shown_, reports_);
        for (int beginnings = 0; !whole_;) {
            const Reply reply = request();
            if (whole_) break;
            if (begin_anew_) {
                if (part_) drop_part();
                remote_ = {};
                if (++beginnings > kMaxNewBeginnings) {
                    fail(ErrorCode::kIo, "{}: the file changes while it is loaded; try again later", shown_);
                }
                continue;
            }
            if (size() > furthest_) retry.start_anew();
            furthest_ = std::max(furthest_, size());
            if (!retry.pause_after(reply, progress(Progress::Stage::kDownload, size())))
                give_up(reply, retry);
        }
        finish();
    }

  private:
    std::uint64_t size() const { return part_ ? part_->size() : 0; }

    Progress progress(Progress::Stage stage, std::uint64_t done) const {
        return {stage, order_.target.filename().string(), done, remote_.bytes};
    }
    bool report(Progress::Stage stage, std::uint64_t done) const {
        return reports_.on_progress(progress(stage, done));
    }

    void drop_part() {
        part_->discard();
        part_.reset();
    }

    // One try. Sets whole_ once the file is complete, begin_anew_ if the part cannot be resumed.
    Reply request() {
        begin_anew_ = false;
        head_.clear();
        if (part_ && !part_->is_of_known_version()) drop_part();
        const Http::Sink sink{[&](const Reply& reply) { return begin(reply); },
                              [&](const char* data, std::size_t n) { return take(data, n); }};
        const Reply reply = http_.get_file(order_.url, {size(), remote_.if_range}, sink,
                                           [&] { return report(Progress::Stage::kDownload, size()); });
        if (begin_anew_) return reply;
        if (reply.status == 416 && size() > 0) {
            // The part is already complete, or the file has changed.
            const auto remote = describe(reply);
            const bool same = remote && mark_of(remote->identity) == part_->mark() && remote->bytes == size();
            (same ? whole_ : begin_anew_) = true;
            if (same) remote_ = *remote;
        } else if (reply.is_whole()) {
            if (!is_model_) refuse_contents();
            whole_ = true;
        }
        return reply;
    }

    // Handles an answer's head: false if its body does not continue the existing part.
    bool begin(const Reply& reply) {
        const auto remote = describe(reply);
        content_type_ = reply.header("content-type");
        // Otherwise the server does not support ranges, or the file has changed.
        const bool goes_on = reply.status == 206 && size() > 0;
        if (!remote || remote->begin != (goes_on ? size() : 0) || (goes_on && !is_same(*remote))) {
            begin_anew_ = true;
            return false;
        }
        answer_ = *remote;
        is_model_ = goes_on;
        if (goes_on) {
            // Answers to If-Range may omit the version's name.
            if (answer_.identity.empty())
                std::tie(answer_.identity, answer_.if_range) = std::tie(remote_.identity, remote_.if_range);
            remote_ = answer_;
            require_room();
        }
        return true;
    }

    bool is_same(const RemoteFile& remote) const {
        if (remote.identity.empty()) return !remote_.if_range.empty();
        return mark_of(remote.identity) == part_->mark();
    }

    bool take(const char* data, std::size_t n) {
        if (is_model_) {
            store(data, n);
            return true;
        }
        head_.append(data, n);
        if (is_gguf(head_)) {
            if (part_) drop_part();  // only now: a sign-in page must not cost the part
            remote_ = answer_;
            require_room();
            part_.emplace(order_.target, mark_of(remote_.identity), locked_);
            part_->clear();
            store(head_.data(), head_.size());
            head_.clear();
            is_model_ = true;
        } else if (head_.size() >= kHead) {
            refuse_contents();
        }
        return true;
    }

    void store(const char* data, std::size_t n) {
        try {
            part_->append(data, n);
        } catch (const Error&) {
            require_room();  // if the disk is full, says how much is missing
            throw;
        }
    }

    void require_room() const {
        const fs::path folder = order_.target.parent_path();
        const std::uint64_t left = remote_.bytes - std::min(size(), remote_.bytes);
        std::error_code error;
        const auto room = fs::space(folder, error).available;
        if (error || left <= room) return;
        fail(ErrorCode::kIo,
             "{}: {} bytes are still to be loaded, and the disk of {} has room for {}: free some, or set "
             "KVSPLIT_CACHE to a folder on another disk",
             order_.target.filename().string(), left, folder.string(), room);
    }

    [[noreturn]] void refuse_contents() const {
        fail(ErrorCode::kFormat, "{}: what came is {}", shown_, describe_contents(head_, content_type_));
    }

    [[noreturn]] void give_up(const Reply& reply, const Retry& retry) const {
        if (retry.tries() == 0 || size() == 0) refuse(shown_, reply, order_.access);
        fail(ErrorCode::kIo,
             "{}: the download stopped after {} bytes: {}; run the command again to go on from there", shown_,
             size(), reason_of(reply));
    }

    void finish() {
        if (remote_.bytes > 0 && size() != remote_.bytes) {
            discard(fmt::format("{} bytes, but the server states {}", size(), remote_.bytes));
        }
        if (remote_.bytes == 0) check_end();
        if (!remote_.sha256.empty()) {
            const std::string found = sha256_of_file(
                part_->path(), [&](std::uint64_t done) { return report(Progress::Stage::kCheck, done); });
            if (found.empty()) fail(ErrorCode::kCancelled, "stopped");
            if (found != remote_.sha256) {
                discard(fmt::format("SHA-256 {}, but the server states {}", found, remote_.sha256));
            }
        }
        part_->move_to(order_.target);
        remove_other_parts(order_.target);
    }

    // Without a stated size, the end of a connection may be premature.
    void check_end() {
        // One part of a split model cannot be read alone.
        if (!order_.check || parse_split_name(order_.target.string())) return;
        try {
            order_.check(part_->path());
        } catch (const Error& error) {
            if (error.code() != ErrorCode::kFormat) throw;
            discard(fmt::format("{} bytes, which are not all: {}", size(), error.what()));
        }
    }

    [[noreturn]] void discard(const std::string& why) {
        drop_part();
        fail(ErrorCode::kFormat,
             "{}: what was loaded has {}; it is deleted, run the command again to load it anew", shown_, why);
    }

    Http& http_;
    const Order& order_;
    const Reports& reports_;
    const bool locked_;
    const std::string shown_;
    std::optional<PartFile> part_;
    RemoteFile remote_;         // the file of the part
    RemoteFile answer_;         // the file of the latest answer
    std::string content_type_;  // of that answer
    std::string head_;          // its first bytes, until they identify it
    std::uint64_t furthest_ = 0;
    bool is_model_ = false, whole_ = false, begin_anew_ = false;
};

}  // namespace

void download(Http& http, const Order& order, const Reports& reports) {
    const fs::path& target = order.target;
    std::error_code error;
    fs::create_directories(target.parent_path(), error);
    if (error) fail_to_write(target.parent_path().string(), error.value());
    bool told = false;
    const FileLock lock(target.string() + ".lock", [&] {
        if (!std::exchange(told, true)) {
            reports.on_note(
                fmt::format("{}: another program is loading this file; waiting for it", target.string()));
        }
        if (!reports.on_progress(
                {Progress::Stage::kWait, target.filename().string(), largest_part(target), 0})) {
            fail(ErrorCode::kCancelled, "stopped");
        }
    });
    if (is_gguf_file(target.string())) return;  // the other program has completed it
    Download(http, order, reports, lock.held()).run();
}

}  // namespace kvsplit::fetch
