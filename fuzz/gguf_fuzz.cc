// Fuzz target: bytes as a GGUF file. Opening and reading them must succeed or throw an Error.
#include <string>

#include "gguf/exercise_file.h"
#include "gguf/gguf_writer.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    static kvsplit::test::TempFile file;
    file.write({data, data + size});
    std::string why;
    kvsplit::test::exercise_file(file.path(), why);
    return 0;
}
