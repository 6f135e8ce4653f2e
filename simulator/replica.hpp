#pragma once
#include <memory>
#include <span>
#include <vector>

#include "simulator/observer.hpp"
#include "simulator/scheduler.hpp"

namespace plimsoll {

/// One instance of an engine. It jumps from event to event: between two of them a fixed batch decodes, and the time of
/// any number of steps of it, and the number of steps until any time, have closed forms.
class Replica {
  public:
    /// Timer and request table must outlive the replica. `index` is what requests and strides say of it.
    Replica(RequestTable& requests, const StepTimer& timer, const SchedulerKind& kind,
            const SchedulerSettings& settings, std::uint32_t index = 0);

    /// A request arrives. False: the engine refuses it, and has forgotten it. A jump under way is cut short at the
    /// first step that ends at `now` or later.
    bool submit(std::uint32_t id, Seconds now);
    /// The client gives up on a request that the replica took: it leaves when the step under way at `now` has ended,
    /// unless that gives its last token, and `advance` returns it with `finished` = never.
    void cancel(std::uint32_t id, Seconds now);
    /// When something happens without a new request: a stride ends, or one is due to begin. Arrivals of that very
    /// time come first.
    [[nodiscard]] Seconds next_event() const { return busy_ ? stride_.end : due_; }
    /// What is due at next_event(): ends the stride under way, or begins the next one. The requests that finished are
    /// valid until the next call; their rows are the caller's to release.
    std::span<const std::uint32_t> advance(Observer* observer = nullptr);
    /// The replica fails: drops the work under way and returns all requests it had.
    std::span<const std::uint32_t> drop_all();

    /// Requests taken and not finished.
    [[nodiscard]] std::uint32_t outstanding() const {
        return state_.waiting().size() + state_.running() + state_.swapped().size();
    }
    [[nodiscard]] const EngineState& state() const { return state_; }
    /// KV blocks in use at a time within the stride under way.
    [[nodiscard]] std::uint64_t kv_blocks_used(Seconds now) const;
    [[nodiscard]] std::uint64_t iterations() const { return iterations_; }
    [[nodiscard]] std::uint64_t strides() const { return strides_; }

  private:
    void begin();
    void begin_decode();
    void cut_short(Seconds now);
    void drop_cancelled();
    void end(Observer* observer);
    void begin_prompts();
    [[nodiscard]] bool passes() const;
    void begin_pass();
    void end_prompts();
    [[nodiscard]] Seconds mixed_time();
    [[nodiscard]] Seconds piecewise_time();
    template <class Run>
    void in_pieces(std::uint32_t room, std::uint32_t most, Run run);

    RequestTable& requests_;
    const StepTimer& timer_;
    EngineState state_;
    std::unique_ptr<Scheduler> scheduler_;
    std::uint32_t index_;
    int batches_;
    std::uint32_t batch_tokens_;
    Step step_;
    Stride stride_;
    bool busy_ = false;
    Seconds due_ = never;
    std::vector<std::uint32_t> finished_, cancelled_;
    std::vector<PromptChunk> piece_;
    std::vector<Seconds> stage_free_at_;  ///< [stage], of prompts that pass
    std::vector<Seconds> left_at_;        ///< the last stage, by as many batches as there are stages
    std::vector<Seconds> out_at_;         ///< [chunk] of the step, where it passes
    std::uint64_t iterations_ = 0, strides_ = 0;
};

}  // namespace plimsoll
