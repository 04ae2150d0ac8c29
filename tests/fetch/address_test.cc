#include "fetch/address.h"

#include <gtest/gtest.h>

#include "fetch/sha256.h"
#include "gguf/gguf_writer.h"
#include "kvsplit/error.h"

namespace kvsplit::fetch {
namespace {

TEST(Address, KindsOfPaths) {
    for (const char* path : {"hf:a/b", "https://a/b.gguf", "http://a/b.gguf", "HTTPS://a/b", "ftp://a/b",
                             "file:///a", "s3://a/b"})
        EXPECT_TRUE(is_remote(path)) << path;
    for (const char* path : {"", "a.gguf", "/hf:/a", "hf/a/b.gguf", "https", "://a", "a/b://c", "https:/a"})
        EXPECT_FALSE(is_remote(path)) << path;
    EXPECT_FALSE(parse_hub_address("https://a/b.gguf"));
}

TEST(Address, Repositories) {
    const auto file = parse_hub_address("hf:owner/repo/sub/x.gguf");
    ASSERT_TRUE(file);
    EXPECT_EQ(file->repository, "owner/repo");
    EXPECT_EQ(file->file, "sub/x.gguf");
    EXPECT_EQ(file->wanted, "");
    EXPECT_EQ(parse_hub_address("hf:owner/repo")->file, "");
    EXPECT_EQ(parse_hub_address("hf:owner/repo:Q4_K_M")->wanted, "Q4_K_M");
    EXPECT_EQ(parse_hub_address("hf://owner/repo/x.gguf")->file, "x.gguf");
    const auto revision = parse_hub_address("hf:owner/repo@refs%2Fpr%2F1:Q8_0");
    EXPECT_EQ(revision->repository, "owner/repo");
    EXPECT_EQ(revision->revision, "refs/pr/1");
    EXPECT_EQ(revision->wanted, "Q8_0");
    EXPECT_EQ(parse_hub_address("hf:owner/repo@v2/sub/x.gguf")->file, "sub/x.gguf");
    EXPECT_EQ(parse_hub_address("hf:owner/repo@v2")->revision, "v2");
    for (const char* bad : {"hf:",
                            "hf:owner",
                            "hf:owner/",
                            "hf:/repo",
                            "hf:../repo",
                            "hf:owner/..",
                            "hf:owner/repo/",
                            "hf:owner/repo:",
                            "hf:owner/repo/../x",
                            "hf:owner/repo//x",
                            "hf:owner/repo/.x",
                            "hf:owner/repo:../x",
                            "hf:owner/re\npo",
                            "hf:owner/repo:a/b",
                            "hf:owner/repo@",
                            "hf:owner/repo@/x.gguf",
                            "hf:owner/repo@..",
                            "hf:owner/repo@a%2F..",
                            "hf://",
                            "hf:owner@v2/repo@"}) {
        EXPECT_THROW(parse_hub_address(bad), Error) << bad;
    }
}

TEST(Address, FileNamesStayInTheirFolder) {
    for (const char* good : {"a", "a/b.gguf", "a b", "a..b/c"}) EXPECT_TRUE(is_safe_file_name(good)) << good;
    for (const char* bad : {"", "/a", "a/", "a//b", "..", "a/../b", ".a", "a\\b", "a\x01"}) {
        EXPECT_FALSE(is_safe_file_name(bad)) << bad;
    }
}

TEST(Sha256, OfAFile) {
    const test::TempFile file({'a', 'b', 'c'});
    const auto on = [](std::uint64_t) { return true; };
    EXPECT_EQ(sha256_of_file(file.path(), on),
              "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    EXPECT_EQ(sha256_of_file(file.path(), [](std::uint64_t) { return false; }), "");
    EXPECT_THROW(sha256_of_file("/no/such", on), Error);
    EXPECT_TRUE(is_sha256(std::string(64, 'a')));
    EXPECT_FALSE(is_sha256(std::string(64, 'A')));
    EXPECT_FALSE(is_sha256(std::string(40, 'a')));
}

}  // namespace
}  // namespace kvsplit::fetch
