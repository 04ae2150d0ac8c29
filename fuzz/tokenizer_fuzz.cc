// Fuzz target: bytes as a text. Both kinds of tokenizer must encode it and decode it back.
#include <cstdint>
#include <cstdlib>
#include <string>

#include "base/check.h"
#include "text/is_utf8.h"
#include "text/stream_decoder.h"
#include "text/tiny_vocab.h"
#include "text/tokenizer.h"

namespace {

using kvsplit::text::Tokenizer;

void round_trip(const Tokenizer& tokenizer, std::string_view text, bool check) {
    std::string back;
    kvsplit::text::StreamDecoder decoder;
    for (const kvsplit::Token token : tokenizer.encode(text, false, false)) {
        back += tokenizer.token_bytes(token);
        KVSPLIT_CHECK(kvsplit::text::is_utf8(decoder.push(tokenizer.token_bytes(token))));
    }
    KVSPLIT_CHECK(!check || back == text);
    back.clear();
    for (const kvsplit::Token token : tokenizer.encode(text, true, true))
        back += tokenizer.token_bytes(token, true);
    KVSPLIT_CHECK(!check || back.ends_with(text));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    static const auto spm_vocab = kvsplit::test::tiny_spm();
    static const auto spm = Tokenizer::create(spm_vocab.data);
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    round_trip(*spm, text, text.find("\xe2\x96\x81") == text.npos);  // SentencePiece reads it as a space
    static const auto bpe_vocab = kvsplit::test::tiny_bpe("llama-bpe"),
                      digits_vocab = kvsplit::test::tiny_bpe("smollm");
    static const auto bpe = Tokenizer::create(bpe_vocab.data), digits = Tokenizer::create(digits_vocab.data);
    round_trip(*bpe, text, true);
    round_trip(*digits, text, true);
    return 0;
}
