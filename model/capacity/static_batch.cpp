#include "model/capacity/static_batch.hpp"

#include <algorithm>
#include <cmath>

namespace plimsoll {
namespace {

constexpr int slices = 32;

double middle_of(int slice) {
    return (slice + 0.5) / slices;
}

/// Expected largest of k draws, k >= 1 or a fraction between: the k-th power of its law.
double longest_of(const Distribution& law, double k) {
    double sum = 0;
    for (int i = 0; i < slices; ++i) sum += law.quantile(std::pow(middle_of(i), 1.0 / k));
    return sum / slices;
}

/// Expected largest of `own` and k - 1 further draws.
double longest_with(const Distribution& law, double own, double k) {
    if (k <= 1.0) return own;
    double sum = 0;
    for (int i = 0; i < slices; ++i) sum += std::max(own, law.quantile(std::pow(middle_of(i), 1.0 / (k - 1.0))));
    return sum / slices;
}

}  // namespace

StaticBatch::Padded StaticBatch::padded(double batch) const {
    Padded result{longest_of(workload_->prompt, batch), longest_of(workload_->output, batch), {}, {}, {}};
    result.prefill = cost_->prefill(batch, batch * result.prompt, batch * result.prompt * (result.prompt + 1.0) / 2.0);
    result.decode_step = cost_->decode(batch, batch * (result.prompt + (result.output + 1.0) / 2.0));
    result.time = result.prefill + result.decode_step * std::max(0.0, result.output - 1.0);
    return result;
}

double StaticBatch::present_with(double batch) const {
    const double soon = think_time_.finite() ? 1.0 - think_time_ / padded(batch).time : 0.0;
    return 1.0 + (1.0 + std::max(0.5, soon)) * (batch - 1.0);
}

InstanceState StaticBatch::at(double present) const {
    // From a half to all that are present are in work.
    double low = 1.0 + (present - 1.0) / 2.0, high = 1.0 + (present - 1.0) / 1.5;
    while (high - low > 1e-6 * high) {
        const double middle = (low + high) / 2.0;
        (present_with(middle) <= present ? low : high) = middle;
    }
    const double k = high;
    const Padded batch = padded(k);
    InstanceState state;
    state.present = present;
    state.decoding = k;
    state.prefill = batch.prefill;
    state.decode_step = batch.decode_step;
    state.meetings.episode = {std::min(1.0, present - 1.0), batch.time, {}};
    state.residence = batch.time * (present / k);
    state.admission = state.residence - batch.time;
    const double steps = std::max(0.0, batch.output - 1.0);
    // All get their last token with the batch; the clients divide that by their own tokens.
    double own = 0, square = 0, tokens = 0, several = 0;
    for (int i = 0; i < slices; ++i) {
        const double mine = workload_->output.quantile(middle_of(i)) - 1.0;
        if (mine <= 0) continue;
        const double stretched = (longest_with(workload_->output, mine + 1.0, k) - 1.0) / mine;
        own += stretched, square += stretched * stretched, tokens += mine, several += 1.0;
    }
    state.token_interval = state.own_interval = state.decode_step;
    if (several > 0) {
        own /= several;
        state.token_interval = state.decode_step * (steps * several / tokens);
        state.own_interval = state.decode_step * own;
        const double d = state.decode_step.value();
        state.own_variance = SecondsSquared(d * d * std::max(0.0, square / several - own * own));
    }
    return state;
}

double StaticBatch::batch_in(double kv_tokens, double reserved_output, double most) const {
    const auto held = [&](double k) {
        const double output = reserved_output > 0 ? reserved_output : longest_of(workload_->output, k);
        return k * (longest_of(workload_->prompt, k) + output);
    };
    if (held(most) <= kv_tokens) return most;
    double low = 1.0, high = most;
    while (high - low > 1e-3 * high) {
        const double middle = (low + high) / 2.0;
        (held(middle) <= kv_tokens ? low : high) = middle;
    }
    return low;
}

}  // namespace plimsoll
