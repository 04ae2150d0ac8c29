// Printing: answers go to stdout, everything else to stderr.
#pragma once

#include <fmt/core.h>

#include <chrono>
#include <string>
#include <string_view>

#include "kvsplit/model.h"
#include "lab/report/format.h"
#include "lab/report/json.h"

namespace kvsplit::cli {

using lab::format_bytes;
using lab::format_count;
using lab::Json;
using lab::kv_bytes_json;

// Fills closed descriptors among 0, 1 and 2, so that no file opened later takes their place and receives
// output. Reading such a 0 and writing such a 1 fail. Call before anything else.
void reserve_standard_descriptors();

// Writes to stderr without buffering, for everything that is not an answer. Drops what cannot be written: a
// broken stderr must not cost a result.
void write_err(std::string_view text) noexcept;
// The same for another descriptor.
void write_if_possible(int fd, std::string_view text) noexcept;
template <typename... Args>
void say(fmt::format_string<Args...> format, Args&&... args) {
    write_err(fmt::format(format, std::forward<Args>(args)...));
}

// "kvsplit: note: ..." on stderr.
template <typename... Args>
void note(fmt::format_string<Args...> format, Args&&... args) {
    say("kvsplit: note: {}\n", fmt::format(format, std::forward<Args>(args)...));
}

// Writes to stdout without buffering. False if the reader has gone; throws Error(kIo) for other failures.
bool write_out(std::string_view text);
bool stdout_is_terminal();
void write_json(const Json& object);  // one object, indented

// "k8v4: keys 1.2 MiB, ..., 59.1 % saved against f16"
std::string kv_text(const KvSpec& spec, const KvStats& stats, int n_tokens);

// Describes what query heads share in latent attention, and which side of --kv applies to which part.
std::string latent_text(const ModelInfo& info);

// A progress line on stderr, cut to the terminal's width; appears after a second and disappears when done.
// Shown only on a terminal that can erase lines.
class ProgressLine {
  public:
    explicit ProgressLine(std::string label);
    ~ProgressLine();
    ProgressLine(const ProgressLine&) = delete;
    ProgressLine& operator=(const ProgressLine&) = delete;

    // fraction: of the work, in [0, 1]. detail: shown after the remaining time.
    void update(double fraction, std::string_view detail = {});
    void clear();

  private:
    using Clock = std::chrono::steady_clock;
    std::string label_;
    bool terminal_, shown_ = false;
    Clock::time_point start_, last_;
};

}  // namespace kvsplit::cli
