#include "base/cpu_features.h"

#include <sched.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <set>
#include <thread>
#include <utility>

#include "base/error.h"

namespace kvsplit {

std::string_view isa_name(CpuIsa isa) {
    switch (isa) {
        case CpuIsa::kAvx512:
            return "avx512";
        case CpuIsa::kAvx2:
            return "avx2";
        case CpuIsa::kPortable:
            break;
    }
    return "portable";
}

CpuIsa detect_isa() {
#if defined(__x86_64__)
    __builtin_cpu_init();
    const bool avx2 =
        __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("f16c");
    const bool avx512 = avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                        __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
                        __builtin_cpu_supports("avx512vbmi") && __builtin_cpu_supports("avx512vnni");
    if (avx512) return CpuIsa::kAvx512;
    if (avx2) return CpuIsa::kAvx2;
#endif
    return CpuIsa::kPortable;
}

CpuIsa choose_isa() {
    const CpuIsa best = detect_isa();
    const char* forced = std::getenv("KVSPLIT_CPU");
    if (!forced || !*forced) return best;
    for (CpuIsa isa : {CpuIsa::kPortable, CpuIsa::kAvx2, CpuIsa::kAvx512}) {
        if (isa_name(isa) != forced) continue;
        if (isa > best) {
            fail(ErrorCode::kUnsupported, "KVSPLIT_CPU={}: this processor only offers {}", forced,
                 isa_name(best));
        }
        return isa;
    }
    fail(ErrorCode::kInvalidArgument, "KVSPLIT_CPU={}: unknown; use portable, avx2 or avx512", forced);
}

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
    for (std::string line; std::getline(info, line);) {
        if (line.starts_with("model name")) {
            const auto colon = line.find(':');
            if (colon != std::string::npos && colon + 2 <= line.size()) return line.substr(colon + 2);
        }
    }
    return "unknown";
}

}  // namespace kvsplit
