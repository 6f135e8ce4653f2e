#include "simulator/radix_cache.hpp"

#include <algorithm>
#include <bit>

#include "model/base/error.hpp"

namespace plimsoll {

void RadixCache::start(std::uint64_t used) {
    empty_ = tokens_ - used;
    idle_ = 0;
    nodes_.assign(1, Node{});
    unused_nodes_.clear();
    leaves_.clear();
    places_.clear();
    unused_place_ = none;
    // Far fewer nodes than tokens: each is a turn or a fork.
    const auto expected = static_cast<std::size_t>(std::bit_ceil(std::clamp<std::uint64_t>(tokens_ / 32, 64, 16384)));
    buckets_.assign(expected, none);
    nodes_.reserve(expected);
    unused_nodes_.reserve(expected);
    leaves_.reserve(expected);
}

PrefixHit RadixCache::find(const Content& content, std::uint32_t most) {
    found_ = walk(content, most);
    PrefixHit hit{.tokens = found_.tokens, .blocks = found_.tokens};
    for (std::uint32_t node = found_.node; node != root && nodes_[node].locks == 0; node = nodes_[node].parent)
        hit.idle += nodes_[node].size();
    return hit;
}

std::uint32_t RadixCache::hold() {
    std::uint32_t index = unused_place_;
    if (index == none) {
        index = static_cast<std::uint32_t>(places_.size());
        places_.emplace_back();
    } else {
        unused_place_ = places_[index].node;
    }
    places_[index] = {found_.node, found_.tokens};
    lock(found_.node);
    return index;
}

void RadixCache::take(std::uint64_t tokens, std::uint64_t times) {
    const std::uint64_t lot = tokens / times;
    if (lot == 0) return;
    while (times > 0) {
        empty(lot);
        PLIMSOLL_ASSERT(lot <= empty_);
        const std::uint64_t lots = std::min(times, empty_ / lot);
        empty_ -= lots * lot;
        times -= lots;
    }
}

/// The engine evicts as many tokens as are asked for, not as many as are missing.
void RadixCache::empty(std::uint64_t tokens) {
    if (tokens > empty_) evict(tokens);
}

std::uint64_t RadixCache::store(std::uint32_t index, const Content& content, std::uint32_t tokens) {
    Place& place = places_[index];
    if (place.inside == tokens) return 0;
    const Walk end = insert(content, tokens);
    const std::uint64_t had = end.tokens - place.inside;
    empty_ += had;
    const std::uint64_t locked = lock(end.node);
    unlock(place.node);
    place = {end.node, tokens};
    // What the request itself has added to the tree was in use before.
    return had - (locked - (tokens - end.tokens));
}

std::uint64_t RadixCache::release(std::uint32_t index, const Content& content, std::uint32_t tokens, std::uint64_t held,
                                  bool preempted) {
    const std::uint64_t before = free();
    if (index == no_place) {
        // Nobody will find them, but they stay until their turn has come.
        if (!preempted && held > 0)
            consider_leaf(add_node({.to = static_cast<std::uint32_t>(held), .parent = root, .asked = ++clock_}));
        (preempted ? empty_ : idle_) += held;
        return held;
    }
    Place& place = places_[index];
    std::uint64_t own = held - place.inside;
    if (!preempted) {
        const Walk end = insert(content, tokens);
        own -= tokens - end.tokens;
    }
    empty_ += own;
    unlock(place.node);
    place.node = unused_place_;
    unused_place_ = index;
    return free() - before;
}

RadixCache::Walk RadixCache::walk(const Content& content, std::uint32_t most) {
    Walk at;
    ++clock_;
    while (at.tokens < most) {
        const std::uint32_t next = child(at.node, content.name_at(at.tokens));
        if (next == none) break;
        ask(next, clock_);
        const std::uint32_t end = std::min(nodes_[next].to, most);
        at.tokens = nodes_[next].content.same_until(content, at.tokens, end);
        if (at.tokens == nodes_[next].to) {
            at.node = next;
            continue;
        }
        // The upper part is a new node: requests that have locked the lower one end there.
        strike(next);
        Node upper = nodes_[next];
        upper.to = at.tokens;
        upper.children = 1;
        upper.slot = none;
        at.node = add_node(upper);
        nodes_[next].from = at.tokens;
        nodes_[next].parent = at.node;
        link(at.node);
        link(next);
        break;
    }
    return at;
}

RadixCache::Walk RadixCache::insert(const Content& content, std::uint32_t tokens) {
    Walk at = walk(content, tokens);
    if (at.tokens == tokens) return at;
    drop_leaf(at.node);
    ++nodes_[at.node].children;
    const std::uint32_t node =
        add_node({.content = content, .from = at.tokens, .to = tokens, .parent = at.node, .asked = ++clock_});
    link(node);
    consider_leaf(node);
    idle_ += tokens - at.tokens;
    return {node, at.tokens};
}

std::uint64_t RadixCache::lock(std::uint32_t node) {
    std::uint64_t tokens = 0;
    for (; node != root; node = nodes_[node].parent) {
        if (nodes_[node].locks++ > 0) continue;
        tokens += nodes_[node].size();
        drop_leaf(node);
    }
    idle_ -= tokens;
    return tokens;
}

std::uint64_t RadixCache::unlock(std::uint32_t node) {
    std::uint64_t tokens = 0;
    for (; node != root; node = nodes_[node].parent) {
        if (--nodes_[node].locks > 0) continue;
        tokens += nodes_[node].size();
        consider_leaf(node);
    }
    idle_ += tokens;
    return tokens;
}

void RadixCache::evict(std::uint64_t tokens) {
    for (std::uint64_t evicted = 0; evicted < tokens && !leaves_.empty();) {
        const std::uint32_t leaf = leaves_.front(), parent = nodes_[leaf].parent;
        drop_leaf(leaf);
        evicted += nodes_[leaf].size();
        idle_ -= nodes_[leaf].size();
        empty_ += nodes_[leaf].size();
        if (nodes_[leaf].content.known()) {
            strike(leaf);
            --nodes_[parent].children;
        }
        unused_nodes_.push_back(leaf);
        consider_leaf(parent);
    }
}

std::uint32_t RadixCache::add_node(const Node& node) {
    if (unused_nodes_.empty()) {
        unused_nodes_.push_back(static_cast<std::uint32_t>(nodes_.size()));
        nodes_.emplace_back();
    }
    const std::uint32_t index = unused_nodes_.back();
    unused_nodes_.pop_back();
    nodes_[index] = node;
    return index;
}

void RadixCache::link(std::uint32_t node) {
    std::uint32_t& first = buckets_[bucket_of(nodes_[node])];
    nodes_[node].in_bucket = first;
    first = node;
}

void RadixCache::strike(std::uint32_t node) {
    std::uint32_t* at = &buckets_[bucket_of(nodes_[node])];
    while (*at != node) at = &nodes_[*at].in_bucket;
    *at = nodes_[node].in_bucket;
}

std::uint32_t RadixCache::child(std::uint32_t parent, std::uint64_t name) const {
    std::uint32_t node = buckets_[bucket(parent, name)];
    while (node != none && (nodes_[node].parent != parent || nodes_[node].content.name_at(nodes_[node].from) != name))
        node = nodes_[node].in_bucket;
    return node;
}

void RadixCache::consider_leaf(std::uint32_t node) {
    const Node& leaf = nodes_[node];
    if (node == root || leaf.children > 0 || leaf.locks > 0 || leaf.slot != none) return;
    leaves_.push_back(node);
    put(leaves_.size() - 1, node);
    rise(leaves_.size() - 1);
}

void RadixCache::drop_leaf(std::uint32_t node) {
    const std::uint32_t slot = nodes_[node].slot;
    if (slot == none) return;
    nodes_[node].slot = none;
    const std::uint32_t last = leaves_.back();
    leaves_.pop_back();
    if (last == node) return;
    put(slot, last);
    rise(slot);
    sink(nodes_[last].slot);
}

void RadixCache::ask(std::uint32_t node, std::uint64_t when) {
    nodes_[node].asked = when;
    if (nodes_[node].slot != none) sink(nodes_[node].slot);
}

void RadixCache::put(std::size_t slot, std::uint32_t node) {
    leaves_[slot] = node;
    nodes_[node].slot = static_cast<std::uint32_t>(slot);
}

void RadixCache::rise(std::size_t slot) {
    const std::uint32_t node = leaves_[slot];
    for (; slot > 0 && before(node, leaves_[(slot - 1) / 2]); slot = (slot - 1) / 2) put(slot, leaves_[(slot - 1) / 2]);
    put(slot, node);
}

void RadixCache::sink(std::size_t slot) {
    const std::uint32_t node = leaves_[slot];
    for (std::size_t next = 2 * slot + 1; next < leaves_.size(); next = 2 * slot + 1) {
        if (next + 1 < leaves_.size() && before(leaves_[next + 1], leaves_[next])) ++next;
        if (!before(leaves_[next], node)) break;
        put(slot, leaves_[next]);
        slot = next;
    }
    put(slot, node);
}

}  // namespace plimsoll
