#include "engine/memory_plan.h"

#include <algorithm>
#include <vector>

#include "base/memory.h"

namespace kvsplit {
namespace {

// Most bytes of a batch's pages before sealing: those of the attending layer, and of earlier layers that
// later ones read.
std::size_t waiting_pages(const CacheGeometry& geometry, const KvSpec& f16, int batch) {
    const std::vector<KvBytes> layers = plan_layers(geometry, f16, batch);
    std::size_t most = 0, held = 0;
    for (std::size_t i = 0; i < layers.size(); ++i) {
        most = std::max(most, held + layers[i].total());
        if (geometry.layers[i].n_readers > 1) held += layers[i].total();
    }
    return most;
}

// Resident memory of the process with this file's vocabulary.
std::size_t measure_program(const gguf::File& file) {
    const auto tokenizer = text::Tokenizer::create(file);
    return current_rss();
}

}  // namespace

MemoryPlan::MemoryPlan(const std::string& path, const ModelOptions& options)
    : file_(path),
      description_(describe(file_, options.rope)),
      geometry_(description_.geometry()),
      info_(make_info(file_, description_)),
      program_(measure_program(file_)),
      backend_(make_counting_cpu_backend({options.threads, options.activations()})),
      weights_(load_weights(file_, description_, *backend_)),
      weights_bytes_((backend_->forget_scratch(), backend_->memory().total())) {
    if (weights_.per_layer.table && !options.mmap) table_bytes_ = weights_.per_layer.table->bytes();
}

std::size_t MemoryPlan::working(int context) const {
    constexpr int kBatch = ModelImpl::kBatch;
    const KvSpec f16 = KvSpec::parse("f16");
    backend_->forget_scratch();
    Workspace workspace(*backend_, description_, kBatch);
    const std::vector<Token> tokens(kBatch, 0);
    std::vector<float> hidden(static_cast<std::size_t>(kBatch) * static_cast<std::size_t>(info_.n_embd));
    // A whole batch at the start, and one token at the end.
    for (const auto& [position, n] : {std::pair{0, kBatch}, std::pair{std::max(1, context) - 1, 1}}) {
        KvCache cache(geometry_, f16, backend_->page_memory());
        cache.advance(position);
        const SequenceRun run{&cache, 0, n};
        forward(*backend_, description_, weights_, workspace,
                std::span(tokens).first(static_cast<std::size_t>(n)), {&run, 1}, hidden.data());
    }
    project(*backend_, description_, weights_, hidden.data(), 1, hidden.data());
    const std::size_t batch = backend_->memory().total() - weights_bytes_;
    const std::size_t session = (hidden.size() + static_cast<std::size_t>(info_.n_vocab)) * sizeof(float);
    return batch + session + waiting_pages(geometry_, f16, kBatch);
}

}  // namespace kvsplit
