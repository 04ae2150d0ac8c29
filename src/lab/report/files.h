// The folder that a comparison is written to. Files appear whole or not at all: each is written beside its
// place and then renamed, so that a full disk or a crash costs nothing that was there before.
#pragma once

#include <string>
#include <string_view>

#include "lab/compare_results.h"
#include "lab/report/json.h"

namespace kvsplit::lab {

class ReportFolder {
  public:
    // Makes the folder where there is none, and sees that it takes files as large as a report's. Throws
    // Error(kIo).
    explicit ReportFolder(std::string path);

    const std::string& path() const { return path_; }
    std::string file(std::string_view name) const;

    bool has_results() const;
    // results.json. Throws Error(kIo) or, if it is no JSON, Error(kFormat).
    Json read_results() const;
    void write_results(const CompareResults& results) const;

    // report.html, results.csv and a picture for each chart. Throws Error(kIo).
    void write_report(const CompareResults& results) const;

  private:
    void write(std::string_view name, std::string_view contents) const;

    std::string path_;
};

}  // namespace kvsplit::lab
