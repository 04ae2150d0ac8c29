// Retry: whether to repeat a request, and after which pause.
#pragma once

#include <chrono>
#include <ctime>
#include <random>
#include <string>

#include "fetch/http.h"
#include "fetch/progress.h"

namespace kvsplit::fetch {

// The pause that a server asks for in Retry-After (seconds or a date) or RateLimit, at most five minutes; -1
// if none.
std::chrono::seconds stated_pause(const Reply& reply, std::time_t now);

// For one file. Pauses double with each try, with random variation.
class Retry {
  public:
    // shown: the address, for notes.
    Retry(std::chrono::milliseconds first_pause, std::string shown, const Reports& reports);

    // Pauses and returns true if a retry may succeed; false if the reply is final, or after the last try.
    // Throws Error(kCancelled).
    bool pause_after(const Reply& reply, const Progress& progress);
    void start_anew() { tries_ = 0; }  // the last try made progress
    int tries() const { return tries_; }

  private:
    std::chrono::milliseconds pause_for(const Reply& reply);

    std::chrono::milliseconds first_pause_;
    std::string shown_;
    const Reports& reports_;
    int tries_ = 0;  // failed in a row
    std::minstd_rand random_;
};

// "HTTP 503", or the network's error.
std::string reason_of(const Reply& reply);

}  // namespace kvsplit::fetch
