#include "model/cost/message_table.hpp"

#include <algorithm>
#include <cmath>

#include "model/base/error.hpp"
#include "model/cost/kernel_form.hpp"

namespace plimsoll {
namespace {

const ValidRange* range_of(const KernelModel& model, std::string_view name) {
    const auto found = std::find_if(model.ranges.begin(), model.ranges.end(),
                                    [&](const ValidRange& range) { return range.name == name; });
    return found == model.ranges.end() ? nullptr : &*found;
}

}  // namespace

bool covers(const MeasuredKernel* measured, int ranks) {
    if (!measured || !measured->known()) return false;
    const ValidRange* range = range_of(*measured->models.front(), "ranks");
    // The ends are kept as logarithms, and differ from whole numbers in the last digits.
    return range && range_of(*measured->models.front(), "bytes") && ranks > range->low - 0.5 &&
           ranks < range->high + 0.5;
}

MessageTable::MessageTable(const MeasuredKernel& measured, OperatorKind kind, int ranks) {
    const KernelModel& model = *measured.models.front();
    const KernelForm* form = kernel_forms().find(model.form);
    PLIMSOLL_ASSERT(form != nullptr);
    std::vector<double> constants;
    for (const FittedConstant& constant : model.constants) constants.push_back(constant.value);
    const GpuPeaks peaks = peaks_of(*measured.gpu, Dtype::fp16);
    const ValidRange& sizes = *range_of(model, "bytes");
    const double steps = std::max(1.0, std::ceil(std::log2(sizes.high / sizes.low)));
    Operator op{.name = to_string(kind), .document_name = to_string(kind), .kind = kind};
    op.ranks = ranks;
    for (double i = 0; i <= steps; ++i) {
        op.work.message = Bytes(sizes.low * std::pow(sizes.high / sizes.low, i / steps));
        const double correction = std::exp(log_correction(*form, model.learner, op, peaks));
        times_.emplace_back(op.work.message, form->time(op, peaks, constants).total() * correction);
    }
}

Seconds MessageTable::at(Bytes size) const {
    if (size <= times_.front().first) return times_.front().second;
    if (size >= times_.back().first) return times_.back().second * (size / times_.back().first);
    const auto above = std::upper_bound(times_.begin(), times_.end(), size,
                                        [](Bytes value, const auto& entry) { return value < entry.first; });
    const auto below = above - 1;
    const double share = std::log(size / below->first) / std::log(above->first / below->first);
    return below->second * std::pow(above->second / below->second, share);
}

}  // namespace plimsoll
