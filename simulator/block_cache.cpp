#include "simulator/block_cache.hpp"

#include <algorithm>
#include <bit>

#include "model/base/error.hpp"

namespace plimsoll {

void BlockCache::start(std::uint64_t used) {
    const auto most = static_cast<std::size_t>(blocks_);
    buckets_.assign(std::bit_ceil(std::max<std::size_t>(most, 1)), none);
    nodes_.clear();
    nodes_.reserve(most + 1);
    unused_nodes_.clear();
    unused_nodes_.reserve(most + 1);
    places_.clear();
    holdings_.clear();
    unused_place_ = unused_holding_ = none;
    head_ = tail_ = none;
    free_ = 0;
    free_nameless(blocks_ - used);
}

PrefixHit BlockCache::find(const Content& content, std::uint32_t most) {
    found_.clear();
    PrefixHit hit;
    for (std::uint32_t i = 0; i < most / block_tokens_; ++i) {
        const std::uint32_t node = named(content.block_name(i, block_tokens_));
        if (node == none) break;
        found_.push_back(node);
        if (nodes_[node].holders > 0) continue;
        ++hit.idle;
        if (nodes_[node].freed == marks_) ++hit.hidden;
    }
    hit.blocks = found_.size();
    hit.tokens = static_cast<std::uint32_t>(hit.blocks * block_tokens_);
    return hit;
}

std::uint32_t BlockCache::hold() {
    std::uint32_t index = unused_place_;
    if (index == none) {
        index = static_cast<std::uint32_t>(places_.size());
        places_.emplace_back();
    } else {
        unused_place_ = places_[index].last;
    }
    Place& place = places_[index];
    place = {};
    for (const std::uint32_t node : found_) {
        add_holding(place, node);
        if (nodes_[node].holders++ > 0) continue;
        unlink(node);
        --free_;
    }
    return index;
}

void BlockCache::add_holding(Place& place, std::uint32_t node) {
    std::uint32_t holding = unused_holding_;
    if (holding == none) {
        holding = static_cast<std::uint32_t>(holdings_.size());
        holdings_.emplace_back();
    } else {
        unused_holding_ = holdings_[holding].before;
    }
    holdings_[holding] = {node, place.last};
    place.last = holding;
    ++place.count;
}

void BlockCache::drop_last_holding(Place& place) {
    const std::uint32_t holding = place.last;
    place.last = holdings_[holding].before;
    --place.count;
    holdings_[holding].before = unused_holding_;
    unused_holding_ = holding;
}

void BlockCache::take(std::uint64_t blocks, std::uint64_t) {
    PLIMSOLL_ASSERT(blocks <= free_);
    free_ -= blocks;
    while (blocks > 0) {
        const std::uint32_t node = head_;
        const std::uint64_t here = std::min(blocks, nodes_[node].blocks);
        blocks -= here;
        nodes_[node].blocks -= here;
        if (nodes_[node].blocks > 0) return;
        unlink(node);
        if (nodes_[node].named) strike(node);
        unused_nodes_.push_back(node);
    }
}

std::uint64_t BlockCache::store(std::uint32_t index, const Content& content, std::uint32_t tokens) {
    Place& place = places_[index];
    for (std::uint32_t i = place.count; i < tokens / block_tokens_; ++i) {
        const std::uint32_t node = add_node();
        nodes_[node].name = content.block_name(i, block_tokens_);
        nodes_[node].named = true;
        nodes_[node].holders = 1;
        enter(node);
        add_holding(place, node);
    }
    return 0;
}

std::uint64_t BlockCache::release(std::uint32_t index, const Content& content, std::uint32_t tokens,
                                  std::uint64_t blocks, bool preempted) {
    if (index == no_place) {
        free_nameless(blocks);
        return blocks;
    }
    const std::uint64_t before = free_;
    store(index, content, tokens);
    Place& place = places_[index];
    PLIMSOLL_ASSERT(place.count <= blocks);
    free_nameless(blocks - place.count);
    while (place.count > 0) {
        const std::uint32_t node = holdings_[place.last].node;
        drop_last_holding(place);
        if (--nodes_[node].holders > 0) continue;
        nodes_[node].freed = preempted ? 0 : marks_;
        push_back(node);
        ++free_;
    }
    place.last = unused_place_;
    unused_place_ = index;
    return free_ - before;
}

std::uint32_t BlockCache::add_node() {
    if (unused_nodes_.empty()) {
        unused_nodes_.push_back(static_cast<std::uint32_t>(nodes_.size()));
        nodes_.emplace_back();
    }
    const std::uint32_t node = unused_nodes_.back();
    unused_nodes_.pop_back();
    nodes_[node] = {};
    return node;
}

void BlockCache::push_back(std::uint32_t node) {
    nodes_[node].previous = tail_;
    nodes_[node].next = none;
    (tail_ == none ? head_ : nodes_[tail_].next) = node;
    tail_ = node;
}

void BlockCache::unlink(std::uint32_t node) {
    const Node& gone = nodes_[node];
    (gone.previous == none ? head_ : nodes_[gone.previous].next) = gone.next;
    (gone.next == none ? tail_ : nodes_[gone.next].previous) = gone.previous;
}

void BlockCache::free_nameless(std::uint64_t blocks) {
    if (blocks == 0) return;
    free_ += blocks;
    if (tail_ != none && !nodes_[tail_].named) {
        nodes_[tail_].blocks += blocks;
        return;
    }
    const std::uint32_t node = add_node();
    nodes_[node].blocks = blocks;
    push_back(node);
}

std::uint32_t BlockCache::named(std::uint64_t name) {
    std::uint32_t node = bucket(name);
    while (node != none && nodes_[node].name != name) node = nodes_[node].in_bucket;
    return node;
}

/// Behind those of its bucket, so that the oldest of one name is found.
void BlockCache::enter(std::uint32_t node) {
    std::uint32_t* link = &bucket(nodes_[node].name);
    while (*link != none) link = &nodes_[*link].in_bucket;
    *link = node;
}

void BlockCache::strike(std::uint32_t node) {
    std::uint32_t* link = &bucket(nodes_[node].name);
    while (*link != node) link = &nodes_[*link].in_bucket;
    *link = nodes_[node].in_bucket;
}

}  // namespace plimsoll
