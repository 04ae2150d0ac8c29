// Measurements as JSON, for `--json` and results.json. docs/cli.md documents the names.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>

#include "lab/compare_results.h"

namespace kvsplit::lab {

using Json = nlohmann::ordered_json;  // keys stay in the documented order

// {"key","value","exact","total","f16_total"}
Json kv_bytes_json(const KvStats& stats);
Json divergence_json(const std::optional<Divergence>& divergence);
Json speed_json(const SpeedResult& result);

Json to_json(const CompareResults& results);

// Reads the measurements of an earlier run into `results`, which has this run's subject and settings and no
// measurements yet. Throws Error(kFormat) if the JSON is not from to_json(), and Error(kInvalidArgument) if
// its subject or settings differ; messages begin with `file`.
void read_measurements(const Json& json, const std::string& file, CompareResults& results);

}  // namespace kvsplit::lab
