// Options that several commands share.
#pragma once

#include <fmt/core.h>

#include <CLI/CLI.hpp>
#include <memory>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "kvsplit/model.h"
#include "kvsplit/sampler.h"
#include "text/chat.h"

namespace kvsplit::cli {

// The command line makes no sense: exit code 2.
struct UsageError : std::runtime_error {
    using std::runtime_error::runtime_error;
};

// Rewrites llama.cpp's multi-letter short options (-ctk, -ctv), which the parser would read as -c tk.
std::vector<std::string> normalise_arguments(int argc, char** argv);

// Checks that an option is a number from `least` to `most`; errors say which condition fails.
template <typename T>
CLI::Validator in_range(T least, T most) {
    return {[=](const std::string& text) -> std::string {
                // Wider than T, so that numbers too large for T are out of range.
                std::conditional_t<std::is_integral_v<T>, long long, T> x{};
                if (!CLI::detail::lexical_cast(text, x))
                    return fmt::format("'{}' is not a {}number", text, std::is_integral_v<T> ? "whole " : "");
                if (x >= least && x <= most) return {};
                return fmt::format("{} is not between {} and {}", text, least, most);
            },
            ""};
}

// Turns an option's text, in any case, into one of these values; an error lists what there is.
template <typename T>
CLI::Validator one_of(std::vector<std::pair<std::string, T>> choices) {
    return {[choices = std::move(choices)](std::string& text) -> std::string {
                std::string names;
                for (const auto& [name, value] : choices) {
                    if (CLI::detail::to_lower(text) == name) {
                        text = std::to_string(static_cast<int>(value));
                        return {};
                    }
                    names += (names.empty() ? "" : ", ") + name;
                }
                return fmt::format("'{}' is not one of {}", text, names);
            },
            ""};
}

// Replaces an option's first long name in a parser message with the name that the user wrote, and the
// parser's way to say that an option occurs twice.
std::string with_written_name(const CLI::App& app, const std::vector<std::string>& arguments,
                              const std::string& message);
// What to say of arguments that no option takes: the first of them, and the option that it resembles.
std::string unknown_arguments_text(const CLI::App& app);

struct ModelArgs {
    std::string path;
    ModelOptions options;
    bool memory_check = true;  // --no-memory-check
    bool lock = false;         // --mlock

    // Commands with several measurements decide themselves when to be exact.
    enum class Exact { kOption, kDecidedByCommand };
    void add(CLI::App& command, Exact exact = Exact::kOption);
    // Shows progress on a terminal. First refuses a model that does not fit into memory with a cache of
    // `context` tokens; 0: with any cache, noting if its full context does not fit.
    std::shared_ptr<Model> load(const KvSpec& spec = {16, 16}, int context = 1) const;
    // The same for several caches; refuses if the largest does not fit.
    std::shared_ptr<Model> load(std::span<const KvSpec> specs, int context) const;

  private:
    void add_memory(CLI::App& command);
    void require_memory(const KvSpec& spec, int context) const;
};

// How positions are stretched.
void add_rope_options(CLI::App& command, RopeOptions& rope);
CLI::Option* add_activations_option(CLI::App& command, ModelOptions& options);

// Options that modify precisions named elsewhere: layers, exact parts, codec steps.
class KvModifierArgs {
  public:
    void add(CLI::App& command);
    // Throws UsageError. Changes only the layers of exact caches.
    KvSpec apply(const KvSpec& spec) const;

  private:
    std::vector<std::string> layers_, codec_;
    std::optional<int> tail_, sinks_;
};

// The precision of the cache, in this project's spelling or llama.cpp's.
class KvArgs {
  public:
    void add(CLI::App& command);
    // Reads the options, and notes on stderr what a llama.cpp type became. Throws UsageError. Call once,
    // after parsing.
    void read();
    // The precision as known without the model, after read().
    const KvSpec& expected() const { return spec_; }
    // The precision, after read(). With --kv auto, probes the model and notes the choice on stderr.
    KvSpec resolve(const std::shared_ptr<Model>& model) const;

  private:
    KvModifierArgs modifiers_;
    KvSpec spec_;
    std::optional<double> max_kld_;  // --kv auto
    std::optional<std::string> pair_;
    std::optional<int> key_, value_, both_;
    std::string type_k_, type_v_;
};

// Bits of the supported precision nearest to a llama.cpp cache type; nullopt for an unknown name.
std::optional<int> bits_of_llama_type(std::string_view type);

struct SamplingArgs {
    SamplingOptions options;

    void add(CLI::App& command);
    // Draws a seed if sampling needs one and none was given. Call once, after parsing.
    void choose_seed();

  private:
    CLI::Option* seed_ = nullptr;
};

// When to show an answer's reasoning.
enum class ShowReasoning {
    kOnTerminals,  // if stdout is a terminal
    kAlways,
    kNever,
};

// Options for rendering a conversation and showing its answers.
class ChatTemplateArgs {
  public:
    void add(CLI::App& command);
    // The user's template, else the model's own. Throws Error.
    text::ChatFormat format(const gguf::File& model) const;
    // The template variables set by the user: an object.
    text::Json variables() const;
    bool parse_special() const { return parse_special_; }
    ShowReasoning reasoning() const { return reasoning_; }

  private:
    std::string path_, variables_;
    bool parse_special_ = false;
    ShowReasoning reasoning_ = ShowReasoning::kOnTerminals;
};

// -n and -c for run and chat; max_tokens holds the default.
void add_length_options(CLI::App& command, int& max_tokens, int& context);
void add_stop_option(CLI::App& command, std::vector<std::string>& stops);

// Parses a comma-separated list of precisions, and modifies all but the references f16 and f32. Throws
// UsageError.
std::vector<KvSpec> parse_kv_list(std::string_view list, const KvModifierArgs& modifiers = {});

// Describes what is wrong with a seed; empty if valid.
std::string seed_fault(const std::string& text);

// Notes a context beyond the one the model was trained for.
void note_beyond_trained(const ModelInfo& info, int context);

}  // namespace kvsplit::cli
