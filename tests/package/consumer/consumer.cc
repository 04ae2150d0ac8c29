// The public C++ API from outside: `consumer_cpp [MODEL]`. Without a model only the error path runs.
#include <kvsplit/model.h>
#include <kvsplit/sampler.h>

#include <cstdio>
#include <string>
#include <vector>

namespace {

bool reports_missing_file() {
    try {
        kvsplit::Model::load("no-such-file.gguf");
    } catch (const kvsplit::Error& e) {
        return e.code() == kvsplit::ErrorCode::kNotFound &&
               std::string(e.what()).find("no-such-file.gguf") != std::string::npos;
    }
    return false;
}

std::string answer(const std::string& path) {
    const auto model = kvsplit::Model::load(path, {.threads = 2});
    const auto session = kvsplit::Session::create(model, kvsplit::KvSpec::parse("k8v4"), 512);
    kvsplit::Sampler sampler({});
    session->eval(model->tokenize("The capital of France is", true, false));
    std::string text;
    for (int i = 0; i < 8; ++i) {
        const kvsplit::Token token = sampler.sample(session->logits());
        sampler.accept(token);
        text += model->token_bytes(token);
        session->eval({&token, 1});
    }
    return text;
}

}  // namespace

int main(int argc, char** argv) {
    if (!reports_missing_file()) {
        std::fprintf(stderr, "a missing file is not reported\n");
        return 1;
    }
    if (argc > 1) {
        const std::string text = answer(argv[1]);
        std::printf("The capital of France is%s\n", text.c_str());
        if (text.find("Paris") == std::string::npos) return 1;
    }
    std::puts("consumer_cpp: ok");
    return 0;
}
