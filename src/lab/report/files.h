// The output folder of a comparison. Files appear whole or not at all: each is written under another name and
// then renamed, so that a full disk or a crash never damages an existing file.
#pragma once

#include <string>
#include <string_view>

#include "lab/compare_results.h"
#include "lab/report/json.h"

namespace kvsplit::lab {

class ReportFolder {
  public:
    // Creates the folder if needed, and checks that it has room for a report. Throws Error(kIo).
    explicit ReportFolder(std::string path);

    const std::string& path() const { return path_; }
    std::string file(std::string_view name) const;

    bool has_results() const;
    // Reads results.json. Throws Error(kIo), or Error(kFormat) if it is not JSON.
    Json read_results() const;
    void write_results(const CompareResults& results) const;

    // Writes report.html, results.csv and an SVG per chart. Throws Error(kIo).
    void write_report(const CompareResults& results) const;

  private:
    void write(std::string_view name, std::string_view contents) const;

    std::string path_;
};

}  // namespace kvsplit::lab
