// Progress reports of a download.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

namespace kvsplit::fetch {

struct Progress {
    enum class Stage {
        kDownload,
        kCheck,  // the SHA-256 is computed
        kWait,   // another program is downloading the file
        kPause,  // before another try
    };
    Stage stage = Stage::kDownload;
    std::string file;         // its name alone
    std::uint64_t done = 0;   // bytes
    std::uint64_t total = 0;  // 0: not known
};

// Called about ten times a second, on the downloading thread. If it returns false, Error(kCancelled) is
// thrown; the part stays for the next run.
using OnProgress = std::function<bool(const Progress&)>;
using OnNote = std::function<void(const std::string&)>;

// Both must be set.
struct Reports {
    OnProgress on_progress;
    OnNote on_note;  // decisions made for the user
};

}  // namespace kvsplit::fetch
