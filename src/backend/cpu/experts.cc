#include "backend/cpu/experts.h"

#include <algorithm>
#include <cstring>

#include "base/check.h"

namespace kvsplit::cpu {
namespace {

std::size_t count(int a, int b) { return static_cast<std::size_t>(a) * static_cast<std::size_t>(b); }

float* floats_of(AlignedBuffer& buffer) { return reinterpret_cast<float*>(buffer.data()); }

// The most visits that are computed together, which bounds the memory of activations. The visits of an
// expert, at most n, are never split.
int batch_visits(const PackedMixture& m, int n) { return std::min(n * m.n_used(), std::max(n, 64)); }

struct BatchBytes {
    std::size_t rows, gate_up, gated, results, quantized, floats;

    BatchBytes(const PackedMixture& m, int n) {
        const int batch = batch_visits(m, n);
        const TileBytes up = tile_bytes(m.up, batch), down = tile_bytes(m.down, batch);
        rows = sizeof(float) * count(batch, m.n_embd());
        gate_up = sizeof(float) * count(batch, m.up_width());
        gated = m.mixture.gated ? sizeof(float) * count(batch, m.n_ff()) : 0;
        results = sizeof(float) * count(n * m.n_used(), m.n_embd());
        quantized = std::max(up.quantized, down.quantized);
        floats = std::max(up.floats, down.floats);
    }
};

std::size_t segments_of_expert(const PackedMixture& m, const PackedMatrix& w) {
    return w.segments().size() / static_cast<std::size_t>(m.n_experts());
}

}  // namespace

std::size_t Experts::needed(const PackedMixture& m, int n) {
    const BatchBytes b(m, n);
    const std::size_t lists = count(n, 2 * m.n_experts()) * sizeof(float) +
                              count(n, m.n_used()) * (sizeof(ChosenExpert) + sizeof(Visit) + sizeof(int));
    return b.rows + b.gate_up + b.gated + b.results + b.quantized + b.floats + lists;
}

void Experts::reserve(const PackedMixture& m, int n) {
    const BatchBytes b(m, n);
    rows_.reserve(b.rows);
    gate_up_.reserve(b.gate_up);
    gated_.reserve(b.gated);
    results_.reserve(b.results);
    quantized_.reserve(b.quantized);
    floats_.reserve(b.floats);
}

void Experts::choose(const PackedMixture& m, const float* logits, int n) {
    const Routing& routing = m.mixture.routing;
    gates_.resize(count(n, 2 * m.n_experts()));
    chosen_.resize(count(n, m.n_used()));
    const auto token = [&](int i) {
        route(routing, logits + count(i, m.n_experts()), m.mixture.selection_bias,
              gates_.data() + count(i, 2 * m.n_experts()), chosen_.data() + count(i, m.n_used()));
    };
    if (n == 1) return token(0);
    pool_.for_each(n, token);
}

void Experts::sort_by_expert(const PackedMixture& m, int n) {
    std::vector<int> next(static_cast<std::size_t>(m.n_experts()) + 1, 0);  // index of an expert's next visit
    for (const ChosenExpert& c : chosen_) ++next[static_cast<std::size_t>(c.expert) + 1];
    all_.clear();
    for (int e = 0; e < m.n_experts(); ++e) {
        const auto i = static_cast<std::size_t>(e);
        if (next[i + 1] > 0) all_.push_back({e, next[i], next[i + 1]});
        next[i + 1] += next[i];
    }
    visits_.resize(chosen_.size());
    place_.resize(chosen_.size());
    for (std::size_t i = 0; i < chosen_.size(); ++i) {
        const int place = next[static_cast<std::size_t>(chosen_[i].expert)]++;
        visits_[static_cast<std::size_t>(place)] = {static_cast<int>(i) / m.n_used(), chosen_[i].expert,
                                                    chosen_[i].weight};
        place_[i] = place;
        if (m.mixture.routing.weigh_input) chosen_[i].weight = 1;
    }
    KVSPLIT_CHECK(static_cast<int>(visits_.size()) == n * m.n_used());
}

RowTiles Experts::tiles(const PackedMatrix& w, const Share& share) {
    const int before = share.first - shares_.front().first;
    const TileBytes all = tile_bytes_, offset{all.quantized * static_cast<std::size_t>(before),
                                              all.floats * static_cast<std::size_t>(before)};
    return {kernels_.matmul, w, share.n, all.quantized > 0 ? quantized_.data() + offset.quantized : nullptr,
            all.floats > 0 ? floats_.data() + offset.floats : nullptr};
}

// Makes the tiles of the batch's activations for w. rows: (visits of the batch, w.cols)
void Experts::prepare(const PackedMatrix& w, const float* rows) {
    tile_bytes_ = tile_bytes(w, 1);
    const int n_shares = static_cast<int>(shares_.size());
    const int parts = n_shares >= pool_.size() ? 1 : pool_.size();
    pool_.for_each(n_shares * parts, [&](int i) {
        const Share& share = shares_[static_cast<std::size_t>(i / parts)];
        tiles(w, share).prepare(rows + count(share.first - shares_.front().first, w.cols()), i % parts,
                                parts);
    });
}

// out (visits of the batch, rows of an expert of w): each visit with its expert's matrix.
void Experts::multiply(const PackedMixture& m, const PackedMatrix& w, float* out) {
    const std::size_t n_segments = segments_of_expert(m, w);
    const int rows = w.rows() / m.n_experts();
    const auto segments_of = [&](const Share& share) {
        return w.segments().subspan(static_cast<std::size_t>(share.expert) * n_segments, n_segments);
    };
    int n_groups = 0, most = 0;
    for (const Share& share : shares_) {
        most = std::max(most, share.n);
        for (const PackedMatrix::Segment& s : segments_of(share)) n_groups += s.n_groups;
    }
    // As in matmul(): small enough to balance the threads, and with several tiles to stay in the L2 cache.
    int chunk = std::max(1, n_groups / (pool_.size() * 4));
    if (most > 1) chunk = std::min(chunk, 16);
    items_.clear();
    for (const Share& share : shares_) {
        for (const PackedMatrix::Segment& s : segments_of(share)) {
            for (int g = 0; g < s.n_groups; g += chunk)
                items_.push_back({&share, &s, g, std::min(chunk, s.n_groups - g)});
        }
    }
    pool_.for_each(static_cast<int>(items_.size()), [&](int i) {
        const Item& item = items_[static_cast<std::size_t>(i)];
        const int row = item.segment->first_row - item.share->expert * rows;
        tiles(w, *item.share)
            .multiply(*item.segment, item.first_group, item.n_groups,
                      out + count(item.share->first - shares_.front().first, rows) + row, rows, false);
    });
}

// The activations before the last product (n_visits, n_ff).
const float* Experts::activate(const PackedMixture& m, int n_visits) {
    const int width = m.up_width(), parts = m.up_parts();
    const auto f = static_cast<int>(m.mixture.activation);
    const Visit* visits = visits_.data() + shares_.front().first;
    pool_.for_each(n_visits, [&](int i) {
        float* gate = floats_of(gate_up_) + count(i, width);
        if (const float* scale = m.mixture.up_scale) {
            scale += count(visits[i].expert, parts);
            for (int p = 0; p < parts; ++p)
                kernels_.scale(gate + p * m.n_ff(), scale[p], m.n_ff(), gate + p * m.n_ff());
        }
        if (m.mixture.up_bias)
            kernels_.add(m.mixture.up_bias + count(visits[i].expert, width), 1.0f, width, gate);
        if (!m.mixture.gated) return kernels_.activation[f](width, gate);
        kernels_.gated[f](gate, gate + m.n_ff(), m.n_ff(), floats_of(gated_) + count(i, m.n_ff()));
    });
    return floats_of(m.mixture.gated ? gated_ : gate_up_);
}

// Computes the visits of shares_: from x to results_.
void Experts::run_batch(const PackedMixture& m, const float* x) {
    const int first = shares_.front().first;
    const int n_visits = shares_.back().first + shares_.back().n - first;
    const Visit* visits = visits_.data() + first;
    pool_.for_each(n_visits, [&](int i) {
        const float* row = x + count(visits[i].token, m.n_embd());
        float* to = floats_of(rows_) + count(i, m.n_embd());
        if (m.mixture.routing.weigh_input) {
            kernels_.scale(row, visits[i].weight, m.n_embd(), to);
        } else {
            std::memcpy(to, row, static_cast<std::size_t>(m.n_embd()) * sizeof(float));
        }
    });
    prepare(m.up, floats_of(rows_));
    multiply(m, m.up, floats_of(gate_up_));
    prepare(m.down, activate(m, n_visits));
    multiply(m, m.down, floats_of(results_) + count(first, m.n_embd()));
}

void Experts::sum(const PackedMixture& m, int n, float* out) {
    // out[at, at + width) of a token.
    const auto piece = [&](int token, int at, int width) {
        float* to = out + count(token, m.n_embd()) + at;
        for (int k = 0; k < m.n_used(); ++k) {
            const std::size_t i = count(token, m.n_used()) + static_cast<std::size_t>(k);
            const auto [expert, weight] = chosen_[i];
            float* result = floats_of(results_) + count(place_[i], m.n_embd()) + at;
            if (m.mixture.down_scale) kernels_.scale(result, m.mixture.down_scale[expert], width, result);
            if (m.mixture.down_bias)
                kernels_.add(m.mixture.down_bias + count(expert, m.n_embd()) + at, 1.0f, width, result);
            if (k == 0) {
                kernels_.scale(result, weight, width, to);
            } else {
                kernels_.add(result, weight, width, to);
            }
        }
    };
    if (n > 1) return pool_.for_each(n, [&](int i) { piece(i, 0, m.n_embd()); });
    constexpr int kPiece = 512;
    pool_.for_each((m.n_embd() + kPiece - 1) / kPiece,
                   [&](int i) { piece(0, i * kPiece, std::min(kPiece, m.n_embd() - i * kPiece)); });
}

void Experts::run(const PackedMixture& m, const float* logits, const float* x, int n, float* out) {
    KVSPLIT_CHECK(n > 0 && m.n_used() > 0 && m.n_used() <= m.n_experts());
    reserve(m, n);
    choose(m, logits, n);
    sort_by_expert(m, n);
    const int limit = batch_visits(m, n);
    shares_.clear();
    int n_visits = 0;
    for (const Share& share : all_) {
        if (n_visits + share.n > limit) {
            run_batch(m, x);
            shares_.clear();
            n_visits = 0;
        }
        shares_.push_back(share);
        n_visits += share.n;
    }
    run_batch(m, x);
    sum(m, n, out);
}

}  // namespace kvsplit::cpu
