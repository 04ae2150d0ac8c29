// The C interface against callers that make mistakes: a status and a text, never a crash.
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <string>
#include <vector>

#include "engine/tiny_model.h"
#include "kvsplit/kvsplit.h"

namespace kvsplit {
namespace {

constexpr auto kInvalid = KVSPLIT_INVALID_ARGUMENT;

class CApi : public testing::Test {
  protected:
    CApi() : file_(test::TinyModel{}.write().bytes()) {
        kvsplit_model_options options;
        kvsplit_model_options_init(&options, sizeof options);
        options.threads = 2;
        EXPECT_EQ(kvsplit_model_load(file_.path().c_str(), &options, &model_), KVSPLIT_OK);
        EXPECT_EQ(kvsplit_session_create(model_, "k8v4", 1000, &session_), KVSPLIT_OK);
    }
    ~CApi() override {
        kvsplit_model_free(model_);  // before its session
        kvsplit_session_free(session_);
    }

    static std::string last_error() { return kvsplit_last_error(); }

    test::TempFile file_;
    kvsplit_model* model_ = nullptr;
    kvsplit_session* session_ = nullptr;
};

TEST_F(CApi, NullsAreRefused) {
    kvsplit_model* model = nullptr;
    kvsplit_session* session = nullptr;
    kvsplit_sampler* sampler = nullptr;
    kvsplit_model_info info{};
    kvsplit_kv_stats stats{};
    kvsplit_token token = 1;
    std::size_t n = 0;
    std::int32_t restart = 0;
    const float* logits = nullptr;
    const float one = 1;
    ASSERT_EQ(kvsplit_sampler_create(nullptr, &sampler), KVSPLIT_OK);
    const kvsplit_status results[] = {
        kvsplit_model_load(nullptr, nullptr, &model),
        kvsplit_model_load(file_.path().c_str(), nullptr, nullptr),
        kvsplit_model_get_info(nullptr, &info),
        kvsplit_model_get_info(model_, nullptr),
        kvsplit_tokenize(nullptr, "a", 1, 0, 0, &token, 1, &n),
        kvsplit_tokenize(model_, nullptr, 1, 0, 0, &token, 1, &n),
        kvsplit_tokenize(model_, "a", 1, 0, 0, nullptr, 9, &n),
        kvsplit_tokenize(model_, "a", 1, 0, 0, &token, 1, nullptr),
        kvsplit_tokenize(model_, "a", SIZE_MAX, 0, 0, &token, 1, &n),
        kvsplit_detokenize(nullptr, &token, 1, 0, nullptr, 0, &n),
        kvsplit_detokenize(model_, nullptr, 1, 0, nullptr, 0, &n),
        kvsplit_detokenize(model_, &token, 1, 0, nullptr, 0, nullptr),
        kvsplit_detokenize(model_, &token, SIZE_MAX / 2, 0, nullptr, 0, &n),
        kvsplit_session_create(nullptr, "f16", 0, &session),
        kvsplit_session_create(model_, "f16", 0, nullptr),
        kvsplit_session_fork(nullptr, &session),
        kvsplit_session_fork(session_, nullptr),
        kvsplit_session_eval(nullptr, &token, 1, nullptr, nullptr, nullptr),
        kvsplit_session_eval(session_, nullptr, 1, nullptr, nullptr, nullptr),
        kvsplit_session_eval(session_, &token, SIZE_MAX, nullptr, nullptr, nullptr),
        kvsplit_session_logits(nullptr, &logits, &n),
        kvsplit_session_logits(session_, nullptr, &n),
        kvsplit_session_logits(session_, &logits, nullptr),
        kvsplit_session_trim(nullptr, 0, &restart),
        kvsplit_session_trim(session_, 0, nullptr),
        kvsplit_session_kv_stats(nullptr, &stats),
        kvsplit_session_kv_stats(session_, nullptr),
        kvsplit_model_plan(nullptr, "f16", 1, &stats),
        kvsplit_model_plan(model_, "f16", 1, nullptr),
        kvsplit_sampler_create(nullptr, nullptr),
        kvsplit_sampler_sample(nullptr, &one, 1, &token),
        kvsplit_sampler_sample(sampler, nullptr, 1, &token),
        kvsplit_sampler_sample(sampler, &one, 1, nullptr),
        kvsplit_sampler_sample(sampler, &one, 0, &token),
        kvsplit_sampler_sample(sampler, &one, SIZE_MAX, &token),
        kvsplit_sampler_accept(nullptr, 1),
    };
    for (std::size_t i = 0; i < std::size(results); ++i) EXPECT_EQ(results[i], kInvalid) << "call " << i;
    EXPECT_EQ(kvsplit_session_eval(session_, nullptr, 0, nullptr, nullptr, nullptr), KVSPLIT_OK);
    EXPECT_EQ(kvsplit_tokenize(model_, nullptr, 0, 0, 0, nullptr, 0, &n), KVSPLIT_OK);
    kvsplit_sampler_free(sampler);

    EXPECT_EQ(kvsplit_session_length(nullptr), 0);
    EXPECT_EQ(kvsplit_session_context(nullptr), 0);
    EXPECT_EQ(kvsplit_model_threads(nullptr), 0);
    EXPECT_EQ(kvsplit_is_end_of_generation(nullptr, 1), 0);
    kvsplit_model_options_init(nullptr, sizeof(kvsplit_model_options));
    kvsplit_sampling_options_init(nullptr, sizeof(kvsplit_sampling_options));
    kvsplit_model_free(nullptr);
    kvsplit_session_free(nullptr);
    kvsplit_sampler_free(nullptr);
}

TEST_F(CApi, NumbersOutOfRangeAreRefused) {
    kvsplit_session* session = nullptr;
    kvsplit_kv_stats stats{};
    stats.struct_size = sizeof stats;
    std::int32_t restart = 7;
    EXPECT_EQ(kvsplit_session_create(model_, "f16", -1, &session), kInvalid);
    EXPECT_EQ(kvsplit_model_plan(model_, "k8v4", -1, &stats), kInvalid);
    EXPECT_EQ(kvsplit_model_plan(model_, "k8v4", INT32_MAX, &stats), KVSPLIT_OK);
    EXPECT_EQ(kvsplit_session_trim(session_, -1, &restart), kInvalid);
    EXPECT_EQ(restart, 7);  // results are written on success only
    for (const kvsplit_token bad : {-1, 1 << 30, INT32_MIN}) {
        EXPECT_EQ(kvsplit_session_eval(session_, &bad, 1, nullptr, nullptr, nullptr), kInvalid);
        EXPECT_EQ(kvsplit_is_end_of_generation(model_, bad), 0);
    }
    const std::vector<kvsplit_token> many(1001, 5);
    EXPECT_EQ(kvsplit_session_eval(session_, many.data(), many.size(), nullptr, nullptr, nullptr),
              KVSPLIT_OUT_OF_MEMORY);
    EXPECT_EQ(kvsplit_session_length(session_), 0);
    EXPECT_EQ(session, nullptr);
}

TEST_F(CApi, ModelOptionsAreChecked) {
    const auto load = [&](auto set) {
        kvsplit_model_options options;
        kvsplit_model_options_init(&options, sizeof options);
        options.threads = 1;
        set(options);
        kvsplit_model* model = nullptr;
        const kvsplit_status status = kvsplit_model_load(file_.path().c_str(), &options, &model);
        kvsplit_model_free(model);
        return status;
    };
    constexpr double kNan = std::numeric_limits<double>::quiet_NaN(),
                     kInf = std::numeric_limits<double>::infinity();
    for (const int threads : {-1, 5000, INT32_MIN})
        EXPECT_EQ(load([&](auto& o) { o.threads = threads; }), kInvalid);
    for (const int bits : {-1, -8, 12}) EXPECT_EQ(load([&](auto& o) { o.activation_bits = bits; }), kInvalid);
    for (const int kind : {-1, 4}) EXPECT_EQ(load([&](auto& o) { o.rope_scaling = kind; }), kInvalid);
    for (const double x : {kNan, kInf, -1.0}) {
        EXPECT_EQ(load([&](auto& o) { o.rope_scale = x; }), kInvalid) << x;
        EXPECT_EQ(load([&](auto& o) { o.rope_freq_base = x; }), kInvalid) << x;
    }
    EXPECT_EQ(load([&](auto& o) { o.rope_original_context = -1; }), kInvalid);
    for (const std::size_t size : {0, 1, 8, 15})
        EXPECT_EQ(load([&](auto& o) { o.struct_size = size; }), kInvalid);
    EXPECT_EQ(load([&](auto& o) { o.struct_size = 16; }), KVSPLIT_OK);    // ABI 1.0
    EXPECT_EQ(load([&](auto& o) { o.struct_size = 4096; }), KVSPLIT_OK);  // a later version
}

TEST_F(CApi, SamplingOptionsAreChecked) {
    const auto create = [&](auto set) {
        kvsplit_sampling_options options;
        kvsplit_sampling_options_init(&options, sizeof options);
        set(options);
        kvsplit_sampler* sampler = nullptr;
        const kvsplit_status status = kvsplit_sampler_create(&options, &sampler);
        kvsplit_sampler_free(sampler);
        return status;
    };
    constexpr float kNan = std::numeric_limits<float>::quiet_NaN(),
                    kInf = std::numeric_limits<float>::infinity();
    for (const float x : {kNan, kInf, -1.0f}) {
        EXPECT_EQ(create([&](auto& o) { o.temperature = x; }), kInvalid) << x;
        EXPECT_EQ(create([&](auto& o) { o.top_p = x; }), kInvalid) << x;
        EXPECT_EQ(create([&](auto& o) { o.min_p = x; }), kInvalid) << x;
        EXPECT_EQ(create([&](auto& o) { o.repeat_penalty = x; }), kInvalid) << x;
    }
    EXPECT_EQ(create([](auto& o) { o.top_k = -1; }), kInvalid);
    EXPECT_EQ(create([](auto& o) { o.repeat_last = -1; }), kInvalid);
    EXPECT_EQ(create([](auto& o) { o.struct_size = 12; }), kInvalid);
    EXPECT_EQ(create([](auto& o) { o.top_k = INT32_MAX; }), KVSPLIT_OK);
}

TEST_F(CApi, StructsOfTheWrongSizeAreRefused) {
    kvsplit_model_info info{};
    kvsplit_kv_stats stats{};
    for (const std::size_t size : {0, 7, 8, 20}) {
        info.struct_size = stats.struct_size = size;
        EXPECT_EQ(kvsplit_model_get_info(model_, &info), kInvalid);
        EXPECT_EQ(kvsplit_session_kv_stats(session_, &stats), kInvalid);
        EXPECT_EQ(kvsplit_model_plan(model_, "f16", 1, &stats), kInvalid);
    }
    EXPECT_NE(last_error().find("struct_size is 20"), std::string::npos) << last_error();
}

TEST_F(CApi, LogitsBelongToTheLastTokenHeld) {
    const std::vector<kvsplit_token> tokens(700, 5);
    const float* logits = nullptr;
    std::size_t n = 0;
    std::int32_t restart = 0, done = 0;
    EXPECT_EQ(kvsplit_session_logits(session_, &logits, &n), kInvalid);
    ASSERT_EQ(kvsplit_session_eval(session_, tokens.data(), 300, nullptr, nullptr, nullptr), KVSPLIT_OK);
    EXPECT_EQ(kvsplit_session_logits(session_, &logits, &n), KVSPLIT_OK);
    for (const int keep : {299, 100, 0}) {
        ASSERT_EQ(kvsplit_session_trim(session_, keep, &restart), KVSPLIT_OK);
        EXPECT_EQ(kvsplit_session_logits(session_, &logits, &n), kInvalid);
        EXPECT_FALSE(last_error().empty());
    }
    const auto stop = [](std::int32_t, void*) { return 0; };
    ASSERT_EQ(kvsplit_session_eval(session_, tokens.data(), 700, stop, nullptr, &done), KVSPLIT_CANCELLED);
    EXPECT_EQ(done, kvsplit_session_length(session_));
    EXPECT_EQ(kvsplit_session_logits(session_, &logits, &n), KVSPLIT_OK);
    EXPECT_EQ(kvsplit_model_threads(model_), 2);
}

TEST_F(CApi, MessagesRepeatLittleOfWhatWasGiven) {
    kvsplit_session* session = nullptr;
    const std::string spec = "@/etc/passwd\n\x1b[31m" + std::string(100000, 'x');
    EXPECT_EQ(kvsplit_session_create(model_, spec.c_str(), 0, &session), kInvalid);
    EXPECT_LT(last_error().size(), 500u);
    EXPECT_EQ(last_error().find('\n'), std::string::npos);
    EXPECT_EQ(last_error().find('\x1b'), std::string::npos);
    kvsplit_model* model = nullptr;
    EXPECT_EQ(kvsplit_model_load("no\nsuch\x1b[31m", nullptr, &model), KVSPLIT_NOT_FOUND);
    EXPECT_EQ(last_error().find('\n'), std::string::npos);
    EXPECT_EQ(last_error().find('\x1b'), std::string::npos);
}

}  // namespace
}  // namespace kvsplit
