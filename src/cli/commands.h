// The commands: each function adds a subcommand to the app; parsing the command line runs it.
//
// A command returns its exit code through `exit_code`: 0, or 130 after Ctrl-C. Failures are exceptions:
// UsageError (exit code 2) and Error (exit code 1).
#pragma once

#include <CLI/CLI.hpp>

namespace kvsplit::cli {

void add_run(CLI::App& app, int& exit_code);
void add_chat(CLI::App& app, int& exit_code);
void add_perplexity(CLI::App& app, int& exit_code);
void add_eval(CLI::App& app, int& exit_code);
void add_bench(CLI::App& app, int& exit_code);
void add_compare(CLI::App& app, int& exit_code);
void add_plan(CLI::App& app, int& exit_code);
void add_tune(CLI::App& app, int& exit_code);
void add_info(CLI::App& app, int& exit_code);

}  // namespace kvsplit::cli
