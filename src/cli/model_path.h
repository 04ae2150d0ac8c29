// Models by path or by address: every option that takes a model is added here.
#pragma once

#include <CLI/CLI.hpp>
#include <string>

namespace kvsplit::cli {

// An option for a model. When the command line has been read, a model that is named by an address
// (hf:owner/repo/file.gguf, https://...) is loaded to the cache, and `path` becomes the file there. One for
// each command.
CLI::Option* add_model_option(CLI::App& command, const std::string& name, std::string& path);

// The file of a model that may be named by an address. Throws Error: kCancelled after Ctrl-C, kUnsupported
// where the program was built without downloads.
std::string local_model(const std::string& path);

// Throws Error(kNotFound), which says what a model is, where there is no such file.
void require_model(const std::string& path);

}  // namespace kvsplit::cli
