#include "stepper.hpp"

#include <algorithm>
#include <cmath>
#include <deque>
#include <functional>
#include <limits>
#include <queue>
#include <vector>

#include "model/base/error.hpp"
#include "stepper_draws.hpp"
#include "stepper_observed.hpp"

namespace plimsoll {
namespace {

struct Request {
    int index = 0;
    double arrival = 0;
    double to_prefill = 0;   ///< tokens: the prompt, after a preemption with what was generated
    double prefilled = 0;    ///< of these, in chunks
    double context = 0;      ///< tokens whose keys the next decode step reads
    double output = 0;       ///< tokens in all
    double left = 0;         ///< of these still to come
    double held = 0;         ///< KV tokens in whole blocks
    double first_token = 0;  ///< time; meaningless before
};

class Run {
  public:
    Run(const StepCost& cost, const Deployment& deployment, const MemoryBudget& memory, const RequestDraws& draws,
        const RunPlan& plan)
        : cost_(cost),
          engine_(*deployment.engine),
          batches_(deployment.pipeline_parallel),
          max_sequences_(static_cast<std::size_t>(deployment.max_sequences)),
          kv_tokens_(memory.kv_tokens),
          draws_(draws),
          plan_(plan),
          observed_(plan) {}

    RunResult result() {
        start();
        while (observed_.unanswered()) {
            take_arrivals();
            if (engine_.scheduling == Scheduling::chunked)
                mixed_step();
            else if (!try_prefill())
                decode_or_wait();
        }
        return observed_.result();
    }

  private:
    void start() {
        if (plan_.users > 0) {
            const int users = static_cast<int>(plan_.users);
            for (int i = 0; i < users; ++i) starts_.push(plan_.ramp.value() * i / users);
        } else {
            starts_.push(draws_.gap(0) / plan_.rate.value());
        }
    }

    /// When the next request has passed the front end.
    [[nodiscard]] double next_arrival() const { return starts_.top() + cost_.front_end().value(); }

    /// Requests that have come by now join the queue. Without a warm-up the users stop at the last of the plan.
    void take_arrivals() {
        while (!starts_.empty() && next_arrival() <= now_ && (drawn_ < plan_.requests || plan_.warm_up > 0)) {
            Request request{.index = drawn_++, .arrival = starts_.top()};
            starts_.pop();
            request.to_prefill = draws_.prompt(request.index);
            request.output = request.left = draws_.output(request.index);
            observed_.sent(request.index, request.arrival);
            if (plan_.users <= 0) starts_.push(request.arrival + draws_.gap(drawn_) / plan_.rate.value());
            if (std::max(needed(request), in_blocks(request.to_prefill + request.output)) > kv_tokens_) {
                observed_.refused(request.index);
                send_next(request, request.arrival);
            } else {
                waiting_.push_back(request);
            }
        }
    }

    [[nodiscard]] double in_blocks(double tokens) const {
        return std::ceil(tokens / engine_.block_tokens) * engine_.block_tokens;
    }

    /// KV tokens that admitting the request takes.
    [[nodiscard]] double needed(const Request& request) const {
        if (engine_.reservation == KvReservation::paged) return in_blocks(request.to_prefill);
        const double promised = engine_.reserved_output_tokens
                                    ? std::max<double>(*engine_.reserved_output_tokens, request.output)
                                    : request.output;
        return in_blocks(request.to_prefill + promised);
    }

    [[nodiscard]] bool fits(const Request& request, std::size_t sequences, double held) const {
        return sequences < max_sequences_ && held + needed(request) <= kv_tokens_;
    }

    /// Takes the oldest waiting request into the KV cache.
    Request admit() {
        Request request = waiting_.front();
        waiting_.pop_front();
        request.held = needed(request);
        held_ += request.held;
        return request;
    }

    void free(const Request& request) { held_ -= request.held; }

    /// Exclusive prefill of as many waiting requests as fit, when the engine's rule lets one start.
    bool try_prefill() {
        if (engine_.waiting_served_ratio && decode_is_due_) return false;
        StepShape shape;
        double held = held_, squares = 0;
        std::size_t count = 0;
        for (; count < waiting_.size() && fits(waiting_[count], running_.size() + count, held); ++count) {
            const double tokens = waiting_[count].to_prefill;
            if (count > 0 && shape.prefill_tokens + tokens > engine_.max_prefill_tokens * batches_) break;
            shape.prefill_tokens += tokens;
            shape.attention_pairs += causal_pairs(tokens, 0);
            squares += tokens * tokens;
            held += needed(waiting_[count]);
        }
        if (squares > 0) shape.even_prompts = shape.prefill_tokens * shape.prefill_tokens / squares;
        if (count == 0 || !window_is_open(count)) return false;
        shape.prefill_sequences = static_cast<double>(count);
        decode_is_due_ = !running_.empty();
        steps_since_prefill_ = 0;
        Seconds time = cost_.step(shape), late;
        if (!running_.empty()) {
            // The decodes of the other batches in the pipeline go on for a round, at the pace of the slower.
            const Seconds round = cost_.decode(static_cast<double>(running_.size()), context_);
            late = round * (1.0 - 1.0 / batches_);
            if (batches_ > 1) time = std::max(time, round) - late;
        }
        pass(time);
        for (std::size_t i = 0; i < count; ++i) emit_first(admit(), late.value());
        retire();
        return true;
    }

    /// TGI's rule for `count` prompts that would fit.
    [[nodiscard]] bool window_is_open(std::size_t count) const {
        if (!engine_.waiting_served_ratio || running_.empty()) return true;
        if (steps_since_prefill_ >= *engine_.max_waiting_tokens) return true;
        const double least = std::floor(*engine_.waiting_served_ratio * static_cast<double>(running_.size()));
        return static_cast<double>(count) >= least;
    }

    void decode_or_wait() {
        if (running_.empty()) {
            PLIMSOLL_ASSERT(!starts_.empty());
            now_ = std::max(now_, next_arrival());
            return;
        }
        make_room();
        pass(cost_.decode(static_cast<double>(running_.size()), context_));
        ++steps_since_prefill_;
        decode_is_due_ = false;
        emit_next();
        retire();
    }

    /// One step of a token budget: all decodes, then prompt chunks in order of arrival.
    void mixed_step() {
        make_room();
        StepShape shape{.decode_sequences = static_cast<double>(running_.size()), .context_tokens = context_};
        double budget = engine_.max_step_tokens * batches_ - shape.decode_sequences, squares = 0;
        for (std::size_t i = 0; budget > 0; ++i) {
            if (i == filling_.size()) {
                if (waiting_.empty() || !fits(waiting_.front(), running_.size() + i, held_)) break;
                filling_.push_back(admit());
            }
            Request& request = filling_[i];
            const double chunk = std::min(budget, request.to_prefill - request.prefilled);
            shape.prefill_sequences += 1;
            shape.prefill_tokens += chunk;
            squares += chunk * chunk;
            shape.attention_pairs += causal_pairs(chunk, request.prefilled);
            request.prefilled += chunk;
            budget -= chunk;
        }
        if (shape.tokens() <= 0) return decode_or_wait();
        if (squares > 0) shape.even_prompts = shape.prefill_tokens * shape.prefill_tokens / squares;
        pass(cost_.step(shape));
        emit_next();
        for (; !filling_.empty() && filling_.front().prefilled >= filling_.front().to_prefill; filling_.pop_front())
            emit_first(filling_.front());
        retire();
    }

    /// Paging: takes the blocks of the next step; where they do not fit, the newest is sent back.
    void make_room() {
        if (engine_.reservation == KvReservation::full) return;
        for (std::size_t i = 0; i < running_.size(); ++i) {
            if (running_[i].context <= running_[i].held) continue;
            running_[i].held += engine_.block_tokens;
            held_ += engine_.block_tokens;
            while (held_ > kv_tokens_ && running_.size() + filling_.size() > 1) send_back_newest();
        }
    }

    void send_back_newest() {
        const bool filling = !filling_.empty();
        Request request = filling ? filling_.back() : running_.back();
        if (filling)
            filling_.pop_back();
        else
            running_.pop_back();
        free(request);
        if (!filling) {
            context_ -= request.context;
            request.to_prefill = request.context;
        }
        request.prefilled = 0;
        waiting_.push_front(request);
        observed_.preempted();
    }

    /// A prompt is done and has given a token.
    void emit_first(Request request, double late = 0) {
        if (request.left == request.output) request.first_token = request.output > 1 ? now_ + late : now_;
        request.left -= 1;
        request.context = request.to_prefill + 1;
        context_ += request.context;
        running_.push_back(request);
    }

    void emit_next() {
        context_ += static_cast<double>(running_.size());
        for (Request& request : running_) {
            request.context += 1;
            request.left -= 1;
        }
    }

    void retire() {
        const auto end = std::remove_if(running_.begin(), running_.end(), [&](const Request& request) {
            if (request.left > 0) return false;
            context_ -= request.context;
            free(request);
            observed_.answered(request.index, request.arrival, request.first_token, now_, request.output);
            send_next(request, now_);
            return true;
        });
        running_.erase(end, running_.end());
    }

    /// The user of an answered request thinks, then sends the next.
    void send_next(const Request& request, double answered) {
        if (plan_.users > 0) starts_.push(answered + draws_.think_seconds(request.index));
    }

    void pass(Seconds time) {
        observed_.passed(now_, time.value(), static_cast<double>(running_.size()));
        now_ += time.value();
    }

    const StepCost& cost_;
    const Engine& engine_;
    int batches_;  ///< in the pipeline
    std::size_t max_sequences_;
    double kv_tokens_;
    const RequestDraws& draws_;
    RunPlan plan_;

    std::priority_queue<double, std::vector<double>, std::greater<>> starts_;  ///< when clients send
    std::deque<Request> waiting_;
    std::deque<Request> filling_;  ///< chunked prefill under way
    std::vector<Request> running_;
    double now_ = 0, context_ = 0, held_ = 0;
    int drawn_ = 0, steps_since_prefill_ = 0;
    bool decode_is_due_ = false;
    Observed observed_;
};

}  // namespace

RunResult run_instance(const StepCost& cost, const Deployment& deployment, const MemoryBudget& memory,
                       const Workload& workload, const Distribution& think_time, const RunPlan& plan) {
    PLIMSOLL_ASSERT(plan.requests > plan.warm_up && (plan.users >= 1 || plan.rate > PerSecond(0)));
    const RequestDraws draws(workload, think_time, plan);
    return Run(cost, deployment, memory, draws, plan).result();
}

}  // namespace plimsoll
