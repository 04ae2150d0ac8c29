// The public entry points: Model::load, Session::create, and hidden states for the lab.
#include <algorithm>

#include "base/error.h"
#include "engine/hidden.h"
#include "engine/model_impl.h"

namespace kvsplit {
namespace {

void check(const RopeOptions& rope) {
    const auto within = [](double x, double most) { return x >= 0 && x <= most; };
    if (!within(rope.scale, 1e6)) {
        fail(ErrorCode::kInvalidArgument, "a context stretched {} times: give a number up to 1e6",
             rope.scale);
    }
    if (!within(rope.frequency_base, 1e15) || (rope.frequency_base > 0 && rope.frequency_base <= 1)) {
        fail(ErrorCode::kInvalidArgument, "a RoPE base of {}: give a number above 1", rope.frequency_base);
    }
    if (rope.original_context < 0) {
        fail(ErrorCode::kInvalidArgument, "an original context of {} tokens", rope.original_context);
    }
}

}  // namespace

std::shared_ptr<Model> Model::load(const std::string& path, const ModelOptions& options) {
    if (options.threads < 0 || options.threads > 4096) {
        fail(ErrorCode::kInvalidArgument, "{} threads: give a number between 1 and 4096, or 0 for all cores",
             options.threads);
    }
    if (const int bits = options.activation_bits; bits != 0 && bits != 8 && bits != 16) {
        fail(ErrorCode::kInvalidArgument, "activations of {} bits: give 8, 16, or 0 for the default", bits);
    }
    check(options.rope);
    return std::make_shared<ModelImpl>(path, options);
}

std::unique_ptr<Session> Session::create(std::shared_ptr<Model> model, const KvSpec& spec, int context) {
    if (!model) fail(ErrorCode::kInvalidArgument, "a session needs a model");
    spec.validate();
    if (context < 0) fail(ErrorCode::kInvalidArgument, "a context of {} tokens", context);
    return std::make_unique<SessionImpl>(std::static_pointer_cast<const ModelImpl>(std::move(model)), spec,
                                         context);
}

void eval_hidden(Session& session, std::span<const Token> tokens, std::span<float> hidden) {
    static_cast<SessionImpl&>(session).eval_hidden(tokens, hidden.data());
}

void project_logits(const Model& model, std::span<const float> hidden, std::span<float> logits) {
    const auto& impl = static_cast<const ModelImpl&>(model);
    impl.project(hidden.data(),
                 static_cast<int>(hidden.size() / static_cast<std::size_t>(impl.info().n_embd)),
                 logits.data());
}

}  // namespace kvsplit
