#include "fetch/fetch.h"

#include <fmt/format.h>

#include <fstream>
#include <utility>
#include <vector>

#include "base/ascii.h"
#include "base/error.h"
#include "base/split_name.h"
#include "fetch/address.h"
#include "fetch/choice.h"
#include "fetch/contents.h"
#include "fetch/download.h"
#include "fetch/hub.h"
#include "fetch/part_file.h"
#include "fetch/place.h"
#include "fetch/redact.h"

namespace kvsplit::fetch {
namespace {

namespace fs = std::filesystem;

// The names of all parts of a model, or of its one file.
std::vector<std::string> all_parts(const std::string& file) {
    const auto split = parse_split_name(file);
    if (!split) return {file};
    std::vector<std::string> parts;
    for (int n = 1; n <= split->count; ++n) parts.push_back(split->part(n));
    return parts;
}

class Fetcher {
  public:
    explicit Fetcher(const Options& options)
        : options_(options),
          hub_(options.endpoint, !options.token.empty()),
          http_({options.token, parse_url(options.endpoint + "/").text, options.stall}) {}

    std::string from_hub(const HubAddress& address) {
        const fs::path folder = hub_folder(options_.cache, address);
        const std::string file = address.file.empty() ? choose(address, folder) : address.file;
        for (const std::string& part : all_parts(file)) {
            const fs::path target = folder / hub_file(part);
            if (!is_there(target)) load({hub_.file_url(address, part), target, hub_.access(address)});
        }
        return use(folder / hub_file(file));
    }

    std::string from_url(const std::string& text) {
        const Url url = hub_.direct(parse_url(text));
        if (url.file().empty() && url.query.empty()) {
            fail(ErrorCode::kInvalidArgument, "{}: this address names no file", url.shown());
        }
        const fs::path cache = options_.cache;
        const auto old = old_url_file(cache, text);
        const auto parts = all_parts(url.path), old_parts = all_parts(old ? old->string() : "");
        for (std::size_t n = 0; n < parts.size(); ++n) {
            const Url part_url = url.with_path(parts[n]);
            const fs::path target = url_file(cache, part_url);
            if (old && n < old_parts.size()) adopt(old_parts[n], target);
            if (!is_there(target)) load({part_url, target, hub_.access(url)});
        }
        return use(url_file(cache, url));
    }

  private:
    // Whether the cache has the file. Removes non-models, such as web pages kept by earlier versions.
    bool is_there(const fs::path& target) {
        std::error_code error;
        if (!fs::is_regular_file(target, error)) return false;
        if (is_gguf_file(target.string())) return true;
        std::ifstream file(target, std::ios::binary);
        if (!file) fail(ErrorCode::kIo, "{}: cannot be read", target.string());
        options_.reports.on_note(fmt::format("{} is not a GGUF file; loading it again", target.string()));
        fs::remove(target, error);
        return false;
    }

    // Moves a file from its old place in the cache.
    void adopt(const fs::path& old, const fs::path& target) {
        std::error_code error;
        if (fs::exists(target, error) || !fs::is_regular_file(old, error)) return;
        fs::create_directories(target.parent_path(), error);
        fs::rename(old, target, error);
        // Removes emptied folders, whose names may contain a password.
        for (fs::path at = old.parent_path(); !error && at.filename() != "url"; at = at.parent_path()) {
            fs::remove(at, error);
        }
    }

    void load(Order order) {
        if (!std::exchange(swept_, true)) sweep();
        order.first_pause = options_.first_pause;
        order.check = options_.check;
        asked_ = true;
        download(http_, order, options_.reports);
    }

    void sweep() {
        const Removed removed = remove_stale_parts(options_.cache);
        if (removed.files == 0) return;
        options_.reports.on_note(
            fmt::format("removed unfinished downloads that were untouched for two weeks: {} files, {} bytes",
                        removed.files, removed.bytes));
    }

    std::string use(const fs::path& file) {
        if (!asked_) options_.reports.on_note(fmt::format("using {}, loaded before", file.string()));
        return file.string();
    }

    bool has_all(const fs::path& folder, const std::string& file) const {
        for (const std::string& part : all_parts(file)) {
            if (!is_gguf_file((folder / hub_file(part)).string())) return false;
        }
        return true;
    }

    // The file to use if none was named. An earlier choice is kept and needs no network.
    std::string choose(const HubAddress& address, const fs::path& folder) {
        const std::string wish = address.wanted.empty() ? "" : "-" + address.wanted;
        const fs::path record = folder / (".choice" + lower_ascii(wish));
        // Earlier versions may have recorded side files.
        for (const fs::path& path : {record, folder / (".chosen" + wish)}) {
            std::ifstream in(path);
            std::string known;
            if (!std::getline(in, known) || !is_safe_file_name(known) || !has_all(folder, known)) continue;
            if (path == record || !is_side_file(known)) return known;
        }
        const std::string chosen = choose_file(list(address, folder), address);
        if (asked_) {
            options_.reports.on_note(fmt::format("{}: {}", address.repository, chosen));
            std::error_code error;
            fs::create_directories(folder, error);
            std::ofstream(record) << chosen << '\n';
        }
        return chosen;
    }

    // The repository's files, or those in the cache if the hub does not answer.
    std::vector<std::string> list(const HubAddress& address, const fs::path& folder) {
        try {
            asked_ = true;
            return hub_.list_files(http_, address, options_.first_pause, options_.reports);
        } catch (const Error& error) {
            if (error.code() == ErrorCode::kCancelled) throw;
            std::vector<std::string> files;
            std::error_code none;
            for (fs::recursive_directory_iterator at(folder, none), end; !none && at != end;
                 at.increment(none)) {
                const std::string name = fs::relative(at->path(), folder, none).string();
                if (at->is_regular_file(none) && has_all(folder, name)) files.push_back(name);
            }
            if (files.empty()) throw;
            asked_ = false;
            options_.reports.on_note(fmt::format("{}; choosing among the files loaded before", error.what()));
            return files;
        }
    }

    const Options& options_;
    Hub hub_;
    Http http_;
    bool asked_ = false;  // a server was asked for this model
    bool swept_ = false;
};

}  // namespace

std::string fetch_model(const std::string& path, const Options& options) {
    if (!is_remote(path)) return path;
    const auto address = parse_hub_address(path);
    Fetcher fetcher(options);
    return address ? fetcher.from_hub(*address) : fetcher.from_url(path);
}

}  // namespace kvsplit::fetch
