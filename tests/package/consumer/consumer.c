/* The C interface from outside: `consumer_c [MODEL]`. Without a model only the error paths run. */
#include <kvsplit/kvsplit.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHECK(condition)                                                                                   \
    do {                                                                                                   \
        if (!(condition)) {                                                                                \
            fprintf(stderr, "line %d: %s (last error: %s)\n", __LINE__, #condition, kvsplit_last_error()); \
            exit(1);                                                                                       \
        }                                                                                                  \
    } while (0)

static void test_errors(void) {
    kvsplit_model* model = NULL;
    kvsplit_sampler* sampler = NULL;
    kvsplit_sampling_options options;
    kvsplit_token token = -1;
    float logits[4] = {0.0f, 1.0f, 3.0f, 2.0f};

    CHECK(kvsplit_abi_version() == KVSPLIT_ABI_VERSION);
    CHECK(strlen(kvsplit_version()) > 0);
    CHECK(kvsplit_model_load("no-such-file.gguf", NULL, &model) == KVSPLIT_NOT_FOUND);
    CHECK(model == NULL);
    CHECK(strstr(kvsplit_last_error(), "no-such-file.gguf") != NULL);
    CHECK(kvsplit_model_load(NULL, NULL, &model) == KVSPLIT_INVALID_ARGUMENT);
    CHECK(kvsplit_session_create(NULL, "k8v4", 0, NULL) == KVSPLIT_INVALID_ARGUMENT);
    CHECK(kvsplit_is_end_of_generation(NULL, 0) == 0);
    kvsplit_model_free(NULL);
    kvsplit_session_free(NULL);
    kvsplit_sampler_free(NULL);

    kvsplit_sampling_options_init(&options, sizeof options);
    CHECK(options.struct_size == sizeof options);
    CHECK(options.temperature == 0.0f);
    CHECK(kvsplit_sampler_create(&options, &sampler) == KVSPLIT_OK);
    CHECK(kvsplit_sampler_sample(sampler, logits, 0, &token) == KVSPLIT_INVALID_ARGUMENT);
    CHECK(kvsplit_sampler_sample(sampler, logits, 4, &token) == KVSPLIT_OK);
    CHECK(token == 2);
    kvsplit_sampler_free(sampler);

    options.struct_size = 0;
    CHECK(kvsplit_sampler_create(&options, &sampler) == KVSPLIT_INVALID_ARGUMENT);
}

static void test_text(const kvsplit_model* model) {
    static const char text[] = "Grüße, world";
    kvsplit_token tokens[64];
    char back[64];
    size_t n = 0, length = 0;

    CHECK(kvsplit_tokenize(model, text, strlen(text), 0, 0, NULL, 0, &n) == KVSPLIT_BUFFER_TOO_SMALL);
    CHECK(n > 1 && n <= 64);
    CHECK(kvsplit_tokenize(model, text, strlen(text), 0, 0, tokens, 64, &n) == KVSPLIT_OK);
    CHECK(kvsplit_detokenize(model, tokens, n, 0, back, sizeof back, &length) == KVSPLIT_OK);
    CHECK(length == strlen(text) && memcmp(back, text, length) == 0);
    tokens[0] = -7;
    CHECK(kvsplit_detokenize(model, tokens, 1, 0, back, sizeof back, &length) == KVSPLIT_OK && length == 0);
}

static int stop_at_once(int32_t done, void* user) {
    *(int32_t*)user = done;
    return 0;
}

/* Evaluates n tokens after what the session holds and returns the most likely next one. */
static kvsplit_token next_after(kvsplit_session* session, const kvsplit_token* tokens, size_t n) {
    kvsplit_sampler* greedy = NULL;
    const float* logits = NULL;
    size_t n_vocab = 0;
    kvsplit_token token = -1;

    CHECK(kvsplit_session_eval(session, tokens, n, NULL, NULL, NULL) == KVSPLIT_OK);
    CHECK(kvsplit_session_logits(session, &logits, &n_vocab) == KVSPLIT_OK);
    CHECK(kvsplit_sampler_create(NULL, &greedy) == KVSPLIT_OK);
    CHECK(kvsplit_sampler_sample(greedy, logits, n_vocab, &token) == KVSPLIT_OK);
    kvsplit_sampler_free(greedy);
    return token;
}

enum { N_LONG = 400 };

static void test_session(const kvsplit_model* model) {
    static const char prompt[] = "The quick brown fox jumps over the lazy dog. ";
    kvsplit_session *session = NULL, *other = NULL;
    kvsplit_kv_stats stats, planned;
    kvsplit_token tokens[N_LONG], expected, forked;
    size_t n = 0, i;
    int32_t restart = -1, seen = -1, done = -1;
    const float* logits = NULL;

    CHECK(kvsplit_tokenize(model, prompt, strlen(prompt), 1, 0, tokens, N_LONG, &n) == KVSPLIT_OK);
    for (i = n; i < N_LONG; i++) tokens[i] = tokens[i % n];

    CHECK(kvsplit_session_create(model, "k7v4", 0, &session) == KVSPLIT_INVALID_ARGUMENT);
    CHECK(kvsplit_session_create(model, "k8v4", 512, &session) == KVSPLIT_OK);
    CHECK(kvsplit_session_context(session) == 512);
    CHECK(kvsplit_session_logits(session, &logits, &n) == KVSPLIT_INVALID_ARGUMENT);

    expected = next_after(session, tokens, N_LONG);
    CHECK(kvsplit_session_length(session) == N_LONG);

    memset(&stats, 0, sizeof stats);
    memset(&planned, 0, sizeof planned);
    stats.struct_size = planned.struct_size = sizeof stats;
    CHECK(kvsplit_session_kv_stats(session, &stats) == KVSPLIT_OK);
    CHECK(stats.key_bytes > stats.value_bytes && stats.value_bytes > 0);
    CHECK(stats.total_bytes == stats.key_bytes + stats.value_bytes + stats.exact_bytes);
    CHECK(stats.saved_percent > 0.0 && stats.saved_percent < 100.0);
    CHECK(kvsplit_model_plan(model, "k8v4", N_LONG, &planned) == KVSPLIT_OK);
    CHECK(planned.total_bytes == stats.total_bytes);

    /* A fork goes its own way; the session that it came from does not notice. */
    CHECK(kvsplit_session_fork(session, &other) == KVSPLIT_OK);
    forked = next_after(other, tokens, 1);
    CHECK(kvsplit_session_length(other) == N_LONG + 1 && kvsplit_session_length(session) == N_LONG);
    CHECK(next_after(session, tokens, 1) == forked);
    kvsplit_session_free(other);

    /* Cut, evaluate again from where the library says, and get the same. */
    CHECK(kvsplit_session_trim(session, N_LONG - 1, &restart) == KVSPLIT_OK);
    CHECK(restart >= 0 && restart <= N_LONG - 1);
    CHECK(kvsplit_session_length(session) == restart);
    CHECK(next_after(session, tokens + restart, (size_t)(N_LONG - restart)) == expected);

    CHECK(kvsplit_session_trim(session, 0, &restart) == KVSPLIT_OK && restart == 0);
    CHECK(kvsplit_session_logits(session, &logits, &n) == KVSPLIT_INVALID_ARGUMENT);
    CHECK(kvsplit_session_eval(session, tokens, N_LONG, stop_at_once, &seen, &done) == KVSPLIT_CANCELLED ||
          done == N_LONG);
    CHECK(done == kvsplit_session_length(session) && seen == done);

    CHECK(kvsplit_session_eval(session, tokens, N_LONG, NULL, NULL, NULL) == KVSPLIT_OUT_OF_MEMORY);
    tokens[0] = 1 << 30;
    CHECK(kvsplit_session_eval(session, tokens, 1, NULL, NULL, NULL) == KVSPLIT_INVALID_ARGUMENT);
    kvsplit_session_free(session);
}

static void test_options(const char* path, int32_t trained_context) {
    kvsplit_model* model = NULL;
    kvsplit_model_options options;
    kvsplit_model_info info;

    kvsplit_model_options_init(&options, sizeof options);
    CHECK(options.activation_bits == 0 && options.rope_scaling == KVSPLIT_ROPE_FILE);
    options.activation_bits = 16;
    options.rope_scaling = KVSPLIT_ROPE_YARN;
    options.rope_scale = 2.0;
    CHECK(kvsplit_model_load(path, &options, &model) == KVSPLIT_OK);
    info.struct_size = sizeof info;
    CHECK(kvsplit_model_get_info(model, &info) == KVSPLIT_OK);
    CHECK(info.context_length == 2 * trained_context);
    kvsplit_model_free(model);
    options.rope_scaling = 4;
    CHECK(kvsplit_model_load(path, &options, &model) == KVSPLIT_INVALID_ARGUMENT);
    options.rope_scaling = KVSPLIT_ROPE_FILE;
    options.activation_bits = 12;
    CHECK(kvsplit_model_load(path, &options, &model) == KVSPLIT_INVALID_ARGUMENT);
    /* As a caller does that was compiled before there were such options. */
    options.struct_size = offsetof(kvsplit_model_options, activation_bits);
    CHECK(kvsplit_model_load(path, &options, &model) == KVSPLIT_OK);
    kvsplit_model_free(model);
}

int main(int argc, char** argv) {
    test_errors();
    if (argc > 1) {
        kvsplit_model* model = NULL;
        kvsplit_model_options options;
        kvsplit_model_info info;

        kvsplit_model_options_init(&options, sizeof options);
        options.threads = 2;
        CHECK(kvsplit_model_load(argv[1], &options, &model) == KVSPLIT_OK);
        CHECK(kvsplit_model_threads(model) == 1 || kvsplit_model_threads(model) == 2);
        info.struct_size = sizeof info;
        CHECK(kvsplit_model_get_info(model, &info) == KVSPLIT_OK);
        CHECK(info.n_layers > 0 && info.n_vocab > 0 && strlen(info.architecture) > 0);
        test_text(model);
        test_session(model);
        kvsplit_model_free(model);
        test_options(argv[1], info.context_length);
    }
    puts("consumer_c: ok");
    return 0;
}
