#pragma once
#include <cstdint>
#include <vector>

#include "simulator/prefix_cache.hpp"

namespace plimsoll {

/// SGLang's radix cache with pages of one token (mem_cache/radix_cache.py): what requests have computed, as a tree
/// whose edges are runs of tokens. Running requests lock their path. Whole leaves that nobody locks are evicted when
/// tokens are needed, least recently asked for first. The tree shares the pool with what requests hold beside it.
class RadixCache final : public PrefixCache {
  public:
    explicit RadixCache(std::uint64_t tokens) : tokens_(tokens) {}

    void start(std::uint64_t used) override;
    PrefixHit find(const Content& content, std::uint32_t most) override;
    std::uint32_t hold() override;
    void take(std::uint64_t tokens, std::uint64_t times) override;
    std::uint64_t store(std::uint32_t place, const Content& content, std::uint32_t tokens) override;
    std::uint64_t release(std::uint32_t place, const Content& content, std::uint32_t tokens, std::uint64_t held,
                          bool preempted) override;
    void empty(std::uint64_t tokens) override;
    [[nodiscard]] std::uint64_t free() const override { return empty_ + idle_; }

  private:
    static constexpr std::uint32_t root = 0, none = ~std::uint32_t{0};
    /// The tokens [from, to) of a content, behind those of the parent.
    struct Node {
        Content content{};
        std::uint32_t from = 0, to = 0;
        std::uint32_t parent = none;
        std::uint32_t children = 0;
        std::uint32_t locks = 0;    ///< requests whose paths lead through it
        std::uint32_t slot = none;  ///< in the heap of leaves that may be evicted
        std::uint32_t in_bucket = none;
        std::uint64_t asked = 0;  ///< when last
        [[nodiscard]] std::uint32_t size() const { return to - from; }
    };
    struct Place {
        std::uint32_t node = root;  ///< end of its locked path; of an unused place the next such place
        std::uint32_t inside = 0;   ///< its tokens up to there
    };
    struct Walk {
        std::uint32_t node = root, tokens = 0;
    };

    /// As far as the tree goes, splitting the last edge where the content leaves it.
    Walk walk(const Content& content, std::uint32_t most);
    /// The content's first tokens are in the tree; where they end, and how many were there before.
    Walk insert(const Content& content, std::uint32_t tokens);
    /// Tokens that nobody locked before.
    std::uint64_t lock(std::uint32_t node);
    /// Tokens that nobody locks any more.
    std::uint64_t unlock(std::uint32_t node);
    void evict(std::uint64_t tokens);

    std::uint32_t add_node(const Node& node);
    void link(std::uint32_t node);
    void strike(std::uint32_t node);
    [[nodiscard]] std::uint32_t child(std::uint32_t parent, std::uint64_t name) const;
    [[nodiscard]] std::size_t bucket(std::uint32_t parent, std::uint64_t name) const {
        return joint_name(name, parent) & (buckets_.size() - 1);
    }
    [[nodiscard]] std::size_t bucket_of(const Node& node) const {
        return bucket(node.parent, node.content.name_at(node.from));
    }

    void consider_leaf(std::uint32_t node);
    void drop_leaf(std::uint32_t node);
    void ask(std::uint32_t node, std::uint64_t when);
    [[nodiscard]] bool before(std::uint32_t a, std::uint32_t b) const { return nodes_[a].asked < nodes_[b].asked; }
    void put(std::size_t slot, std::uint32_t node);
    void rise(std::size_t slot);
    void sink(std::size_t slot);

    std::uint64_t tokens_, empty_ = 0, idle_ = 0;  ///< idle: in the tree, locked by nobody
    std::uint64_t clock_ = 0;
    std::vector<Node> nodes_;
    std::vector<std::uint32_t> unused_nodes_, buckets_;
    std::vector<std::uint32_t> leaves_;  ///< a heap
    std::vector<Place> places_;
    std::uint32_t unused_place_ = none;
    Walk found_;
};

}  // namespace plimsoll
