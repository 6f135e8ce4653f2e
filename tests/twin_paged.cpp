#include <algorithm>

#include "tests/twin.hpp"

/// The rules of the engines that let a request's KV grow.
namespace twin {
namespace {

struct VllmV0 : Engine {
    using Engine::Engine;
    bool accepts(const Job& job) const override {
        const int end = job.prompt + job.output - 1;
        return end <= count(limits_.max_step_tokens) && blocks_for(end) + watermark_ + (swaps() ? 1 : 0) <= total_;
    }
    bool swaps() const { return limits_.preemption == plimsoll::PreemptionMode::swap; }
    std::vector<Work> decide() override {
        std::vector<Work> work;
        int sum = 0, longest = 0;
        while (swapped_.empty() && !waiting_.empty() && running_.size() < limits_.max_sequences) {
            Job* job = waiting_.front();
            sum += missing(*job), longest = std::max(longest, missing(*job));
            const int taken = limits_.padded_prefill ? longest * (static_cast<int>(work.size()) + 1) : sum;
            if (taken > step_tokens() || free_ - blocks_for(job->known) < watermark_) break;
            admit(blocks_for(job->known));
            work.push_back({job, missing(*job)});
        }
        if (!work.empty()) return work;
        return swaps() ? decode_with_swapping() : decode_all_with_preemption();
    }
    std::vector<Work> decode_with_swapping() {
        std::vector<Work> work;
        bool any = false;
        for (std::size_t i = 0; i < running_.size(); ++i) {
            Job* job = running_[i];
            while (i < running_.size() && blocks_for(job->known) > job->blocks && free_ == 0) {
                Job* last = running_.back();
                any = true;
                if (last->blocks > host) {
                    preempt(last);
                    continue;
                }
                running_.pop_back();
                swapped_.push_back(last);
                ++last->preemptions;
                move(last->blocks);
                resize(*last, 0);
            }
            if (i >= running_.size()) break;
            resize(*job, blocks_for(job->known));
            work.push_back({job, 1});
        }
        while (!any && !swapped_.empty() && running_.size() < limits_.max_sequences) {
            Job* job = swapped_.front();
            const int stored = blocks_for(job->known - 1);
            if (free_ - stored - 1 < watermark_) break;
            swapped_.pop_front();
            running_.push_back(job);
            move(-stored);
            resize(*job, blocks_for(job->known));
            work.push_back({job, 1});
        }
        return work;
    }
    void move(int blocks) {
        host -= blocks;
        moved_ += std::abs(blocks) * limits_.swap_per_block.value();
    }
    int host = static_cast<int>(limits_.swap_blocks);
};

struct Sarathi : Engine {
    using Engine::Engine;
    bool accepts(const Job& job) const override {
        return blocks_for(job.prompt + job.output - 1) + watermark_ <= total_;
    }
    std::vector<Work> decide() override {
        auto work = decode_all_with_preemption();
        int budget = step_tokens() - static_cast<int>(work.size());
        for (Job* job : running_) {
            if (!job->prefilling || budget == 0) continue;
            work.push_back({job, std::min(budget, missing(*job))});
            budget -= work.back().tokens;
        }
        while (budget > 0 && !waiting_.empty() && running_.size() < limits_.max_sequences) {
            Job* job = waiting_.front();
            if (free_ - blocks_for(job->known) < watermark_) break;
            admit(blocks_for(job->known));
            work.push_back({job, std::min(budget, missing(*job))});
            budget -= work.back().tokens;
        }
        return work;
    }
};

struct VllmV1 : Engine {
    using Engine::Engine;
    bool accepts(const Job& job) const override { return blocks_for(job.prompt + job.output - 1) <= total_; }
    std::vector<Work> decide() override {
        std::vector<Work> work;
        int budget = step_tokens();
        for (std::size_t i = 0; i < running_.size() && budget > 0; ++i) {
            Job* job = running_[i];
            const int tokens = std::min(budget, missing(*job));
            const int blocks = blocks_for(job->computed + tokens);
            while (i < running_.size() && blocks - job->blocks > free_) preempt(running_.back());
            if (i >= running_.size()) break;
            resize(*job, blocks);
            work.push_back({job, tokens});
            budget -= tokens;
        }
        while (!preempted_ && budget > 0 && !waiting_.empty() && running_.size() < limits_.max_sequences) {
            Job* job = waiting_.front();
            const int tokens = std::min(budget, missing(*job));
            if (blocks_for(job->computed + tokens) > free_) break;
            admit(blocks_for(job->computed + tokens));
            work.push_back({job, tokens});
            budget -= tokens;
        }
        return work;
    }
};

struct TensorRtMaxUtilization : Engine {
    using Engine::Engine;
    bool accepts(const Job& job) const override {
        const int end = job.prompt + job.output - 1;
        return end <= count(limits_.max_step_tokens) && blocks_for(end) <= total_;
    }
    std::vector<Work> decide() override {
        auto work = decode_all_with_preemption();
        int budget = step_tokens() - static_cast<int>(work.size());
        while (!preempted_ && !waiting_.empty() && running_.size() < limits_.max_sequences) {
            Job* job = waiting_.front();
            if (missing(*job) > budget || blocks_for(job->known) > free_) break;
            admit(blocks_for(job->known));
            work.push_back({job, missing(*job)});
            budget -= work.back().tokens;
        }
        return work;
    }
};

struct LightLlm : Engine {
    using Engine::Engine;
    static std::pair<int, int> need(const Job& job) {
        return {job.max_output - job.generated - 1 + 6, job.prompt + job.generated + 1};
    }
    static int peak(std::vector<std::pair<int, int>> needs) {
        std::sort(needs.begin(), needs.end(), [](auto a, auto b) { return a.first > b.first; });
        int most = 0, held = 0;
        for (std::size_t k = 0; k < needs.size(); ++k) {
            held += needs[k].second;
            most = std::max(most, needs[k].first * static_cast<int>(k + 1) + held);
        }
        return most;
    }
    bool accepts(const Job& job) const override {
        return job.prompt <= count(limits_.max_step_tokens) && peak({need(job)}) < total_;
    }
    std::vector<Work> prefill() {
        std::vector<Work> work;
        std::vector<std::pair<int, int>> needs;
        for (const Job* job : running_) needs.push_back(need(*job));
        int tokens = 0;
        while (!waiting_.empty() && running_.size() < limits_.max_sequences) {
            Job* job = waiting_.front();
            needs.push_back(need(*job));
            tokens += missing(*job);
            if (tokens > step_tokens() || peak(needs) >= total_) break;
            admit(job->prompt);
            work.push_back({job, missing(*job)});
        }
        return work;
    }
    std::vector<Work> decide() override {
        if (running_.empty() || decoded >= count(limits_.max_waiting_tokens)) {
            auto work = prefill();
            if (!work.empty()) {
                decoded = 0;
                return work;
            }
        }
        ++decoded;
        auto work = decode_all();
        for (const auto& item : work) resize(*item.job, item.job->known);
        return work;
    }
    int decoded = 0;
};

struct Sglang : Engine {
    using Engine::Engine;
    bool accepts(const Job& job) const override { return job.prompt + job.max_output < total_; }
    static int asks(const Job& job) { return std::min(job.max_output - job.generated, 4096); }
    std::vector<Work> decide() override {
        if (running_.empty()) ratio = limits_.new_token_ratio;
        if (running_.size() < had || running_.empty()) full = false;
        auto work = prefill();
        if (work.empty()) work = decode();
        had = running_.size();
        return work;
    }
    std::vector<Work> prefill() {
        std::vector<Work> work;
        double room = free_;
        Job* cut = nullptr;
        for (Job* job : running_) {
            if (job->prefilling) cut = job;
            if (!job->prefilling) room -= ratio * asks(*job);
        }
        int budget = step_tokens();
        if (limits_.chunk_tokens > 0) budget = std::min(budget, count(limits_.chunk_tokens) * batches_);
        if (cut != nullptr) {
            const int tokens = std::min({budget, missing(*cut), static_cast<int>(std::max(room, 0.0))});
            if (tokens == 0) return work;
            room -= tokens + (tokens == missing(*cut) ? asks(*cut) : 0);
            resize(*cut, cut->blocks + tokens);
            work.push_back({cut, tokens});
            budget -= tokens;
        }
        while (budget > 0 && !waiting_.empty() && !full) {
            Job* job = waiting_.front();
            if (running_.size() == limits_.max_sequences || job->known + asks(*job) >= room) {
                full = true;
                break;
            }
            if (limits_.chunk_tokens == 0 && missing(*job) > budget && !work.empty()) break;
            const int tokens = limits_.chunk_tokens == 0 ? missing(*job) : std::min(budget, missing(*job));
            room -= missing(*job) > budget ? job->computed + tokens : job->known + asks(*job);
            admit(job->computed + tokens);
            work.push_back({job, tokens});
            budget = std::max(0, budget - tokens);
        }
        return work;
    }
    std::vector<Work> decode() {
        if (static_cast<int>(decode_all().size()) > free_)
            retract();
        else
            ratio = std::max(std::min(ratio, limits_.least_new_token_ratio),
                             ratio - (limits_.new_token_ratio - limits_.least_new_token_ratio) /
                                         limits_.new_token_ratio_decay_steps);
        auto work = decode_all();
        for (const auto& item : work) resize(*item.job, item.job->known);
        return work;
    }
    void retract() {
        full = false;
        bool first = true;
        for (auto left = decode_all(); first || free_ < 20 * static_cast<int>(left.size()); left = decode_all()) {
            first = false;
            if (left.size() == 1) {
                if (free_ == 0)
                    for (Job* job : std::vector<Job*>(running_))
                        if (job->prefilling) preempt(job, false);
                break;
            }
            // Fewest generated tokens, then the longest prompt, then the last.
            preempt(std::min_element(left.rbegin(), left.rend(),
                                     [](const Work& a, const Work& b) {
                                         return std::pair(a.job->generated, -a.job->prompt) <
                                                std::pair(b.job->generated, -b.job->prompt);
                                     })
                        ->job,
                    false);
        }
        double given = 0, asked = 0;
        for (const auto& item : decode_all()) given += item.job->generated + 20, asked += item.job->max_output;
        ratio = std::min(1.0, given / asked);
    }
    double ratio = limits_.new_token_ratio;
    bool full = false;
    std::size_t had = 0;
};

}  // namespace

std::unique_ptr<Engine> make_paged(const std::string& scheduler, const SchedulerSettings& settings,
                                   const StepTimer& timer) {
    if (scheduler == "vllm-v0") return std::make_unique<VllmV0>(settings, timer);
    if (scheduler == "sarathi") return std::make_unique<Sarathi>(settings, timer);
    if (scheduler == "vllm-v1") return std::make_unique<VllmV1>(settings, timer);
    if (scheduler == "tensorrt-llm-max-utilization") return std::make_unique<TensorRtMaxUtilization>(settings, timer);
    if (scheduler == "lightllm") return std::make_unique<LightLlm>(settings, timer);
    if (scheduler == "sglang") return std::make_unique<Sglang>(settings, timer);
    return nullptr;
}

}  // namespace twin
