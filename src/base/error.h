// fail(): throws an Error with a formatted message.
#pragma once

#include <fmt/core.h>

#include <utility>

#include "kvsplit/error.h"

namespace kvsplit {

template <typename... Args>
[[noreturn]] void fail(ErrorCode code, fmt::format_string<Args...> format, Args&&... args) {
    throw Error(code, fmt::format(format, std::forward<Args>(args)...));
}

// The text of errno, thread-safe.
std::string errno_text(int error_number);

}  // namespace kvsplit
