#include "fetch/fetch.h"

#include <fmt/format.h>

#include <cctype>
#include <cstdlib>
#include <fstream>
#include <nlohmann/json.hpp>
#include <vector>

#include "base/error.h"
#include "base/split_name.h"
#include "fetch/address.h"
#include "fetch/choice.h"

namespace kvsplit::fetch {
namespace {

namespace fs = std::filesystem;

std::string environment(const char* name) {
    const char* value = std::getenv(name);
    return value ? value : "";
}

// A file's name and those of the other parts, if it is cut into several.
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
        : options_(options), http_(options.token, options.endpoint + "/") {}

    std::string from_hub(const HubAddress& address) {
        const fs::path folder = fs::path(options_.cache) / "hf" / address.repository;
        const std::string file = address.file.empty() ? choose(address, folder) : address.file;
        for (const std::string& part : all_parts(file)) {
            load(fmt::format("{}/{}/resolve/main/{}", options_.endpoint, address.repository, escaped(part)),
                 folder / part);
        }
        return (folder / file).string();
    }

    std::string from_url(const std::string& url) {
        const std::string place = url.substr(url.find("://") + 3);
        const std::size_t query = place.find_first_of("?#");
        const std::string name = place.substr(0, query);
        if (!is_safe_file_name(name) || name.find('/') == std::string::npos) {
            fail(ErrorCode::kInvalidArgument, "{}: this URL names no file", url);
        }
        const fs::path folder = fs::path(options_.cache) / "url";
        const std::string rest = query == std::string::npos ? "" : place.substr(query);
        const std::string scheme = url.substr(0, url.find("://") + 3);
        for (const std::string& part : all_parts(name)) load(scheme + part + rest, folder / part);
        return (folder / name).string();
    }

  private:
    // Bytes that an URL's path cannot hold as they are.
    static std::string escaped(const std::string& path) {
        std::string out;
        for (const char c : path) {
            const auto byte = static_cast<unsigned char>(c);
            const bool plain =
                std::isalnum(byte) || std::string_view("-._~/").find(c) != std::string_view::npos;
            out += plain ? std::string(1, c) : fmt::format("%{:02X}", byte);
        }
        return out;
    }

    void load(const std::string& url, const fs::path& target) {
        if (fs::exists(target)) return;
        download(http_, inspect(http_, url, options_.on_progress), target, options_.on_progress);
    }

    // The file of a repository for which none was named. What was chosen once stays, and needs no network.
    std::string choose(const HubAddress& address, const fs::path& folder) {
        const fs::path note =
            folder / fmt::format(".chosen{}{}", address.wanted.empty() ? "" : "-", address.wanted);
        std::ifstream in(note);
        if (std::string known; std::getline(in, known) && is_safe_file_name(known)) return known;
        const std::string chosen = choose_file(list_files(address.repository), address);
        if (options_.on_note) options_.on_note(fmt::format("{}: {}", address.repository, chosen));
        std::error_code error;
        fs::create_directories(folder, error);
        std::ofstream(note) << chosen << '\n';
        return chosen;
    }

    std::vector<std::string> list_files(const std::string& repository) {
        const std::string url = fmt::format("{}/api/models/{}", options_.endpoint, repository);
        const auto keep_on = [&] {
            return options_.on_progress({Progress::Stage::kDownload, repository, 0, 0});
        };
        const Reply reply = http_.get(url, keep_on);
        if (!reply.is_whole()) refuse(url, reply);
        std::vector<std::string> files;
        const auto json = nlohmann::json::parse(reply.body, nullptr, false);
        if (const auto list = json.is_object() ? json.find("siblings") : json.end();
            json.is_object() && list != json.end() && list->is_array()) {
            for (const auto& entry : *list) {
                if (!entry.is_object()) continue;
                if (const auto name = entry.find("rfilename"); name != entry.end() && name->is_string()) {
                    files.push_back(*name);
                }
            }
        }
        return files;
    }

    const Options& options_;
    Http http_;
};

}  // namespace

Options Options::from_environment() {
    Options options;
    const std::string own = environment("KVSPLIT_CACHE"), shared = environment("XDG_CACHE_HOME"),
                      home = environment("HOME");
    options.cache = !own.empty()      ? own
                    : !shared.empty() ? shared + "/kvsplit"
                    : !home.empty()   ? home + "/.cache/kvsplit"
                                      : "";
    if (options.cache.empty()) {
        fail(ErrorCode::kNotFound, "there is no folder for downloads: set HOME or KVSPLIT_CACHE");
    }
    if (const std::string endpoint = environment("HF_ENDPOINT"); !endpoint.empty())
        options.endpoint = endpoint;
    while (options.endpoint.ends_with('/')) options.endpoint.pop_back();
    options.token = environment("HF_TOKEN");
    return options;
}

std::string fetch_model(const std::string& path, const Options& options) {
    if (!is_remote(path)) return path;
    Fetcher fetcher(options);
    const auto address = parse_hub_address(path);
    return address ? fetcher.from_hub(*address) : fetcher.from_url(path);
}

}  // namespace kvsplit::fetch
