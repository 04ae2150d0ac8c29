// Sessions of small random models, named by the test's parameter.
#pragma once

#include <gtest/gtest.h>

#include <cstring>
#include <span>

#include "engine/hidden.h"
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
        std::vector<float> hidden(tokens.size() * static_cast<std::size_t>(model_->info().n_embd));
        eval_hidden(session, tokens, hidden);
        return hidden;
    }

    TinyModelGolden golden_;
    TempFile file_;
    std::shared_ptr<Model> model_;
};

inline bool same_bits(std::span<const float> a, std::span<const float> b) {
    return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size_bytes()) == 0;
}

}  // namespace kvsplit::test
