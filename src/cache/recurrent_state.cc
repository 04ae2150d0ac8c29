#include "cache/recurrent_state.h"

#include <cstring>
#include <utility>

namespace kvsplit {
namespace {

std::size_t aligned_bytes(std::size_t floats) { return (floats * sizeof(float) + 63) / 64 * 64; }

}  // namespace

std::size_t RecurrentShape::layer_bytes() const { return aligned_bytes(tail) + aligned_bytes(state); }

RecurrentState::RecurrentState(const RecurrentShape& shape, PageMemory memory)
    : shape_(shape), memory_(std::move(memory)), layers_(static_cast<std::size_t>(shape.n_layers)) {}

float* RecurrentState::tail(int layer) {
    Page& page = layers_[static_cast<std::size_t>(layer)];
    if (!page) {
        page = memory_.allocate(shape_.layer_bytes());
        std::memset(page.get(), 0, shape_.layer_bytes());
    }
    return reinterpret_cast<float*>(page.get());
}

float* RecurrentState::state(int layer) { return tail(layer) + aligned_bytes(shape_.tail) / sizeof(float); }

void RecurrentState::clear() {
    for (Page& page : layers_) page.reset();
}

RecurrentState RecurrentState::fork() const {
    RecurrentState copy = *this;
    for (Page& page : copy.layers_) {
        if (!page) continue;
        Page own = copy.memory_.allocate(shape_.layer_bytes());
        std::memcpy(own.get(), page.get(), shape_.layer_bytes());
        page = std::move(own);
    }
    return copy;
}

std::size_t RecurrentState::bytes() const {
    std::size_t bytes = 0;
    for (const Page& page : layers_) bytes += page ? shape_.layer_bytes() : 0;
    return bytes;
}

}  // namespace kvsplit
