#include "model/capacity/prefill_model.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "model/base/error.hpp"

namespace plimsoll {
namespace {

/// Mean number of prompts that fit a budget, at least one: whole prompts of one length, otherwise the renewal function
/// n = B / p + (cv^2 - 1) / 2 (Cox 1962, section 4.2).
double prompts_in(double budget, double prompt, double cv2) {
    const double fill = budget / prompt;
    return std::max(1.0, cv2 > 0 ? fill + (cv2 - 1.0) / 2.0 : std::floor(fill));
}

/// Over the numbers of prompts, or the part of one, that a chunked step may hold.
OctaveTable prompts_a_step(const Deployment& deployment, double prompt, double long_prompt) {
    const double most = step_tokens(deployment), least = std::max(1.0, most - deployment.max_sequences);
    const int first = std::max(-12, std::ilogb(1.0 / (1.0 + long_prompt / least)));
    return {first, std::max(1, std::ilogb(most / prompt) + 1 - first)};
}

}  // namespace

PrefillModel::PrefillModel(const StepCost& cost, const Deployment& deployment, const Workload& workload, double context,
                           double recomputed)
    : cost_(&cost),
      deployment_(&deployment),
      context_(context),
      prompt_(workload.prompt.mean() + recomputed),
      // What is computed again is about as long as a prompt.
      pairs_((workload.prompt.second_moment() + recomputed * workload.prompt.mean() + prompt_) / 2.0),
      prompt_cv2_(workload.prompt.cv2()),
      chunked_(deployment.engine->scheduling == Scheduling::chunked),
      windowed_(deployment.engine->waiting_served_ratio.has_value()),
      // Where nobody decodes a pipeline takes in a batch whenever its first stage is free.
      entries_(workload.output.mean() > 1.0 ? 1.0 : static_cast<double>(cost.stages())),
      largest_group_(chunked_ ? 1.0 : prompts_in(step_tokens(deployment), prompt_, prompt_cv2_)),
      group_times_(0, std::ilogb(largest_group_) + 1),
      attention_(prompts_a_step(deployment, prompt_, workload.prompt.quantile(0.97))),
      one_cut_(attention_) {
    const double points = static_cast<double>(prompt_points_.size());
    for (std::size_t i = 0; i < prompt_points_.size(); ++i) {
        const double u = (static_cast<double>(i) + 0.5) / points;
        prompt_points_[i] = workload.prompt.quantile(u);
        step_points_[i] = std::max(0.0, workload.output.quantile(u) - 1.0);
    }
    for (std::size_t i = 0; i < group_times_.points(); ++i) {
        const double prompts = group_times_.at(i);
        group_times_[i] = prefill(prompts, prompts * prompt_, prompts * pairs_).value();
    }
    for (std::size_t i = 0; chunked_ && i < attention_.points(); ++i) {
        const double prompts = attention_.at(i), least = std::max(1.0, prompts);
        StepShape shape{.prefill_tokens = prompts * prompt_, .attention_pairs = prompts * pairs_};
        const auto in_chunks = [&](double chunks) {
            shape.prefill_sequences = chunks;
            shape.even_prompts = even(chunks);
            return cost_->prefill_attention(shape).value();
        };
        attention_[i] = in_chunks(least);
        one_cut_[i] = (in_chunks(prompts + 1.0) - attention_[i]) / (prompts + 1.0 - least);
    }
}

PrefillModel::Batch PrefillModel::batch_of(double sequences) const {
    Batch batch;
    batch.sequences = sequences;
    batch.decode_step = cost_->decode(sequences, sequences * context_).value();
    if (!chunked_) return batch;
    batch.room = std::max(1.0, step_tokens(*deployment_) - sequences);
    if (prompt_points_.back() <= batch.room) return batch;
    batch.alone = 0;
    for (const double p : prompt_points_) batch.alone += std::ceil(p / batch.room);
    batch.alone /= static_cast<double>(prompt_points_.size());
    return batch;
}

/// Of k prompts in s chunks, max(1, k) <= s <= k + 1.
double PrefillModel::attention(const StepShape& shape) const {
    const double prompts = shape.prefill_tokens / prompt_;
    const OctaveTable::Place place = attention_.place(prompts);
    return attention_(place) + (shape.prefill_sequences - std::max(1.0, prompts)) * one_cut_(place);
}

/// One of `passes` equal passes over `prompts` prompts, without the decode steps of a window. Each end of a full
/// chunked step cuts a prompt in two.
double PrefillModel::pass(double prompts, double passes, const Batch& batch) const {
    const double share = prompts / passes;
    // A pass over one prompt may be less by rounding.
    if (!chunked_) return group_times_(std::max(1.0, share));
    const StepShape shape{.prefill_sequences = share + 1.0 - 1.0 / passes,
                          .prefill_tokens = share * prompt_,
                          .attention_pairs = share * pairs_,
                          .even_prompts = even(share + 1.0 - 1.0 / passes),
                          .decode_sequences = batch.sequences,
                          .context_tokens = batch.sequences * context_};
    return cost_->step(shape, Seconds(attention(shape))).value();
}

PrefillModel::Episode PrefillModel::episode(double prompts, const Batch& batch) const {
    if (!chunked_) {
        const double passes = std::max(1.0, prompts / largest_group_);
        const Seconds stall =
            prefill_stall(Seconds(pass(prompts, passes, batch)), Seconds(batch.decode_step), cost_->stages());
        const double stop = stall.value() + batch.window * batch.decode_step;
        return {passes * stop, passes, passes * batch.window};
    }
    // A prompt alone takes whole steps; of several the last step stays empty by half of a prompt, or of itself.
    const double fill = prompt_ / batch.room;
    const double passes = std::max(batch.alone, prompts * fill + std::min(1.0, fill) / 2.0);
    return {passes * pass(prompts, passes, batch), passes, passes};
}

/// Time from the start of an episode until one of its prompts is done: with one pass all are done together, otherwise
/// half of the others come before it.
double PrefillModel::own_prefill(double prompts, const Batch& batch) const {
    const Episode whole = episode(prompts, batch);
    const double one = pass(prompts, whole.passes, batch);
    const double before = (prompts + 1.0) / (2.0 * prompts);
    const double passes = std::max(std::min(whole.passes, episode(1.0, batch).passes), before * whole.passes);
    return passes * one + (passes - 1.0) * batch.window * batch.decode_step;
}

Seconds PrefillModel::occupied(double prompts) const {
    const Batch batch = batch_of(1.0);
    const Episode all = episode(prompts, batch);
    return Seconds((all.time - all.decode_steps * batch.decode_step) / prompts);
}

/// Decode steps that TGI's rule keeps closed to prefills: until ratio x running prompts wait, the first of which is
/// there already, or to the limit where so many do not fit one prefill.
double PrefillModel::window(const Surroundings& around, const Batch& batch, double prompts) const {
    if (!windowed_) return 0;
    const Engine& rules = *deployment_->engine;
    // The floor of the rule takes half a request away in the mean.
    const double least = std::max(1.0, *rules.waiting_served_ratio * around.decoding - 0.5);
    const double most = *rules.max_waiting_tokens;
    if (least > largest_group_ || around.rate <= 0) return most;
    const double passes = std::max(1.0, prompts / largest_group_);
    const double until = (least - 1.0) / around.rate - pass(prompts, passes, batch);
    return std::clamp(until / batch.decode_step, 1.0, most);
}

/// The prompts that an episode takes in, at least one, so that as many come in the step or episode before it. The
/// longer episodes are guessed, the fewer steps without prompts pull their mean down, so that one number balances;
/// where the iteration overshoots, it goes on between the numbers known to be too low and too high.
void PrefillModel::balance(Steps& steps, double rate, double decode_step) {
    const double none_in_step = std::exp(-rate * decode_step), one = steps.fixed + steps.each;
    double last = 0, low = 0, high = std::numeric_limits<double>::infinity();
    for (int i = 0; i < 30 && std::abs(steps.prompts - last) > 1e-4 * last; ++i) {
        last = steps.prompts;
        const double none_in_episode = std::exp(-rate * (steps.fixed + steps.each * last));
        steps.idle = none_in_episode / (1.0 - none_in_step + none_in_episode);
        const double idle = steps.idle * decode_step, taken = 1.0 - steps.idle;
        steps.mean = std::max((idle + taken * steps.fixed) / (1.0 - steps.each * rate), idle + taken * one);
        if (taken <= 0) return;
        const double next = std::max(1.0, rate * steps.mean / taken);
        (next > last ? low : high) = last;
        steps.prompts = next > low && next < high ? next : 0.5 * (low + high);
    }
}

PrefillModel::Steps PrefillModel::steps(const Surroundings& around, const Batch& batch) const {
    Steps result;
    result.prompts = around.prompts;
    const double rate = around.rate;
    const double d = batch.decode_step, first = episode(1.0, batch).time;
    double &fixed = result.fixed, &each = result.each;
    for (int i = 0; i < 60; ++i) {
        const double before = result.prompts;
        // The line ends where the numbers of prompts do: further on it would count the passes of numbers that never
        // come.
        const double many = std::max(2.0, before + std::min(0.5 * before, std::sqrt(before)));
        each = (episode(many, batch).time - first) / (many - 1.0);
        fixed = first - each;
        result.saturated = each * rate >= 1.0;
        if (result.saturated) {
            // Full batches are all alike: a pipeline may keep up with these that does not with those of chance.
            const double full = (chunked_ ? batch.room : step_tokens(*deployment_)) / prompt_;
            if (cost_->stages() == 1 || before >= full) return result;
            result.prompts = full;
            continue;
        }
        balance(result, rate, d);
        if (std::abs(result.prompts - before) <= 1e-3 * before) break;
    }
    const double squares = result.idle * d * d + (1.0 - result.idle) * fixed * fixed;
    const double mixed = 2.0 * each * fixed + each * each * (1.0 + prompt_cv2_);
    result.second_moment = (squares + mixed * rate * result.mean) / (1.0 - each * rate * each * rate);
    const double episodes = std::max(1e-12, 1.0 - result.idle);
    result.episode = std::max(0.0, result.mean - result.idle * d) / episodes;
    result.episode_square =
        std::max(result.episode * result.episode, (result.second_moment - result.idle * d * d) / episodes);
    return result;
}

}  // namespace plimsoll
