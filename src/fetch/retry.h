// Retry: when a request is made again, and after which pause.
#pragma once

#include <chrono>
#include <ctime>
#include <random>
#include <string>

#include "fetch/http.h"
#include "fetch/progress.h"

namespace kvsplit::fetch {

// The pause that a server asks for, by Retry-After (seconds or a date) or RateLimit, at most five minutes; -1
// where it says nothing.
std::chrono::seconds stated_pause(const Reply& reply, std::time_t now);

// For one file. Pauses double with each try, with some chance in them.
class Retry {
  public:
    // shown: the address, for notes.
    Retry(std::chrono::milliseconds first_pause, std::string shown, const Reports& reports);

    // True after a pause if the reply is one that may be better the next time; false for one that is final,
    // or after the last try. Throws Error(kCancelled).
    bool pause_after(const Reply& reply, const Progress& progress);
    void start_anew() { tries_ = 0; }  // the last try brought something
    int tries() const { return tries_; }

  private:
    std::chrono::milliseconds pause_for(const Reply& reply);

    std::chrono::milliseconds first_pause_;
    std::string shown_;
    const Reports& reports_;
    int tries_ = 0;  // failed in a row
    std::minstd_rand random_;
};

// "HTTP 503" or what the network says.
std::string reason_of(const Reply& reply);

}  // namespace kvsplit::fetch
