#pragma once
#include <algorithm>
#include <array>

#include "model/capacity/mixture.hpp"
#include "model/capacity/stalls.hpp"
#include "model/cost/octave_table.hpp"
#include "model/cost/step_cost.hpp"
#include "model/spec/load.hpp"

namespace plimsoll {

/// The step or episode that an arrival meets: it waits for a uniform part of it, and for the prompts that it gathers.
struct Meetings {
    struct Kind {
        double share = 0;         ///< of the arrivals; what is missing to 1 meets nobody
        Seconds length;           ///< mean
        SecondsSquared variance;  ///< of the wait and of the other prompts, beside the uniform part
    };
    Kind step, episode;
    double gathered = 0;  ///< time of others' prompts a time met
    [[nodiscard]] Seconds mean() const {
        return (step.length * step.share + episode.length * episode.share) * (0.5 + gathered);
    }
    /// Shorter where their mean is beyond `wait`: near saturation the moments of an episode count others who, in a load
    /// of so many requests, are not there. The spread by their number falls more than in proportion, since it is that
    /// of the requests present, by which states are told apart (estimated: the second power of the part that is left).
    [[nodiscard]] Meetings within(Seconds wait) const {
        if (mean() <= wait) return *this;
        const double part = std::max(0.0, wait / mean());
        const auto shorter = [part](const Kind& kind) {
            return Kind{kind.share, kind.length * part, kind.variance * (part * part * part * part)};
        };
        return {shorter(step), shorter(episode), gathered};
    }
};

/// What the prompts of others do to a request: it waits for their prefills, is prefilled with them, and later its
/// tokens wait for theirs.
///
/// The engine works in steps: a decode step of time d while no prompt waits, otherwise an episode of D(k) that takes in
/// the k prompts that have arrived during the step or episode before. With D(k) = D0 + a k, Poisson arrivals at rate x
/// and the share i of steps without prompts (bulk service; the embedded chain in means):
///
///   E[t] = (i d + (1 - i) D0) / (1 - a x),
///   E[t^2] (1 - a^2 x^2) = i d^2 + (1 - i) D0^2 + (2 a D0 + a^2 (1 + cv^2)) x E[t],  cv of the prompts,
///   i = e^(-x D) / (1 - e^(-x d) + e^(-x D)).
///
/// E[D^3] is that of a gamma law of the first two moments. An arrival waits for the rest of the step or episode that
/// it meets, E[t^2] / (2 E[t]), and shares its own episode with the x E[t^2] / E[t] others that the same step gathers.
/// Episodes by the engine's rules, each of as many passes as the prompts fill the budget:
///
/// - exclusive prefill: F(k), all decodes stopped (vLLM V0: prefill first, again and again);
/// - with TGI's rule F(k) + W d: W = max_waiting_tokens decode steps, or as many as pass until
///   waiting_served_ratio x running prompts wait, must follow before the next prefill;
/// - chunked: mixed steps of decodes and chunks.
class PrefillModel {
  public:
    /// `context`: KV tokens that a decoding sequence reads, mean. `recomputed`: tokens of a request that are prefilled
    /// a second time, mean.
    PrefillModel(const StepCost& cost, const Deployment& deployment, const Workload& workload, double context,
                 double recomputed);

    /// What others do around one request.
    struct Surroundings {
        double rate = 0;      ///< prompts of others a second
        double decoding = 0;  ///< others in the running batch
        double busy = 1;      ///< probability that others are there
        double prompts = 1;   ///< a guess of the prompts in an episode
    };
    /// How tokens come meanwhile: what a fixed point of the decoding requests asks again and again.
    struct Course;
    [[nodiscard]] Course course(const Surroundings& around) const;
    struct Effect {
        Seconds admission, prefill, own_interval;
        Meetings meetings;
    };
    /// The rest of what a course that is not saturated does to a request.
    [[nodiscard]] Effect effect(const Course& course) const;
    /// Time of the instance that a prompt takes from everybody, in groups of `prompts`, or as many as fit.
    [[nodiscard]] Seconds occupied(double prompts) const;
    /// `prompts` of the workload's spread that go alone.
    [[nodiscard]] Seconds prefill(double prompts, double tokens, double pairs) const {
        return cost_->step({.prefill_sequences = prompts,
                            .prefill_tokens = tokens,
                            .attention_pairs = pairs,
                            .even_prompts = even(prompts)});
    }

  private:
    /// The batch and the rule that hold while the effect is sought; seconds.
    struct Batch {
        double sequences = 1;    ///< of a decode step
        double decode_step = 0;  ///< d
        double window = 0;       ///< W
        double room = 0;         ///< prompt tokens of a chunked step
        double alone = 1;        ///< chunked steps that a prompt alone takes, mean
    };
    struct Episode {
        double time = 0;  ///< D(k)
        double passes = 1;
        double decode_steps = 0;  ///< that running sequences get out of it
    };
    struct Steps {
        double idle = 1, mean = 0, second_moment = 0, prompts = 1;
        double fixed = 0, each = 0;              ///< D(k) = fixed + each k
        double episode = 0, episode_square = 0;  ///< E[D], E[D^2]
        bool saturated = false;
    };
    [[nodiscard]] Episode episode(double prompts, const Batch& batch) const;
    [[nodiscard]] double pass(double prompts, double passes, const Batch& batch) const;
    [[nodiscard]] Steps steps(const Surroundings& around, const Batch& batch) const;
    static void balance(Steps& steps, double rate, double decode_step);
    [[nodiscard]] double own_prefill(double prompts, const Batch& batch) const;
    [[nodiscard]] double window(const Surroundings& around, const Batch& batch, double prompts) const;
    [[nodiscard]] double start_stall(double rate, const Batch& batch, const Steps& steps, double own_episode) const;
    [[nodiscard]] Stalls stalls(double rate, const Batch& batch, const Steps& steps, double start) const;
    [[nodiscard]] double token_interval(double decode_step, const Stalls& stalls) const;
    [[nodiscard]] Seconds own_interval(const Course& course) const;
    [[nodiscard]] double window_cv2(double rate, const Batch& batch, const Steps& steps) const;
    [[nodiscard]] Meetings meetings(const Surroundings& around, const Batch& batch, const Steps& steps) const;
    [[nodiscard]] Batch batch_of(double sequences) const;
    [[nodiscard]] double attention(const StepShape& shape) const;
    /// So many prompts vary as much as how many of one length, about.
    [[nodiscard]] double even(double prompts) const { return 1.0 + std::max(0.0, prompts - 1.0) / (1.0 + prompt_cv2_); }

    const StepCost* cost_;
    const Deployment* deployment_;
    double context_;
    double prompt_, pairs_, prompt_cv2_;
    bool chunked_, windowed_;
    double entries_;           ///< a round, at which prompts can enter it
    double largest_group_;     ///< prompts of one exclusive prefill
    OctaveTable group_times_;  ///< of so many prompts prefilled alone, seconds
    OctaveTable attention_;    ///< of a chunked step with so many prompts in as many chunks, seconds
    OctaveTable one_cut_;      ///< what one chunk more adds to that
    std::array<double, 16> prompt_points_{}, step_points_{};  ///< equally likely, rising; steps: output - 1
};

struct PrefillModel::Course {
    double prompts = 1;      ///< in an episode, mean
    bool saturated = false;  ///< prompts come faster than they can be prefilled: everything below is empty
    Seconds decode_step, token_interval;
    Stalls stalls;

  private:
    friend class PrefillModel;
    Surroundings around;
    Batch batch;
    Steps steps;
    double group = 1;  ///< prompts in a request's own episode
};

}  // namespace plimsoll
