// A comparison as CSV (RFC 4180), for tables and plots made elsewhere.
#pragma once

#include <string>

#include "lab/compare_results.h"

namespace kvsplit::lab {

// One line for each cache and context, with a head line. A field is empty where there is no figure. Bytes,
// tokens per second, nats.
std::string to_csv(const CompareResults& results);

}  // namespace kvsplit::lab
