#include "cli/build_info.h"

#include <fmt/ranges.h>

#include <string_view>
#include <vector>

#include "base/cpu_features.h"
#include "base/default_threads.h"
#include "cli/output.h"
#include "lab/read_bandwidth.h"
#include "model/description.h"

namespace kvsplit::cli {

void print_architectures(bool json) {
    const std::vector<std::string_view> names = known_architectures();
    if (json) {
        write_json({{"architectures", names}});
    } else {
        write_out(fmt::format("{}\n", fmt::join(names, "\n")));
    }
}

void print_processor(bool json) {
    const CpuIsa used = choose_isa();
    std::vector<std::string_view> kernels, others;
    for (const CpuIsa isa : available_isas()) {
        kernels.push_back(isa_name(isa));
        if (isa != used) others.push_back(isa_name(isa));
    }
    const int cores = physical_cores(), threads = default_threads();
    const auto quota = cpu_quota();
    const double read = lab::measure_read_bandwidth(threads);
    if (json) {
        return write_json({{"processor", cpu_model_name()},
                           {"cores", cores},
                           {"cpu_quota", quota ? Json(*quota) : Json(nullptr)},
                           {"default_threads", threads},
                           {"kernels", isa_name(used)},
                           {"available_kernels", kernels},
                           {"read_gb_per_s", read}});
    }
    write_out(
        fmt::format("processor  {}\n"
                    "cores      {} physical ones that this process may use{}\n"
                    "threads    {} by default\n"
                    "kernels    {}; KVSPLIT_CPU=NAME forces another: {}\n"
                    "memory     read at {:.1f} GB/s by {} thread{} (a plain loop)\n",
                    cpu_model_name(), cores, quota ? fmt::format(", a quota of {:.2f}", *quota) : "", threads,
                    isa_name(used), fmt::join(others, ", "), read, threads, threads == 1 ? "" : "s"));
}

}  // namespace kvsplit::cli
