#include "fetch/refusal.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "base/error.h"
#include "fetch/redact.h"
#include "fetch/retry.h"

namespace kvsplit::fetch {
namespace {

// The server's own explanation: " (the server says: ...)".
std::string explanation(const Reply& reply) {
    constexpr std::size_t kLimit = 200;
    std::string said = reply.header("x-error-message");
    if (said.empty()) {
        const auto json = nlohmann::json::parse(reply.body, nullptr, false);
        if (const auto error = json.is_object() ? json.find("error") : json.end();
            json.is_object() && error != json.end() && error->is_string()) {
            said = *error;
        } else if (reply.header("content-type").find("html") == std::string::npos) {
            said = reply.body;
        }
    }
    const std::string text = excerpt(said, kLimit);
    return text.empty() ? "" : fmt::format("; the server says: {}", text);
}

std::string advice_for_refused(const Access& access) {
    if (access.hub_page.empty()) {
        return "a signed address may have expired: get a new one. A name and password go into the address, "
               "as in https://USER:PASSWORD@HOST/FILE";
    }
    if (access.has_token) {
        return fmt::format(
            "HF_TOKEN gives no access: accept the model's terms on {}, or set HF_TOKEN to a valid token "
            "that may read this model. A name may also be misspelt",
            access.hub_page);
    }
    return fmt::format(
        "a name may be misspelt; for a private or gated model accept its terms on {} and set HF_TOKEN to "
        "your token",
        access.hub_page);
}

}  // namespace

void refuse(const std::string& shown, const Reply& reply, const Access& access) {
    const int status = reply.status;
    if (reply.cause != Reply::Cause::kNone) fail(ErrorCode::kIo, "{}: {}", shown, reply.failure);
    if (status == 404 || status == 410) {
        fail(ErrorCode::kNotFound, "{}: there is no such file (HTTP {}){}", shown, status,
             explanation(reply));
    }
    if (status == 401 || status == 403) {
        fail(ErrorCode::kIo, "{}: access is refused (HTTP {}): {}{}", shown, status,
             advice_for_refused(access), explanation(reply));
    }
    if (status == 407)
        fail(ErrorCode::kIo, "{}: the proxy wants a name and password (HTTP 407): set https_proxy", shown);
    fail(ErrorCode::kIo, "{}: the server answers HTTP {}{}", shown, status, explanation(reply));
}

}  // namespace kvsplit::fetch
