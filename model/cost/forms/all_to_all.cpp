// t = latency(p) + S / bandwidth(p), S what a rank sends to all others together: each byte goes straight to its rank.
// Latency and bandwidth for each rank count; between those that have constants, logarithms are interpolated.
#include <utility>

#include "model/cost/rank_constants.hpp"

namespace plimsoll {
namespace {

KernelParts time(const Operator& op, const GpuPeaks&, std::span<const double> c) {
    constexpr std::size_t counts = constant_rank_count;
    return {.launch = Seconds(at_ranks(c.subspan(0, counts), op.ranks)),
            .compute = Seconds(0),
            .memory = op.work.message / BytesPerSecond(at_ranks(c.subspan(counts, counts), op.ranks))};
}

}  // namespace

void register_all_to_all(Registry<KernelForm>& registry) {
    KernelForm form = form_by_ranks("all_to_all");
    form.time = time;
    registry.add("all_to_all", std::move(form));
}

}  // namespace plimsoll
