// Models by path or address: all options that take a model are added here.
#pragma once

#include <CLI/CLI.hpp>
#include <string>

namespace kvsplit::cli {

// Adds an option for a model, one per command. After parsing, a model named by an address
// (hf:owner/repo/file.gguf, https://...) is downloaded to the cache, and `path` becomes the file there.
CLI::Option* add_model_option(CLI::App& command, const std::string& name, std::string& path);

// The local file of a model, downloaded if named by an address. Throws Error: kCancelled after Ctrl-C,
// kUnsupported if the program was built without downloads.
std::string local_model(const std::string& path);

// Throws Error(kNotFound), which explains what a model is, if the file does not exist.
void require_model(const std::string& path);

}  // namespace kvsplit::cli
