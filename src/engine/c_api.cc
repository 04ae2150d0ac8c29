// The C interface: each function is the C++ call inside guard(), which turns exceptions into status codes.
#include <algorithm>
#include <cstddef>
#include <cstring>
#include <exception>
#include <iterator>
#include <memory>
#include <new>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "base/error.h"
#include "kvsplit/kvsplit.h"
#include "kvsplit/model.h"
#include "kvsplit/sampler.h"

struct kvsplit_model {
    std::shared_ptr<kvsplit::Model> model;
};
struct kvsplit_session {
    std::unique_ptr<kvsplit::Session> session;
};
struct kvsplit_sampler {
    kvsplit::Sampler sampler;
};

namespace {

using kvsplit::ErrorCode;
using kvsplit::fail;

static_assert(static_cast<int>(ErrorCode::kInvalidArgument) == KVSPLIT_INVALID_ARGUMENT);
static_assert(static_cast<int>(ErrorCode::kNotFound) == KVSPLIT_NOT_FOUND);
static_assert(static_cast<int>(ErrorCode::kIo) == KVSPLIT_IO);
static_assert(static_cast<int>(ErrorCode::kFormat) == KVSPLIT_FORMAT);
static_assert(static_cast<int>(ErrorCode::kUnsupported) == KVSPLIT_UNSUPPORTED);
static_assert(static_cast<int>(ErrorCode::kOutOfMemory) == KVSPLIT_OUT_OF_MEMORY);
static_assert(static_cast<int>(ErrorCode::kCancelled) == KVSPLIT_CANCELLED);
static_assert(std::is_same_v<kvsplit::Token, kvsplit_token>);

thread_local std::string last_error;

kvsplit_status failed(kvsplit_status status, const char* message) noexcept {
    try {
        last_error = message;
    } catch (...) {  // no memory for the text: the status says enough
        last_error.clear();
    }
    return status;
}

// Runs fn() -> kvsplit_status; whatever it throws becomes a status and the thread's last error.
template <typename F>
kvsplit_status guard(F&& fn) noexcept {
    try {
        return fn();
    } catch (const kvsplit::Error& e) {
        return failed(static_cast<kvsplit_status>(e.code()), e.what());
    } catch (const std::bad_alloc&) {
        return failed(KVSPLIT_OUT_OF_MEMORY, "out of memory");
    } catch (const std::exception& e) {
        return failed(KVSPLIT_INTERNAL, e.what());
    } catch (...) {
        return failed(KVSPLIT_INTERNAL, "unknown exception");
    }
}

void require(const void* pointer, const char* name) {
    if (!pointer) fail(ErrorCode::kInvalidArgument, "{} is NULL", name);
}

// An array with its length; NULL is fine if it is empty.
template <typename T>
void require_array(const T* pointer, std::size_t n, const char* name) {
    if (n > 0) require(pointer, name);
    if (n > PTRDIFF_MAX / sizeof(T)) fail(ErrorCode::kInvalidArgument, "{} cannot have {} elements", name, n);
}

// Convention 4: hands n elements to the caller's array.
template <typename T>
kvsplit_status fill(const T* from, std::size_t n, T* array, std::size_t capacity, std::size_t* count) {
    *count = n;
    if (n > capacity) {
        last_error = fmt::format("the array holds {} elements, {} are needed", capacity, n);
        return KVSPLIT_BUFFER_TOO_SMALL;
    }
    require_array(array, n, "array");
    if (n > 0) std::memcpy(array, from, n * sizeof(T));
    return KVSPLIT_OK;
}

// The size of the struct's first version.
template <typename T>
constexpr std::size_t kLeastSize = sizeof(T);
template <>
constexpr std::size_t kLeastSize<kvsplit_model_options> = offsetof(kvsplit_model_options, activation_bits);

template <typename T>
void check_size(const T* given) {
    if (given->struct_size >= kLeastSize<T>) return;
    fail(ErrorCode::kInvalidArgument,
         "struct_size is {}: make it sizeof the struct, as its _init function does", given->struct_size);
}

// Convention 6, in: the fields that the caller's version of the struct has, and defaults for the rest.
template <typename T>
T read_struct(const T* from, T defaults) {
    if (!from) return defaults;
    check_size(from);
    std::memcpy(&defaults, from, std::min(from->struct_size, sizeof(T)));
    return defaults;
}

template <typename T>
void init_struct(T defaults, T* to, std::size_t struct_size) {
    if (!to || struct_size < sizeof(std::size_t)) return;
    defaults.struct_size = struct_size;
    std::memcpy(to, &defaults, std::min(struct_size, sizeof(T)));
}

// Convention 6, out.
template <typename T>
void write_struct(T from, T* to) {
    check_size(to);
    from.struct_size = to->struct_size;
    std::memcpy(to, &from, std::min(to->struct_size, sizeof(T)));
}

kvsplit::KvSpec parse_kv(const char* kv) { return kv ? kvsplit::KvSpec::parse(kv) : kvsplit::KvSpec{}; }

void write_stats(const kvsplit::KvStats& s, kvsplit_kv_stats* to) {
    write_struct(
        kvsplit_kv_stats{
            .struct_size = 0,
            .key_bytes = s.bytes.key,
            .value_bytes = s.bytes.value,
            .exact_bytes = s.bytes.exact,
            .total_bytes = s.bytes.total(),
            .f16_bytes = s.f16_total,
            .key_bits = s.key_bits_per_element,
            .value_bits = s.value_bits_per_element,
            .saved_percent = s.saved_pct(),
        },
        to);
}

kvsplit_model_options default_model_options() {
    const kvsplit::ModelOptions d;
    return {.struct_size = sizeof(kvsplit_model_options),
            .threads = d.threads,
            .exact = d.exact,
            .activation_bits = d.activation_bits,
            .rope_scaling = KVSPLIT_ROPE_FILE,
            .rope_scale = d.rope.scale,
            .rope_freq_base = d.rope.frequency_base,
            .rope_original_context = d.rope.original_context};
}

kvsplit::ModelOptions model_options(const kvsplit_model_options& o) {
    using Scaling = kvsplit::RopeOptions::Scaling;
    static constexpr Scaling kScalings[] = {Scaling::kFile, Scaling::kNone, Scaling::kLinear, Scaling::kYarn};
    if (o.rope_scaling < 0 || o.rope_scaling >= static_cast<int>(std::size(kScalings)))
        fail(ErrorCode::kInvalidArgument, "rope_scaling {}: give one of kvsplit_rope_scaling",
             o.rope_scaling);
    return {.threads = o.threads,
            .exact = o.exact != 0,
            .activation_bits = o.activation_bits,
            .rope = {.scaling = kScalings[o.rope_scaling],
                     .scale = o.rope_scale,
                     .frequency_base = o.rope_freq_base,
                     .original_context = o.rope_original_context}};
}

kvsplit_sampling_options default_sampling_options() {
    const kvsplit::SamplingOptions d;
    return {.struct_size = sizeof(kvsplit_sampling_options),
            .temperature = d.temperature,
            .top_k = d.top_k,
            .top_p = d.top_p,
            .min_p = d.min_p,
            .repeat_penalty = d.repeat_penalty,
            .repeat_last = d.repeat_last,
            .seed = d.seed};
}

}  // namespace

extern "C" {

int kvsplit_abi_version(void) { return KVSPLIT_ABI_VERSION; }
const char* kvsplit_version(void) { return KVSPLIT_VERSION; }
const char* kvsplit_last_error(void) { return last_error.c_str(); }

void kvsplit_model_options_init(kvsplit_model_options* options, size_t struct_size) {
    init_struct(default_model_options(), options, struct_size);
}

kvsplit_status kvsplit_model_load(const char* path, const kvsplit_model_options* options,
                                  kvsplit_model** model) {
    return guard([&] {
        require(path, "path");
        require(model, "model");
        const kvsplit_model_options o = read_struct(options, default_model_options());
        auto loaded = kvsplit::Model::load(path, model_options(o));
        *model = new kvsplit_model{std::move(loaded)};
        return KVSPLIT_OK;
    });
}

int32_t kvsplit_model_threads(const kvsplit_model* model) { return model ? model->model->threads() : 0; }

void kvsplit_model_free(kvsplit_model* model) { delete model; }

kvsplit_status kvsplit_model_get_info(const kvsplit_model* model, kvsplit_model_info* info) {
    return guard([&] {
        require(model, "model");
        require(info, "info");
        const kvsplit::ModelInfo& i = model->model->info();
        write_struct(
            kvsplit_model_info{
                .struct_size = 0,
                .name = i.name.c_str(),
                .architecture = i.architecture.c_str(),
                .weight_type = i.weight_type.c_str(),
                .file_bytes = i.file_bytes,
                .n_parameters = i.n_parameters,
                .n_layers = i.n_layers,
                .n_embd = i.n_embd,
                .n_heads = i.n_heads,
                .n_kv_heads = i.n_kv_heads,
                .head_dim = i.head_dim,
                .n_vocab = i.n_vocab,
                .context_length = i.context_length,
                .sliding_window = i.sliding_window,
            },
            info);
        return KVSPLIT_OK;
    });
}

kvsplit_status kvsplit_tokenize(const kvsplit_model* model, const char* text, size_t length, int add_bos,
                                int parse_special, kvsplit_token* tokens, size_t capacity, size_t* count) {
    return guard([&] {
        require(model, "model");
        require_array(text, length, "text");
        require(count, "count");
        const std::vector<kvsplit::Token> all =
            model->model->tokenize({length ? text : "", length}, add_bos != 0, parse_special != 0);
        return fill(all.data(), all.size(), tokens, capacity, count);
    });
}

kvsplit_status kvsplit_detokenize(const kvsplit_model* model, const kvsplit_token* tokens, size_t n_tokens,
                                  int render_special, char* text, size_t capacity, size_t* count) {
    return guard([&] {
        require(model, "model");
        require_array(tokens, n_tokens, "tokens");
        require(count, "count");
        std::string all;
        for (std::size_t i = 0; i < n_tokens; ++i) {
            all += model->model->token_bytes(tokens[i], render_special != 0);
        }
        return fill(all.data(), all.size(), text, capacity, count);
    });
}

int kvsplit_is_end_of_generation(const kvsplit_model* model, kvsplit_token token) {
    int result = 0;
    if (model) {
        guard([&] {
            result = model->model->is_end_of_generation(token);
            return KVSPLIT_OK;
        });
    }
    return result;
}

kvsplit_status kvsplit_session_create(const kvsplit_model* model, const char* kv, int32_t context,
                                      kvsplit_session** session) {
    return guard([&] {
        require(model, "model");
        require(session, "session");
        *session = new kvsplit_session{kvsplit::Session::create(model->model, parse_kv(kv), context)};
        return KVSPLIT_OK;
    });
}

void kvsplit_session_free(kvsplit_session* session) { delete session; }

kvsplit_status kvsplit_session_fork(const kvsplit_session* session, kvsplit_session** fork) {
    return guard([&] {
        require(session, "session");
        require(fork, "fork");
        *fork = new kvsplit_session{session->session->fork()};
        return KVSPLIT_OK;
    });
}

int32_t kvsplit_session_length(const kvsplit_session* session) {
    return session ? session->session->length() : 0;
}

int32_t kvsplit_session_context(const kvsplit_session* session) {
    return session ? session->session->context() : 0;
}

kvsplit_status kvsplit_session_eval(kvsplit_session* session, const kvsplit_token* tokens, size_t n_tokens,
                                    kvsplit_progress progress, void* user, int32_t* done) {
    return guard([&] {
        require(session, "session");
        require_array(tokens, n_tokens, "tokens");
        kvsplit::Session::Progress callback;
        if (progress) callback = [&](int n) { return progress(n, user) != 0; };
        const int evaluated = session->session->eval({tokens, n_tokens}, callback);
        if (done) *done = evaluated;
        if (static_cast<std::size_t>(evaluated) < n_tokens) {
            fail(ErrorCode::kCancelled, "stopped by the progress callback after {} of {} tokens", evaluated,
                 n_tokens);
        }
        return KVSPLIT_OK;
    });
}

kvsplit_status kvsplit_session_logits(const kvsplit_session* session, const float** logits, size_t* n_vocab) {
    return guard([&] {
        require(session, "session");
        require(logits, "logits");
        require(n_vocab, "n_vocab");
        const auto values = session->session->logits();
        *logits = values.data();
        *n_vocab = values.size();
        return KVSPLIT_OK;
    });
}

kvsplit_status kvsplit_session_trim(kvsplit_session* session, int32_t n, int32_t* restart) {
    return guard([&] {
        require(session, "session");
        require(restart, "restart");
        *restart = session->session->trim(n);
        return KVSPLIT_OK;
    });
}

kvsplit_status kvsplit_session_kv_stats(const kvsplit_session* session, kvsplit_kv_stats* stats) {
    return guard([&] {
        require(session, "session");
        require(stats, "stats");
        write_stats(session->session->stats(), stats);
        return KVSPLIT_OK;
    });
}

kvsplit_status kvsplit_model_plan(const kvsplit_model* model, const char* kv, int32_t n_tokens,
                                  kvsplit_kv_stats* stats) {
    return guard([&] {
        require(model, "model");
        require(stats, "stats");
        write_stats(model->model->plan(parse_kv(kv), n_tokens), stats);
        return KVSPLIT_OK;
    });
}

void kvsplit_sampling_options_init(kvsplit_sampling_options* options, size_t struct_size) {
    init_struct(default_sampling_options(), options, struct_size);
}

kvsplit_status kvsplit_sampler_create(const kvsplit_sampling_options* options, kvsplit_sampler** sampler) {
    return guard([&] {
        require(sampler, "sampler");
        const kvsplit_sampling_options o = read_struct(options, default_sampling_options());
        *sampler = new kvsplit_sampler{kvsplit::Sampler({.temperature = o.temperature,
                                                         .top_k = o.top_k,
                                                         .top_p = o.top_p,
                                                         .min_p = o.min_p,
                                                         .repeat_penalty = o.repeat_penalty,
                                                         .repeat_last = o.repeat_last,
                                                         .seed = o.seed})};
        return KVSPLIT_OK;
    });
}

void kvsplit_sampler_free(kvsplit_sampler* sampler) { delete sampler; }

kvsplit_status kvsplit_sampler_sample(kvsplit_sampler* sampler, const float* logits, size_t n_vocab,
                                      kvsplit_token* token) {
    return guard([&] {
        require(sampler, "sampler");
        require_array(logits, n_vocab, "logits");
        require(token, "token");
        if (n_vocab == 0) fail(ErrorCode::kInvalidArgument, "there are no logits to draw from");
        const kvsplit::Token drawn = sampler->sampler.sample({logits, n_vocab});
        sampler->sampler.accept(drawn);
        *token = drawn;
        return KVSPLIT_OK;
    });
}

kvsplit_status kvsplit_sampler_accept(kvsplit_sampler* sampler, kvsplit_token token) {
    return guard([&] {
        require(sampler, "sampler");
        sampler->sampler.accept(token);
        return KVSPLIT_OK;
    });
}

}  // extern "C"
