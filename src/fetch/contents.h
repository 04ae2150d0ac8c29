// Recognises what a server sent in place of a model.
#pragma once

#include <string>
#include <string_view>

namespace kvsplit::fetch {

// Whether a file begins like GGUF. False for fewer than four bytes.
bool is_gguf(std::string_view head);
// Also false if the file cannot be read.
bool is_gguf_file(const std::string& path);

// "an HTML page (text/html), which begins '<!DOCTYPE html>...': sign in ...": for a message, with what to do.
std::string describe_contents(std::string_view head, const std::string& content_type);

}  // namespace kvsplit::fetch
