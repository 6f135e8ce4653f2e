#pragma once
#include <cstdint>
#include <memory>

#include "simulator/scheduler.hpp"

namespace plimsoll {

/// What the forms of vLLM V1 share (v1/core/sched/scheduler.py): no phases, one token budget. Running requests come
/// first in order of admission, each with its missing tokens (a decode is missing one). Blocks are taken for the tokens
/// of the step only, without a watermark; where there are none the newest running request is preempted, to be computed
/// again. The prefix cache knows what a step computes as soon as that is composed. A preempted request finds in it what
/// nobody has used since, whether or not it is known what it holds: it is looked up by all its tokens, those that it
/// has generated too (vllm pull 9972; issue 25780 counts 30 % of hits so on random prompts).
class RunningFirst : public Scheduler {
  public:
    [[nodiscard]] bool accepts(const EngineState& state, const Request& request) const final;

  protected:
    explicit RunningFirst(const SchedulerSettings& settings) : settings_(settings) {}

    /// Blocks that are known to be free.
    [[nodiscard]] virtual std::uint64_t visible(const EngineState& state) const = 0;
    /// What the decodes of the step leave of them.
    [[nodiscard]] std::uint64_t spare(const EngineState& state) const {
        return visible(state) - state.kv().step_need();
    }

    /// What the running requests leave of a step.
    struct Left {
        std::uint32_t tokens;
        bool preempted;  ///< somebody was: nobody is admitted
    };
    Left compose_running(EngineState& state, Step& step) const;
    /// The request's next tokens, at most `most` of them, told to the cache; tells how many.
    static std::uint32_t add_chunk(EngineState& state, Step& step, std::uint32_t id, std::uint32_t most);

    [[nodiscard]] const SchedulerSettings& settings() const { return settings_; }

  private:
    SchedulerSettings settings_;
};

/// An entry of the registry for one of them.
[[nodiscard]] SchedulerKind running_first_kind(
    std::string description, std::function<std::unique_ptr<Scheduler>(const SchedulerSettings&)> make);

}  // namespace plimsoll
