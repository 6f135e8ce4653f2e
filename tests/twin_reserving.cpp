#include <algorithm>
#include <map>

#include "tests/twin.hpp"

/// The rules of the engines that reserve all that a request may need.
namespace twin {
namespace {

struct Static : Engine {
    using Engine::Engine;
    bool accepts(const Job& job) const override { return blocks_for(job.prompt + job.max_output) <= total_; }
    std::vector<Work> decide() override {
        if (!running_.empty()) return decode_all();
        int n = 0, prompt = 0, output = 0, most = 0;
        for (const Job* job : waiting_) {
            const int p = std::max(prompt, job->prompt), m = std::max(most, job->max_output);
            if (n == count(limits_.max_sequences) || (n + 1) * blocks_for(p + m) > total_) break;
            prompt = p, most = m, output = std::max(output, job->output), ++n;
        }
        std::vector<Work> work;
        while (n-- > 0) {
            Job* job = waiting_.front();
            job->known = prompt, job->planned = output, job->computed = 0;
            admit(blocks_for(prompt + most));
            work.push_back({job, prompt});
        }
        return work;
    }
};

struct Orca : Engine {
    using Engine::Engine;
    bool accepts(const Job& job) const override { return blocks_for(job.prompt + job.max_output) <= total_; }
    std::vector<Work> decide() override {
        auto work = decode_all();
        while (!waiting_.empty() && running_.size() < limits_.max_sequences) {
            Job* job = waiting_.front();
            if (blocks_for(job->prompt + job->max_output) > free_) break;
            admit(blocks_for(job->prompt + job->max_output));
            work.push_back({job, missing(*job)});
        }
        return work;
    }
};

/// The router's own loop: a prefill into an empty engine, then over and over a look at the queue and a decode.
struct Tgi : Engine {
    using Engine::Engine;
    bool accepts(const Job& job) const override {
        return job.prompt <= count(limits_.max_step_tokens) && blocks_for(job.prompt + job.max_output) <= total_;
    }
    std::vector<Work> next_batch(int least) {
        std::vector<Work> work;
        int tokens = 0, blocks = 0, n = 0;
        for (const Job* job : waiting_) {
            tokens += missing(*job), blocks += blocks_for(job->prompt + job->max_output);
            if (tokens > step_tokens() || blocks > free_ ||
                static_cast<int>(running_.size()) + n == count(limits_.max_sequences))
                break;
            ++n;
        }
        if (static_cast<int>(waiting_.size()) < least || n < least) return work;
        while (n-- > 0) {
            Job* job = waiting_.front();
            admit(blocks_for(job->prompt + job->max_output));
            work.push_back({job, missing(*job)});
        }
        return work;
    }
    std::vector<Work> decide() override {
        if (running_.empty()) {
            waiting_tokens = 1, look = true;
            return next_batch(0);
        }
        if (look) {
            const bool waited = waiting_tokens >= count(limits_.max_waiting_tokens);
            auto work = next_batch(
                waited ? 0 : static_cast<int>(static_cast<double>(running_.size()) * limits_.waiting_served_ratio));
            if (!work.empty()) {
                waiting_tokens = 1, look = false;
                return work;
            }
        }
        ++waiting_tokens, look = true;
        return decode_all();
    }
    int waiting_tokens = 1;
    bool look = true;
};

struct TgiChunked : Engine {
    using Engine::Engine;
    bool accepts(const Job& job) const override { return blocks_for(job.prompt + job.max_output) <= total_; }
    std::vector<Work> decide() override {
        std::vector<Work> work;
        int budget = step_tokens();
        for (Job* job : running_) {
            if (budget == 0) break;
            work.push_back({job, std::min(budget, missing(*job))});
            budget -= work.back().tokens;
        }
        while (budget > 0 && !waiting_.empty() && running_.size() < limits_.max_sequences) {
            Job* job = waiting_.front();
            if (blocks_for(job->prompt + job->max_output) > free_) break;
            admit(blocks_for(job->prompt + job->max_output));
            work.push_back({job, std::min(budget, missing(*job))});
            budget -= work.back().tokens;
        }
        return work;
    }
};

struct TensorRtGuaranteed : Engine {
    using Engine::Engine;
    bool accepts(const Job& job) const override {
        return job.prompt <= count(limits_.max_step_tokens) && blocks_for(job.prompt + job.max_output) <= total_;
    }
    std::vector<Work> decide() override {
        auto work = decode_all();
        int budget = step_tokens() - static_cast<int>(work.size());
        while (!waiting_.empty() && running_.size() < limits_.max_sequences) {
            Job* job = waiting_.front();
            if (missing(*job) > budget || blocks_for(job->prompt + job->max_output) > free_) break;
            admit(blocks_for(job->prompt + job->max_output));
            work.push_back({job, missing(*job)});
            budget -= work.back().tokens;
        }
        return work;
    }
};

struct LlamaCpp : Engine {
    using Engine::Engine;
    int slot() const { return total_ / count(limits_.max_sequences); }
    bool accepts(const Job& job) const override { return blocks_for(job.prompt + job.output - 1) <= slot(); }
    std::vector<Work> decide() override {
        while (!waiting_.empty() && running_.size() < limits_.max_sequences) admit(slot());
        auto work = decode_all();
        int budget = step_tokens() - static_cast<int>(work.size());
        for (Job* job : running_) {
            if (!job->prefilling || budget == 0) continue;
            work.push_back({job, std::min(budget, missing(*job))});
            budget -= work.back().tokens;
        }
        return work;
    }
    int largest_pass() const override {
        const int most = Engine::largest_pass(), ubatch = count(limits_.ubatch_tokens);
        return ubatch == 0 ? most : std::min(most, ubatch);
    }
    double time_of(const std::vector<Work>& work) const override {
        if (limits_.ubatch_tokens == 0) return Engine::time_of(work);
        // Token by token into pieces; consecutive tokens of one job in a piece are one chunk.
        double time = 0;
        std::map<Job*, int> done;
        std::vector<Work> piece;
        int room = count(limits_.ubatch_tokens);
        const auto run = [&] {
            std::vector<Job> copies;
            copies.reserve(piece.size());
            for (auto& item : piece) {
                copies.push_back(*item.job);
                copies.back().computed += done[item.job];
            }
            std::vector<Work> shifted;
            for (std::size_t i = 0; i < piece.size(); ++i) shifted.push_back({&copies[i], piece[i].tokens});
            time += Engine::time_of(shifted);
            for (const auto& item : piece) done[item.job] += item.tokens;
            piece.clear();
            room = count(limits_.ubatch_tokens);
        };
        for (const auto& item : work)
            for (int token = 0; token < item.tokens; ++token) {
                if (room == 0) run();
                if (!piece.empty() && piece.back().job == item.job)
                    ++piece.back().tokens;
                else
                    piece.push_back({item.job, 1});
                --room;
            }
        run();
        return time;
    }
};

}  // namespace

std::unique_ptr<Engine> make_reserving(const std::string& scheduler, const SchedulerSettings& settings,
                                       const StepTimer& timer) {
    if (scheduler == "static-batching") return std::make_unique<Static>(settings, timer);
    if (scheduler == "orca") return std::make_unique<Orca>(settings, timer);
    if (scheduler == "tgi") return std::make_unique<Tgi>(settings, timer);
    if (scheduler == "tgi-chunked") return std::make_unique<TgiChunked>(settings, timer);
    if (scheduler == "tensorrt-llm") return std::make_unique<TensorRtGuaranteed>(settings, timer);
    if (scheduler == "llama-cpp") return std::make_unique<LlamaCpp>(settings, timer);
    return nullptr;
}

}  // namespace twin
