#include <algorithm>
#include <list>
#include <map>

#include "tests/twin.hpp"

/// vLLM V1's prefix cache the plain way: a block is what all tokens up to its end are.
namespace twin {
namespace {

using Tokens = std::vector<long>;

struct VllmV1Prefix : Engine {
    VllmV1Prefix(const SchedulerSettings& settings, const StepTimer& timer)
        : Engine(settings, timer), blocks(settings.kv_blocks) {
        for (int i = 0; i < total_; ++i) queue.push_back(i);
    }
    struct Block {
        Tokens content;  ///< empty: nothing that could be found
        int holders = 0;
    };

    bool accepts(const Job& job) const override { return blocks_for(job.prompt + job.output - 1) <= total_; }

    std::vector<Work> decide() override {
        std::vector<Work> work;
        int budget = count(limits_.max_step_tokens);
        for (std::size_t i = 0; i < running_.size() && budget > 0; ++i) {
            Job* job = running_[i];
            const int tokens = std::min(budget, missing(*job));
            while (i < running_.size() && lacking(*job, tokens) > queued()) preempt(running_.back());
            if (i >= running_.size()) break;
            extend(*job, tokens);
            work.push_back({job, tokens});
            budget -= tokens;
        }
        while (!preempted_ && budget > 0 && !waiting_.empty() && running_.size() < limits_.max_sequences) {
            Job* job = waiting_.front();
            const std::vector<int> hit = found(*job);
            const int there = static_cast<int>(hit.size()) * block_, tokens = std::min(budget, job->known - there);
            int needed = blocks_for(there + tokens) - static_cast<int>(hit.size());
            for (const int block : hit) needed += blocks[static_cast<std::size_t>(block)].holders == 0;
            if (needed > queued()) break;
            for (const int block : hit)
                if (blocks[static_cast<std::size_t>(block)].holders++ == 0) queue.remove(block);
            held[job] = hit;
            job->computed = there;
            if (job->found < 0) job->found = there;
            admit(0);
            extend(*job, tokens);
            work.push_back({job, tokens});
            budget -= tokens;
        }
        return work;
    }

    int queued() const { return static_cast<int>(queue.size()); }
    int lacking(Job& job, int tokens) {
        return blocks_for(job.computed + tokens) - static_cast<int>(held[&job].size());
    }
    static Tokens beginning(const Job& job, int tokens) {
        return Tokens(job.tokens->begin(), job.tokens->begin() + tokens);
    }

    /// Blocks for the step's tokens; those that it fills can be found from now on.
    void extend(Job& job, int tokens) {
        auto& mine = held[&job];
        for (int more = lacking(job, tokens); more > 0; --more) {
            const int block = queue.front();
            queue.pop_front();
            auto& [content, holders] = blocks[static_cast<std::size_t>(block)];
            if (!content.empty()) {
                index[content].remove(block);
                if (index[content].empty()) index.erase(content);
            }
            content.clear();
            holders = 1;
            mine.push_back(block);
        }
        if (job.tokens->empty()) return;
        for (int i = 0; (i + 1) * block_ <= job.computed + tokens; ++i) {
            const int block = mine[static_cast<std::size_t>(i)];
            Tokens& content = blocks[static_cast<std::size_t>(block)].content;
            if (!content.empty()) continue;
            content = beginning(job, (i + 1) * block_);
            index[content].push_back(block);
        }
    }

    std::vector<int> found(const Job& job) const {
        std::vector<int> hit;
        if (job.tokens->empty()) return hit;
        for (int end = block_; end < job.known; end += block_) {
            const auto at = index.find(beginning(job, end));
            if (at == index.end()) break;
            hit.push_back(at->second.front());
        }
        return hit;
    }

    void release(Job& job, bool) override {
        auto& mine = held[&job];
        for (auto block = mine.rbegin(); block != mine.rend(); ++block)
            if (--blocks[static_cast<std::size_t>(*block)].holders == 0) queue.push_back(*block);
        held.erase(&job);
    }

    std::vector<Block> blocks;
    std::list<int> queue;
    std::map<Tokens, std::list<int>> index;  ///< the oldest first
    std::map<Job*, std::vector<int>> held;
};

}  // namespace

std::unique_ptr<Engine> make_vllm_v1_with_prefix_cache(const SchedulerSettings& settings, const StepTimer& timer) {
    return std::make_unique<VllmV1Prefix>(settings, timer);
}

}  // namespace twin
