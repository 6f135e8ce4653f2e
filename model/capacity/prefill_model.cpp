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
    const double most = deployment.engine->max_step_tokens, least = std::max(1.0, most - deployment.max_sequences);
    const int first = std::max(-12, std::ilogb(1.0 / (1.0 + long_prompt / least)));
    return {first, std::max(1, std::ilogb(most / prompt) + 1 - first)};
}

}  // namespace

Stalls mix(const Stalls& a, const Stalls& b, double share) {
    const auto between = [share](auto x, auto y) { return x + (y - x) * share; };
    return {.a_step = between(a.a_step, b.a_step),
            .at_start = between(a.at_start, b.at_start),
            .one = between(a.one, b.one),
            .size_spread = between(a.size_spread, b.size_spread),
            .count_spread = between(a.count_spread, b.count_spread),
            .in_a_row = between(a.in_a_row, b.in_a_row)};
}

double Stalls::share(double steps) const {
    return in_a_row > 0 && one > Seconds(0) ? std::min(1.0, over(steps) / (one * steps)) : 0.0;
}

double Stalls::none(double steps) const {
    if (in_a_row > 0) return std::pow(1.0 - share(steps), std::max(1.0, steps / in_a_row));
    return one > Seconds(0) ? std::exp(-(over(steps) / one)) : 1.0;
}

SecondsSquared Stalls::variance(double steps) const {
    // Of an answer shorter than a row all steps are of it or none.
    const double row = in_a_row > 0 ? std::min(1.0, steps / in_a_row) : 1.0;
    return over(steps) * (size_spread + count_spread * (1.0 - share(steps))) * row;
}

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
      largest_group_(chunked_ ? 1.0 : prompts_in(deployment.engine->max_prefill_tokens, prompt_, prompt_cv2_)),
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
    batch.room = std::max(1.0, deployment_->engine->max_step_tokens - sequences);
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
                          .decode_sequences = batch.sequences,
                          .context_tokens = batch.sequences * context_};
    return cost_->step(shape, Seconds(attention(shape))).value();
}

PrefillModel::Episode PrefillModel::episode(double prompts, const Batch& batch) const {
    const double stages = cost_->stages();
    if (!chunked_) {
        const double passes = std::max(1.0, prompts / largest_group_);
        // In a pipeline the others go on in the stages that the prompts are not in.
        const double stop = pass(prompts, passes, batch) / stages + batch.window * batch.decode_step;
        return {passes * stop, passes, passes * batch.window};
    }
    // A prompt alone takes whole steps; of several the last step stays empty by half of a prompt, or of itself.
    const double fill = prompt_ / batch.room;
    const double passes = std::max(batch.alone, prompts * fill + std::min(1.0, fill) / 2.0);
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
        if (result.saturated) return result;
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

/// Squared coefficient of variation of the time, in decode steps, from one pass to the next: a closed window and, when
/// it has gathered nothing, a geometric number of steps; 1 where no window keeps passes apart.
double PrefillModel::window_cv2(double rate, const Batch& batch, const Steps& steps) const {
    if (!windowed_) return 1.0;
    const double none = std::exp(-rate * steps.episode), some_in_step = 1.0 - std::exp(-rate * batch.decode_step);
    const double cycle = batch.window + none / some_in_step;
    return std::min(1.0, none * (2.0 - none) / (some_in_step * some_in_step) / (cycle * cycle));
}

/// Stall that the start of decoding at the end of an episode adds to that of steps at any time. A window that is closed
/// takes away (1 - cv^2) / 2 of a pass (renewal process that starts with an event, Cox 1962, section 4.2). Otherwise
/// the own episode has gathered more prompts than the step before a token does, each of which gathers a x more.
double PrefillModel::start_stall(double rate, const Batch& batch, const Steps& steps, double own_episode) const {
    const double d = batch.decode_step;
    if (windowed_) {
        const Episode mean = episode(steps.prompts, batch);
        const double stall = mean.time / mean.passes - batch.window * d;
        return -stall * (1.0 - window_cv2(rate, batch, steps)) / 2.0;
    }
    const double none_in_own = std::exp(-rate * own_episode);
    const double before = chunked_ ? steps.mean : d;
    const double none_before = chunked_ ? steps.idle : std::exp(-rate * d);
    const double fixed = chunked_ ? steps.fixed - d : steps.fixed;
    return ((none_before - none_in_own) * fixed + steps.each * rate * (own_episode - before)) /
           (1.0 - steps.each * rate);
}

/// Over s steps q s stalls in the mean, and what the start adds, but never less than none. Their number has the
/// variance `regularity` times its mean (1: Poisson), or, where a step has one at the most and those of a prompt follow
/// each other, that of a share f of s / (steps in a row) drawings.
Stalls PrefillModel::stalls(double rate, const Batch& batch, const Steps& steps, double start) const {
    const Episode mean = episode(steps.prompts, batch);
    const double all = std::max(0.0, mean.time - mean.decode_steps * batch.decode_step), stall = all / mean.passes;
    const double passes = (1.0 - steps.idle) * mean.passes;  // a step or episode
    const double decodes = steps.idle + (1.0 - steps.idle) * mean.decode_steps;
    // One stall: E[Y^2] = Var(D) + E[Y]^2; a sum of N stalls has the variance E[N] Var(Y) + Var(N) E[Y]^2.
    const double of_stall = std::max(0.0, steps.episode_square - steps.episode * steps.episode);
    Stalls result{.a_step = Seconds(decodes > 0 ? stall * passes / decodes : 0.0),
                  .at_start = Seconds(start),
                  .one = Seconds(stall),
                  .size_spread = {},
                  .count_spread = {},
                  .in_a_row = chunked_ ? mean.passes : 0.0};
    if (chunked_) {
        const double of_prompt = all / std::max(1.0, steps.prompts), idle = 1.0 - std::min(0.9, rate * of_prompt);
        result.count_spread = Seconds(of_prompt / (idle * idle));
        result.size_spread = result.count_spread * prompt_cv2_;
        return result;
    }
    result.count_spread = Seconds(window_cv2(rate, batch, steps) * stall);
    if (stall > 0) result.size_spread = Seconds(of_stall / stall);
    return result;
}

/// Mean over tokens.
double PrefillModel::token_interval(double decode_step, const Stalls& stalls) const {
    double total = 0, steps = 0;
    for (const double s : step_points_) {
        if (s <= 0) continue;
        total += stalls.over(s).value();
        steps += s;
    }
    return steps > 0 ? decode_step + total / steps : decode_step;
}

/// Mean over requests.
Seconds PrefillModel::own_interval(const Course& course) const {
    double own = 0, requests = 0;
    for (const double s : step_points_) {
        if (s <= 0) continue;
        own += course.stalls.over(s).value() / s;
        requests += 1;
    }
    return requests > 0 ? course.decode_step + Seconds(own / requests) : course.decode_step;
}

/// Arrivals meet steps and episodes in proportion to their lengths. Given a length t that an arrival meets, it waits
/// for a uniform part of t, and x t others join its episode: the mean given t is t (1/2 + a x) + const, the variance
/// t^2 / 12 and a^2 (1 + cv^2) x t of the others' prompts.
Meetings PrefillModel::meetings(const Surroundings& around, const Batch& batch, const Steps& steps) const {
    const double idle = steps.idle * batch.decode_step / steps.mean;
    const double others = steps.each * steps.each * (1.0 + prompt_cv2_) * around.rate;
    Meetings result;
    result.gathered = steps.each * around.rate;
    result.step = {around.busy * idle, Seconds(batch.decode_step), SecondsSquared(others * batch.decode_step)};
    if (steps.episode <= 0) return result;
    const double cv2 = steps.episode_square / (steps.episode * steps.episode) - 1.0;
    const double met = steps.episode * (1.0 + cv2), spread = met * met * cv2 / (1.0 + cv2);
    const double uneven = 0.5 + result.gathered;
    // E[D^3] / E[D] of a gamma law is met^2 (1 + 2 cv^2) / (1 + cv^2).
    result.episode = {around.busy * (1.0 - idle), Seconds(met),
                      SecondsSquared(spread * uneven * uneven + others * met)};
    return result;
}

PrefillModel::Course PrefillModel::course(const Surroundings& around) const {
    Course course;
    course.around = around;
    Batch& batch = course.batch = batch_of(1.0 + around.decoding);
    batch.window = window(around, batch, 1.0);
    course.decode_step = course.token_interval = Seconds(batch.decode_step);
    if (around.rate <= 0) return course;
    Steps& steps = course.steps = this->steps(around, batch);
    if (windowed_ && !steps.saturated && batch.window < *deployment_->engine->max_waiting_tokens) {
        batch.window = window(around, batch, steps.prompts);
        steps = this->steps(around, batch);
    }
    course.saturated = steps.saturated;
    if (course.saturated) return course;
    course.prompts = steps.prompts;
    course.group = 1.0 + around.rate * (around.busy * steps.second_moment / steps.mean);
    const double start = start_stall(around.rate, batch, steps, episode(course.group, batch).time);
    course.stalls = stalls(around.rate, batch, steps, start);
    course.token_interval = Seconds(token_interval(batch.decode_step, course.stalls));
    return course;
}

PrefillModel::Effect PrefillModel::effect(const Course& course) const {
    Batch own = course.batch;  // while a request is prefilled the others alone decode
    own.sequences = course.around.decoding;
    Effect effect;
    effect.prefill = Seconds(own_prefill(course.group, own));
    effect.own_interval = own_interval(course);
    if (course.around.rate <= 0) return effect;
    effect.admission = Seconds(course.around.busy * course.steps.second_moment / course.steps.mean / 2.0);
    effect.meetings = meetings(course.around, course.batch, course.steps);
    return effect;
}

}  // namespace plimsoll
