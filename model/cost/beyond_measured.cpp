#include "model/cost/beyond_measured.hpp"

#include <algorithm>
#include <cmath>
#include <sstream>

#include "model/cost/kernel_choice.hpp"
#include "model/cost/roofline.hpp"

namespace plimsoll {
namespace {

std::string shown(double size) {
    std::ostringstream text;
    text << size;
    return text.str();
}

/// Calls `visit(model, range, size)` for each size of an operator outside the range that was measured of its kind.
template <class Visit>
void for_each_beyond(const Deployment& d, const std::vector<Operator>& operators, Visit visit) {
    constexpr double below = 1.0 - 1e-9;  // ends are kept as logarithms, and differ in the last digits
    for (const Operator& op : operators) {
        const MeasuredKernel* kernel = measured_for(d, op);
        if (!kernel) continue;
        const std::pair<std::string_view, double> sizes[] = {{"n", op.n},
                                                             {"k", op.k},
                                                             {"heads", op.heads},
                                                             {"kv_heads", op.kv_heads},
                                                             {"group", op.kv_heads > 0 ? op.heads / op.kv_heads : 0.0},
                                                             {"head_dim", op.head_dim},
                                                             {"intermediate", op.ffn.width},
                                                             {"hidden", op.ffn.hidden}};
        for (const auto& [name, size] : sizes)
            for (const ValidRange& range : kernel->models.front()->ranges)
                if (range.name == name && size > 0 && (size < range.low * below || size > range.high / below))
                    visit(op, range, size);
    }
}

}  // namespace

std::vector<std::string> beyond_measured(const Deployment& d, const std::vector<Operator>& operators) {
    std::vector<std::string> result;
    for_each_beyond(d, operators, [&](const Operator& op, const ValidRange& range, double size) {
        const std::string measured =
            size < range.low ? "(measured from " + shown(range.low) + ")" : "(measured to " + shown(range.high) + ")";
        const std::string text = std::string(op.experts > 0 ? "experts" : to_string(op.kind)) + " " + range.name +
                                 " = " + shown(size) + " " + measured;
        if (std::find(result.begin(), result.end(), text) == result.end()) result.push_back(text);
    });
    return result;
}

double octaves_beyond_measured(const Deployment& d, OperatorKind kind, const std::vector<Operator>& operators,
                               const KernelTimes& kernels) {
    double all = 0, beyond = 0;
    for (const Operator& op : operators) {
        if (op.kind != kind || op.experts > 0) continue;
        double most = 0;
        for_each_beyond(d, {op}, [&](const Operator&, const ValidRange& range, double size) {
            most = std::max(most, std::log2(size < range.low ? range.low / size : size / range.high));
        });
        const double time = op.count * kernels.time(op).value();
        all += time;
        beyond += time * most;
    }
    return all > 0 ? beyond / all : 0.0;
}

}  // namespace plimsoll
