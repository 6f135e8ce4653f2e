// What the prefills of others do to a request: how often they stop it, and what it meets when it comes.
#include <algorithm>
#include <cmath>

#include "model/capacity/prefill_model.hpp"

namespace plimsoll {

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
    result.step = {around.busy * idle, Seconds(batch.decode_step / entries_),
                   SecondsSquared(others * batch.decode_step)};
    if (steps.episode <= 0) return result;
    const double cv2 = steps.episode_square / (steps.episode * steps.episode) - 1.0;
    const double met = steps.episode * (1.0 + cv2), spread = met * met * cv2 / (1.0 + cv2);
    const double uneven = 0.5 + result.gathered;
    // E[D^3] / E[D] of a gamma law is met^2 (1 + 2 cv^2) / (1 + cv^2).
    result.episode = {around.busy * (1.0 - idle), Seconds(met / entries_),
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
    effect.admission = Seconds(course.around.busy * course.steps.second_moment / course.steps.mean / (2.0 * entries_));
    effect.meetings = meetings(course.around, course.batch, course.steps);
    return effect;
}

}  // namespace plimsoll
