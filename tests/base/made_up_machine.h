// Trees of /proc and /sys as the tests want them.
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

namespace kvsplit {

class MadeUpMachine : public testing::Test {
  protected:
    MadeUpMachine() {
        std::string name = (std::filesystem::temp_directory_path() / "machine-XXXXXX").string();
        root_ = ::mkdtemp(name.data());
    }
    ~MadeUpMachine() override { std::filesystem::remove_all(root_); }

    void write(const std::string& path, const std::string& text) {
        const auto file = root_ / path;
        std::filesystem::create_directories(file.parent_path());
        std::ofstream(file) << text;
    }
    std::string root() const { return root_.string(); }

  private:
    std::filesystem::path root_;
};

}  // namespace kvsplit
