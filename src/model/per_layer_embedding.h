// Per-layer embeddings (Gemma 4): besides its embedding a token has a small vector for every layer, made from
// a table and from a projection of the embedding. At its end each layer gates this vector by the residual
// stream, projects it, and adds the result to the stream.
#pragma once

#include <memory>
#include <span>

#include "model/description.h"
#include "model/linear.h"

namespace kvsplit {

// Reads rows of a tensor from the file on demand: the table may be larger than all other weights together,
// and a token needs one row of it. The file must outlive it. Thread-safe.
class FileTable {
  public:
    // Throws Error(kUnsupported) for a type that cannot be read.
    FileTable(const gguf::File& file, const gguf::Tensor& tensor);

    // out (rows.size(), cols). Throws Error: kFormat for a number that is not finite, kIo where the file
    // cannot be read any more.
    void read(std::span<const Token> rows, float* out) const;
    std::size_t bytes() const { return static_cast<std::size_t>(tensor_.bytes); }

  private:
    const gguf::File& file_;
    const gguf::Tensor& tensor_;
};

struct PerLayerEmbedding {
    std::unique_ptr<FileTable> table;  // (n_vocab, n_layers * n_embd_per_layer), or null
    Linear projection;                 // (n_layers * n_embd_per_layer, n_embd)
    NormWeights norm;                  // (n_embd_per_layer)
};

// One layer's weights.
struct LayerInput {
    Linear gate;        // (n_embd_per_layer, n_embd), or without a matrix
    Linear projection;  // (n_embd, n_embd_per_layer)
    NormWeights norm;   // (n_embd)
};

class PerLayerWorkspace {
  public:
    PerLayerWorkspace(Backend& backend, const ModelDescription& description, int max_tokens);

    std::unique_ptr<Buffer> inputs, rows;  // (max_tokens, n_layers * n_embd_per_layer)
    std::unique_ptr<Buffer> input, gate;   // (max_tokens, n_embd_per_layer)
};

// Fills ws.inputs for tokens with embeddings x (tokens.size(), n_embd).
void make_layer_inputs(Backend& backend, const ModelDescription& description, const PerLayerEmbedding& w,
                       std::span<const Token> tokens, const float* x, PerLayerWorkspace& ws);

// Returns the layer's inputs (n, n_embd_per_layer) gated by the residual stream x (n, n_embd), for its
// projection to read.
const float* gated_layer_input(Backend& backend, const ModelDescription& description, const LayerInput& w,
                               int layer, const float* x, int n, PerLayerWorkspace& ws);

}  // namespace kvsplit
