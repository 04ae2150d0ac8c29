// Errors for answers without a file.
#pragma once

#include <string>

#include "fetch/http.h"

namespace kvsplit::fetch {

// How a server is accessed; used for advice.
struct Access {
    std::string hub_page;    // of the model, where its terms can be accepted; "" if not on a hub
    bool has_token = false;  // HF_TOKEN is set
};

// Throws an Error that explains a reply without a file: kNotFound for 404 and 410, else kIo. shown: the
// address, redacted.
[[noreturn]] void refuse(const std::string& shown, const Reply& reply, const Access& access);

}  // namespace kvsplit::fetch
