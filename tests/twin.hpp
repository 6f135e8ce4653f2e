#pragma once
/// A serving engine the plain way: iteration by iteration, request by request, with nothing shared with the simulator
/// but the step times. It referees the event-skipping core.
#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "simulator/scheduler.hpp"

namespace twin {

using plimsoll::SchedulerSettings;
using plimsoll::StepTimer;

/// One user's request: it comes `gap` seconds after the user's last one ended (the first after time 0).
struct Demand {
    double gap = 0;
    int prompt = 1, output = 1, max_output = 1, cached = 0;
    std::vector<long> tokens = {};  ///< prompt and answer, for engines with a prefix cache; empty: unknown
};
/// [users][requests]; an open loop is one request a user.
using Users = std::vector<std::vector<Demand>>;

struct Outcome {
    double arrival = 0, first_token = -1, finished = -1;
    int preemptions = 0;
    bool refused = false;
    int found = 0;  ///< tokens in the prefix cache when it was first admitted
};

struct Job {
    double arrival = 0;
    std::size_t number = 0;  ///< in order of arrival
    std::size_t user = 0, index = 0;
    int prompt = 0, output = 0, max_output = 0;
    int known = 0;     ///< prompt and generated tokens
    int computed = 0;  ///< of these, in the KV cache
    int generated = 0;
    int planned = 0;  ///< when to stop
    int blocks = 0;
    bool prefilling = true;
    double first_token = -1;
    int preemptions = 0;
    int found = -1;
    const std::vector<long>* tokens = nullptr;
};

struct Work {
    Job* job;
    int tokens;
};

inline int count(std::uint32_t limit) {
    return static_cast<int>(limit);
}

class Engine {
  public:
    Engine(const SchedulerSettings& settings, const StepTimer& timer);
    virtual ~Engine() = default;
    /// [users][requests]
    std::vector<std::vector<Outcome>> run(const Users& users);
    long iterations = 0;

  protected:
    virtual bool accepts(const Job& job) const = 0;
    virtual std::vector<Work> decide() = 0;
    virtual double time_of(const std::vector<Work>& work) const;
    /// Of s batches in a pipeline s - 1 decode while prompts go round alone, at the pace of the slower: tells how much
    /// of a round is gained so, and lengthens the time of these prompts where they are the faster ones.
    double gained(const std::vector<Work>& work, double& time) const;
    /// Times at which the work leaves a pipeline where it is prompts without further tokens and nobody decodes: batch
    /// behind batch, each entering a stage when it has left the one before and those before it have left this one, and
    /// the first when no more than the others of the pipeline are under way.
    /// Otherwise empty.
    std::vector<double> passed(const std::vector<Work>& work, double now);
    virtual int largest_pass() const { return count(limits_.max_step_tokens); }
    /// It gives back what it holds, at its end or when it is preempted.
    virtual void release(Job& job, bool preempted) {
        static_cast<void>(preempted);
        resize(job, 0);
    }
    /// A step has computed tokens of it, and it goes on.
    virtual void advanced(Job& job) { static_cast<void>(job); }

    /// Of all batches in the pipeline; of one where nobody goes on to decode.
    int step_tokens() const { return count(limits_.max_step_tokens) * batches_; }
    int blocks_for(int tokens) const { return (tokens + block_ - 1) / block_; }
    void resize(Job& job, int blocks);
    void admit(int blocks);
    void preempt(Job* job, bool to_front = true);
    /// Decodes of all that are not prefilling, in order, each with its block; the last one gives way.
    std::vector<Work> decode_all_with_preemption();
    std::vector<Work> decode_all() const;
    static int missing(const Job& job) { return job.known - job.computed; }

    SchedulerSettings limits_;
    const StepTimer& timer_;
    int block_, total_, free_, watermark_;
    std::deque<Job*> waiting_;
    std::vector<Job*> running_;
    std::deque<Job*> swapped_;
    double moved_ = 0;        ///< seconds of this iteration beside the computation
    bool preempted_ = false;  ///< in this iteration
    int batches_ = 1;
    std::vector<double> stage_free_;
    std::deque<double> left_;  ///< when the last batches left the pipeline, as many as it has stages
};

/// The engine of that name, nullptr when it is none of these.
std::unique_ptr<Engine> make_reserving(const std::string& scheduler, const SchedulerSettings& settings,
                                       const StepTimer& timer);
std::unique_ptr<Engine> make_paged(const std::string& scheduler, const SchedulerSettings& settings,
                                   const StepTimer& timer);
std::unique_ptr<Engine> make_vllm_v1_async(const SchedulerSettings& settings, const StepTimer& timer);
std::unique_ptr<Engine> make_vllm_v1_with_prefix_cache(const SchedulerSettings& settings, const StepTimer& timer);
std::unique_ptr<Engine> make_vllm_v1_async_with_prefix_cache(const SchedulerSettings& settings, const StepTimer& timer);
std::unique_ptr<Engine> make_sglang_with_prefix_cache(const SchedulerSettings& settings, const StepTimer& timer);
inline std::unique_ptr<Engine> make(const std::string& scheduler, const SchedulerSettings& settings,
                                    const StepTimer& timer) {
    if (scheduler == "vllm-v1-async") return make_vllm_v1_async(settings, timer);
    if (scheduler == "vllm-v1" && settings.prefix_cache) return make_vllm_v1_with_prefix_cache(settings, timer);
    auto engine = make_reserving(scheduler, settings, timer);
    return engine ? std::move(engine) : make_paged(scheduler, settings, timer);
}

}  // namespace twin
