// fork() in a program that has a model: parent and child go on with it.
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <functional>
#include <thread>
#include <vector>

#include "engine/tiny_model.h"
#include "kvsplit/error.h"
#include "kvsplit/model.h"

namespace kvsplit {
namespace {

#if defined(__SANITIZE_THREAD__)
constexpr bool kThreadSanitizer = true;  // which ends children that start threads
#else
constexpr bool kThreadSanitizer = false;
#endif

// What fn() returns in a child, 0 to 99; more: the child did not end by itself.
int in_child(const std::function<int()>& fn) {
    const pid_t child = ::fork();
    if (child == 0) {
        ::alarm(30);
        ::_exit(fn());
    }
    int status = -1;
    ::waitpid(child, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 100 + WTERMSIG(status);
}

std::vector<float> logits_after(Session& session, const std::vector<Token>& tokens) {
    session.eval(tokens);
    return {session.logits().begin(), session.logits().end()};
}

class Fork : public testing::Test {
  protected:
    Fork() : file_(test::TinyModel{}.write().bytes()) {
        model_ = Model::load(file_.path(), {.threads = 4});
        session_ = Session::create(model_, {8, 4});
        for (int i = 0; i < 300; ++i) tokens_.push_back(3 + i % 200);
        session_->eval(tokens_);
    }

    test::TempFile file_;
    std::shared_ptr<Model> model_;
    std::unique_ptr<Session> session_;
    std::vector<Token> tokens_;
};

TEST_F(Fork, ChildrenFreeWhatTheyInherit) {
    EXPECT_EQ(in_child([&] {
                  session_.reset();
                  model_.reset();
                  return 0;
              }),
              0);
    EXPECT_EQ(in_child([&] {
                  model_.reset();
                  session_.reset();
                  return 0;
              }),
              0);
    EXPECT_NO_THROW(session_->eval(tokens_));
}

TEST_F(Fork, ChildrenEvaluateLikeTheirParent) {
    if (kThreadSanitizer) GTEST_SKIP();
    const auto expected = logits_after(*session_->fork(), tokens_);
    const auto same = [&] {
        const bool inherited = logits_after(*session_, tokens_) == expected;
        const auto fresh = Session::create(model_, {8, 4});
        fresh->eval(tokens_);
        return inherited && logits_after(*fresh, tokens_) == expected ? 0 : 1;
    };
    EXPECT_EQ(in_child(same), 0);
    EXPECT_EQ(in_child([&] {
                  return same() + in_child([&] {
                             session_->trim(0);
                             session_->eval(tokens_);
                             return same();
                         });
              }),
              0);
    EXPECT_EQ(same(), 0);
}

// Objects of static duration are destroyed by exit(), in parents and children.
TEST_F(Fork, ExitWithALiveModel) {
    if (kThreadSanitizer) GTEST_SKIP();
    static std::shared_ptr<Model> kept;
    kept = model_;
    EXPECT_EQ(in_child([]() -> int { std::exit(7); }), 7);
    EXPECT_EQ(in_child([&]() -> int {
                  session_->eval(tokens_);
                  std::exit(8);
              }),
              8);
    kept.reset();
}

// The child cannot know how far the evaluation of the other thread came: it works, or says so at once.
TEST_F(Fork, WhileAnotherThreadEvaluates) {
    std::atomic<bool> stop{false};
    std::thread other([&] {
        const auto session = Session::create(model_, {8, 4});
        while (!stop) {
            session->eval(tokens_);
            session->trim(0);
        }
    });
    for (int i = 0; i < 20; ++i) {
        const int result = in_child([&] {
            int told = 0;
            if (!kThreadSanitizer) {
                try {
                    session_->eval(tokens_);
                } catch (const Error& error) {
                    told = error.code() == ErrorCode::kUnsupported ? 0 : 1;
                }
            }
            session_.reset();
            model_.reset();
            return told;
        });
        EXPECT_EQ(result, 0);
    }
    stop = true;
    other.join();
}

}  // namespace
}  // namespace kvsplit
