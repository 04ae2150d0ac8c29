// Sessions of small random models, named by the test's parameter.
#pragma once

#include <gtest/gtest.h>

#include <span>

#include "engine/states.h"
#include "kvsplit/model.h"
#include "model/tiny_models.h"

namespace kvsplit::test {

class TinySession : public testing::TestWithParam<const char*> {
  protected:
    void SetUp() override {
        golden_ = read_tiny_model(GetParam());
        file_.write(golden_.file().bytes());
        model_ = Model::load(file_.path(), {.threads = 2});
    }
    std::span<const Token> tokens(std::size_t first, std::size_t n) const {
        return std::span(golden_.tokens).subspan(first, n);
    }
    // Hidden states of tokens that the session has not seen.
    std::vector<float> states(Session& session, std::span<const Token> tokens) const {
        return test::states(session, *model_, tokens, tokens.size());
    }

    // With each of these caches: several batches, a fork and a trimmed session give the same bits as one
    // batch.
    void expect_same_bits_in_parts(std::span<const char* const> specs) const {
        const auto width = static_cast<std::size_t>(model_->info().n_embd);
        for (const char* kv : specs) {
            const auto fresh = Session::create(model_, KvSpec::parse(kv)),
                       session = Session::create(model_, KvSpec::parse(kv));
            const auto whole = states(*fresh, golden_.tokens);
            const auto rows = [&](std::size_t first, std::size_t n) {
                return std::span(whole).subspan(first * width, n * width);
            };
            for (std::size_t i = 0; i < 150; i += 50) {
                ASSERT_TRUE(same_bits(states(*session, tokens(i, 50)), rows(i, 50))) << kv << " at " << i;
            }
            const auto fork = session->fork();
            states(*session, tokens(3, 20));
            EXPECT_EQ(session->trim(150), 150);
            for (Session* s : {session.get(), fork.get()}) {
                EXPECT_TRUE(same_bits(states(*s, tokens(150, 1)), rows(150, 1))) << kv;
                EXPECT_TRUE(same_bits(states(*s, tokens(151, 49)), rows(151, 49))) << kv;
            }
        }
    }
    // With each of these caches: one thread gives the same bits as two.
    void expect_same_bits_with_one_thread(std::span<const char* const> specs) const {
        const auto one = Model::load(file_.path(), {.threads = 1});
        for (const char* kv : specs) {
            const auto spec = KvSpec::parse(kv);
            EXPECT_TRUE(same_bits(states(*Session::create(one, spec), golden_.tokens),
                                  states(*Session::create(model_, spec), golden_.tokens)))
                << kv;
        }
    }

    TinyModelGolden golden_;
    TempFile file_;
    std::shared_ptr<Model> model_;
};

}  // namespace kvsplit::test
