#include "fetch/contents.h"

#include <fmt/format.h>

#include <array>
#include <fstream>

#include "base/ascii.h"
#include "fetch/redact.h"

namespace kvsplit::fetch {
namespace {

struct Kind {
    std::string_view begins;  // in lower case
    std::string_view what, advice;
};

constexpr std::string_view kPage =
    "a page is not the file: the network may want a sign-in, or the address shows the file instead of "
    "downloading it (open it in a browser to see)";
constexpr std::string_view kPacked = "unpack it, and give the path of the GGUF file";
constexpr std::array kKinds{
    Kind{"version https://git-lfs", "a Git LFS pointer",
         "use the address that downloads the file itself (on Hugging Face with /resolve/ instead of /raw/)"},
    Kind{"<!doctype html", "an HTML page", kPage},
    Kind{"<html", "an HTML page", kPage},
    Kind{"<?xml", "an XML text", "it may say why there is no file"},
    Kind{"{", "a JSON text", "it may say why there is no file"},
    Kind{"\x1f\x8b", "a gzip file", kPacked},
    Kind{"pk\x03\x04", "a zip file", kPacked},
    Kind{"\x28\xb5\x2f\xfd", "a zstd file", kPacked},
    Kind{"\3757zxz", "an xz file", kPacked},
    Kind{"ggml", "a GGML file",
         "that format is older than GGUF and is not read: look for a GGUF file of the model"},
    Kind{"ggjt", "a GGML file",
         "that format is older than GGUF and is not read: look for a GGUF file of the model"},
};
constexpr Kind kNothing{"", "an empty file", "the server may say more in a browser"};
constexpr Kind kOther{"", "no GGUF file", "models are GGUF files: check the address"};

const Kind& kind_of(std::string_view head, const std::string& content_type) {
    const std::size_t text = head.find_first_not_of("\xef\xbb\xbf \t\r\n");
    if (text == head.npos) return kNothing;
    const std::string lower = lower_ascii(std::string(head.substr(text)));
    for (const Kind& kind : kKinds) {
        if (lower.starts_with(kind.begins)) return kind;
    }
    return lower.front() == '<' && content_type.starts_with("text/html") ? kKinds[1] : kOther;
}

}  // namespace

bool is_gguf(std::string_view head) { return head.starts_with("GGUF"); }

bool is_gguf_file(const std::string& path) {
    char head[4] = {};
    std::ifstream file(path, std::ios::binary);
    return file.read(head, sizeof head) && is_gguf({head, sizeof head});
}

std::string describe_contents(std::string_view head, const std::string& content_type) {
    const Kind& kind = kind_of(head, content_type);
    const std::string type = content_type.empty() ? "" : fmt::format(" ({})", excerpt(content_type));
    const std::string begins = excerpt(head);
    return fmt::format("{}{}{}: {}", kind.what, type,
                       begins.empty() ? "" : fmt::format(", which begins '{}'", begins), kind.advice);
}

}  // namespace kvsplit::fetch
