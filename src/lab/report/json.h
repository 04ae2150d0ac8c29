// Measurements as JSON: what `--json` prints, and what results.json holds. Names are documented in
// docs/cli.md.
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

// Takes the measurements out of the JSON of an earlier run into `results`, which has the subject and the
// settings of this one and no measurements yet. Throws Error(kFormat) where the JSON is not what to_json()
// writes, and Error(kInvalidArgument) where it is of another subject or other settings; the message begins
// with `file`.
void read_measurements(const Json& json, const std::string& file, CompareResults& results);

}  // namespace kvsplit::lab
