#include "model/capacity/prefill_model.hpp"

#include <algorithm>
#include <cmath>

namespace plimsoll {
namespace {

/// Mean number of prompts that fit a budget, at least one: whole prompts of one length, otherwise the renewal function
/// n = B / p + (cv^2 - 1) / 2 (Cox 1962, section 4.2).
double prompts_in(double budget, double prompt, double cv2) {
    const double fill = budget / prompt;
    return std::max(1.0, cv2 > 0 ? fill + (cv2 - 1.0) / 2.0 : std::floor(fill));
}

}  // namespace

PrefillModel::PrefillModel(const StepCost& cost, const Deployment& deployment, const Workload& workload, double context,
                           double time_scale)
    : cost_(&cost),
      deployment_(&deployment),
      context_(context),
      scale_(time_scale),
      prompt_(workload.prompt.mean()),
      pairs_((workload.prompt.second_moment() + prompt_) / 2.0),
      prompt_cv2_(workload.prompt.cv2()),
      chunked_(deployment.engine->scheduling == Scheduling::chunked),
      windowed_(deployment.engine->waiting_served_ratio.has_value()),
      largest_group_(chunked_ ? 1.0 : prompts_in(deployment.engine->max_prefill_tokens, prompt_, prompt_cv2_)) {
    const double points = static_cast<double>(prompt_points_.size());
    for (std::size_t i = 0; i < prompt_points_.size(); ++i) {
        const double u = (static_cast<double>(i) + 0.5) / points;
        prompt_points_[i] = workload.prompt.quantile(u);
        step_points_[i] = std::max(0.0, workload.output.quantile(u) - 1.0);
    }
}

/// Prompt tokens of a chunked step.
double PrefillModel::budget(const Batch& batch) const {
    return std::max(1.0, deployment_->engine->max_step_tokens - batch.sequences);
}

/// One of `passes` equal passes over `prompts` prompts, without the decode steps of a window.
double PrefillModel::pass(double prompts, double passes, const Batch& batch) const {
    const double share = prompts / passes;
    if (!chunked_) return cost_->prefill(share, share * prompt_, share * pairs_).value() * scale_;
    const StepShape shape{.prefill_sequences = std::max(1.0, share),
                          .prefill_tokens = share * prompt_,
                          .attention_pairs = share * pairs_,
                          .decode_sequences = batch.sequences,
                          .context_tokens = batch.sequences * context_};
    return cost_->step(shape).value() * scale_;
}

PrefillModel::Episode PrefillModel::episode(double prompts, const Batch& batch) const {
    const double stages = cost_->stages();
    if (!chunked_) {
        const double passes = std::max(1.0, prompts / largest_group_);
        // In a pipeline the others go on in the stages that the prompts are not in.
        const double stop = pass(prompts, passes, batch) / stages + batch.window * batch.decode_step;
        return {passes * stop, passes, passes * batch.window};
    }
    // A prompt alone takes whole steps; those behind it fill the last one up.
    const double room = budget(batch);
    double alone = 0;
    for (const double p : prompt_points_) alone += std::ceil(p / room);
    alone /= static_cast<double>(prompt_points_.size());
    const double passes = std::max({1.0, alone, prompts * prompt_ / room});
    const double mixed = pass(prompts, passes, batch);
    return {passes * (batch.decode_step + (mixed - batch.decode_step) / stages), passes, passes};
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

/// Decode steps that TGI's rule keeps closed to prefills: until ratio x running prompts wait, the first of which is
/// there already, or to the limit where so many do not fit one prefill.
double PrefillModel::window(const Surroundings& around, const Batch& batch, double prompts) const {
    if (!windowed_) return 0;
    const Engine& rules = *deployment_->engine;
    // The floor of the rule takes half a request away in the mean.
    const double least = std::max(1.0, *rules.waiting_served_ratio * around.decoding - 0.5);
    const double most = *rules.max_waiting_tokens;
    if (least > largest_group_ || around.rate <= 0) return most;
    const double until = (least - 1.0) / around.rate - pass(prompts, 1.0, batch);
    return std::clamp(until / batch.decode_step, 1.0, most);
}

PrefillModel::Steps PrefillModel::steps(double rate, const Batch& batch) const {
    Steps result;
    const double d = batch.decode_step, first = episode(1.0, batch).time;
    double fixed = first, each = 0;
    for (int i = 0; i < 30; ++i) {
        const double many = std::max(2.0, 1.5 * result.prompts);
        each = (episode(many, batch).time - first) / (many - 1.0);
        fixed = first - each;
        result.saturated = each * rate >= 1.0;
        if (result.saturated) return result;
        const double none_in_step = std::exp(-rate * d),
                     none_in_episode = std::exp(-rate * (fixed + each * result.prompts));
        result.idle = none_in_episode / (1.0 - none_in_step + none_in_episode);
        result.mean = (result.idle * d + (1.0 - result.idle) * fixed) / (1.0 - each * rate);
        const double before = result.prompts;
        if (result.idle < 1.0) result.prompts = std::max(1.0, rate * result.mean / (1.0 - result.idle));
        if (std::abs(result.prompts - before) <= 1e-3 * before) break;
    }
    const double squares = result.idle * d * d + (1.0 - result.idle) * fixed * fixed;
    const double mixed = 2.0 * each * fixed + each * each * (1.0 + prompt_cv2_);
    result.second_moment = (squares + mixed * rate * result.mean) / (1.0 - each * rate * each * rate);
    return result;
}

/// Token intervals from the number of episodes between the first and the last token. Over s steps it is q s + c, at
/// least 0, q a step in the mean and c what the start at the end of the own prefill changes: a closed window ahead
/// takes away (1 - cv^2) / 2 (renewal process that starts with an event, Cox 1962, section 4.2), a long own prefill
/// gathers more prompts than a step does.
void PrefillModel::add_stalls(const Surroundings& around, const Batch& batch, const Steps& steps,
                              Effect& effect) const {
    const double d = batch.decode_step, x = around.rate;
    const Episode mean = episode(steps.prompts, batch);
    const double stall = std::max(0.0, mean.time - mean.decode_steps * d);
    const double decodes = steps.idle + (1.0 - steps.idle) * mean.decode_steps;
    const double a_step = decodes > 0 ? (1.0 - steps.idle) / decodes : 0.0;
    const double none_in_step = std::exp(-x * d), none_in_episode = std::exp(-x * mean.time);
    double start = steps.idle - none_in_episode;
    if (windowed_) {
        const double idle_steps = 1.0 / (1.0 - none_in_step);  // mean of a geometric number
        const double cycle = mean.decode_steps + none_in_episode * idle_steps;
        const double variance = none_in_episode * (2.0 - none_in_episode) * idle_steps * idle_steps;
        start = -(1.0 - std::min(1.0, variance / (cycle * cycle))) / 2.0;
    } else if (!chunked_) {
        start = (none_in_step - none_in_episode) / none_in_episode;
    }
    double total = 0, own = 0, sum = 0, requests = 0;
    for (const double s : step_points_) {
        if (s <= 0) continue;
        const double stops = std::max(0.0, a_step * s + start);
        total += stops;
        own += stops / s;
        sum += s;
        requests += 1;
    }
    effect.token_interval = Seconds(d + (sum > 0 ? stall * total / sum : 0.0));
    effect.own_interval = Seconds(d + (requests > 0 ? stall * own / requests : 0.0));
    effect.stall = Seconds(stall);
    effect.stalls = PerSecond((1.0 - steps.idle) / steps.mean);
}

PrefillModel::Effect PrefillModel::effect(const Surroundings& around) const {
    Batch batch{.sequences = 1.0 + around.decoding};
    batch.decode_step = cost_->decode(batch.sequences, batch.sequences * context_).value() * scale_;
    batch.window = window(around, batch, 1.0);
    Effect effect;
    effect.decode_step = Seconds(batch.decode_step);
    if (around.rate <= 0) {
        effect.prefill = Seconds(own_prefill(1.0, batch));
        effect.token_interval = effect.own_interval = effect.decode_step;
        return effect;
    }
    Steps steps = this->steps(around.rate, batch);
    if (windowed_ && !steps.saturated && batch.window < *deployment_->engine->max_waiting_tokens) {
        batch.window = window(around, batch, steps.prompts);
        steps = this->steps(around.rate, batch);
    }
    effect.saturated = steps.saturated;
    if (effect.saturated) return effect;
    const double biased = around.busy * steps.second_moment / steps.mean;
    effect.admission = Seconds(biased / 2.0);
    effect.prefill = Seconds(own_prefill(1.0 + around.rate * biased, batch));
    add_stalls(around, batch, steps, effect);
    return effect;
}

}  // namespace plimsoll
