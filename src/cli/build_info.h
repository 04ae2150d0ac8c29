// What kvsplit info prints without a model file: what this build supports, and this machine.
#pragma once

namespace kvsplit::cli {

void print_architectures(bool json);
// The processor, the kernels chosen for it, and how fast memory is read. Takes a fraction of a second.
void print_processor(bool json);

}  // namespace kvsplit::cli
