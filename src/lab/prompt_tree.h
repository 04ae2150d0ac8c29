// Evaluates the common beginnings of many prompts once, with forks of a session where they branch.
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "kvsplit/model.h"
#include "lab/eval.h"

namespace kvsplit::lab {

// How to reach one prompt after the prompts before it were read in order.
struct PromptStep {
    int from = 0;           // tokens taken from an earlier prompt's checkpoint; 0: none
    bool last_use = false;  // no later prompt starts from that checkpoint
    std::vector<int> keep;  // ascending: lengths at which to leave checkpoints for later prompts
};

// Prompts share beginnings with earlier ones, so similar prompts should be adjacent. At least the last token
// of each prompt is evaluated again, since its state predicts the answer's first token.
std::vector<PromptStep> plan_prompts(std::span<const TaskItem> items);

// Tokens that the plan evaluates for item i, answers included.
std::int64_t planned_tokens(const TaskItem& item, const PromptStep& step);

// Reads prompts through one cache and scores their answers. The results are, bit for bit, those of a fresh
// session for each answer.
class PromptReader {
  public:
    // context: tokens of the longest prompt with its answer.
    PromptReader(std::shared_ptr<Model> model, const KvSpec& spec, int context);

    // Called with the number of tokens evaluated since the last call; false stops.
    using Step = std::function<bool(int tokens)>;
    // Items in the order of their plan. Returns fewer scores than answers if a step stopped it; do not use
    // the reader after that.
    std::vector<AnswerScore> score(const TaskItem& item, const PromptStep& plan, const Step& step);

  private:
    struct Checkpoint {
        int length;
        std::unique_ptr<Session> session;
    };

    bool read_prompt(const TaskItem& item, const PromptStep& plan, const Step& step);
    bool eval(std::span<const Token> tokens, const Step& step);
    // Scores tokens from the states (tokens.size(), n_embd) of the positions before them.
    void add_rows(AnswerScore& score, std::span<const Token> tokens, std::span<const float> states);

    std::shared_ptr<Model> model_;
    KvSpec spec_;
    int context_;
    std::size_t width_;                    // n_embd
    std::unique_ptr<Session> session_;     // holds the prompt that is being scored
    std::vector<Checkpoint> checkpoints_;  // ascending lengths, all beginnings of the latest prompt
    std::vector<float> states_;            // (batch, n_embd) of the latest batch
    std::size_t last_state_ = 0;           // offset in states_ of the latest token's
    std::vector<float> logits_;            // (rows, n_vocab)
};

}  // namespace kvsplit::lab
