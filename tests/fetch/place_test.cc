#include "fetch/place.h"

#include <gtest/gtest.h>

#include <string>

#include "fetch/redact.h"
#include "kvsplit/error.h"

namespace kvsplit::fetch {
namespace {

std::string key(const std::string& address) { return url_key(parse_url(address)); }
std::string file(const std::string& address) {
    return url_file("/c", parse_url(address)).filename().string();
}

TEST(Url, Parts) {
    const Url url = parse_url("HTTPS://me:p%40ss@Host.ORG:443/a b/\xc3\xbc.gguf?x=1#part");
    EXPECT_EQ(url.text, "https://host.org/a%20b/%c3%bc.gguf?x=1");
    EXPECT_EQ(url.origin, "https://host.org");
    EXPECT_EQ(url.user, "me");
    EXPECT_EQ(url.password, "p@ss");
    EXPECT_EQ(url.place(), "host.org/a%20b/%c3%bc.gguf");
    EXPECT_EQ(url.file(), "%c3%bc.gguf");
    EXPECT_EQ(url.with_path("/y.gguf").text, "https://host.org/y.gguf?x=1");
    EXPECT_EQ(parse_url("http://[::1]:8080/x.gguf").text, "http://[::1]:8080/x.gguf");
    EXPECT_EQ(parse_url("https://host/a/../b/./x").path, "/b/x");
    for (const char* bad : {"ftp://host/x", "file:///x", "https://", "https://host:port/x", "x", "hf:a/b",
                            "https://ho st/x", "https://host/a\nb"}) {
        EXPECT_THROW(parse_url(bad), Error) << bad;
    }
}

TEST(Url, Redirections) {
    const Url from = parse_url("https://me:pass@host:8443/a/x.gguf?id=1");
    EXPECT_EQ(redirected_url(from, "y.gguf").text, "https://host:8443/a/y.gguf");
    EXPECT_EQ(redirected_url(from, "/y.gguf?k=2").text, "https://host:8443/y.gguf?k=2");
    EXPECT_EQ(redirected_url(from, "//other/y.gguf").text, "https://other/y.gguf");
    EXPECT_EQ(redirected_url(from, "https://other/y z.gguf").text, "https://other/y%20z.gguf");
    EXPECT_EQ(redirected_url(from, "https://other/y").user, "");
    EXPECT_EQ(redirected_url(parse_url("http://host/x"), "https://host/x").origin, "https://host");
    for (const char* bad : {"http://host:8443/x", "ftp://host/x", "file:///etc/passwd", "https://"}) {
        EXPECT_THROW(redirected_url(from, bad), Error) << bad;
    }
}

TEST(Redact, SecretsOfAddresses) {
    EXPECT_EQ(redacted("https://me:pass@host/x?id=2&sig=abc#top"), "https://***@host/x?id=2&sig=***#top");
    EXPECT_EQ(redacted("at //u:p@ss@h/ and http://v@i/: no"), "at //***@h/ and http://***@i/: no");
    EXPECT_EQ(redacted("http://h/x?X-Amz-Signature=1f&X-Amz-Date=2&file=x.gguf"),
              "http://h/x?X-Amz-Signature=***&X-Amz-Date=***&file=x.gguf");
    EXPECT_EQ(redacted("?access_token=a&amp;Key-Pair-Id=b"), "?access_token=***&amp;Key-Pair-Id=***");
    EXPECT_EQ(redacted("http://h/x?odd=0123456789012345678901234"), "http://h/x?odd=***");
    EXPECT_EQ(redacted("http://h/@v1/x.gguf?a&b=&c"), "http://h/@v1/x.gguf?a&b=&c");
    EXPECT_EQ(redacted(""), "");
    for (const char* bad : {"https://me:secret@host:port/x", "https://me:sec/ret@host/x",
                            "https://me:secret@", "ftp://me:secret@host/x?token=secret"}) {
        try {
            parse_url(bad);
            ADD_FAILURE() << bad;
        } catch (const Error& error) {
            EXPECT_EQ(std::string(error.what()).find("sec"), std::string::npos) << error.what();
        }
    }
    EXPECT_EQ(excerpt("\x1f\x8b a\n\n\tb \xff", 80), "a b ");
    EXPECT_EQ(excerpt("abcdef", 3), "abc...");
}

TEST(Place, TheWholeAddressIsTheKey) {
    const std::string address = "https://host/get/model.gguf?id=1";
    for (const char* same : {"http://host/get/model.gguf?id=1", "https://HOST:443/get/./model.gguf?id=1#x",
                             "https://u:p@host/get/%6dodel.gguf?id=1",
                             "https://host/get/model.gguf?id=1&X-Amz-Signature=9&X-Amz-Date=8",
                             "https://host/get/model.gguf?Policy=a&id=1&Key-Pair-Id=b&Signature=c&Expires=1",
                             "https://host/get/model.gguf?id=1&sv=2022&sig=a&se=1&sp=r",
                             "https://host/get/model.gguf?id=1&GoogleAccessId=a&Signature=a&Expires=3",
                             "https://host/get/model.gguf?download=true&id=1"}) {
        EXPECT_EQ(key(same), key(address)) << same;
    }
    for (const char* other :
         {"https://host/get/model.gguf?id=2", "https://host/get/model.gguf",
          "https://host:8/get/model.gguf?id=1", "https://host/get%2Fmodel.gguf?id=1",
          "https://host/get/model.gguf?id=1&sig=a", "https://host/get/model.gguf?id=1&token=a",
          "https://host/get/model.gguf?id=1&key=b"}) {
        EXPECT_NE(key(other), key(address)) << other;
    }
    EXPECT_EQ(key("https://host/m-00001-of-00002.gguf"), key("https://host/m-00002-of-00002.gguf"));
    EXPECT_NE(key("https://host/m-00001-of-00002.gguf"), key("https://host/n-00002-of-00002.gguf"));
}

TEST(Place, NamesAreSafe) {
    EXPECT_EQ(file("https://host/a%20b.gguf"), "a b.gguf");
    EXPECT_EQ(file("https://host/a%2F..%2Fb.gguf"), "a%2F..%2Fb.gguf");
    EXPECT_EQ(file("https://host/a%00b.gguf"), "a%00b.gguf");
    EXPECT_EQ(file("https://host/a%5Cb.gguf"), "a%5Cb.gguf");
    EXPECT_EQ(file("https://host/x/%2e%2e?id=1"), "model.gguf");
    EXPECT_EQ(file("https://host/.hidden"), "model.gguf");
    EXPECT_EQ(file("https://host/?file=x"), "model.gguf");
    const std::string place = url_file("/c", parse_url("https://u:pass@host:8/x.gguf?sig=abc")).string();
    EXPECT_TRUE(place.starts_with("/c/url/host:8/")) << place;
    EXPECT_EQ(place.find("pass"), std::string::npos);
    EXPECT_EQ(place.find("abc"), std::string::npos);
}

TEST(Place, LongNamesAreShortened) {
    const std::string stem(300, 'x');
    const std::string one = file_name_for(stem + "-00001-of-00002.gguf"),
                      two = file_name_for(stem + "-00002-of-00002.gguf");
    EXPECT_EQ(one.size(), 200u);
    EXPECT_TRUE(one.ends_with("-00001-of-00002.gguf"));
    EXPECT_EQ(one.substr(0, 180), two.substr(0, 180));
    EXPECT_NE(file_name_for(stem + "a.gguf"), file_name_for(stem + "b.gguf"));
    EXPECT_TRUE(file_name_for(stem + ".gguf").ends_with(".gguf"));
    EXPECT_EQ(file_name_for("x.gguf"), "x.gguf");
    std::string accents;
    for (int i = 0; i < 150; ++i) accents += "\xc3\xa4";
    EXPECT_NE(file_name_for(accents).find("\xa4-"), std::string::npos) << "cut between characters";
}

TEST(Place, Repositories) {
    HubAddress address;
    address.repository = "owner/repo";
    EXPECT_EQ(hub_folder("/c", address), "/c/hf/owner/repo");
    address.revision = "refs/pr/1";
    EXPECT_EQ(hub_folder("/c", address), "/c/hf/owner/repo@refs%2Fpr%2F1");
    EXPECT_EQ(hub_file("sub/x.gguf"), "sub/x.gguf");
}

TEST(Place, OldFoldersAreKnown) {
    EXPECT_EQ(old_url_file("/c", "https://host/a/x.gguf"), "/c/url/host/a/x.gguf");
    EXPECT_EQ(old_url_file("/c", "https://host/a/x.gguf?download=true#y"), "/c/url/host/a/x.gguf");
    EXPECT_EQ(old_url_file("/c", "https://u:p@host/x.gguf"), "/c/url/u:p@host/x.gguf");
    EXPECT_EQ(old_url_file("/c", "https://host/x.gguf?id=1"), std::nullopt);
    EXPECT_EQ(old_url_file("/c", "https://host/../x.gguf"), std::nullopt);
}

}  // namespace
}  // namespace kvsplit::fetch
