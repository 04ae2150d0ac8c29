#include "lab/report/files.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <fstream>

#include "base/error.h"
#include "lab/report/charts.h"
#include "lab/report/csv.h"
#include "lab/report/html.h"
#include "lab/report/theme.h"

namespace kvsplit::lab {
namespace {

constexpr const char* kResults = "results.json";
constexpr off_t kRoom = 1 << 20;  // bytes: more than a report takes

// A file that does not appear until commit().
class NewFile {
  public:
    explicit NewFile(std::string path) : path_(std::move(path)), part_(path_ + ".part") {
        fd_ = ::open(part_.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
        if (fd_ < 0) refuse(errno);
    }
    ~NewFile() {
        if (fd_ < 0) return;
        ::close(fd_);
        ::unlink(part_.c_str());
    }
    NewFile(const NewFile&) = delete;
    NewFile& operator=(const NewFile&) = delete;

    void reserve(off_t bytes) {
        const int error = ::posix_fallocate(fd_, 0, bytes);
        if (error != 0 && error != EINVAL && error != EOPNOTSUPP) refuse(error);
    }

    void write(std::string_view contents) {
        while (!contents.empty()) {
            const ssize_t n = ::write(fd_, contents.data(), contents.size());
            if (n >= 0) {
                contents.remove_prefix(static_cast<std::size_t>(n));
            } else if (errno != EINTR) {
                refuse(errno);
            }
        }
    }

    void commit() {
        if (::fsync(fd_) != 0) refuse(errno);
        if (std::rename(part_.c_str(), path_.c_str()) != 0) refuse(errno);
        ::close(fd_);
        fd_ = -1;
    }

  private:
    [[noreturn]] void refuse(int error) {
        fail(ErrorCode::kIo, "{}: cannot write: {}", path_, errno_text(error));
    }

    std::string path_, part_;
    int fd_ = -1;
};

}  // namespace

ReportFolder::ReportFolder(std::string path) : path_(std::move(path)) {
    std::error_code error;
    std::filesystem::create_directories(path_, error);
    if (error) fail(ErrorCode::kIo, "{}: cannot make this folder: {}", path_, error.message());
    NewFile(file(kResults)).reserve(kRoom);
}

std::string ReportFolder::file(std::string_view name) const {
    return (std::filesystem::path(path_) / name).string();
}

bool ReportFolder::has_results() const {
    std::error_code error;
    return std::filesystem::exists(file(kResults), error);
}

Json ReportFolder::read_results() const {
    std::ifstream in(file(kResults));
    if (!in) fail(ErrorCode::kIo, "{}: cannot read: {}", file(kResults), errno_text(errno));
    try {
        return Json::parse(in);
    } catch (const nlohmann::json::exception& error) {
        fail(ErrorCode::kFormat, "{}: damaged: {}", file(kResults), error.what());
    }
}

void ReportFolder::write(std::string_view name, std::string_view contents) const {
    NewFile out(file(name));
    out.write(contents);
    out.commit();
}

void ReportFolder::write_results(const CompareResults& results) const {
    // Names from files may contain invalid UTF-8: show U+FFFD instead of failing.
    write(kResults, to_json(results).dump(2, ' ', false, Json::error_handler_t::replace) + "\n");
}

void ReportFolder::write_report(const CompareResults& results) const {
    const Summary summary(results);
    const auto charts = all_charts(summary);
    for (const auto& chart : charts) write(chart.name + ".svg", chart.wide->file(picture_style()));
    write("results.csv", to_csv(results));
    write("report.html", to_html(summary, charts));
}

}  // namespace kvsplit::lab
