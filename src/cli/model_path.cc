#include "cli/model_path.h"

#include <unistd.h>

#include <cerrno>

#include "base/error.h"
#include "cli/interrupt.h"
#include "cli/output.h"
#ifdef KVSPLIT_HAS_FETCH
#include "fetch/address.h"
#include "fetch/fetch.h"
#include "fetch/redact.h"
#include "gguf/gguf.h"
#endif

namespace kvsplit::cli {

CLI::Option* add_model_option(CLI::App& command, const std::string& name, std::string& path) {
    command.parse_complete_callback([&path] { path = local_model(path); });
    return command.add_option(name, path, "the model: a GGUF file, hf:OWNER/REPOSITORY[/FILE] or a URL")
        ->type_name("MODEL");
}

void require_model(const std::string& path) {
    if (::access(path.c_str(), F_OK) == 0 || errno != ENOENT) return;
    fail(ErrorCode::kNotFound,
         "{}: there is no such file; a model is a GGUF file, or an address such as hf:OWNER/REPOSITORY",
         path);
}

#ifdef KVSPLIT_HAS_FETCH
namespace {

// One progress line per file and stage.
class DownloadLine {
  public:
    void update(const fetch::Progress& progress) {
        const std::string label = fmt::format("{} {}", verb(progress.stage), progress.file);
        if (label != label_) line_.emplace(label_ = label);
        const double total = static_cast<double>(progress.total), done = static_cast<double>(progress.done);
        line_->update(total > 0 ? done / total : 0, format_bytes(done));
    }

    // Call before printing anything else.
    void clear() {
        if (line_) line_->clear();
    }

  private:
    static std::string_view verb(fetch::Progress::Stage stage) {
        switch (stage) {
            case fetch::Progress::Stage::kDownload:
                return "loading";
            case fetch::Progress::Stage::kCheck:
                return "checking";
            case fetch::Progress::Stage::kWait:
                return "waiting for another program, which loads";
            case fetch::Progress::Stage::kPause:
                return "waiting before another try:";
        }
        return "";
    }

    std::string label_;
    std::optional<ProgressLine> line_;
};

}  // namespace

std::string local_model(const std::string& path) {
    if (!fetch::is_remote(path)) return path;
    const InterruptGuard interrupt;
    DownloadLine line;
    fetch::Options options = fetch::Options::from_environment();
    options.reports.on_progress = [&](const fetch::Progress& progress) {
        line.update(progress);
        return !interrupt.raised();
    };
    options.reports.on_note = [&](const std::string& text) {
        line.clear();
        note("{}", text);
    };
    options.check = [](const std::string& file) { gguf::File{file}; };
    try {
        return fetch::fetch_model(path, options);
    } catch (const Error& error) {
        if (error.code() != ErrorCode::kCancelled) throw;
        fail(ErrorCode::kCancelled, "{}: stopped; what was loaded is kept, run the command again to go on",
             fetch::redacted(path));
    }
}
#else
std::string local_model(const std::string& path) {
    if (path.starts_with("hf:") || path.find("://") != std::string::npos) {
        fail(ErrorCode::kUnsupported,
             "{}: this program was built without downloads; load the file with another program, or build "
             "again with "
             "libcurl4-openssl-dev and libssl-dev installed",
             path);
    }
    return path;
}
#endif

}  // namespace kvsplit::cli
