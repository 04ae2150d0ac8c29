// The quota of processors, read from made-up /proc and /sys trees.
#include "base/default_threads.h"

#include "base/control_groups.h"
#include "base/cpu_features.h"
#include "base/made_up_machine.h"

namespace kvsplit {
namespace {

class Quota : public MadeUpMachine {
  protected:
    std::optional<double> quota() const { return cpu_quota(root()); }
};

TEST_F(Quota, NoneWithoutLimits) {
    EXPECT_EQ(quota(), std::nullopt);
    EXPECT_EQ(default_threads(root()), physical_cores());
    write("proc/self/cgroup", "0::/a\n");
    write("sys/fs/cgroup/a/cpu.max", "max 100000\n");
    EXPECT_EQ(quota(), std::nullopt);
    write("proc/self/cgroup", "2:cpu,cpuacct:/a\n");
    write("sys/fs/cgroup/cpu/a/cpu.cfs_quota_us", "-1\n");
    write("sys/fs/cgroup/cpu/a/cpu.cfs_period_us", "100000\n");
    EXPECT_EQ(quota(), std::nullopt);
}

TEST_F(Quota, TheTightestGroupOnThePathDecides) {
    write("proc/self/cgroup", "0::/outer/inner\n");
    write("sys/fs/cgroup/outer/inner/cpu.max", "300000 100000\n");
    EXPECT_EQ(quota(), 3.0);
    write("sys/fs/cgroup/outer/cpu.max", "75000 50000\n");
    EXPECT_EQ(quota(), 1.5);
    EXPECT_EQ(default_threads(root()), std::min(2, physical_cores()));
    write("sys/fs/cgroup/cpu.max", "20000 100000\n");
    EXPECT_EQ(quota(), 0.2);
    EXPECT_EQ(default_threads(root()), 1);
}

TEST_F(Quota, TheOlderInterface) {
    write("proc/self/cgroup", "9:memory:/m\n4:cpu,cpuacct:/docker/abc\n0::/x\n");
    write("proc/self/mountinfo",
          "25 20 0:22 / /sys/fs/cgroup ro - tmpfs tmpfs ro,mode=755\n"
          "30 25 0:27 / /sys/fs/cgroup/cpu,cpuacct rw shared:9 - cgroup cgroup rw,cpu,cpuacct\n"
          "31 25 0:28 / /sys/fs/cgroup/cpuset rw - cgroup cgroup rw,cpuset\n");
    write("sys/fs/cgroup/cpu,cpuacct/docker/abc/cpu.cfs_quota_us", "250000\n");
    write("sys/fs/cgroup/cpu,cpuacct/docker/abc/cpu.cfs_period_us", "100000\n");
    EXPECT_EQ(quota(), 2.5);
}

// Inside a container the mount shows a group of the host's names as its root.
TEST_F(Quota, MountsThatShowAPartOfTheGroups) {
    write("proc/self/cgroup", "0::/docker/abc/worker\n");
    write("proc/self/mountinfo",
          "nonsense\n30 25 0:27 /docker/abc /mnt/my\\040groups rw - cgroup2 cgroup rw,nsdelegate\n");
    write("mnt/my groups/worker/cpu.max", "400000 100000\n");
    EXPECT_EQ(quota(), 4.0);
    write("mnt/my groups/cpu.max", "100000 100000\n");
    EXPECT_EQ(quota(), 1.0);
    // Names that the mount does not show: what it does show holds for the container.
    for (const char* group : {"0::/docker/abcdef\n", "0::/../../other\n", "0::/\n"}) {
        write("proc/self/cgroup", group);
        EXPECT_EQ(quota(), 1.0) << group;
    }
}

TEST_F(Quota, DamagedFilesAreNoLimits) {
    for (const char* text : {"", "lots", "0 100000", "-5 100000", "100000 0", "100000", "nan 1", "max"}) {
        write("proc/self/cgroup", "nonsense\n0::relative\n:\n0::/x\n");
        write("sys/fs/cgroup/x/cpu.max", text);
        EXPECT_EQ(quota(), std::nullopt) << text;
    }
}

}  // namespace
}  // namespace kvsplit
