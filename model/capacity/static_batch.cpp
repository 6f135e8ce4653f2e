#include "model/capacity/static_batch.hpp"

#include <algorithm>
#include <cmath>

namespace plimsoll {
namespace {

/// The largest of `count` draws of a law, not exceeded with probability u: the law's own quantile at u^(1 / count).
double longest_of(const Distribution& law, double count, double u) {
    return law.quantile(std::pow(u, 1.0 / count));
}

/// Mean over the shares of u from `begin` to `end`.
double longest_between(const Distribution& law, double count, double begin, double end) {
    constexpr int slices = 4;
    double sum = 0;
    for (int i = 0; i < slices; ++i) sum += longest_of(law, count, begin + (end - begin) * (i + 0.5) / slices);
    return sum / slices;
}

double mean_longest(const Distribution& law, double count) {
    constexpr int slices = 32;
    double sum = 0;
    for (int i = 0; i < slices; ++i) sum += longest_of(law, count, (i + 0.5) / slices);
    return sum / slices;
}

StaticBatch::Batch between(const StaticBatch::Batch& a, const StaticBatch::Batch& b, double share) {
    const auto mix = [share](double x, double y) { return x + (y - x) * share; };
    StaticBatch::Batch result{.prefill = mix(a.prefill, b.prefill),
                              .prefill_variance = mix(a.prefill_variance, b.prefill_variance),
                              .decode_step = mix(a.decode_step, b.decode_step),
                              .stretch = mix(a.stretch, b.stretch),
                              .mean_time = mix(a.mean_time, b.mean_time)};
    for (std::size_t i = 0; i < StaticBatch::shares.size(); ++i) {
        result.longest[i] = mix(a.longest[i], b.longest[i]);
        result.time[i] = mix(a.time[i], b.time[i]);
    }
    return result;
}

/// Tokens are whole, and of one there is no interval; lengths within a tenth of each other stand together for the mean
/// of what a time for each of their steps is.
std::vector<StaticBatch::Answers> answers_of(const Distribution& output) {
    constexpr double alike = 1.1;
    std::vector<StaticBatch::Answers> result;
    double first = 0, all = 0, inverse = 0;
    for (const double point : output.points()) {
        const double steps = std::floor(point + 0.5) - 1.0;
        if (steps < 1.0) continue;
        if (result.empty() || steps > alike * first) {
            first = steps, inverse = 0;
            result.push_back({0.0, steps});
        }
        StaticBatch::Answers& answers = result.back();
        answers.share += 1.0, inverse += 1.0 / steps, all += 1.0;
        answers.steps = answers.share / inverse;
    }
    for (StaticBatch::Answers& answers : result) answers.share /= all;
    return result;
}

}  // namespace

StaticBatch::StaticBatch(const StepCost& cost, const Deployment& deployment, const MemoryBudget& memory,
                         const Workload& workload)
    : cost_(&cost), workload_(&workload), answers_(answers_of(workload.output)) {
    const double most = deployment.max_sequences;
    const double limit = batch_in(memory.kv_tokens, deployment.engine->reserved_output_tokens.value_or(0), most);
    limited_by_memory_ = limit < most;
    for (double k = 1.0; k < limit; k = k < 4.0 ? k + 1.0 : std::floor(k * 1.15 + 1.0)) sizes_.push_back(k);
    sizes_.push_back(limit);
    for (const double size : sizes_) batches_.push_back(evaluated(size));
}

StaticBatch::Batch StaticBatch::evaluated(double size) const {
    const Distribution& prompts = workload_->prompt;
    Batch batch;
    double prompt = 0;
    constexpr int slices = 8;
    double square = 0;
    for (int i = 0; i < slices; ++i) {
        const double longest = longest_of(prompts, size, (i + 0.5) / slices);
        const double time = cost_->prefill(size, size * longest, size * causal_pairs(longest, 0.0)).value();
        prompt += longest / slices, batch.prefill += time / slices, square += time * time / slices;
        if (prompts.points().size() > 1) continue;
        prompt = longest, batch.prefill = time, square = time * time;
        break;
    }
    batch.prefill_variance = std::max(0.0, square - batch.prefill * batch.prefill);
    double begin = 0, tokens = 0;
    for (std::size_t i = 0; i < shares.size(); begin += shares[i++]) {
        const double longest = longest_between(workload_->output, size, begin, begin + shares[i]);
        // The j-th of the steps reads j tokens beside the prompt.
        const double steps = std::max(0.0, longest - 1.0);
        const Seconds step = cost_->decode(size, size * (prompt + (steps + 1.0) / 2.0));
        batch.longest[i] = longest;
        batch.time[i] = batch.prefill + steps * step.value();
        batch.mean_time += shares[i] * batch.time[i];
        tokens += shares[i] * longest;
    }
    batch.decode_step = cost_->decode(size, size * (prompt + tokens / 2.0)).value();
    stretch(batch, size);
    return batch;
}

/// All get their last token with the batch; the clients divide that by their own tokens.
void StaticBatch::stretch(Batch& batch, double size) const {
    if (size < 2.0 || answers_.empty()) return;
    ByShare others{};
    double begin = 0;
    for (std::size_t i = 0; i < shares.size(); begin += shares[i++])
        others[i] = longest_between(workload_->output, size - 1.0, begin, begin + shares[i]);
    batch.stretch = 0;
    for (const Answers& own : answers_)
        for (std::size_t i = 0; i < shares.size(); ++i)
            batch.stretch += own.share * shares[i] * std::max(1.0, (others[i] - 1.0) / own.steps);
}

StaticBatch::Batch StaticBatch::of(double size) const {
    const auto above = std::lower_bound(sizes_.begin(), sizes_.end(), size);
    if (above == sizes_.end()) return batches_.back();
    const auto index = static_cast<std::size_t>(above - sizes_.begin());
    if (index == 0) return batches_.front();
    return between(batches_[index - 1], batches_[index], (size - sizes_[index - 1]) / (*above - sizes_[index - 1]));
}

/// The largest batch up to `most` whose padded prompts and answers fit `kv_tokens`; an answer counts as
/// `reserved_output`, or where that is 0 as the longest of the batch.
double StaticBatch::batch_in(double kv_tokens, double reserved_output, double most) const {
    const auto held = [&](double k) {
        const double output = reserved_output > 0 ? reserved_output : mean_longest(workload_->output, k);
        return k * (mean_longest(workload_->prompt, k) + output);
    };
    if (held(most) <= kv_tokens) return most;
    // Requests that are all alike fit in whole numbers, others sometimes one more or less.
    const bool alike = workload_->prompt.cv2() == 0.0 && (reserved_output > 0 || workload_->output.cv2() == 0.0);
    if (alike) return std::max(1.0, std::floor(kv_tokens / held(1.0)));
    double low = 1.0, high = most;
    while (high - low > 1e-3 * high) {
        const double middle = (low + high) / 2.0;
        (held(middle) <= kv_tokens ? low : high) = middle;
    }
    return low;
}

}  // namespace plimsoll
