/* KVSplit's C interface: load a model, tokenize, evaluate, sample, and read what the cache takes.
 *
 * Conventions:
 *  1. Objects are opaque handles. kvsplit_X_create, _load and _fork make one, kvsplit_X_free destroys it;
 *     freeing NULL does nothing. A session keeps its model alive, so handles may be freed in any order.
 *  2. A function that can fail returns a kvsplit_status; KVSPLIT_OK is 0. Results go through pointers, which
 *     are written on success only, except the count of convention 4. NULL where a pointer is required gives
 *     KVSPLIT_INVALID_ARGUMENT, never a crash. No C++ exception leaves the library.
 *  3. kvsplit_last_error() describes the latest failure on the calling thread.
 *  4. A function that fills an array takes (array, capacity, count). *count always receives the number of
 *     elements there are. If that exceeds capacity, nothing is written and the result is
 *     KVSPLIT_BUFFER_TOO_SMALL; array may be NULL if capacity is 0, to ask for the size.
 *  5. Text is UTF-8. Paths and names end with NUL; texts to tokenize have a length and may contain NUL.
 *     Returned strings belong to the library and live as long as the handle they came from.
 *  6. Structs begin with struct_size: set it to sizeof of the struct (the _init functions do, and fill in the
 *     defaults). Later versions only append fields, and read or write no more than struct_size bytes.
 *  7. Threads: many threads may read a model at once. A session or a sampler belongs to one thread at a time.
 *     Sessions of one model take turns inside kvsplit_session_eval.
 *  8. Processes: a child of fork() may use and free its parent's handles, except sessions that other threads
 *     were using at the fork. If another thread was evaluating with a model, evaluating with that model is
 *     KVSPLIT_UNSUPPORTED in the child.
 *  9. Sizes are in bytes. A flag is 0 or 1.
 * 10. Additions raise the minor ABI version, changes and removals the major one: compare KVSPLIT_ABI_VERSION
 *     with kvsplit_abi_version().
 */
#ifndef KVSPLIT_KVSPLIT_H
#define KVSPLIT_KVSPLIT_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define KVSPLIT_ABI_MAJOR 1
#define KVSPLIT_ABI_MINOR 2
#define KVSPLIT_ABI_VERSION (KVSPLIT_ABI_MAJOR * 1000 + KVSPLIT_ABI_MINOR)

/* KVSPLIT_ABI_VERSION of the library that is running. */
int kvsplit_abi_version(void);
/* "0.1.0" */
const char* kvsplit_version(void);

/* ---- Errors ---- */

typedef enum kvsplit_status {
    KVSPLIT_OK = 0,
    KVSPLIT_INVALID_ARGUMENT = 1, /* the call makes no sense */
    KVSPLIT_NOT_FOUND = 2,        /* a file does not exist */
    KVSPLIT_IO = 3,               /* the operating system refused to read */
    KVSPLIT_FORMAT = 4,           /* a file's contents break its format */
    KVSPLIT_UNSUPPORTED = 5,      /* well-formed, but this build or model cannot do it */
    KVSPLIT_OUT_OF_MEMORY = 6,    /* no room in the context or in memory */
    KVSPLIT_CANCELLED = 7,        /* stopped by the caller's callback */
    KVSPLIT_BUFFER_TOO_SMALL = 8, /* convention 4 */
    KVSPLIT_INTERNAL = 9          /* a bug in the library */
} kvsplit_status;

/* Describes the latest failed call on this thread; "" if none has failed. Valid until the next failure on
 * this thread. */
const char* kvsplit_last_error(void);

/* ---- Models ---- */

typedef struct kvsplit_model kvsplit_model;
typedef int32_t kvsplit_token;

/* How positions are stretched, so that a model reaches further than it was trained for. */
typedef enum kvsplit_rope_scaling {
    KVSPLIT_ROPE_FILE = 0, /* as the file says, else linear */
    KVSPLIT_ROPE_NONE = 1,
    KVSPLIT_ROPE_LINEAR = 2,
    KVSPLIT_ROPE_YARN = 3
} kvsplit_rope_scaling;

typedef struct kvsplit_model_options {
    size_t struct_size;
    int32_t threads; /* 0: one per physical core, within the CPU quota */
    int32_t exact;   /* flag: f32 activations on dequantised weights; slow, for measuring */
    /* Since ABI 1.1. A rope_ field that is 0 takes the file's value. */
    int32_t activation_bits; /* where activations meet integer weights: 8, 16, or 0 for the default, 16 */
    int32_t rope_scaling;    /* kvsplit_rope_scaling */
    double rope_scale;       /* the wanted context, as a multiple of the trained one */
    double rope_freq_base;   /* of the rotary embedding */
    int32_t rope_original_context; /* tokens the model was trained for; YaRN only */
} kvsplit_model_options;

/* struct_size: sizeof(kvsplit_model_options). */
void kvsplit_model_options_init(kvsplit_model_options* options, size_t struct_size);

/* Reads and checks a GGUF file. options may be NULL for the defaults. */
kvsplit_status kvsplit_model_load(const char* path, const kvsplit_model_options* options,
                                  kvsplit_model** model);
void kvsplit_model_free(kvsplit_model* model);

/* Since ABI 1.2. The threads that evaluate: those asked for, or fewer if the system could not start them all.
 * 0 for NULL. */
int32_t kvsplit_model_threads(const kvsplit_model* model);

typedef struct kvsplit_model_info {
    size_t struct_size;
    const char* name;
    const char* architecture; /* "llama", "gemma3" */
    const char* weight_type;  /* the most frequent by bytes, "Q4_1" */
    uint64_t file_bytes;
    uint64_t n_parameters;
    int32_t n_layers;
    int32_t n_embd;
    int32_t n_heads;
    int32_t n_kv_heads; /* the largest number in any layer */
    int32_t head_dim;   /* where layers differ, in layers without a window */
    int32_t n_vocab;
    int32_t context_length; /* tokens the model was trained for */
    int32_t sliding_window; /* 0: none */
} kvsplit_model_info;

/* info->struct_size must be set. */
kvsplit_status kvsplit_model_get_info(const kvsplit_model* model, kvsplit_model_info* info);

/* ---- Text ---- */

/* Tokens of text[0, length), a text that is to be continued. parse_special: names of control tokens in the
 * text become those tokens. add_bos: the model's start token comes first, if the model wants one; it is not
 * doubled where the text begins with it (which takes parse_special). No end token is ever appended, even
 * where the model's file asks for one. */
kvsplit_status kvsplit_tokenize(const kvsplit_model* model, const char* text, size_t length, int add_bos,
                                int parse_special, kvsplit_token* tokens, size_t capacity, size_t* count);

/* The bytes of the tokens, one after the other, without a NUL at the end. A token may be part of a character.
 * Control tokens have no text unless render_special; ids outside the vocabulary have none. */
kvsplit_status kvsplit_detokenize(const kvsplit_model* model, const kvsplit_token* tokens, size_t n_tokens,
                                  int render_special, char* text, size_t capacity, size_t* count);

/* 1 if the model ends its answer with this token, else 0 (0 too for a NULL model). */
int kvsplit_is_end_of_generation(const kvsplit_model* model, kvsplit_token token);

/* ---- Sessions: one sequence of tokens and its cache ---- */

typedef struct kvsplit_session kvsplit_session;

/* kv: the cache's precision, "f16" or "k8v4" (8-bit keys, 4-bit values) or any other such pair; NULL for the
 * default, k5v4. context: the most tokens it can hold, 0 for the model's own. */
kvsplit_status kvsplit_session_create(const kvsplit_model* model, const char* kv, int32_t context,
                                      kvsplit_session** session);
void kvsplit_session_free(kvsplit_session* session);

/* A second session that continues from here. Sealed pages are shared. */
kvsplit_status kvsplit_session_fork(const kvsplit_session* session, kvsplit_session** fork);

/* Tokens held, and the most it can hold; 0 for NULL. */
int32_t kvsplit_session_length(const kvsplit_session* session);
int32_t kvsplit_session_context(const kvsplit_session* session);

/* Called between batches with the number of tokens done. Returning 0 stops the evaluation. Must not change or
 * free the session. */
typedef int (*kvsplit_progress)(int32_t done, void* user);

/* Appends tokens. progress and done may be NULL. When progress stops it, *done is written, what was done
 * stays, the logits are those after it, and the result is KVSPLIT_CANCELLED. Tokens outside the vocabulary or
 * beyond the context are refused before anything changes. After any other failure the session has to be
 * cleared: kvsplit_session_trim to 0. */
kvsplit_status kvsplit_session_eval(kvsplit_session* session, const kvsplit_token* tokens, size_t n_tokens,
                                    kvsplit_progress progress, void* user, int32_t* done);

/* Logits after the last token held, (n_vocab). Valid until the next call that changes the session.
 * KVSPLIT_INVALID_ARGUMENT if there are none: in a new session, after kvsplit_session_trim has removed
 * tokens, and after a failed evaluation. */
kvsplit_status kvsplit_session_logits(const kvsplit_session* session, const float** logits, size_t* n_vocab);

/* Forgets the tokens from position n >= 0 on, and perhaps some before it: *restart (<= n) is the new length,
 * from which evaluating again gives what a fresh run gives. */
kvsplit_status kvsplit_session_trim(kvsplit_session* session, int32_t n, int32_t* restart);

/* ---- What the cache takes ---- */

typedef struct kvsplit_kv_stats {
    size_t struct_size;
    uint64_t key_bytes;   /* sealed keys: codes, scales, means */
    uint64_t value_bytes; /* sealed values: codes, scales */
    uint64_t exact_bytes; /* 16-bit tokens of open pages, sinks, smoothing vectors, padding */
    uint64_t total_bytes; /* the sum: what is allocated */
    uint64_t f16_bytes;   /* what the same tokens take at f16 */
    double key_bits;      /* per element of a sealed page, everything counted */
    double value_bits;
    double saved_percent; /* 100 * (1 - total_bytes / f16_bytes) */
} kvsplit_kv_stats;

/* stats->struct_size must be set. */
kvsplit_status kvsplit_session_kv_stats(const kvsplit_session* session, kvsplit_kv_stats* stats);
/* The same for a cache of n_tokens >= 0 that need not exist. kv as for kvsplit_session_create. */
kvsplit_status kvsplit_model_plan(const kvsplit_model* model, const char* kv, int32_t n_tokens,
                                  kvsplit_kv_stats* stats);

/* ---- Sampling ---- */

typedef struct kvsplit_sampler kvsplit_sampler;

typedef struct kvsplit_sampling_options {
    size_t struct_size;
    float temperature;    /* 0: the most likely token */
    int32_t top_k;        /* 0: off */
    float top_p;          /* 1: off */
    float min_p;          /* 0: off */
    float repeat_penalty; /* 1: off */
    int32_t repeat_last;  /* tokens that the penalty looks back */
    uint64_t seed;
} kvsplit_sampling_options;

/* struct_size: sizeof(kvsplit_sampling_options). */
void kvsplit_sampling_options_init(kvsplit_sampling_options* options, size_t struct_size);

/* options may be NULL for the defaults: the most likely token. */
kvsplit_status kvsplit_sampler_create(const kvsplit_sampling_options* options, kvsplit_sampler** sampler);
void kvsplit_sampler_free(kvsplit_sampler* sampler);

/* Draws a token from logits (n_vocab) and remembers it for the repeat penalty. */
kvsplit_status kvsplit_sampler_sample(kvsplit_sampler* sampler, const float* logits, size_t n_vocab,
                                      kvsplit_token* token);
/* Adds a token of the text that it did not draw (the prompt's) to what the penalty looks at. */
kvsplit_status kvsplit_sampler_accept(kvsplit_sampler* sampler, kvsplit_token token);

#ifdef __cplusplus
}
#endif

#endif /* KVSPLIT_KVSPLIT_H */
