#include <algorithm>
#include <map>
#include <stdexcept>

#include "tests/twin.hpp"

namespace twin {
namespace {

int count(std::uint32_t limit) {
    return static_cast<int>(limit);
}

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
            job->known = prompt, job->planned = output;
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
            work.push_back({job, job->prompt});
        }
        return work;
    }
};

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
            sum += job->known, longest = std::max(longest, job->known);
            const int taken = limits_.padded_prefill ? longest * (static_cast<int>(work.size()) + 1) : sum;
            if (taken > count(limits_.max_step_tokens) || free_ - blocks_for(job->known) < watermark_) break;
            admit(blocks_for(job->known));
            work.push_back({job, job->known});
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
        int budget = count(limits_.max_step_tokens) - static_cast<int>(work.size());
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
        int budget = count(limits_.max_step_tokens);
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
            if (blocks_for(tokens) > free_) break;
            admit(blocks_for(tokens));
            work.push_back({job, tokens});
            budget -= tokens;
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
            tokens += job->prompt, blocks += blocks_for(job->prompt + job->max_output);
            if (tokens > count(limits_.max_step_tokens) || blocks > free_ ||
                static_cast<int>(running_.size()) + n == count(limits_.max_sequences))
                break;
            ++n;
        }
        if (static_cast<int>(waiting_.size()) < least || n < least) return work;
        while (n-- > 0) {
            Job* job = waiting_.front();
            admit(blocks_for(job->prompt + job->max_output));
            work.push_back({job, job->prompt});
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
            tokens += job->prompt;
            if (tokens > count(limits_.max_step_tokens) || peak(needs) >= total_) break;
            admit(job->prompt);
            work.push_back({job, job->prompt});
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

struct TensorRtGuaranteed : Engine {
    using Engine::Engine;
    bool accepts(const Job& job) const override {
        return job.prompt <= count(limits_.max_step_tokens) && blocks_for(job.prompt + job.max_output) <= total_;
    }
    std::vector<Work> decide() override {
        auto work = decode_all();
        int budget = count(limits_.max_step_tokens) - static_cast<int>(work.size());
        while (!waiting_.empty() && running_.size() < limits_.max_sequences) {
            Job* job = waiting_.front();
            if (job->prompt > budget || blocks_for(job->prompt + job->max_output) > free_) break;
            admit(blocks_for(job->prompt + job->max_output));
            work.push_back({job, job->prompt});
            budget -= job->prompt;
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
        int budget = count(limits_.max_step_tokens) - static_cast<int>(work.size());
        while (!preempted_ && !waiting_.empty() && running_.size() < limits_.max_sequences) {
            Job* job = waiting_.front();
            if (job->known > budget || blocks_for(job->known) > free_) break;
            admit(blocks_for(job->known));
            work.push_back({job, job->known});
            budget -= job->known;
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
        int budget = count(limits_.max_step_tokens) - static_cast<int>(work.size());
        for (Job* job : running_) {
            if (!job->prefilling || budget == 0) continue;
            work.push_back({job, std::min(budget, missing(*job))});
            budget -= work.back().tokens;
        }
        return work;
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
        int budget = count(limits_.max_step_tokens);
        if (limits_.chunk_tokens > 0) budget = std::min(budget, count(limits_.chunk_tokens));
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
            if (limits_.chunk_tokens == 0 && job->known > budget && !work.empty()) break;
            const int tokens = limits_.chunk_tokens == 0 ? job->known : std::min(budget, job->known);
            room -= job->known > budget ? tokens : job->known + asks(*job);
            admit(tokens);
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

template <class Kind>
std::unique_ptr<Engine> make_kind(const SchedulerSettings& settings, const StepTimer& timer) {
    return std::make_unique<Kind>(settings, timer);
}

}  // namespace

std::unique_ptr<Engine> make(const std::string& scheduler, const SchedulerSettings& settings, const StepTimer& timer) {
    static const std::map<std::string, decltype(&make_kind<Orca>)> kinds = {
        {"static-batching", make_kind<Static>},
        {"orca", make_kind<Orca>},
        {"vllm-v0", make_kind<VllmV0>},
        {"vllm-v1", make_kind<VllmV1>},
        {"vllm-v1-async", make_vllm_v1_async},
        {"sarathi", make_kind<Sarathi>},
        {"tgi", make_kind<Tgi>},
        {"lightllm", make_kind<LightLlm>},
        {"tensorrt-llm", make_kind<TensorRtGuaranteed>},
        {"tensorrt-llm-max-utilization", make_kind<TensorRtMaxUtilization>},
        {"sglang", make_kind<Sglang>},
        {"llama-cpp", make_kind<LlamaCpp>},
    };
    return kinds.at(scheduler)(settings, timer);
}

}  // namespace twin
