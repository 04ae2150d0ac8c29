// Attention of a batch over caches, on the CPU: order of the work, and its distribution over threads.
#pragma once

#include <vector>

#include "backend/backend.h"
#include "backend/cpu/aligned_buffer.h"
#include "backend/cpu/kernels.h"
#include "base/thread_pool.h"

namespace kvsplit::cpu {

// Holds the scratch memory of attention(); one call at a time.
//
// A call is one parallel region of phases with a barrier between: (1) norm, rotate, append to the open pages,
// prepare queries; (2) only at the start of a sequence: statistics for the smoothing vector; (3) seal pages
// that are due; (4) attend. With many tiles of queries each tile is a work item; with few (decoding) each is
// split into chunks of kChunkPages pages, whose states are merged in another phase. Chunks begin at fixed
// positions and are merged in order, so both ways give the same bits.
class Attention {
  public:
    static constexpr int kChunkPages = 8;
    static constexpr int kItemHeads = 8;  // KV heads of one item at most

    // Scratch memory of a call, in bytes.
    struct Scratch {
        std::size_t queries = 0;                          // of all rows of the batch, as f32
        std::size_t key_queries = 0, latent_queries = 0;  // the same, rounded for products with codes
        std::size_t thread = 0;                           // of each thread

        void grow_to(const Scratch& other);
        std::size_t total(int n_threads) const;
    };
    // max_rows: the most query rows of a tile, from one page's tokens and one KV head.
    static Scratch needed(const AttentionParams& params, int n, int max_rows);
    // Bytes of the chunk states of one token decoded at `position`.
    static std::size_t split_states(const AttentionParams& params, int position);

    Attention(ThreadPool& pool, const Kernels& kernels);
    void run(const AttentionParams& params, std::span<const SequenceRun> runs, const float* qkv, int n,
             float* out);

  private:
    // Queries of one run whose tokens share a page: they see the same sealed pages.
    struct Block {
        int run;
        int first_row, n_tokens;
        int position;  // of the first
    };
    struct Seal {
        int run, page;
    };
    // A part of a split block, for some of its heads. `slot` is a chunk of the block; after the last chunk
    // comes the exact part.
    struct Item {
        int block, kv_head, n_heads, slot;
    };
    // A block and head. memory: where the states of its slots begin, in floats.
    struct Merge {
        int block, kv_head, n_chunks;
        std::size_t memory;
    };
    // One run's pages in this layer, as plain pointers.
    struct Pages {
        KvCache* cache;
        LayerCache* layer;
        int position, n_tokens, first_row;
        std::vector<const std::byte*> sealed, open;
        bool prepare;     // queries need rounding, for products with codes
        bool early;       // adds to or completes the smoothing statistics
        bool first_seal;  // fixes the smoothing vector in this call
    };
    struct Call;
    struct HeadRange {
        int first, n;
    };

    void plan(const AttentionParams& params, std::span<const SequenceRun> runs);
    void plan_split(const Call& call);
    void append(const Call& call, const Block& block, int kv_head, int thread);
    void prepare(const Call& call, const Block& block, int kv_head, int thread);
    void gather_statistics(const Call& call, Pages& pages, int kv_head);
    void seal(const Call& call, const Seal& seal, int kv_head);
    void attend_tile(const Call& call, const Block& block, int kv_head, int thread);
    void add_items(const Call& call, int block, int n_chunks);
    void attend_item(const Call& call, const Item& item, int thread);
    void attend_chunk(const Call& call, const Block& block, int chunk, HeadRange heads, float* const* memory);
    void attend_exact(const Call& call, const Block& block, int kv_head, SoftmaxState& state, int thread);
    void merge_chunks(const Call& call, const Block& block, int kv_head, int n_chunks, float* memory);
    void chunk_range(const Call& call, const Block& block, int& first, int& end) const;
    QueryTile tile(const Call& call, const Block& block, int kv_head) const;
    void check_nothing_lost(const Call& call) const;

    ThreadPool& pool_;
    const Kernels& kernels_;
    std::vector<Pages> pages_;
    std::vector<Block> blocks_;
    std::vector<Seal> seals_;
    std::vector<Item> items_;
    std::vector<Merge> merges_;
    std::vector<std::int32_t> positions_;  // (n, group) for the rows of a tile
    AlignedBuffer queries_, key_queries_, latent_queries_, states_;
    std::vector<AlignedBuffer> thread_memory_;
    std::vector<AppendedSizes> lost_;  // of each thread, the largest that 16 bits did not hold, or 0
};

}  // namespace kvsplit::cpu
