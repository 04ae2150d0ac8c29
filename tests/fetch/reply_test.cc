#include <gtest/gtest.h>

#include "fetch/contents.h"
#include "fetch/remote_file.h"
#include "fetch/retry.h"

namespace kvsplit::fetch {
namespace {

Reply reply_of(int status, std::map<std::string, std::string> headers) {
    Reply reply;
    reply.status = status;
    reply.headers = std::move(headers);
    return reply;
}

TEST(Retry, PausesThatServersAskFor) {
    const std::time_t now = 784111777;  // Sun, 06 Nov 1994 08:49:37 GMT
    const auto pause = [&](const std::string& after) {
        return stated_pause(reply_of(503, {{"retry-after", after}}), now).count();
    };
    EXPECT_EQ(pause("7"), 7);
    EXPECT_EQ(pause("0"), 0);
    EXPECT_EQ(pause("Sun, 06 Nov 1994 08:49:57 GMT"), 20);
    EXPECT_EQ(pause("Sunday, 06-Nov-94 08:49:57 GMT"), 20);
    EXPECT_EQ(pause("Sun, 06 Nov 1994 08:00:00 GMT"), 0);
    EXPECT_EQ(pause("86400"), 300) << "not longer than five minutes";
    EXPECT_EQ(pause("99999999999999999999"), 300);
    EXPECT_EQ(pause("soon"), -1);
    EXPECT_EQ(pause(""), -1);
    EXPECT_EQ(stated_pause(reply_of(429, {{"ratelimit", "\"api\";r=0;t=55"}}), now).count(), 55);
    EXPECT_EQ(stated_pause(reply_of(503, {}), now).count(), -1);
}

TEST(RemoteFile, IdentityAndSize) {
    const auto plain = describe(reply_of(200, {{"etag", "\"a\""}, {"content-length", "9"}}));
    EXPECT_EQ(plain->identity, "a");
    EXPECT_EQ(plain->if_range, "\"a\"");
    EXPECT_EQ(plain->bytes, 9u);
    EXPECT_EQ(describe(reply_of(200, {{"etag", "W/\"a\""}}))->if_range, "") << "weak ones do not go there";
    EXPECT_EQ(describe(reply_of(200, {{"last-modified", "today"}}))->if_range, "today");
    const auto packed =
        describe(reply_of(200, {{"etag", "a"}, {"content-length", "9"}, {"content-encoding", "gzip"}}));
    EXPECT_EQ(packed->identity, "");
    EXPECT_EQ(packed->bytes, 0u);
    Reply linked = reply_of(200, {{"etag", "\"a\""}});
    linked.linked_etag = "\"" + std::string(64, 'f') + "\"";
    linked.linked_size = "12";
    EXPECT_EQ(describe(linked)->sha256, std::string(64, 'f'));
    EXPECT_EQ(describe(linked)->bytes, 12u);
    EXPECT_EQ(describe(linked)->if_range, "");
}

TEST(RemoteFile, Ranges) {
    const auto range = [](int status, const std::string& text) {
        return describe(reply_of(status, {{"content-range", text}}));
    };
    EXPECT_EQ(range(206, "bytes 100-199/200")->begin, 100u);
    EXPECT_EQ(range(206, "bytes 100-199/200")->bytes, 200u);
    EXPECT_EQ(range(206, "bytes 100-199/*")->bytes, 0u);
    EXPECT_EQ(range(416, "bytes */200")->bytes, 200u);
    EXPECT_FALSE(range(206, ""));
    EXPECT_FALSE(range(206, "items 1-2/3"));
    EXPECT_FALSE(range(206, "bytes x-2/3"));
    EXPECT_TRUE(range(416, ""));
}

TEST(Contents, WhatCame) {
    const auto says = [](std::string_view head, const char* text) {
        const std::string all = describe_contents(head, "a/b");
        EXPECT_NE(all.find(text), std::string::npos) << all;
        EXPECT_NE(all.find("(a/b)"), std::string::npos) << all;
    };
    says("\xef\xbb\xbf\n<!DOCTYPE html><title>Sign in</title>", "an HTML page");
    says("<HTML>", "which begins '<HTML>'");
    says("version https://git-lfs.github.com/spec/v1\noid sha256:12", "a Git LFS pointer");
    says("{\"error\":\"no\"}", "a JSON text");
    says("\x1f\x8b\x08", "a gzip file");
    says("PK\x03\x04", "a zip file");
    says("", "an empty file");
    says("plain words", "no GGUF file");
    EXPECT_NE(describe_contents("<a href='http://h/?sig=secret'>", "").find("sig=***"), std::string::npos);
    EXPECT_TRUE(is_gguf("GGUF\x03"));
    for (const char* other : {"", "GGU", "gguf", "<htm"}) EXPECT_FALSE(is_gguf(other)) << other;
}

}  // namespace
}  // namespace kvsplit::fetch
