// Pipelines: the simulator, which knows rounds of all batches, against one that moves each batch from stage to stage.
#include <algorithm>
#include <cmath>
#include <deque>

#include "simulator/instance.hpp"
#include "simulator/random.hpp"
#include "tests/catch.hpp"
#include "tests/library.hpp"
#include "tests/simulated.hpp"

using namespace plimsoll;

namespace {

struct Case {
    const char* engine;
    int stages;
    double rate, prompt, output;  ///< requests a second; tokens, mean of exponential laws
};

std::vector<Arrival> arrivals_of(const Case& load) {
    RandomStream random(7, "pipeline");
    std::vector<Arrival> arrivals(1500);
    double now = 0;
    for (Arrival& arrival : arrivals) {
        arrival.time = Seconds(now += random.exponential() / load.rate);
        arrival.prompt = 1 + static_cast<std::uint32_t>(load.prompt * random.exponential());
        arrival.output = 2 + static_cast<std::uint32_t>(load.output * random.exponential());
        arrival.prompt = std::min(arrival.prompt, 4000U);
    }
    return arrivals;
}

struct Means {
    double ttft = 0, tpot = 0;
};

/// Batches go round one behind the other: one enters a stage when it has left the one before and the batch before has
/// left this one. A batch is composed when it enters the first stage: the decodes that came back with it, and prompts
/// in order as far as its budget reaches; prompts that go alone stop the decodes of their own batch only. Batches are
/// as large as the mean one.
class StageByStage {
  public:
    StageByStage(const StepCost& cost, const Engine& engine, const std::vector<Arrival>& arrivals)
        : cost_(cost),
          chunked_(engine.scheduling == Scheduling::chunked),
          budget_(chunked_ ? engine.max_step_tokens : engine.max_prefill_tokens),
          batches_(static_cast<std::size_t>(cost.stages())),
          free_at_(batches_.size(), 0.0) {
        for (const Arrival& arrival : arrivals)
            jobs_.push_back({arrival.time.value(), double(arrival.prompt), int(arrival.output)});
    }
    Means run() {
        while (done_ < jobs_.size()) {
            Batch& batch = *std::min_element(batches_.begin(), batches_.end(),
                                             [](const Batch& a, const Batch& b) { return a.back_at < b.back_at; });
            double now = std::max(batch.back_at, free_at_[0]);
            if (decoding_ + waiting_.size() == 0) now = std::max(now, jobs_[next_].came);
            for (; next_ < jobs_.size() && jobs_[next_].came <= now; ++next_) waiting_.push_back(&jobs_[next_]);
            pass(batch, now);
        }
        Means means;
        for (const Job& job : jobs_) {
            means.ttft += (job.first - job.came) / static_cast<double>(jobs_.size());
            means.tpot += (job.ended - job.first) / (job.output - 1) / static_cast<double>(jobs_.size());
        }
        return means;
    }

  private:
    struct Job {
        double came, prompt;
        int output, given = 0;
        double prefilled = 0, first = 0, ended = 0;
    };
    struct Batch {
        std::vector<Job*> decodes;
        double back_at = 0;
    };

    void pass(Batch& batch, double now) {
        const double n = static_cast<double>(decoding_);
        double room = budget_ - (chunked_ ? n / cost_.stages() : 0.0);
        StepShape shape;
        std::vector<Job*> begun;
        while (!waiting_.empty() && room >= 1 && (chunked_ || waiting_.front()->prompt <= room)) {
            Job& job = *waiting_.front();
            const double tokens = std::min(std::floor(room), job.prompt - job.prefilled);
            shape.prefill_sequences = 1;
            shape.prefill_tokens += tokens;
            shape.attention_pairs += causal_pairs(tokens, job.prefilled);
            job.prefilled += tokens;
            room -= tokens;
            if (job.prefilled < job.prompt) break;
            begun.push_back(&job);
            waiting_.pop_front();
        }
        const bool decodes = chunked_ || shape.prefill_tokens == 0;
        if (decodes) shape.decode_sequences = n, shape.context_tokens = context_;
        const double in_stage = cost_.step(shape).value() / cost_.stages();
        for (double& free_at : free_at_) now = free_at = std::max(now, free_at) + in_stage;
        batch.back_at = now;
        if (decodes) give(batch, now);
        for (Job* job : begun) start(batch, *job, now);
    }
    void give(Batch& batch, double now) {
        for (Job* job : batch.decodes) {
            context_ += 1;
            if (++job->given < job->output) continue;
            job->ended = now;
            context_ -= job->prompt + job->output;
            --decoding_, ++done_;
        }
        const auto ended = [](const Job* job) { return job->given == job->output; };
        batch.decodes.erase(std::remove_if(batch.decodes.begin(), batch.decodes.end(), ended), batch.decodes.end());
    }
    void start(Batch& batch, Job& job, double now) {
        job.first = now;
        job.given = 1;
        batch.decodes.push_back(&job);
        ++decoding_;
        context_ += job.prompt + 1;
    }

    const StepCost& cost_;
    bool chunked_;
    double budget_;
    std::vector<Batch> batches_;
    std::vector<double> free_at_;  ///< of the stages
    std::vector<Job> jobs_;
    std::deque<Job*> waiting_;
    std::size_t next_ = 0, decoding_ = 0, done_ = 0;
    double context_ = 0;
};

Means simulated_means(const Instance& instance, const std::vector<Arrival>& arrivals) {
    RequestTable requests;
    Replica replica(requests, instance.timer(), instance.scheduler(), instance.settings());
    simulated::Script script(arrivals);
    simulated::Record record;
    simulate(script, requests, replica, &record);
    Means means;
    const auto count = static_cast<double>(record.requests.size());
    for (const Request& request : record.requests) {
        means.ttft += (request.first_token - request.arrival).value() / count;
        means.tpot += (request.finished - request.first_token).value() / (request.output - 1) / count;
    }
    return means;
}

}  // namespace

TEST_CASE("A pipeline in rounds takes what its batches take from stage to stage") {
    for (const Case& load :
         {Case{"vllm-v1", 2, 4, 400, 200}, Case{"vllm-v1", 2, 20, 400, 200}, Case{"vllm-v1", 2, 6, 2500, 200},
          Case{"vllm-v1", 4, 6, 400, 200}, Case{"vllm-v1", 4, 30, 400, 200}, Case{"vllm-v1", 4, 10, 2500, 200},
          Case{"vllm-v0", 2, 4, 400, 200}, Case{"vllm-v0", 2, 15, 400, 200}, Case{"vllm-v0", 4, 6, 400, 200},
          Case{"vllm-v0", 4, 25, 400, 200}}) {
        Engine engine = testing::library().engines.at(load.engine, "test");
        engine.host = {};
        Deployment deployment = testing::deployment("llama-3.1-8b", "a100-80gb-sxm-8", 1, load.stages, "vllm-v1");
        deployment.engine = &engine;
        deployment.max_sequences = 2000;
        engine.max_step_tokens = engine.max_prefill_tokens = 4096;
        const Instance instance(deployment);
        const std::vector<Arrival> arrivals = arrivals_of(load);
        const Means expected = StageByStage(instance.cost(), engine, arrivals).run();
        const Means found = simulated_means(instance, arrivals);
        const double alone = instance.cost().decode(1, 500).value();
        UNSCOPED_INFO(load.engine << " PP" << load.stages << ", " << load.rate << "/s of " << load.prompt << ": TPOT "
                                  << 1e3 * found.tpot << " ms, stage by stage " << 1e3 * expected.tpot << ", alone "
                                  << 1e3 * alone << "; TTFT " << 1e3 * found.ttft << " ms, stage by stage "
                                  << 1e3 * expected.ttft);
        CHECK(found.tpot == Approx(expected.tpot).epsilon(0.15));
        CHECK(found.ttft == Approx(expected.ttft).epsilon(0.25));
    }
}
