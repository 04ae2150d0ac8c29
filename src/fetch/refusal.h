// Errors for answers that bring no file.
#pragma once

#include <string>

#include "fetch/http.h"

namespace kvsplit::fetch {

// How a server is met, for advice.
struct Access {
    std::string hub_page;    // of the model, where its terms can be accepted; "": the address is not a hub's
    bool has_token = false;  // HF_TOKEN is set
};

// Throws an Error that explains a reply without a file: kNotFound for 404 and 410, else kIo. shown: the
// address, redacted.
[[noreturn]] void refuse(const std::string& shown, const Reply& reply, const Access& access);

}  // namespace kvsplit::fetch
