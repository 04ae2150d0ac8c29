#include "lab/memory_check.h"

#include <algorithm>
#include <array>

#include "base/error.h"
#include "engine/memory_plan.h"
#include "lab/plan.h"
#include "lab/report/format.h"

namespace kvsplit::lab {
namespace {

std::string size(std::size_t bytes) { return format_bytes(static_cast<double>(bytes)); }

// Smaller precisions to suggest, the best first.
constexpr std::array kSmaller{"k5v4", "k4v4", "k4v3", "k3v3", "k3v2", "k2v2"};

class Check {
  public:
    Check(const std::string& path, const MemoryDemand& demand, std::size_t available)
        : path_(path), demand_(demand), available_(available) {}

    std::string run() const {
        if (plainly_fits()) return "";
        if (!demand_.model.mmap) require_room_to_read();
        return demand_.context > 0 ? require_context() : require_page();
    }

  private:
    PlanResult plan(const KvSpec& spec, int context, Plan* whole = nullptr) const {
        const Plan plan = make_plan(path_, {{spec}, available_, context, demand_.model, demand_.program});
        if (whole) *whole = plan;
        return plan.results.front();
    }

    // Uses bounds that need no dry run: weights take little more memory than in the file, or up to 32 bits
    // each with `exact`.
    bool plainly_fits() const {
        const gguf::File file(path_);
        const ModelDescription description = describe(file, demand_.model.rope);
        const int context = demand_.context > 0 ? demand_.context : description.context_length;
        const std::size_t cache = cache_bytes(description.geometry(), context);
        constexpr std::size_t kWorking = std::size_t{1} << 30;
        const std::size_t weights = demand_.model.exact ? file.file_bytes() * 16 : file.file_bytes() / 2 * 3;
        return weights + kWorking + cache + cache / 4 <= available_;
    }

    // 0 if the model does not support the precision: making its cache reports that.
    std::size_t cache_bytes(const CacheGeometry& geometry, int context) const {
        try {
            return plan_cache(geometry, demand_.spec, context).bytes.total();
        } catch (const Error&) {
            return 0;
        }
    }

    void require_room_to_read() const {
        const std::uint64_t bytes = gguf::File(path_).file_bytes();
        if (bytes <= available_) return;
        fail(ErrorCode::kOutOfMemory,
             "{}: --no-mmap reads all {} of the file, and {} of memory are available: leave "
             "it out, then the file need not fit beside the weights",
             path_, size(bytes), size(available_));
    }

    std::string require_context() const {
        Plan whole;
        const PlanResult r = plan(demand_.spec, demand_.context, &whole);
        if (r.fits || !r.refusal.empty()) return "";
        fail(ErrorCode::kOutOfMemory,
             "{} does not fit into memory: weights {} + working memory {} + the program with its vocabulary "
             "{} + cache "
             "of {} tokens at {} {} = {}, and {} are available. {}",
             path_, size(whole.weights), size(r.working), size(whole.program), format_count(r.context),
             r.spec.name(), size(r.kv.bytes.total()), size(r.total), size(available_), suggestions(r));
    }

    std::string suggestions(const PlanResult& r) const {
        std::string out;
        try {
            const PlanResult longest = plan(demand_.spec, 0);
            out = fmt::format("What would fit: -c {}", longest.context);
            for (const char* name : kSmaller) {
                const PlanResult smaller = plan(KvSpec::parse(name), demand_.context);
                if (!smaller.refusal.empty() || !smaller.fits) continue;
                if (smaller.kv.bytes.total() >= r.kv.bytes.total()) continue;
                return out + fmt::format(", or --kv {}", name);
            }
        } catch (const Error& error) {
            if (error.code() != ErrorCode::kOutOfMemory) throw;
            return "Not even the weights fit: a file with fewer bits per weight, or a smaller model, would";
        }
        return out;
    }

    std::string require_page() const {
        try {
            const PlanResult r = plan(demand_.spec, 0);
            const int context = gguf_context();
            if (!r.refusal.empty() || r.context >= context) return "";
            return fmt::format(
                "the cache of all {} tokens that the model was made for does not fit into the {} of "
                "memory that are available: about {} tokens do",
                format_count(context), size(available_), format_count(r.context));
        } catch (const Error& error) {
            if (error.code() != ErrorCode::kOutOfMemory) throw;
            fail(ErrorCode::kOutOfMemory,
                 "{}: {}. A file with fewer bits per weight, or a smaller model, would fit", path_,
                 error.what());
        }
    }

    int gguf_context() const { return describe(gguf::File(path_), demand_.model.rope).context_length; }

    const std::string& path_;
    const MemoryDemand& demand_;
    const std::size_t available_;
};

}  // namespace

std::string check_memory(const std::string& path, const MemoryDemand& demand, std::size_t available) {
    return Check(path, demand, available).run();
}

}  // namespace kvsplit::lab
