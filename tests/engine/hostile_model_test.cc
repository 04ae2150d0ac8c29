// Ten thousand damaged model files through the whole engine: a clear error or a model that runs.
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <cstdio>
#include <random>

#include "engine/tiny_model.h"
#include "gguf/gguf.h"
#include "gguf/mutate.h"
#include "kvsplit/error.h"
#include "kvsplit/model.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define KVSPLIT_SANITIZED 1
#else
#define KVSPLIT_SANITIZED 0
#endif

namespace kvsplit::test {
namespace {

// Sanitizers need their own address space; without them a wild allocation fails with its error code.
void limit_memory() {
    if (KVSPLIT_SANITIZED) return;
    long pages = 0;
    if (std::FILE* f = std::fopen("/proc/self/statm", "r")) {
        if (std::fscanf(f, "%ld", &pages) != 1) pages = 0;
        std::fclose(f);
    }
    constexpr rlim_t kSlack = rlim_t{64} << 20;  // the files have about 25 KB
    const rlimit limit{static_cast<rlim_t>(pages) * 4096 + kSlack, RLIM_INFINITY};
    ASSERT_EQ(setrlimit(RLIMIT_AS, &limit), 0);
}

void run(const std::string& path) {
    const auto model = Model::load(path, {.threads = 1});
    auto tokens = model->tokenize("ab \xff<s>", true, true);
    for (const KvSpec& spec : {KvSpec{8, 4}, KvSpec{16, 16}}) {
        const auto session = Session::create(model, spec, 100);
        session->eval(tokens);
        EXPECT_EQ(session->logits().size(), static_cast<std::size_t>(model->info().n_vocab));
        EXPECT_GT(session->stats().bytes.total(), 0u);
    }
    for (Token t : tokens) model->token_bytes(t, true);
}

TEST(HostileModel, TenThousandDamagedFilesAreRefusedOrRun) {
    std::mt19937 rng(99);
    const Bytes valid[] = {TinyModel{}.write().bytes(),
                           TinyModel{.architecture = "gemma3", .layers = 1}.write().bytes()};
    std::size_t headers[2];
    TempFile file;
    for (int i = 0; i < 2; ++i) {
        file.write(valid[i]);
        run(file.path());
        headers[i] = gguf::File(file.path()).tensors().front().file_offset;
    }
    limit_memory();
    int ran = 0;
    for (int i = 0; i < 10000; ++i) {
        const int which = i % 2;
        Bytes damaged = valid[which];
        for (unsigned n = 1 + rng() % 2; n-- > 0 && !damaged.empty();) {
            mutate(damaged, std::min(headers[which], damaged.size()), rng);
        }
        file.write(damaged);
        try {
            run(file.path());
            ++ran;
        } catch (const Error& e) {
            EXPECT_NE(e.code(), ErrorCode::kOutOfMemory) << "mutation " << i << ": " << e.what();
        }
    }
    EXPECT_GT(ran, 500);
    EXPECT_LT(ran, 9500);
}

}  // namespace
}  // namespace kvsplit::test
