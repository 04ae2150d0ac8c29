#include "lab/memory_check.h"

#include <gtest/gtest.h>

#include "engine/tiny_model.h"
#include "kvsplit/error.h"
#include "lab/plan.h"

namespace kvsplit::lab {
namespace {

class MemoryCheckTest : public testing::Test {
  protected:
    std::size_t needed(const char* spec, int context) const {
        return make_plan(file_.path(), {{KvSpec::parse(spec)}, 0, context, options_, kProgram})
            .results.front()
            .total;
    }
    std::string check(const char* spec, int context, std::size_t available) const {
        return check_memory(file_.path(), {KvSpec::parse(spec), context, options_, kProgram}, available);
    }
    std::string refusal(const char* spec, int context, std::size_t available) const {
        try {
            check(spec, context, available);
            return "";
        } catch (const Error& error) {
            EXPECT_EQ(error.code(), ErrorCode::kOutOfMemory);
            return error.what();
        }
    }
    static void expect_parts(const std::string& message, std::initializer_list<const char*> parts) {
        for (const char* part : parts)
            EXPECT_NE(message.find(part), std::string::npos) << part << ": " << message;
    }

    test::TempFile file_{test::TinyModel{}.write().bytes()};
    ModelOptions options_{.threads = 1};
    // Fixed, because the measured value grows a little from plan to plan, under sanitizers by 20 MiB.
    static constexpr std::size_t kProgram = std::size_t{30} << 20;
};

TEST_F(MemoryCheckTest, WhatFitsPasses) {
    EXPECT_EQ(check("k8v4", 4000, std::size_t{1} << 40), "");
    EXPECT_EQ(check("k8v4", 4000, needed("k8v4", 4000)), "");
    EXPECT_EQ(check("k8v4", 0, needed("k8v4", test::TinyModel::kContext)), "");
}

TEST_F(MemoryCheckTest, AContextTooLongIsRefusedWithTheSum) {
    constexpr int kLong = 10'000'000;
    const std::size_t available = needed("k4v4", kLong);
    const std::string message = refusal("f16", kLong, available);
    expect_parts(message, {file_.path().c_str(), "weights", "working memory", "10,000,000 tokens at f16",
                           "available", "What would fit: -c ", "--kv k4v4"});
    EXPECT_EQ(check("k4v4", kLong, available), "");
}

TEST_F(MemoryCheckTest, WithoutAContextOneIsSuggested) {
    const std::size_t little = needed("f16", 64) + (needed("f16", 4096) - needed("f16", 64)) / 2;
    expect_parts(check("f16", 0, little), {"4,096", "tokens do"});
}

TEST_F(MemoryCheckTest, AModelTooLargeIsRefused) {
    expect_parts(refusal("k8v4", 0, 1000), {file_.path().c_str(), "weights", "smaller model"});
    expect_parts(refusal("k8v4", 100, 1000), {file_.path().c_str(), "Not even the weights"});
    ModelOptions read = options_;
    read.mmap = false;
    try {
        check_memory(file_.path(), {KvSpec{8, 4}, 100, read}, 1000);
        ADD_FAILURE();
    } catch (const Error& error) {
        expect_parts(error.what(), {"--no-mmap"});
    }
}

}  // namespace
}  // namespace kvsplit::lab
