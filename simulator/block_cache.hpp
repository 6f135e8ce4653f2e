#pragma once
#include <cstdint>
#include <vector>

#include "simulator/prefix_cache.hpp"

namespace plimsoll {

/// vLLM V1's prefix cache (v1/core/block_pool.py, kv_cache_manager.py): full blocks by the hash of their tokens and all
/// before them, shared by reference counts. Free blocks stand in a queue, a request's last one first, and keep their
/// content; a hit takes them out, new blocks are taken from the head. Of blocks with the same content the oldest is
/// found.
///
/// Blocks without a name are told apart by nothing, so the queue holds runs of them.
class BlockCache final : public PrefixCache {
  public:
    BlockCache(std::uint64_t blocks, std::uint32_t block_tokens) : blocks_(blocks), block_tokens_(block_tokens) {}

    void start(std::uint64_t used) override;
    PrefixHit find(const Content& content, std::uint32_t most) override;
    std::uint32_t hold() override;
    void take(std::uint64_t blocks, std::uint64_t times) override;
    std::uint64_t store(std::uint32_t place, const Content& content, std::uint32_t tokens) override;
    std::uint64_t release(std::uint32_t place, const Content& content, std::uint32_t tokens, std::uint64_t blocks,
                          bool preempted) override;
    void mark() override { ++marks_; }
    [[nodiscard]] std::uint64_t free() const override { return free_; }

  private:
    static constexpr std::uint32_t none = ~std::uint32_t{0};
    /// A block with a name, or a run of free ones without.
    struct Node {
        std::uint64_t name = 0;
        std::uint64_t blocks = 1;   ///< of a run
        std::uint64_t freed = 0;    ///< marks when a request that ended freed it; 0: a preempted one did
        std::uint32_t holders = 0;  ///< requests; 0: it stands in the queue
        std::uint32_t previous = none, next = none;
        std::uint32_t in_bucket = none;  ///< the next of the same bucket, younger
        bool named = false;
    };
    /// A request's hold on a block; they form a list from its last one to its first.
    struct Holding {
        std::uint32_t node = none, before = none;
    };
    struct Place {
        std::uint32_t last = none;  ///< holding; of an unused place the next such place
        std::uint32_t count = 0;
    };

    void add_holding(Place& place, std::uint32_t node);
    void drop_last_holding(Place& place);
    std::uint32_t add_node();
    void push_back(std::uint32_t node);
    void unlink(std::uint32_t node);
    void free_nameless(std::uint64_t blocks);
    [[nodiscard]] std::uint32_t& bucket(std::uint64_t name) { return buckets_[name & (buckets_.size() - 1)]; }
    [[nodiscard]] std::uint32_t named(std::uint64_t name);
    void enter(std::uint32_t node);
    void strike(std::uint32_t node);

    std::uint64_t blocks_, free_ = 0, marks_ = 1;
    std::uint32_t block_tokens_;
    std::vector<Node> nodes_;
    std::vector<std::uint32_t> unused_nodes_, buckets_;
    std::uint32_t head_ = none, tail_ = none;
    std::vector<std::uint32_t> found_;
    std::vector<Place> places_;
    std::vector<Holding> holdings_;
    std::uint32_t unused_place_ = none, unused_holding_ = none;
};

}  // namespace plimsoll
