// t = latency(p) + S' / bandwidth(p) + mid (S' / 1 MB)^w, S' = 2 (p - 1) / p S what a ring moves over each link:
// latency and bus bandwidth for each rank count, and one term that they share for the messages between, where the
// library's protocols change. Between the rank counts that have constants, logarithms are interpolated.
#include <cmath>
#include <utility>

#include "model/cost/collective.hpp"
#include "model/cost/rank_constants.hpp"

namespace plimsoll {
namespace {

constexpr std::size_t counts = constant_rank_count;
constexpr std::size_t mid = 2 * counts, mid_exponent = mid + 1;

KernelParts time(const Operator& op, const GpuPeaks&, std::span<const double> c) {
    const double moved = ring_all_reduce_bytes(op.work.message, op.ranks).value();
    const double between = c[mid] * std::pow(moved / 1e6, c[mid_exponent]);
    return {.launch = Seconds(at_ranks(c.subspan(0, counts), op.ranks) + between),
            .compute = Seconds(0),
            .memory = Seconds(moved / at_ranks(c.subspan(counts, counts), op.ranks))};
}

}  // namespace

void register_all_reduce(Registry<KernelForm>& registry) {
    KernelForm form = form_by_ranks("all_reduce");
    form.constants.push_back({"mid", "s", 5e-6, 1e-8, 1e-3, 1.5});
    form.constants.push_back({"mid_exponent", "", 0.6, 0.2, 0.95, 0.3});
    form.time = time;
    registry.add("all_reduce", std::move(form));
}

}  // namespace plimsoll
