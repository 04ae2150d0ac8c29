#include "engine/cache_probe.h"

#include "cache/kv_traffic.h"
#include "engine/model_impl.h"

namespace kvsplit {

int known_positions(const Model& model) {
    return static_cast<const ModelImpl&>(model).description().n_positions;
}

std::size_t kv_bytes_read(const Session& session) {
    return kv_bytes_read(static_cast<const SessionImpl&>(session).cache());
}

void fill_randomly(Session& session, int n, unsigned seed) {
    static_cast<SessionImpl&>(session).fill_randomly(n, seed);
}

}  // namespace kvsplit
