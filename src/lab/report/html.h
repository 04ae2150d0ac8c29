// A comparison as one self-contained page: no network, no scripts.
#pragma once

#include <string>
#include <vector>

#include "lab/report/charts.h"
#include "lab/report/summary.h"

namespace kvsplit::lab {

std::string to_html(const Summary& summary, const std::vector<NamedChart>& charts);

}  // namespace kvsplit::lab
