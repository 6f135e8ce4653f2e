#include "simulator/run.hpp"

#include <algorithm>
#include <cmath>
#include <deque>
#include <functional>
#include <limits>
#include <queue>
#include <vector>

#include "model/base/error.hpp"

namespace plimsoll {
namespace {

struct Request {
    int index = 0;
    double arrival = 0;
    double prompt = 0;        ///< tokens to prefill; after a preemption with what was generated
    double done = 0;          ///< prompt tokens already prefilled (chunks)
    double left = 0;          ///< output tokens still to come
    double output = 0;        ///< in all
    double reserved = 0;      ///< KV tokens held from the start (full reservation)
    double first_token = -1;  ///< negative: none yet
};

/// One coordinate of an additive low-discrepancy sequence.
double sequence(int index, double step) {
    const double x = 0.5 + step * (index + 1);
    return x - std::floor(x);
}

double exponential(std::uint64_t& state) {
    state += 0x9E3779B97F4A7C15ULL;  // splitmix64 (Steele, Lea, Flood 2014)
    std::uint64_t z = state;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ULL;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBULL;
    z ^= z >> 31;
    return -std::log((static_cast<double>(z >> 11) + 0.5) * 0x1.0p-53);
}

Percentiles percentiles(std::vector<double>& values) {
    Percentiles result;
    if (values.empty()) return result;
    std::sort(values.begin(), values.end());
    double sum = 0;
    for (const double v : values) sum += v;
    const auto n = static_cast<double>(values.size());
    result[Statistic::mean] = Seconds(sum / n);
    const auto at = [&](double q) {
        const double position = q * (n - 1);
        const auto low = static_cast<std::size_t>(position);
        const std::size_t high = std::min(low + 1, values.size() - 1);
        return Seconds(values[low] + (position - static_cast<double>(low)) * (values[high] - values[low]));
    };
    result[Statistic::p50] = at(0.5);
    result[Statistic::p90] = at(0.9);
    result[Statistic::p95] = at(0.95);
    result[Statistic::p99] = at(0.99);
    return result;
}

class Run {
  public:
    Run(const StepCost& cost, const Deployment& deployment, const MemoryBudget& memory, const Workload& workload,
        const Distribution& think_time, const RunPlan& plan)
        : cost_(cost),
          engine_(*deployment.engine),
          max_sequences_(static_cast<std::size_t>(deployment.max_sequences)),
          kv_tokens_(memory.kv_tokens),
          workload_(workload),
          think_time_(think_time),
          plan_(plan),
          random_(plan.seed) {}

    RunResult result() {
        start();
        while (answered_ < plan_.requests) {
            take_arrivals();
            if (engine_.scheduling == Scheduling::exclusive_prefill) {
                if (!try_prefill()) decode_or_wait();
            } else {
                mixed_step();
            }
        }
        return summary();
    }

  private:
    void start() {
        if (plan_.users > 0) {
            const int users = std::min(static_cast<int>(plan_.users), plan_.requests);
            for (int i = 0; i < users; ++i) starts_.push(plan_.ramp.value() * i / users);
        } else {
            starts_.push(exponential(random_) / plan_.rate.value());
        }
    }

    /// Requests that have arrived by now join the queue.
    void take_arrivals() {
        while (!starts_.empty() && starts_.top() <= now_ && drawn_ < plan_.requests) {
            const double arrival = starts_.top();
            starts_.pop();
            Request request;
            request.index = drawn_++;
            request.arrival = arrival;
            request.prompt =
                std::max(1.0, std::round(workload_.prompt.quantile(sequence(request.index, 0.8191725134))));
            request.output =
                std::max(1.0, std::round(workload_.output.quantile(sequence(request.index, 0.6710436067))));
            request.left = request.output;
            const double promised = engine_.reserved_output_tokens
                                        ? std::max<double>(*engine_.reserved_output_tokens, request.output)
                                        : request.output;
            request.reserved = std::ceil((request.prompt + promised) / engine_.block_tokens) * engine_.block_tokens;
            if (plan_.users <= 0) starts_.push(arrival + exponential(random_) / plan_.rate.value());
            if (needed(request) > kv_tokens_ || request.prompt + request.output > kv_tokens_) {
                ++never_fit_;
                finish(request, arrival);
            } else {
                waiting_.push_back(request);
            }
        }
    }

    /// KV tokens that admitting the request takes now.
    [[nodiscard]] double needed(const Request& request) const {
        return engine_.reservation == KvReservation::full ? request.reserved : request.prompt + 1;
    }
    [[nodiscard]] double held() const { return engine_.reservation == KvReservation::full ? reserved_ : context_; }

    void admit(const Request& request) {
        reserved_ += request.reserved;
        context_ += request.prompt;
    }

    /// Exclusive prefill of as many waiting requests as fit, when the engine's rule lets one start.
    bool try_prefill() {
        std::size_t count = 0;
        double tokens = 0, pairs = 0, kv = held();
        for (const Request& request : waiting_) {
            const bool over_budget = count > 0 && tokens + request.prompt > engine_.max_prefill_tokens;
            if (over_budget || running_.size() + count >= max_sequences_ || kv + needed(request) > kv_tokens_) break;
            ++count;
            tokens += request.prompt;
            pairs += causal_pairs(request.prompt, 0);
            kv += needed(request);
        }
        if (count == 0) return false;
        if (engine_.waiting_served_ratio && !running_.empty() && steps_since_prefill_ < *engine_.max_waiting_tokens) {
            const double least = std::floor(*engine_.waiting_served_ratio * static_cast<double>(running_.size()));
            if (static_cast<double>(count) < least) return false;
        }
        advance(cost_.prefill(static_cast<double>(count), tokens, pairs).value());
        steps_since_prefill_ = 0;
        for (std::size_t i = 0; i < count; ++i) {
            Request request = waiting_.front();
            waiting_.pop_front();
            admit(request);
            emit_first(request);
        }
        retire();
        return true;
    }

    void emit_first(Request request) {
        if (request.first_token < 0) request.first_token = now_;
        request.left -= 1;
        context_ += 1;
        running_.push_back(request);
    }

    void decode_or_wait() {
        if (running_.empty()) {
            PLIMSOLL_ASSERT(!starts_.empty());
            now_ = std::max(now_, starts_.top());
            return;
        }
        make_room();
        advance(cost_.decode(static_cast<double>(running_.size()), context_).value());
        ++steps_since_prefill_;
        emit_next();
    }

    void emit_next() {
        context_ += static_cast<double>(running_.size());
        for (Request& request : running_) request.left -= 1;
        retire();
    }

    /// Paging: when the next token of every sequence does not fit, the newest is sent back to be computed again.
    void make_room() {
        if (engine_.reservation == KvReservation::full) return;
        while (running_.size() > 1 && context_ + static_cast<double>(running_.size()) > kv_tokens_) {
            Request request = running_.back();
            running_.pop_back();
            const double generated = request.output - request.left;
            context_ -= request.prompt + generated;
            request.prompt += generated;
            request.output = request.left;
            request.done = 0;
            waiting_.push_front(request);
            ++preemptions_;
        }
    }

    /// One step of a token budget: all decodes, then prompt chunks in order of arrival.
    void mixed_step() {
        make_room();
        StepShape shape{.decode_sequences = static_cast<double>(running_.size()),
                        .context_tokens = context_of_decodes()};
        double budget = engine_.max_step_tokens - shape.decode_sequences;
        std::vector<std::size_t> finished;
        for (std::size_t i = 0; budget > 0; ++i) {
            if (i == filling_.size() && !admit_next()) break;
            Request& request = filling_[i];
            const double chunk = std::min(budget, request.prompt - request.done);
            shape.prefill_sequences += 1;
            shape.prefill_tokens += chunk;
            shape.attention_pairs += causal_pairs(chunk, request.done);
            request.done += chunk;
            budget -= chunk;
        }
        if (shape.tokens() <= 0) return decode_or_wait();
        advance(cost_.step(shape).value());
        emit_next();
        while (!filling_.empty() && filling_.front().done >= filling_.front().prompt) {
            emit_first(filling_.front());
            filling_.pop_front();
        }
        retire();
    }

    [[nodiscard]] double context_of_decodes() const {
        double filling = 0;
        for (const Request& request : filling_) filling += request.prompt;
        return context_ - filling;
    }

    bool admit_next() {
        if (waiting_.empty() || running_.size() + filling_.size() >= max_sequences_) return false;
        const double slack = engine_.reservation == KvReservation::paged ? static_cast<double>(running_.size()) : 0.0;
        if (held() + needed(waiting_.front()) + slack > kv_tokens_) return false;
        filling_.push_back(waiting_.front());
        admit(filling_.back());
        waiting_.pop_front();
        return true;
    }

    void advance(double seconds) {
        running_time_ += seconds * static_cast<double>(running_.size());
        largest_ = std::max(largest_, static_cast<double>(running_.size()));
        now_ += seconds;
        ++iterations_;
    }

    void retire() {
        const auto end = std::remove_if(running_.begin(), running_.end(), [&](const Request& request) {
            if (request.left > 0) return false;
            context_ -= request.prompt + request.output;
            reserved_ -= request.reserved;
            finish(request, now_);
            return true;
        });
        running_.erase(end, running_.end());
    }

    void finish(const Request& request, double when) {
        ++answered_;
        last_ = std::max(last_, when);
        const bool counted = request.index >= plan_.warm_up;
        if (counted) first_ = std::min(first_, request.arrival);
        if (counted && request.first_token >= 0) {
            ttft_.push_back(request.first_token - request.arrival);
            e2e_.push_back(when - request.arrival);
            const double intervals = workload_output(request) - 1;
            if (intervals > 0) tpot_.push_back((when - request.first_token) / intervals);
        }
        if (plan_.users > 0) {
            const double u = sequence(request.index, 0.5497004779);
            starts_.push(when + think_time_.quantile(u));
        }
    }

    /// Output tokens in all, across preemptions.
    [[nodiscard]] double workload_output(const Request& request) const {
        return std::max(1.0, std::round(workload_.output.quantile(sequence(request.index, 0.6710436067))));
    }

    RunResult summary() {
        RunResult result;
        result.latencies[Metric::ttft] = percentiles(ttft_);
        result.latencies[Metric::tpot] = percentiles(tpot_);
        result.latencies[Metric::e2e] = percentiles(e2e_);
        const double counted = static_cast<double>(plan_.requests - plan_.warm_up);
        if (last_ > first_) result.request_rate = PerSecond(counted / (last_ - first_));
        result.mean_running = now_ > 0 ? running_time_ / now_ : 0.0;
        result.largest_running = largest_;
        result.iterations = iterations_;
        result.preemptions = preemptions_;
        result.never_fit = never_fit_;
        return result;
    }

    const StepCost& cost_;
    const Engine& engine_;
    std::size_t max_sequences_;
    double kv_tokens_;
    const Workload& workload_;
    const Distribution& think_time_;
    RunPlan plan_;
    std::uint64_t random_;

    std::priority_queue<double, std::vector<double>, std::greater<>> starts_;
    std::deque<Request> waiting_;
    std::deque<Request> filling_;  ///< chunked prefill under way
    std::vector<Request> running_;
    double now_ = 0, context_ = 0, reserved_ = 0;
    int drawn_ = 0, answered_ = 0, steps_since_prefill_ = 0, never_fit_ = 0, preemptions_ = 0;
    std::int64_t iterations_ = 0;
    double running_time_ = 0, largest_ = 0, last_ = 0, first_ = std::numeric_limits<double>::infinity();
    std::vector<double> ttft_, tpot_, e2e_;
};

}  // namespace

RunResult run_instance(const StepCost& cost, const Deployment& deployment, const MemoryBudget& memory,
                       const Workload& workload, const Distribution& think_time, const RunPlan& plan) {
    PLIMSOLL_ASSERT(plan.requests > plan.warm_up && (plan.users >= 1 || plan.rate > PerSecond(0)));
    return Run(cost, deployment, memory, workload, think_time, plan).result();
}

}  // namespace plimsoll
