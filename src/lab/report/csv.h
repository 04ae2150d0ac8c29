// A comparison as CSV (RFC 4180), for other programs.
#pragma once

#include <string>

#include "lab/compare_results.h"

namespace kvsplit::lab {

// A header, then one line per cache and context. Missing figures are empty fields. Units: bytes, tokens per
// second, nats.
std::string to_csv(const CompareResults& results);

}  // namespace kvsplit::lab
