#include "model/capacity/bunching.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>
#include <vector>

namespace plimsoll {
namespace {

/// Rounds after which a wave is one that stays; and after which its waits are counted.
constexpr int rounds = 24, settled = 16;
/// Deviation of the requests of a bin over their mean: of swings that are as good as gone, and of a wave.
constexpr double calm = 0.01, rough = 0.7;
/// Swings cannot grow beyond a wave.
constexpr double most_amplified = 6.0;
/// Requests that do not count.
constexpr double nobody = 1e-9;

}  // namespace

struct Bunching::Fluid {
    /// Some requests that came at about the same time.
    struct Parcel {
        double requests, came_at;
    };
    double thinking = 0, running = 0, waiting = 0, think_time = 0, stop = 0, now = 0;
    std::vector<Parcel> queue;  ///< in order of arrival, those before `head` have begun
    std::size_t head = 0;
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
    const double fitting = step_tokens(model.deployment()) / prompt;
    const double group = chunked ? fitting : std::max(1.0, std::floor(fitting));
    const StepCost& cost = model.cost();
    const double others = model.batch_limit() / 2.0, context = others * model.context();
    const Seconds decode = cost.decode(others, context);
    StepShape shape{.prefill_sequences = std::ceil(group),
                    .prefill_tokens = group * prompt,
                    .attention_pairs = group * pairs,
                    .even_prompts = 1.0 + std::max(0.0, group - 1.0) / (1.0 + workload.prompt.cv2())};
    if (!chunked) return prefill_stall(cost.step(shape), decode, cost.stages()) / group;
    shape.decode_sequences = others;
    shape.context_tokens = context;
    return (cost.step(shape) - decode) / group;
}

}  // namespace

Bunching::Bunching(const InstanceModel& model) {
    const Engine& engine = *model.deployment().engine;
    const Workload& workload = model.workload();
    steps_ = model.decode_steps();
    chunked_ = engine.scheduling == Scheduling::chunked;
    prompts_a_step_ = step_tokens(model.deployment()) / workload.prompt.mean();
    // Where a step takes less than a prompt, prompts begin one after the other.
    const bool together = chunked_ ? prompts_a_step_ >= 1.0 : !engine.waiting_served_ratio;
    possible_ = together && workload.output.points().size() == 1 && steps_ >= 1.0 && model.batches() == nullptr;
    if (!possible_) return;
    places_ = model.batch_limit();
    each_ = occupied(model).value();
    const double many = std::max(2.0, places_);
    const double one = model.at(1.0).decode_step.value();
    step_more_ = (model.at(many).decode_step.value() - one) / (many - 1.0);
    step_alone_ = one - step_more_;
}

/// How many come in a bin: as many as come while there is as much to prefill as there is room for, or, where that is
/// less, as many as come while they themselves are prefilled (Newton from above: the excess is convex).
double Bunching::coming(const Fluid& fluid, double decode, double most) const {
    const auto within = [&](double time) { return fluid.thinking * -std::expm1(-time / fluid.think_time); };
    if (most < HUGE_VAL) {
        const double with_room_used = within(decode + most * each_);
        if (fluid.waiting + with_room_used >= most) return with_room_used;
    }
    double came = fluid.thinking;
    for (int i = 0; i < 30; ++i) {
        const double now = within(decode + (fluid.waiting + came) * each_);
        const double change = (came - now) / (1.0 - (fluid.thinking - now) * each_ / fluid.think_time);
        came -= change;
        if (change <= 1e-4 * came) break;
    }
    return std::max(0.0, came);
}

/// One bin: those end who began in it a round ago, prompts that came during the last are prefilled as far as there is
/// room, and others come.
void Bunching::pass(Fluid& fluid, std::size_t bin, Mixture* waits) const {
    const double ended = std::exchange(fluid.begun[bin], 0.0);
    fluid.running -= ended, fluid.thinking += ended;
    const double steps = steps_ / bins, room = std::max(0.0, places_ - fluid.running);
    const double most = chunked_ ? std::min(room, prompts_a_step_ * steps) : room;
    const double decode = steps * (step_alone_ + step_more_ * std::max(0.0, fluid.running));
    // Where all come back within a part of a bin, what is left of those who think dwindles beyond all numbers.
    const double all = coming(fluid, decode, most), came = all > nobody ? all : 0.0;
    const double began = std::min(fluid.waiting + came, most);
    const double time = decode + began * each_;
    constexpr int slices = 4;
    for (int i = 0; i < slices && came > 0; ++i) {
        const double share = std::min(1.0 - 1e-12, came / fluid.thinking) * (i + 0.5) / slices;
        fluid.queue.push_back({came / slices, fluid.now - fluid.think_time * std::log1p(-share)});
    }
    begin(fluid, began, began > 0 && chunked_ ? time / began : each_, waits);
    fluid.now += time;
    fluid.stop = std::max(fluid.stop, began * each_);
    fluid.thinking -= came;
    fluid.waiting += came - began;
    fluid.running += fluid.begun[bin] = began;
}

/// First come, first served, one request in each `interval`.
void Bunching::begin(Fluid& fluid, double requests, double interval, Mixture* waits) {
    for (double before = 0; before < requests * (1.0 - 1e-9) && fluid.head < fluid.queue.size();) {
        Fluid::Parcel& first = fluid.queue[fluid.head];
        const double part = std::min(first.requests, requests - before);
        const double at = fluid.now + (before + part / 2.0) * interval;
        if (waits != nullptr && part > 0) waits->add(part, Seconds(std::max(0.0, at - first.came_at)));
        before += part;
        first.requests -= part;
        if (first.requests <= nobody) ++fluid.head;
    }
}

Bunching::Wave Bunching::wave(std::size_t users, Seconds think_time, PerSecond rate) const {
    Wave wave;
    // Where prompts take less than this share of the time, waves and what chance makes of itself are small, unless
    // users come back within a step or two: whoever ended together begins together.
    constexpr double little = 0.4;
    const bool at_once = think_time.value() < 2.0 * step_alone_;
    if (!possible_ || think_time <= Seconds(0) || (!at_once && rate.value() * each_ < little)) return wave;
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
