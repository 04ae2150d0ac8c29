#include "cli/version.h"

namespace kvsplit::cli {

std::string_view version() { return KVSPLIT_VERSION; }
std::string_view commit() { return KVSPLIT_COMMIT; }

}  // namespace kvsplit::cli
