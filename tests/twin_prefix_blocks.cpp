#include <algorithm>
#include <deque>
#include <list>
#include <map>
#include <set>

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
        int budget = step_tokens();
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
            const int there = std::max(job->computed, static_cast<int>(hit.size()) * block_);
            const int tokens = std::min(budget, job->known - there);
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

    void release(Job& job, bool preempted) override {
        if (preempted && job.tokens->empty()) {
            // What it holds is like nothing else, but it knows it again.
            job.tokens = &nameless.emplace_back(static_cast<std::size_t>(job.prompt + job.output),
                                                -static_cast<long>(job.number) - 7'000'000'000);
            extend(job, 0);
        }
        auto& mine = held[&job];
        for (auto block = mine.rbegin(); block != mine.rend(); ++block)
            if (--blocks[static_cast<std::size_t>(*block)].holders == 0) queue.push_back(*block);
        held.erase(&job);
    }

    std::vector<Block> blocks;
    std::list<int> queue;
    std::map<Tokens, std::list<int>> index;  ///< the oldest first
    std::map<Job*, std::vector<int>> held;
    std::deque<Tokens> nameless;
};

/// The same composed ahead: what the last step has freed is in the queue, but cannot be taken yet.
struct VllmV1AsyncPrefix : VllmV1Prefix {
    using VllmV1Prefix::VllmV1Prefix;

    std::vector<Work> decide() override {
        hidden.clear();
        for (Job* job : ended) {
            auto& mine = held[job];
            for (auto block = mine.rbegin(); block != mine.rend(); ++block)
                if (--blocks[static_cast<std::size_t>(*block)].holders == 0)
                    queue.push_back(*block), hidden.insert(*block);
            held.erase(job);
        }
        std::size_t leaving = ended.size();
        ended.clear();
        auto work = compose(leaving);
        if (work.empty()) {
            hidden.clear();
            preempted_ = false;
            work = compose(0);
        }
        seen = std::set<Job*>(waiting_.begin(), waiting_.end());
        return work;
    }

    std::vector<Work> compose(std::size_t leaving) {
        std::vector<Work> work;
        int budget = step_tokens();
        for (std::size_t i = 0; i < running_.size(); ++i) {
            Job* job = running_[i];
            const int tokens = std::min(budget, missing(*job));
            if (tokens == 0) continue;
            while (i < running_.size() && lacking(*job, tokens) > visible()) preempt(running_.back());
            if (i >= running_.size()) break;
            extend(*job, tokens);
            work.push_back({job, tokens});
            budget -= tokens;
        }
        const bool idle = running_.empty();
        while (!preempted_ && budget > 0 && !waiting_.empty() && running_.size() + leaving < limits_.max_sequences) {
            Job* job = waiting_.front();
            if (!idle && !seen.count(job)) break;
            const std::vector<int> hit = found(*job);
            int needed = blocks_for(job->known) - static_cast<int>(hit.size());
            for (const int block : hit)
                needed += blocks[static_cast<std::size_t>(block)].holders == 0 && !hidden.count(block);
            if (needed > visible()) break;
            for (const int block : hit)
                if (blocks[static_cast<std::size_t>(block)].holders++ == 0) queue.remove(block), hidden.erase(block);
            held[job] = hit;
            job->computed = static_cast<int>(hit.size()) * block_;
            if (job->found < 0) job->found = job->computed;
            const int tokens = std::min(budget, missing(*job));
            admit(0);
            extend(*job, tokens);
            work.push_back({job, tokens});
            budget -= tokens;
        }
        return work;
    }

    int visible() const { return queued() - static_cast<int>(hidden.size()); }

    void release(Job& job, bool preempted) override {
        if (!preempted) {
            ended.push_back(&job);
            return;
        }
        VllmV1Prefix::release(job, preempted);
    }

    std::vector<Job*> ended;
    std::set<int> hidden;
    std::set<Job*> seen;  ///< waiting when the step before was composed
};

}  // namespace

std::unique_ptr<Engine> make_vllm_v1_async_with_prefix_cache(const SchedulerSettings& settings,
                                                             const StepTimer& timer) {
    return std::make_unique<VllmV1AsyncPrefix>(settings, timer);
}

std::unique_ptr<Engine> make_vllm_v1_with_prefix_cache(const SchedulerSettings& settings, const StepTimer& timer) {
    return std::make_unique<VllmV1Prefix>(settings, timer);
}

}  // namespace twin
