// What commands print: the answer on stdout, all else on stderr.
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

// "kvsplit: note: ..." on stderr.
void print_note(std::string_view text);
template <typename... Args>
void note(fmt::format_string<Args...> format, Args&&... args) {
    print_note(fmt::format(format, std::forward<Args>(args)...));
}

// Writes to stdout at once. False when the reader has gone; throws Error(kIo) for other failures.
bool write_out(std::string_view text);
bool stdout_is_terminal();
void write_json(const Json& object);  // one object, indented

// "k8v4: keys 1.2 MiB, ..., 59.1 % saved against f16"
std::string kv_text(const KvSpec& spec, const KvStats& stats, int n_tokens);

// What query heads share in latent attention, and which side of --kv is the width of which part.
std::string latent_text(const ModelInfo& info);

// A line on a terminal's stderr that comes after a second of work and goes when the work is done. Nothing
// where stderr is no terminal.
class ProgressLine {
  public:
    explicit ProgressLine(std::string label);
    ~ProgressLine();
    ProgressLine(const ProgressLine&) = delete;
    ProgressLine& operator=(const ProgressLine&) = delete;

    // fraction of the work in [0, 1]; detail follows the remaining time.
    void update(double fraction, std::string_view detail = {});
    void clear();

  private:
    using Clock = std::chrono::steady_clock;
    std::string label_;
    bool terminal_, shown_ = false;
    Clock::time_point start_, last_;
};

}  // namespace kvsplit::cli
