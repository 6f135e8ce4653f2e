// Pipelines: the simulator, which knows rounds of all batches, against one that moves each batch from stage to stage.
#include <algorithm>
#include <cmath>
#include <deque>

#include "model/capacity/forecaster.hpp"
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
    double rate, prompt, output;  ///< requests a second; tokens, mean of exponential laws; no output: one token
};

std::vector<Arrival> arrivals_of(const Case& load, std::size_t count) {
    RandomStream random(7, "pipeline");
    std::vector<Arrival> arrivals(count);
    double now = 0;
    for (Arrival& arrival : arrivals) {
        arrival.time = Seconds(now += random.exponential() / load.rate);
        arrival.prompt = 1 + static_cast<std::uint32_t>(load.prompt * random.exponential());
        arrival.output = load.output > 0 ? 2 + static_cast<std::uint32_t>(load.output * random.exponential()) : 1;
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
            means.tpot += (job.ended - job.first) / std::max(1, job.output - 1) / static_cast<double>(jobs_.size());
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
        if (job.output == 1) {
            job.ended = now;
            ++done_;
            return;
        }
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
        means.tpot += (request.finished - request.first_token).value() / std::max(1U, request.output - 1) / count;
    }
    return means;
}

/// Without host times, with batches of 4096 tokens.
Engine engine_of(const Case& load) {
    Engine engine = testing::library().engines.at(load.engine, "test");
    engine.host = {};
    engine.max_step_tokens = engine.max_prefill_tokens = 4096;
    return engine;
}

Deployment deployment_of(const Case& load, const Engine& engine) {
    Deployment deployment = testing::deployment("llama-3.1-8b", "a100-80gb-sxm-8", 1, load.stages, "vllm-v1");
    deployment.engine = &engine;
    deployment.max_sequences = 2000;
    return deployment;
}

}  // namespace

TEST_CASE("A pipeline in rounds takes what its batches take from stage to stage") {
    for (const Case& load :
         {Case{"vllm-v1", 2, 4, 400, 200}, Case{"vllm-v1", 2, 20, 400, 200}, Case{"vllm-v1", 2, 6, 2500, 200},
          Case{"vllm-v1", 4, 6, 400, 200}, Case{"vllm-v1", 4, 30, 400, 200}, Case{"vllm-v1", 4, 10, 2500, 200},
          Case{"vllm-v0", 2, 4, 400, 200}, Case{"vllm-v0", 2, 15, 400, 200}, Case{"vllm-v0", 4, 6, 400, 200},
          Case{"vllm-v0", 4, 25, 400, 200}}) {
        Engine engine = engine_of(load);
        const Deployment deployment = deployment_of(load, engine);
        const Instance instance(deployment);
        const std::vector<Arrival> arrivals = arrivals_of(load, 1500);
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

TEST_CASE("Prompts that nobody decodes after go through a pipeline batch by batch, forecast and simulated") {
    // Of 30 ms of a prompt of 400 tokens each of s stages takes 30 ms / s: 0.1 to 0.85 of what a stage can do. `error`
    // is the forecast's; batches that grow behind each other from four stages on are known in the mean only.
    struct Passing {
        Case load;
        double error;
    };
    for (const auto& [load, error] :
         {Passing{{"vllm-v1", 2, 6.6, 400, 0}, 0.1}, Passing{{"vllm-v1", 2, 33, 400, 0}, 0.15},
          Passing{{"vllm-v1", 2, 56, 400, 0}, 0.25}, Passing{{"vllm-v1", 4, 13, 400, 0}, 0.1},
          Passing{{"vllm-v1", 4, 40, 400, 0}, 0.2}, Passing{{"vllm-v1", 4, 93, 400, 0}, 0.2},
          Passing{{"vllm-v1", 8, 26, 400, 0}, 0.1}, Passing{{"vllm-v1", 8, 185, 400, 0}, 0.2},
          Passing{{"vllm-v0", 2, 32, 400, 0}, 0.1}, Passing{{"vllm-v0", 4, 13, 400, 0}, 0.1},
          Passing{{"vllm-v0", 4, 108, 400, 0}, 0.2}}) {
        Engine engine = engine_of(load);
        const Deployment deployment = deployment_of(load, engine);
        const Instance instance(deployment);
        const std::vector<Arrival> arrivals = arrivals_of(load, 6000);
        const double expected = StageByStage(instance.cost(), engine, arrivals).run().ttft;
        Workload workload;
        workload.prompt = Distribution::parse_tokens("exponential:mean=400,max=4000", "test");
        workload.output = Distribution::fixed(1);
        const InstanceModel model(instance.cost(), deployment, instance.memory(), workload);
        Forecaster forecaster(model);
        const Forecast forecast = forecaster.open(PerSecond(load.rate), Detail::means);
        const double found = simulated_means(instance, arrivals).ttft;
        const double foreseen = forecast.latencies[Metric::ttft][Statistic::mean].value();
        INFO(load.engine << " PP" << load.stages << ", " << load.rate << "/s: TTFT " << 1e3 * found
                         << " ms, stage by stage " << 1e3 * expected << ", forecast " << 1e3 * foreseen);
        CHECK(found == Approx(expected).epsilon(0.06));
        CHECK_FALSE(forecast.overloaded);
        CHECK(foreseen == Approx(expected).epsilon(error));
    }
}
