#include <algorithm>
#include <list>
#include <map>
#include <set>

#include "tests/twin.hpp"

namespace twin {
namespace {

/// Every block has a number and a memory of what it holds; free ones stand in a queue.
struct VllmV1Async : Engine {
    VllmV1Async(const SchedulerSettings& settings, const StepTimer& timer)
        : Engine(settings, timer), content(settings.kv_blocks) {
        for (int i = 0; i < total_; ++i) queue.push_back(i);
    }
    bool accepts(const Job& job) const override { return blocks_for(job.prompt + job.output - 1) <= total_; }

    std::vector<Work> decide() override {
        release_ended();
        auto work = compose();
        // Without a step to run beside, what has ended is seen at once.
        hidden_blocks = 0, hidden_jobs = 0;
        if (work.empty()) preempted_ = false, work = compose();
        seen = std::set<Job*>(waiting_.begin(), waiting_.end());
        return work;
    }

    std::vector<Work> compose() {
        std::vector<Work> work;
        int budget = step_tokens();
        for (std::size_t i = 0; i < running_.size(); ++i) {
            Job* job = running_[i];
            const int tokens = std::min(missing(*job), budget);
            if (tokens == 0) continue;
            while (i < running_.size() && !extend(*job, job->computed + tokens)) evict(running_.back());
            if (i >= running_.size()) break;
            work.push_back({job, tokens});
            budget -= tokens;
        }
        const bool idle = running_.empty();
        while (!preempted_ && budget > 0 && !waiting_.empty() &&
               running_.size() + hidden_jobs < limits_.max_sequences) {
            Job* job = waiting_.front();
            if (!idle && !seen.count(job)) break;
            if (blocks_for(job->known) > visible()) break;
            restore(*job);
            const int tokens = std::min(missing(*job), budget);
            admit(0);
            extend(*job, job->computed + tokens);
            work.push_back({job, tokens});
            budget -= tokens;
        }
        return work;
    }

    int visible() const { return static_cast<int>(queue.size()) - hidden_blocks; }

    void release_ended() {
        hidden_blocks = 0;
        hidden_jobs = 0;
        for (auto it = held.begin(); it != held.end();) {
            if (std::find(running_.begin(), running_.end(), it->first) != running_.end()) {
                ++it;
                continue;
            }
            hidden_blocks += static_cast<int>(it->second.size());
            ++hidden_jobs;
            for (const int block : it->second) {
                content[static_cast<std::size_t>(block)] = {nullptr, 0};
                queue.push_back(block);
            }
            it = held.erase(it);
        }
    }

    bool extend(Job& job, int tokens) {
        auto& mine = held[&job];
        const int more = blocks_for(tokens) - static_cast<int>(mine.size());
        if (more > visible()) return false;
        for (int i = 0; i < more; ++i) {
            content[static_cast<std::size_t>(queue.front())] = {nullptr, 0};
            mine.push_back(queue.front());
            queue.pop_front();
        }
        resize(job, static_cast<int>(mine.size()));
        return true;
    }

    void evict(Job* job) {
        auto& mine = held[job];
        for (int i = static_cast<int>(mine.size()) - 1; i >= 0; --i) {
            const int block = mine[static_cast<std::size_t>(i)];
            if ((i + 1) * block_ <= job->computed) content[static_cast<std::size_t>(block)] = {job, i};
            queue.push_back(block);
        }
        held.erase(job);
        preempt(job);
    }

    /// As many of its first blocks as still lie in the queue as it left them.
    void restore(Job& job) {
        auto& mine = held[&job];
        for (int i = 0; (i + 1) * block_ < job.known; ++i) {
            const auto found = std::find_if(queue.begin(), queue.end(), [&](int block) {
                return content[static_cast<std::size_t>(block)] == std::pair<Job*, int>{&job, i};
            });
            if (found == queue.end()) break;
            mine.push_back(*found);
            queue.erase(found);
            job.computed += block_;
        }
    }

    std::list<int> queue;
    std::vector<std::pair<Job*, int>> content;  ///< [block]: whose, and which of its blocks
    std::map<Job*, std::vector<int>> held;
    std::set<Job*> seen;  ///< waiting when the step before was composed
    int hidden_blocks = 0;
    std::size_t hidden_jobs = 0;
};

}  // namespace

std::unique_ptr<Engine> make_vllm_v1_async(const SchedulerSettings& settings, const StepTimer& timer) {
    return std::make_unique<VllmV1Async>(settings, timer);
}

}  // namespace twin
