#include "model/capacity/bunching.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

namespace plimsoll {
namespace {

/// Rounds after which a wave is one that stays; and after which its waits are counted.
constexpr int rounds = 24, settled = 16;
/// Deviation of the requests of a bin over their mean: of swings that are as good as gone, and of a wave.
constexpr double calm = 0.01, rough = 0.7;
/// Swings cannot grow beyond a wave.
constexpr double most_amplified = 6.0;

}  // namespace

struct Bunching::Fluid {
    double thinking = 0, running = 0, waiting = 0, think_time = 0, stop = 0;
    std::array<double, bins> begun{};  ///< requests that began in each bin of the last round

    [[nodiscard]] double deviation() const {
        double sum = 0, square = 0;
        for (const double b : begun) sum += b, square += b * b;
        const double mean = sum / bins;
        return mean > 0 ? std::sqrt(std::max(0.0, square / bins / (mean * mean) - 1.0)) : 0.0;
    }
};

namespace {

/// What a prompt takes from the running answers, in groups as large as fit.
Seconds occupied(const InstanceModel& model) {
    const Engine& engine = *model.deployment().engine;
    const Workload& workload = model.workload();
    const bool chunked = engine.scheduling == Scheduling::chunked;
    const double prompt = workload.prompt.mean(), pairs = (workload.prompt.second_moment() + prompt) / 2.0;
    const double fitting = (chunked ? engine.max_step_tokens : engine.max_prefill_tokens) / prompt;
    const double group = chunked ? fitting : std::max(1.0, std::floor(fitting));
    const StepCost& cost = model.cost();
    if (!chunked) return cost.prefill_stall(group, group * prompt, group * pairs) / group;
    const double others = model.batch_limit() / 2.0, context = others * model.context();
    const Seconds mixed = cost.step({.prefill_sequences = std::ceil(group),
                                     .prefill_tokens = group * prompt,
                                     .attention_pairs = group * pairs,
                                     .decode_sequences = others,
                                     .context_tokens = context});
    return (mixed - cost.decode(others, context)) / (group * cost.stages());
}

}  // namespace

Bunching::Bunching(const InstanceModel& model) {
    const Engine& engine = *model.deployment().engine;
    const Workload& workload = model.workload();
    steps_ = model.decode_steps();
    chunked_ = engine.scheduling == Scheduling::chunked;
    possible_ = workload.output.points().size() == 1 && steps_ >= 1.0 && model.batches() == nullptr &&
                !engine.waiting_served_ratio;
    if (!possible_) return;
    places_ = model.batch_limit();
    each_ = occupied(model).value();
    prompts_a_step_ = engine.max_step_tokens / workload.prompt.mean();
    const double many = std::max(2.0, places_);
    const double one = model.at(1.0).decode_step.value();
    step_more_ = (model.at(many).decode_step.value() - one) / (many - 1.0);
    step_alone_ = one - step_more_;
}

/// One bin: those end who began in it a round ago, prompts that came during the last are prefilled, and others come.
void Bunching::pass(Fluid& fluid, std::size_t bin, Mixture* waits) const {
    const double ended = std::exchange(fluid.begun[bin], 0.0);
    fluid.running -= ended, fluid.thinking += ended;
    const double steps = steps_ / bins, most = chunked_ ? prompts_a_step_ * steps : HUGE_VAL;
    const double decode = steps * (step_alone_ + step_more_ * std::max(0.0, fluid.running));
    double came = 0, began = 0, time = 0;
    for (int i = 0; i < 100; ++i) {
        began = std::min(fluid.waiting + came, most);
        time = decode + began * each_;
        const double now = fluid.thinking * -std::expm1(-time / fluid.think_time);
        const bool same = std::abs(now - came) <= 1e-4 * now;
        came = now;
        if (same) break;
    }
    began = std::min(fluid.waiting + came, most);
    if (waits != nullptr && came > 0) {
        constexpr int slices = 8;
        const bool queue = chunked_ && fluid.waiting + came > most;
        for (int i = 0; i < slices; ++i) {
            const double u = (i + 0.5) / slices;
            const double at = -fluid.think_time * std::log1p(-u * std::min(1.0 - 1e-12, came / fluid.thinking));
            const double ready = queue ? (fluid.waiting + u * came) * time / began : chunked_ ? 0.0 : u * came * each_;
            waits->add(came / slices, Seconds(std::max(0.0, ready - at)));
        }
    }
    fluid.stop = std::max(fluid.stop, began * each_);
    fluid.thinking -= came;
    fluid.waiting += came - began;
    fluid.running += fluid.begun[bin] = began;
}

Bunching::Wave Bunching::wave(std::size_t users, Seconds think_time) {
    Wave wave;
    if (!possible_ || static_cast<double>(users) > places_ || think_time <= Seconds(0)) return wave;
    Fluid fluid;
    fluid.thinking = static_cast<double>(users);
    fluid.think_time = think_time.value();
    double before = 0;
    int count = 0;
    double fall = 0;
    for (int round = 0; round < rounds; ++round) {
        fluid.stop = 0;
        for (std::size_t bin = 0; bin < bins; ++bin) pass(fluid, bin, round >= settled ? &wave.waits : nullptr);
        const double deviation = fluid.deviation();
        // Only small swings are linear.
        if (before > 0 && before < rough && deviation > 0) fall += std::log(deviation / before), ++count;
        before = deviation;
        if (deviation < calm) break;
    }
    wave.stop = Seconds(fluid.stop);
    if (before < rough) {
        const double ratio = count > 0 ? std::min(1.0, std::exp(fall / count)) : 0.0;
        wave.amplified = std::min(most_amplified, 1.0 / std::max(1e-9, 1.0 - ratio * ratio));
        wave.waits.clear();
        return wave;
    }
    wave.wait = wave.waits.mean();
    return wave;
}

}  // namespace plimsoll
