// What a session holds after it was cut, stopped, refused something or failed half way.
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <functional>
#include <vector>

#include "engine/hidden.h"
#include "engine/tiny_model.h"
#include "kvsplit/error.h"
#include "kvsplit/model.h"

namespace kvsplit {
namespace {

class SessionState : public testing::Test {
  protected:
    SessionState()
        : file_(test::TinyModel{}.write().bytes()), model_(Model::load(file_.path(), {.threads = 1})) {
        session_ = create();
        for (int i = 0; i < 1200; ++i) tokens_.push_back(3 + i % 200);
    }

    std::unique_ptr<Session> create() const { return Session::create(model_, {8, 4}, 2000); }
    std::span<const Token> tokens(std::size_t n) const { return std::span(tokens_).first(n); }
    static std::vector<float> logits(const Session& session) {
        return {session.logits().begin(), session.logits().end()};
    }
    std::vector<float> logits_after(std::size_t n) const {
        const auto session = create();
        session->eval(tokens(n));
        return logits(*session);
    }
    static ErrorCode refused(const std::function<void()>& fn) {
        try {
            fn();
        } catch (const Error& error) {
            return error.code();
        }
        ADD_FAILURE() << "nothing was thrown";
        return ErrorCode::kCancelled;
    }
    void expect_no_logits() const {
        EXPECT_EQ(refused([&] { session_->logits(); }), ErrorCode::kInvalidArgument);
    }

    test::TempFile file_;
    std::shared_ptr<Model> model_;
    std::unique_ptr<Session> session_;
    std::vector<Token> tokens_;
};

TEST_F(SessionState, LogitsAreThoseOfTheLastTokenHeld) {
    expect_no_logits();
    session_->eval({});
    expect_no_logits();
    session_->eval(tokens(300));
    const auto all = logits(*session_);
    EXPECT_EQ(session_->trim(300), 300);  // cuts nothing off
    EXPECT_EQ(session_->trim(9999), 300);
    session_->eval({});
    EXPECT_EQ(logits(*session_), all);
    EXPECT_EQ(logits(*session_->fork()), all);

    const int kept = session_->trim(299);
    expect_no_logits();
    EXPECT_THROW(session_->fork()->logits(), Error);
    session_->eval(tokens(300).subspan(static_cast<std::size_t>(kept)));
    EXPECT_EQ(logits(*session_), all);
    session_->clear();
    expect_no_logits();
    EXPECT_EQ(refused([&] { session_->trim(-1); }), ErrorCode::kInvalidArgument);
}

TEST_F(SessionState, HiddenStatesLeaveNoLogits) {
    session_->eval(tokens(100));
    const int rest = 100 - session_->trim(50);
    std::vector<float> hidden(static_cast<std::size_t>(rest * model_->info().n_embd));
    eval_hidden(*session_, tokens(static_cast<std::size_t>(rest)), hidden);  // the length is what it was
    ASSERT_EQ(session_->length(), 100);
    expect_no_logits();
}

TEST_F(SessionState, RefusedTokensChangeNothing) {
    session_->eval(tokens(100));
    const auto before = logits(*session_);
    for (const Token bad : {-1, model_->info().n_vocab, 1 << 30})
        EXPECT_EQ(refused([&] { session_->eval(std::vector<Token>{5, bad}); }), ErrorCode::kInvalidArgument);
    EXPECT_EQ(refused([&] { session_->eval(std::vector<Token>(1901, 5)); }), ErrorCode::kOutOfMemory);
    EXPECT_EQ(session_->length(), 100);
    EXPECT_EQ(logits(*session_), before);
}

TEST_F(SessionState, StoppedEvaluationsHaveTheLogitsOfWhatWasDone) {
    const int done = session_->eval(tokens(1200), [](int) { return false; });
    ASSERT_GT(done, 0);
    ASSERT_LT(done, 1200);
    EXPECT_EQ(session_->length(), done);
    EXPECT_EQ(logits(*session_), logits_after(static_cast<std::size_t>(done)));
}

TEST_F(SessionState, CallbacksDoNotChangeTheSession) {
    session_->eval(tokens(100));
    int calls = 0;
    session_->eval(tokens(700), [&](int) {
        ++calls;
        expect_no_logits();
        EXPECT_EQ(refused([&] { session_->eval(tokens(1)); }), ErrorCode::kInvalidArgument);
        EXPECT_EQ(refused([&] { session_->trim(0); }), ErrorCode::kInvalidArgument);
        return true;
    });
    EXPECT_EQ(calls, 2);
    EXPECT_EQ(session_->length(), 800);
    EXPECT_NO_THROW(session_->logits());
}

TEST_F(SessionState, ACallbackThatThrowsLeavesTheTokensWithoutLogits) {
    session_->eval(tokens(10));
    EXPECT_THROW(session_->eval(tokens(700), [](int) -> bool { throw std::runtime_error("enough"); }),
                 std::runtime_error);
    EXPECT_EQ(session_->length(), 10 + 512);
    expect_no_logits();
    session_->trim(session_->length());
    expect_no_logits();
    session_->eval(tokens(1));
    EXPECT_NO_THROW(session_->logits());
}

// In a child, whose address space ends: some evaluation finds no page for its cache.
TEST_F(SessionState, WithoutMemoryASessionSaysThatItHasToBeCleared) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    GTEST_SKIP() << "sanitizers need their address space";
#endif
    std::vector<std::unique_ptr<Session>> sessions;
    for (int i = 0; i < 50; ++i) {
        sessions.push_back(Session::create(model_, {16, 16}));
        sessions.back()->eval(tokens(512));  // now it has all but the pages
        if (i > 0) sessions.back()->clear();
    }
    const auto expected = logits(*sessions[0]);
    const pid_t child = ::fork();
    if (child == 0) {
        ::alarm(60);
        std::vector<void*> filling(1 << 17);
        const rlimit limit{1, RLIM_INFINITY};
        ::setrlimit(RLIMIT_AS, &limit);
        // Uses up what malloc has, but for a little.
        std::size_t n = 0;
        while (n < filling.size() && (filling[n] = std::malloc(4000))) ++n;
        for (int i = 0; i < 250 && n > 0; ++i) std::free(filling[--n]);
        std::size_t i = 1;
        try {
            for (; i < sessions.size(); ++i) sessions[i]->eval(tokens(512));
        } catch (const std::exception&) {
        }
        if (i == sessions.size()) ::_exit(1);
        Session& failed = *sessions[i];
        if (failed.length() != 0) ::_exit(2);
        const rlimit none{RLIM_INFINITY, RLIM_INFINITY};
        ::setrlimit(RLIMIT_AS, &none);
        for (const auto& call : {std::function<void()>([&] { failed.eval(tokens(5)); }),
                                 std::function<void()>([&] { failed.logits(); }),
                                 std::function<void()>([&] { failed.fork(); })}) {
            if (refused(call) != ErrorCode::kInvalidArgument) ::_exit(3);
        }
        failed.trim(0);
        failed.eval(tokens(512));
        ::_exit(logits(failed) == expected && !testing::Test::HasFailure() ? 0 : 4);
    }
    int status = -1;
    ::waitpid(child, &status, 0);
    EXPECT_TRUE(WIFEXITED(status));
    EXPECT_EQ(WEXITSTATUS(status), 0);
}

TEST_F(SessionState, PlansAndSessionsRefuseWhatHasNoMeaning) {
    EXPECT_EQ(refused([&] { model_->plan({8, 4}, -1); }), ErrorCode::kInvalidArgument);
    EXPECT_EQ(refused([&] { model_->plan({7, 4}, 1); }), ErrorCode::kInvalidArgument);
    EXPECT_NO_THROW(model_->plan({8, 4}, INT32_MAX));
    EXPECT_EQ(refused([&] { Session::create(nullptr, {8, 4}); }), ErrorCode::kInvalidArgument);
    EXPECT_EQ(refused([&] { Session::create(model_, {8, 4}, -1); }), ErrorCode::kInvalidArgument);
    EXPECT_NO_THROW(Session::create(model_, {8, 4}, INT32_MAX)->eval(tokens(3)));
}

}  // namespace
}  // namespace kvsplit
