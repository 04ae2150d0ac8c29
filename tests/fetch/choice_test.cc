#include "fetch/choice.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "kvsplit/error.h"

namespace kvsplit::fetch {
namespace {

std::string choose(const std::vector<std::string>& files, const std::string& wanted = "") {
    HubAddress address;
    address.repository = "o/r";
    address.wanted = wanted;
    return choose_file(files, address);
}

TEST(Choice, TheUsualCompromise) {
    const std::vector<std::string> files{"README.md",      "m-Q2_K.gguf",        "m-Q8_0.gguf",
                                         "m-Q4_K_M.gguf",  "mmproj-Q4_K_M.gguf", "m-F16.gguf",
                                         "m.imatrix.gguf", "../m-Q4_K_M.gguf",   "m-IQ4_XS.gguf"};
    EXPECT_EQ(choose(files), "m-Q4_K_M.gguf");
    EXPECT_EQ(choose(files, "q8_0"), "m-Q8_0.gguf");
    EXPECT_EQ(choose({"m-Q8_0.gguf", "m-F16.gguf"}), "m-Q8_0.gguf");
    EXPECT_EQ(choose({"odd.gguf"}), "odd.gguf");
    EXPECT_THROW(choose(files, "Q3_K"), Error);
    EXPECT_THROW(choose({"README.md"}), Error);
}

TEST(Choice, TypesAreWholeWords) {
    EXPECT_EQ(choose({"m-BF16.gguf", "m-F16.gguf"}, "f16"), "m-F16.gguf");
    EXPECT_EQ(choose({"m-Q4_K_M.gguf", "m-Q4_K.gguf"}, "Q4_K"), "m-Q4_K.gguf");
    EXPECT_EQ(choose({"m-Q4_K_S.gguf", "m-Q4_K_M.gguf"}, "Q4_K"), "m-Q4_K_M.gguf");
    EXPECT_EQ(choose({"m-Q4_0_4_8.gguf", "m-Q4_0.gguf"}, "q4_0"), "m-Q4_0.gguf");
    EXPECT_EQ(choose({"m-Q4_0_4_8.gguf", "m-Q5_K_M.gguf"}), "m-Q5_K_M.gguf");
    EXPECT_EQ(choose({"m-IQ4_XS.gguf", "m_q4_k_s.gguf"}), "m_q4_k_s.gguf");
    EXPECT_EQ(choose({"M.Q4_K_M.GGUF", "m.q8_0.gguf"}), "M.Q4_K_M.GGUF");
    EXPECT_EQ(choose({"m-Q4_K_M-other.gguf", "sub/m-Q4_K_M.gguf", "m-Q4_K_M.gguf"}), "m-Q4_K_M.gguf");
}

TEST(Choice, SideFilesAreNoModels) {
    for (const char* side :
         {"mmproj-m-Q4_K_M.gguf", "x.mmproj-q4_k_m.gguf", "m-lora-Q4_K_M.gguf", "adapter.Q4_K_M.gguf",
          "m-DRAFT-0.5B-Q4_K_M.gguf", "eagle3-q4_k_m.gguf", "imatrix.gguf", "m-vocab.gguf", "tokenizer.gguf",
          "mtp-m-Q4_K_M.gguf", "token_embedding-Q4_K_M.gguf", "draft/m-Q4_K_M.gguf", "MTP/Q4_K_M.gguf",
          "mmproj/Q4_K_M.gguf", "m-Q4_K_M-imatrix.gguf", "vision-q4_k_m.gguf", "m_lora_Q4_K_M.gguf"}) {
        EXPECT_TRUE(is_side_file(side)) << side;
        EXPECT_EQ(choose({side, "m-F32.gguf"}), "m-F32.gguf") << side;
        EXPECT_THROW(choose({side, "m-F32.gguf"}, "q4_k_m"), Error) << side;
    }
    for (const char* model :
         {"m-Q4_K_M.gguf", "explorations-Q4_K_M.gguf", "embedded-Q4_K_M.gguf", "redraft.gguf"}) {
        EXPECT_FALSE(is_side_file(model)) << model;
    }
    // A repository of such models is another matter.
    EXPECT_EQ(choose({"m-DRAFT-Q8_0.gguf", "m-DRAFT-Q4_K_M.gguf"}), "m-DRAFT-Q4_K_M.gguf");
    EXPECT_EQ(choose({"Vision-11B-Q4_K_M.gguf", "mmproj-Vision.gguf"}), "Vision-11B-Q4_K_M.gguf");
    EXPECT_THROW(choose({"mmproj-m-f16.gguf", "imatrix.gguf"}), Error);
}

TEST(Choice, ModelsInPartsAreWhole) {
    const std::vector<std::string> cut{"Q4_K_M/m-Q4_K_M-00002-of-00002.gguf",
                                       "Q4_K_M/m-Q4_K_M-00001-of-00002.gguf"};
    EXPECT_EQ(choose({cut[0], cut[1], "m-Q8_0.gguf"}), cut[1]);
    EXPECT_EQ(choose({cut[1], "m-Q8_0.gguf"}), "m-Q8_0.gguf");
    EXPECT_EQ(choose({"Q8_0/m-00001-of-00001.gguf", cut[0], cut[1]}, "q8_0"), "Q8_0/m-00001-of-00001.gguf");
    try {
        choose({cut[1]});
        FAIL();
    } catch (const Error& error) {
        EXPECT_NE(std::string(error.what()).find(cut[0]), std::string::npos) << error.what();
    }
}

}  // namespace
}  // namespace kvsplit::fetch
