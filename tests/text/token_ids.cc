// token_ids FILE.gguf: for each line of hexadecimal bytes on standard input the ids of its tokens on standard
// output, without and with special tokens, as "1 2 3|1 2 3". For scripts/oracles/fuzz_tokens.py.
#include <fmt/format.h>

#include <exception>
#include <iostream>
#include <string>

#include "text/encode_as_llama_cpp.h"
#include "text/tokenizer.h"

std::string from_hex(const std::string& hex) {
    std::string out;
    for (std::size_t i = 0; i + 1 < hex.size(); i += 2) {
        out += static_cast<char>(std::stoi(hex.substr(i, 2), nullptr, 16));
    }
    return out;
}

using kvsplit::test::encode_as_llama_cpp;

int main(int argc, char** argv) {
    if (argc != 2) {
        std::cerr << "usage: token_ids FILE.gguf < LINES_OF_HEXADECIMAL_BYTES\n";
        return 2;
    }
    try {
        const kvsplit::gguf::File file(argv[1]);
        const auto tokenizer = kvsplit::text::Tokenizer::create(file);
        for (std::string line; std::getline(std::cin, line);) {
            const std::string text = from_hex(line);
            std::cout << fmt::format("{}|{}\n", fmt::join(encode_as_llama_cpp(*tokenizer, text, false), " "),
                                     fmt::join(encode_as_llama_cpp(*tokenizer, text, true), " "));
        }
    } catch (const std::exception& e) {
        std::cerr << e.what() << '\n';
        return 1;
    }
    return 0;
}
