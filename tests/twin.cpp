#include "tests/twin.hpp"

#include <algorithm>

namespace twin {

Engine::Engine(const SchedulerSettings& settings, const StepTimer& timer)
    : limits_(settings),
      timer_(timer),
      block_(static_cast<int>(settings.block_tokens)),
      total_(static_cast<int>(settings.kv_blocks)),
      free_(total_),
      watermark_(static_cast<int>(settings.watermark * total_)) {}

std::vector<std::vector<Outcome>> Engine::run(const Users& users) {
    std::vector<std::vector<Outcome>> outcomes(users.size());
    std::vector<double> next(users.size());
    std::vector<std::unique_ptr<Job>> jobs;
    double now = 0;
    for (std::size_t u = 0; u < users.size(); ++u) {
        outcomes[u].resize(users[u].size());
        next[u] = users[u].empty() ? 1e300 : users[u][0].gap;
    }
    const auto ended = [&](std::size_t user, std::size_t index, double when) {
        next[user] = index + 1 < users[user].size() ? when + users[user][index + 1].gap : 1e300;
    };
    std::vector<std::size_t> sent(users.size(), 0);
    for (;;) {
        const auto first = static_cast<std::size_t>(std::min_element(next.begin(), next.end()) - next.begin());
        if (waiting_.empty() && running_.empty() && swapped_.empty()) now = std::max(now, next[first]);
        if (next[first] >= 1e300 && waiting_.empty() && running_.empty() && swapped_.empty()) return outcomes;
        if (next[first] <= now) {
            const Demand& demand = users[first][sent[first]];
            auto job = std::make_unique<Job>();
            job->arrival = next[first];
            job->number = jobs.size();
            job->tokens = &demand.tokens;
            job->user = first;
            job->index = sent[first]++;
            job->prompt = job->known = demand.prompt;
            job->computed = std::min(demand.cached, demand.prompt - 1);
            job->output = job->planned = demand.output;
            job->max_output = demand.max_output;
            next[first] = 1e300;
            outcomes[first][job->index].arrival = job->arrival;
            if (accepts(*job)) {
                waiting_.push_back(job.get());
                jobs.push_back(std::move(job));
            } else {
                outcomes[first][job->index].refused = true;
                ended(first, job->index, job->arrival);
            }
            continue;
        }
        preempted_ = false;
        moved_ = 0;
        const auto decodes = [](const Job* job) { return !job->prefilling || job->planned > 1; };
        const bool rounds =
            std::any_of(running_.begin(), running_.end(), decodes) || (!waiting_.empty() && decodes(waiting_.front()));
        batches_ = rounds ? count(limits_.batches) : 1;
        std::vector<Work> work = decide();
        double late = 0;
        const std::vector<double> out = passed(work, now);
        if (out.empty()) {
            double time = time_of(work);
            late = gained(work, time);
            now += time - late + moved_;
        } else {
            now = std::max(stage_free_.front(), left_.front()) + moved_;
        }
        ++iterations;
        // Decodes come to their ends in order of arrival, then prompts as they were put into the step.
        std::stable_sort(work.begin(), work.end(), [](const Work& a, const Work& b) {
            if (a.job->prefilling != b.job->prefilling) return b.job->prefilling;
            return !a.job->prefilling && a.job->number < b.job->number;
        });
        for (std::size_t place = 0; place < work.size(); ++place) {
            const Work& item = work[place];
            Job& job = *item.job;
            if (!out.empty()) late = std::max(0.0, out[place] - now);
            job.computed += item.tokens;
            if (missing(job) > 0) {
                advanced(job);
                continue;
            }
            const bool prompt = job.prefilling;
            job.prefilling = false;
            ++job.known;
            if (++job.generated == 1) job.first_token = now + late;
            if (job.generated < job.planned) {
                if (prompt) advanced(job);
                continue;
            }
            running_.erase(std::find(running_.begin(), running_.end(), &job));
            release(job, false);
            const double end = job.generated == 1 ? job.first_token : now;
            outcomes[job.user][job.index] = {job.arrival,     job.first_token, end,
                                             job.preemptions, false,           std::max(0, job.found)};
            ended(job.user, job.index, end);
        }
    }
}

std::vector<double> Engine::passed(const std::vector<Work>& work, double now) {
    std::vector<double> out;
    if (limits_.batches == 1 || work.empty()) return out;
    for (const Job* job : running_)
        if (!job->prefilling) return out;
    for (const auto& [job, tokens] : work)
        if (job->planned > 1) return out;
    std::vector<plimsoll::PromptChunk> batch;
    std::vector<int> left;
    for (const auto& item : work) left.push_back(item.tokens);
    stage_free_.resize(limits_.batches, 0.0);
    for (std::size_t i = 0; i < work.size();) {
        batch.clear();
        for (int room = largest_pass(); i < work.size() && room > 0;) {
            const int tokens = std::min(room, left[i]), before = work[i].tokens - left[i];
            batch.push_back(
                {0, static_cast<std::uint32_t>(tokens), static_cast<std::uint32_t>(work[i].job->computed + before)});
            room -= tokens;
            left[i] -= tokens;
            if (left[i] == 0) ++i;
        }
        const double in_stage = timer_.batch(batch).value() / limits_.batches;
        left_.resize(limits_.batches, 0.0);
        double at = std::max(now, left_.front());
        for (double& free : stage_free_) at = free = std::max(at, free) + in_stage;
        left_.pop_front();
        left_.push_back(at);
        while (out.size() < i) out.push_back(at);
    }
    return out;
}

double Engine::gained(const std::vector<Work>& work, double& time) const {
    std::uint32_t stopped = 0;
    std::uint64_t context = 0;
    for (const auto& [job, tokens] : work)
        if (!job->prefilling) return 0;
    for (const Job* job : running_)
        if (!job->prefilling) ++stopped, context += static_cast<std::uint64_t>(job->known);
    if (stopped == 0 || limits_.batches == 1) return 0;
    const double round = timer_.step({}, stopped, context).value();
    time = std::max(time, round);
    return round * (limits_.batches - 1) / limits_.batches;
}

double Engine::time_of(const std::vector<Work>& work) const {
    std::vector<plimsoll::PromptChunk> chunks;
    std::uint32_t decodes = 0;
    std::uint64_t context = 0;
    for (const auto& [job, tokens] : work) {
        if (job->prefilling)
            chunks.push_back({0, static_cast<std::uint32_t>(tokens), static_cast<std::uint32_t>(job->computed)});
        else
            ++decodes, context += static_cast<std::uint64_t>(job->known);
    }
    return timer_.step(chunks, decodes, context).value();
}

void Engine::resize(Job& job, int blocks) {
    free_ += job.blocks - blocks;
    job.blocks = blocks;
    if (free_ < 0) throw std::logic_error("the twin has given away more blocks than there are");
}

void Engine::admit(int blocks) {
    running_.push_back(waiting_.front());
    waiting_.pop_front();
    resize(*running_.back(), blocks);
}

void Engine::preempt(Job* job, bool to_front) {
    running_.erase(std::find(running_.begin(), running_.end(), job));
    release(*job, true);
    job->computed = 0;
    job->prefilling = true;
    ++job->preemptions;
    preempted_ = true;
    if (to_front)
        waiting_.push_front(job);
    else
        waiting_.push_back(job);
}

std::vector<Work> Engine::decode_all_with_preemption() {
    std::vector<Work> work;
    for (std::size_t i = 0; i < running_.size(); ++i) {
        Job* job = running_[i];
        if (job->prefilling) continue;
        while (i < running_.size() && blocks_for(job->known) > job->blocks && free_ == 0) preempt(running_.back());
        if (i >= running_.size()) break;
        resize(*job, blocks_for(job->known));
        work.push_back({job, 1});
    }
    return work;
}

std::vector<Work> Engine::decode_all() const {
    std::vector<Work> work;
    for (Job* job : running_)
        if (!job->prefilling) work.push_back({job, 1});
    return work;
}

}  // namespace twin
