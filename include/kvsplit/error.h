// The one exception type of the library.
//
// Thrown at the edges (opening files, parsing, making caches, bad arguments), never in hot loops. The message
// says what is wrong and where: "model.gguf @0x1a40: tensor 'blk.3.attn_k.weight': ...". The library's own
// broken invariants abort instead (see base/check.h).
#pragma once

#include <stdexcept>
#include <string>

namespace kvsplit {

enum class ErrorCode {
    kInvalidArgument = 1,  // the caller asked for something that has no meaning
    kNotFound,             // a file or a name does not exist
    kIo,                   // the operating system refused to read or write
    kFormat,               // a file's contents break its format
    kUnsupported,          // well-formed, but this build or model cannot do it
    kOutOfMemory,          // no room in the context or in memory
    kCancelled,            // stopped by the caller's own callback
};

class Error : public std::runtime_error {
  public:
    Error(ErrorCode code, const std::string& message) : std::runtime_error(message), code_(code) {}
    ErrorCode code() const noexcept { return code_; }

  private:
    ErrorCode code_;
};

}  // namespace kvsplit
