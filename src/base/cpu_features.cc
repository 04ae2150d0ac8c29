#include "base/cpu_features.h"

#if defined(__x86_64__)
#include <cpuid.h>
#endif
#if defined(__APPLE__)
#include <sys/sysctl.h>
#else
#include <sched.h>
#if defined(__aarch64__)
#include <asm/hwcap.h>
#include <sys/auxv.h>
#endif
#endif

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <fstream>
#include <set>
#include <thread>
#include <utility>

#include "base/error.h"
#include "base/printable.h"

namespace kvsplit {

namespace {

bool always() { return true; }
#if defined(__APPLE__)
// The sysctl number called `name`; 0 if unknown.
std::int64_t system_number(const char* name) {
    std::int64_t value = 0;  // 32-bit numbers fill the lower half
    std::size_t size = sizeof value;
    return sysctlbyname(name, &value, &size, nullptr, 0) == 0 ? value : 0;
}
#endif
#if defined(__x86_64__)
bool has_avx2() {
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("f16c");
}
// CPUID leaf 7.1, which gcc 12's __builtin_cpu_supports does not read.
bool has_avxvnni() {
    unsigned a = 0, b = 0, c = 0, d = 0;
    return has_avx2() && __get_cpuid_count(7, 1, &a, &b, &c, &d) && (a & 1u << 4);
}
bool has_avx512() {
    return has_avx2() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
           __builtin_cpu_supports("avx512vbmi") && __builtin_cpu_supports("avx512vbmi2") &&
           __builtin_cpu_supports("avx512vnni");
}
#elif defined(__aarch64__) && defined(__APPLE__)
bool has_neon() { return system_number("hw.optional.arm.FEAT_DotProd") != 0; }
bool has_i8mm() { return has_neon() && system_number("hw.optional.arm.FEAT_I8MM") != 0; }
#elif defined(__aarch64__)
bool has_neon() { return (getauxval(AT_HWCAP) & HWCAP_ASIMDDP) != 0; }
bool has_i8mm() { return has_neon() && (getauxval(AT_HWCAP2) & HWCAP2_I8MM) != 0; }
#endif

struct IsaInfo {
    CpuIsa isa;
    std::string_view name;
    bool (*available)();
};
// The sets of this processor family, the best one last.
constexpr IsaInfo kIsas[] = {
    {CpuIsa::kPortable, "portable", always},
#if defined(__x86_64__)
    {CpuIsa::kAvx2, "avx2", has_avx2},
    {CpuIsa::kAvxVnni, "avxvnni", has_avxvnni},
    {CpuIsa::kAvx512, "avx512", has_avx512},
#elif defined(__aarch64__)
    {CpuIsa::kNeon, "neon", has_neon},
    {CpuIsa::kI8mm, "i8mm", has_i8mm},
#endif
};

// The names of the sets in this build, see cmake/isas.cmake.
#define X(set) #set,
constexpr std::string_view kBuilt[] = {KVSPLIT_EACH_ISA};
#undef X

bool usable(const IsaInfo& info) { return std::ranges::count(kBuilt, info.name) && info.available(); }

}  // namespace

std::string_view isa_name(CpuIsa isa) {
    for (const IsaInfo& info : kIsas) {
        if (info.isa == isa) return info.name;
    }
    return "unknown";
}

const std::vector<CpuIsa>& available_isas() {
    static const std::vector<CpuIsa> isas = [] {
        std::vector<CpuIsa> found;
        for (const IsaInfo& info : kIsas) {
            if (usable(info)) found.push_back(info.isa);
        }
        return found;
    }();
    return isas;
}

CpuIsa detect_isa() { return available_isas().back(); }

CpuIsa choose_isa() {
    const char* value = std::getenv("KVSPLIT_CPU");
    if (!value || !*value) return detect_isa();
    const std::string forced = printable(value, 40);
    std::string names;
    for (const IsaInfo& info : kIsas) {
        names += fmt::format("{}{}", names.empty() ? "" : ", ", info.name);
        if (info.name != forced) continue;
        if (!usable(info)) {
            fail(ErrorCode::kUnsupported, "KVSPLIT_CPU={}: this {} only has {}", forced,
                 info.available() ? "build" : "processor", isa_name(detect_isa()));
        }
        return info.isa;
    }
    fail(ErrorCode::kInvalidArgument, "KVSPLIT_CPU={}: unknown; use one of {}", forced, names);
}

#if defined(__APPLE__)

int physical_cores() {
    const auto cores = static_cast<int>(system_number("hw.physicalcpu"));
    return cores > 0 ? cores : static_cast<int>(std::max(1u, std::thread::hardware_concurrency()));
}

std::string cpu_model_name() {
    char name[128];
    std::size_t size = sizeof name;
    return sysctlbyname("machdep.cpu.brand_string", name, &size, nullptr, 0) == 0 ? name : "unknown";
}

#else

int physical_cores() {
    cpu_set_t set;
    CPU_ZERO(&set);
    if (sched_getaffinity(0, sizeof set, &set) != 0) return std::max(1u, std::thread::hardware_concurrency());
    std::set<std::pair<int, int>> cores;  // (package, core)
    int logical = 0;
    for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
        if (!CPU_ISSET(cpu, &set)) continue;
        ++logical;
        const std::string dir = fmt::format("/sys/devices/system/cpu/cpu{}/topology/", cpu);
        int package = 0, core = cpu;
        std::ifstream(dir + "physical_package_id") >> package;
        std::ifstream(dir + "core_id") >> core;
        cores.emplace(package, core);
    }
    const int physical = cores.empty() ? logical : static_cast<int>(cores.size());
    return std::max(1, physical);
}

std::string cpu_model_name() {
    std::ifstream info("/proc/cpuinfo");
    std::string implementer, part;  // Arm processors only give these numbers
    for (std::string line; std::getline(info, line);) {
        const auto colon = line.find(':');
        if (colon == std::string::npos || colon + 2 > line.size()) continue;
        const std::string value = line.substr(colon + 2);
        if (line.starts_with("model name")) return value;
        if (line.starts_with("CPU implementer")) implementer = value;
        if (line.starts_with("CPU part")) part = value;
    }
    return part.empty() ? "unknown" : fmt::format("Arm, implementer {}, part {}", implementer, part);
}

#endif

}  // namespace kvsplit
