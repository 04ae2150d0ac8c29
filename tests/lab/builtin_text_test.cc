#include "lab/builtin_text.h"

#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <string>

namespace kvsplit::lab {
namespace {

TEST(BuiltinText, IsTheFileByteForByte) {
    std::ifstream in(KVSPLIT_DEMO_TEXT, std::ios::binary);
    const std::string file((std::istreambuf_iterator<char>(in)), {});
    ASSERT_FALSE(file.empty());
    EXPECT_TRUE(builtin_text() == file);
}

}  // namespace
}  // namespace kvsplit::lab
