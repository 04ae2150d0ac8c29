#include "lab/builtin_text.h"

namespace kvsplit {

namespace embedded {
extern const std::string_view war_and_peace;  // made by the build from src/lab/data/war_and_peace.txt
}

std::string_view lab::builtin_text() { return embedded::war_and_peace; }

}  // namespace kvsplit
