#include "model/weights.h"

#include "base/error.h"
#include "gguf/blocks.h"

namespace kvsplit {
namespace {

class Loader {
  public:
    Loader(const gguf::File& file, Backend& backend) : file_(file), backend_(backend) {}

    struct Part {
        std::string name;
        std::int64_t rows;
    };

    std::unique_ptr<WeightMatrix> matrix(std::int64_t cols, std::initializer_list<Part> parts) {
        std::vector<const gguf::Tensor*> tensors;
        for (const Part& part : parts) {
            const gguf::Tensor& t = file_.tensor(part.name + ".weight");
            expect_shape(t, cols, part.rows);
            tensors.push_back(&t);
        }
        auto loaded = backend_.load(file_, tensors);
        // The backend holds its own copy: the file's pages may leave memory.
        for (const gguf::Tensor* t : tensors) file_.release(*t);
        return loaded;
    }

    std::unique_ptr<Buffer> vector(const std::string& name, std::int64_t n) {
        const gguf::Tensor& t = file_.tensor(name + ".weight");
        expect_shape(t, n, 1);
        if (!gguf::is_supported(t.type)) {
            file_.reject(t, fmt::format("type {} is not supported", gguf::type_name(t.type)));
        }
        auto buffer = backend_.allocate(static_cast<std::size_t>(n));
        gguf::dequantize_row(t.type, t.data.data(), buffer->data(), n);
        return buffer;
    }

  private:
    void expect_shape(const gguf::Tensor& t, std::int64_t cols, std::int64_t rows) const {
        if (t.shape[0] != cols || t.rows() != rows) {
            file_.reject(t, fmt::format("has shape {} x {}, the model's metadata asks for {} x {}",
                                        t.shape[0], t.rows(), cols, rows));
        }
    }

    const gguf::File& file_;
    Backend& backend_;
};

}  // namespace

Weights load_weights(const gguf::File& file, const ModelDescription& d, Backend& backend) {
    Loader load(file, backend);
    Weights w;
    w.embedding = load.matrix(d.n_embd, {{"token_embd", d.n_vocab}});
    if (file.find_tensor("output.weight")) w.separate_output = load.matrix(d.n_embd, {{"output", d.n_vocab}});
    w.output_norm = load.vector("output_norm", d.n_embd);
    const std::int64_t q_rows = std::int64_t{d.n_heads} * d.head_dim,
                       kv_rows = std::int64_t{d.n_kv_heads} * d.head_dim;
    for (int i = 0; i < d.n_layers; ++i) {
        const std::string p = fmt::format("blk.{}.", i);
        LayerWeights l;
        l.attention_norm = load.vector(p + "attn_norm", d.n_embd);
        l.feed_forward_norm = load.vector(p + "ffn_norm", d.n_embd);
        if (d.post_norms) {
            l.post_attention_norm = load.vector(p + "post_attention_norm", d.n_embd);
            l.post_feed_forward_norm = load.vector(p + "post_ffw_norm", d.n_embd);
        }
        if (d.qk_norms) {
            l.q_norm = load.vector(p + "attn_q_norm", d.head_dim);
            l.k_norm = load.vector(p + "attn_k_norm", d.head_dim);
        }
        l.qkv =
            load.matrix(d.n_embd, {{p + "attn_q", q_rows}, {p + "attn_k", kv_rows}, {p + "attn_v", kv_rows}});
        l.output = load.matrix(q_rows, {{p + "attn_output", d.n_embd}});
        l.gate_up = load.matrix(d.n_embd, {{p + "ffn_gate", d.n_ff}, {p + "ffn_up", d.n_ff}});
        l.down = load.matrix(d.n_ff, {{p + "ffn_down", d.n_embd}});
        w.layers.push_back(std::move(l));
    }
    return w;
}

}  // namespace kvsplit
