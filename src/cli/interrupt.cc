#include "cli/interrupt.h"

namespace kvsplit::cli {
namespace {

volatile std::sig_atomic_t interrupted = 0;
struct sigaction action_before {};

extern "C" void note_interrupt(int signal) {
    interrupted = 1;
    sigaction(signal, &action_before, nullptr);  // the next one has its usual effect
}

}  // namespace

InterruptGuard::InterruptGuard() {
    interrupted = 0;
    struct sigaction action {};
    action.sa_handler = note_interrupt;
    action.sa_flags = 0;  // no SA_RESTART: a blocked read returns
    sigemptyset(&action.sa_mask);
    sigaction(SIGINT, nullptr, &before_);
    action_before = before_;
    sigaction(SIGINT, &action, nullptr);
}

InterruptGuard::~InterruptGuard() { sigaction(SIGINT, &before_, nullptr); }

bool InterruptGuard::raised() const { return interrupted != 0; }

}  // namespace kvsplit::cli
