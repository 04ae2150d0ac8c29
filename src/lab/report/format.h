// Numbers as reports and commands print them.
#pragma once

#include <string>

namespace kvsplit::lab {

// "93.8 MiB"
std::string format_bytes(double bytes);
// "8,192"
std::string format_count(long long n);
// At least two significant digits, no exponent: "0.0089", "1.8", "45".
std::string format_short(double value);
// A divergence in nats, formatted in thousandths: "0.37"; "0" for zero.
std::string format_kld(double nats);
// "+0.03"
std::string format_signed(double value, int decimals);
// "4 min 20 s"
std::string format_time(double seconds);

// Replaces a report's non-ASCII characters: "+-" for "±".
std::string ascii(std::string text);

}  // namespace kvsplit::lab
