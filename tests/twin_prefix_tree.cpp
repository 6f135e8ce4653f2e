#include <algorithm>
#include <map>

#include "tests/twin.hpp"

/// SGLang's radix cache the plain way: an edge of the tree is its tokens, and all of it is looked through.
namespace twin {
namespace {

using Tokens = std::vector<long>;

struct Tree {
    struct Node {
        Tokens tokens = {};
        std::map<long, std::unique_ptr<Node>> children = {};
        Node* parent = nullptr;
        int locks = 0;
        long asked = 0;
    };
    struct Match {
        Node* node;
        int tokens;
    };

    Match match(const Tokens& tokens) {
        Node* node = &root;
        int done = 0;
        const int all = static_cast<int>(tokens.size());
        ++clock;
        while (done < all && node->children.count(tokens[static_cast<std::size_t>(done)])) {
            std::unique_ptr<Node>& edge = node->children[tokens[static_cast<std::size_t>(done)]];
            Node* child = edge.get();
            child->asked = clock;
            std::size_t same = 0;
            while (same < child->tokens.size() && done < all &&
                   child->tokens[same] == tokens[static_cast<std::size_t>(done)])
                ++same, ++done;
            if (same == child->tokens.size()) {
                node = child;
                continue;
            }
            auto upper = std::make_unique<Node>();
            const auto cut = child->tokens.begin() + static_cast<std::ptrdiff_t>(same);
            upper->tokens.assign(child->tokens.begin(), cut);
            upper->parent = node;
            upper->locks = child->locks;
            upper->asked = clock;
            child->tokens.erase(child->tokens.begin(), cut);
            child->parent = upper.get();
            upper->children[child->tokens.front()] = std::move(edge);
            edge = std::move(upper);
            return {edge.get(), done};
        }
        return {node, done};
    }
    Match insert(const Tokens& tokens) {
        const Match at = match(tokens);
        if (at.tokens == static_cast<int>(tokens.size())) return at;
        auto leaf = std::make_unique<Node>();
        leaf->tokens.assign(tokens.begin() + at.tokens, tokens.end());
        leaf->parent = at.node;
        leaf->asked = ++clock;
        Node* end = leaf.get();
        at.node->children[leaf->tokens.front()] = std::move(leaf);
        return {end, at.tokens};
    }
    void lock(Node* node, int by) {
        for (; node != &root; node = node->parent) node->locks += by;
    }
    template <class See>
    static void visit(Node& node, See see) {
        for (auto& [token, child] : node.children) visit(*child, see);
        see(node);
    }
    int idle() {
        std::size_t sum = 0;
        visit(root, [&](Node& node) { sum += node.locks == 0 ? node.tokens.size() : 0; });
        return static_cast<int>(sum);
    }
    int evict(int tokens) {
        int evicted = 0;
        while (evicted < tokens) {
            Node* oldest = nullptr;
            visit(root, [&](Node& node) {
                if (&node == &root || node.locks > 0 || !node.children.empty()) return;
                if (oldest == nullptr || node.asked < oldest->asked) oldest = &node;
            });
            if (oldest == nullptr) break;
            evicted += static_cast<int>(oldest->tokens.size());
            oldest->parent->children.erase(long{oldest->tokens.front()});
        }
        return evicted;
    }
    Node root;
    long clock = 0;
};

struct SglangPrefix : Engine {
    using Engine::Engine;
    bool accepts(const Job& job) const override {
        const bool taken = job.prompt + job.max_output < total_;
        if (taken && !job.tokens->empty()) active = true;
        return taken;
    }
    static int asks(const Job& job) { return std::min(job.max_output - job.generated, 4096); }
    int available() { return empty + tree.idle(); }

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
        double promised = 0;
        Job* cut = nullptr;
        for (Job* job : running_) {
            if (job->prefilling) cut = job;
            if (!job->prefilling) promised += ratio * asks(*job);
        }
        int budget = step_tokens(), needed = 0;
        if (limits_.chunk_tokens > 0) budget = std::min(budget, count(limits_.chunk_tokens) * batches_);
        if (cut != nullptr) {
            const double room = available() - promised;
            const int tokens = std::min({budget, missing(*cut), static_cast<int>(std::max(room, 0.0))});
            if (tokens == 0) return work;
            promised += tokens + (tokens == missing(*cut) ? asks(*cut) : 0);
            work.push_back({cut, tokens});
            budget -= tokens, needed += tokens;
        }
        while (budget > 0 && !waiting_.empty() && !full) {
            Job* job = waiting_.front();
            full = running_.size() == limits_.max_sequences;
            if (full) break;
            const auto hit =
                job->tokens->empty() ? Tree::Match{&tree.root, 0} : tree.match(beginning(*job, job->known - 1));
            const int rest = job->known - hit.tokens;
            tree.lock(hit.node, 1);
            full = rest + asks(*job) >= available() - promised;
            if (full || (limits_.chunk_tokens == 0 && rest > budget && !work.empty())) {
                tree.lock(hit.node, -1);
                break;
            }
            const int tokens = limits_.chunk_tokens == 0 ? rest : std::min(budget, rest);
            promised += rest > budget ? tokens : rest + asks(*job);
            held[job] = {hit.node, hit.tokens, hit.tokens};
            job->computed = hit.tokens;
            if (job->found < 0) job->found = hit.tokens;
            admit(0);
            work.push_back({job, tokens});
            budget = std::max(0, budget - tokens), needed += tokens;
        }
        if (needed > 0) take(needed);
        for (const auto& item : work) held[item.job].all += item.tokens;
        return work;
    }
    std::vector<Work> decode() {
        const int needed = static_cast<int>(decode_all().size());
        if (needed > empty) empty += tree.evict(needed);
        if (needed > empty)
            retract();
        else
            ratio = std::max(std::min(ratio, limits_.least_new_token_ratio),
                             ratio - (limits_.new_token_ratio - limits_.least_new_token_ratio) /
                                         limits_.new_token_ratio_decay_steps);
        auto work = decode_all();
        if (!work.empty()) take(static_cast<int>(work.size()));
        for (const auto& item : work) ++held[item.job].all;
        return work;
    }
    void retract() {
        full = false;
        bool first = true;
        for (auto left = decode_all(); first || empty < 20 * static_cast<int>(left.size()); left = decode_all()) {
            first = false;
            if (left.size() == 1) {
                if (empty == 0)
                    for (Job* job : std::vector<Job*>(running_))
                        if (job->prefilling) preempt(job, false);
                break;
            }
            preempt(std::min_element(left.rbegin(), left.rend(),
                                     [](const Work& a, const Work& b) {
                                         return std::pair(a.job->generated, -a.job->prompt) <
                                                std::pair(b.job->generated, -b.job->prompt);
                                     })
                        ->job,
                    false);
            const int headroom = 20 * static_cast<int>(decode_all().size());
            if (headroom > empty) empty += tree.evict(headroom);
        }
        double given = 0, asked = 0;
        for (const auto& item : decode_all()) given += item.job->generated + 20, asked += item.job->max_output;
        ratio = std::min(1.0, given / asked);
    }

    static Tokens beginning(const Job& job, int tokens) {
        return Tokens(job.tokens->begin(), job.tokens->begin() + tokens);
    }
    void take(int tokens) {
        if (tokens > empty) empty += tree.evict(tokens);
        if (tokens > empty) throw std::logic_error("the twin has no tokens left");
        empty -= tokens;
    }
    void advanced(Job& job) override {
        if (job.tokens->empty()) return;
        Held& mine = held[&job];
        const auto end = tree.insert(beginning(job, job.computed));
        empty += end.tokens - mine.inside;
        tree.lock(end.node, 1);
        tree.lock(mine.node, -1);
        mine.node = end.node, mine.inside = job.computed;
    }
    void release(Job& job, bool preempted) override {
        const Held mine = held[&job];
        held.erase(&job);
        if (preempted || (job.tokens->empty() && !active)) {
            empty += mine.all - mine.inside;
        } else if (job.tokens->empty()) {
            // Tokens that nobody else has.
            tree.insert(Tokens(static_cast<std::size_t>(mine.all), --nameless));
        } else {
            const auto end = tree.insert(beginning(job, job.computed));
            empty += end.tokens - mine.inside;
        }
        tree.lock(mine.node, -1);
    }

    struct Held {
        Tree::Node* node = nullptr;
        int inside = 0, all = 0;
    };
    Tree tree;
    std::map<Job*, Held> held;
    int empty = total_;
    long nameless = 0;
    mutable bool active = false;
    double ratio = limits_.new_token_ratio;
    bool full = false;
    std::size_t had = 0;
};

}  // namespace

std::unique_ptr<Engine> make_sglang_with_prefix_cache(const SchedulerSettings& settings, const StepTimer& timer) {
    return std::make_unique<SglangPrefix>(settings, timer);
}

}  // namespace twin
