#pragma once
#include <cstdint>
#include <utility>
#include <vector>

#include "simulator/request.hpp"

namespace plimsoll {

/// The decoding requests by the decode step that gives their last token, then by sequence number; any of them can be
/// taken out (a preemption). A binary heap whose slots the requests know.
class FinishHeap {
  public:
    [[nodiscard]] bool empty() const { return entries_.empty(); }
    /// The decode step that ends the next request.
    [[nodiscard]] std::uint64_t first_step() const { return entries_.front().step; }
    [[nodiscard]] std::uint32_t first() const { return entries_.front().id; }

    void reserve(std::size_t count) { entries_.reserve(count); }
    void push(RequestTable& requests, std::uint32_t id) {
        const Request& request = requests[id];
        entries_.push_back({request.finish_step, request.sequence, id});
        rise(requests, static_cast<std::uint32_t>(entries_.size() - 1));
    }
    void remove(RequestTable& requests, std::uint32_t id) {
        const std::uint32_t slot = requests[id].heap_slot;
        const Entry last = entries_.back();
        entries_.pop_back();
        if (slot == entries_.size()) return;
        put(requests, slot, last);
        rise(requests, slot);
        sink(requests, requests[last.id].heap_slot);
    }

  private:
    struct Entry {
        std::uint64_t step, sequence;
        std::uint32_t id;
        [[nodiscard]] bool before(const Entry& other) const {
            return step != other.step ? step < other.step : sequence < other.sequence;
        }
    };

    void put(RequestTable& requests, std::uint32_t slot, const Entry& entry) {
        entries_[slot] = entry;
        requests[entry.id].heap_slot = slot;
    }
    void rise(RequestTable& requests, std::uint32_t slot) {
        const Entry entry = entries_[slot];
        for (; slot > 0 && entry.before(entries_[(slot - 1) / 2]); slot = (slot - 1) / 2)
            put(requests, slot, entries_[(slot - 1) / 2]);
        put(requests, slot, entry);
    }
    void sink(RequestTable& requests, std::uint32_t slot) {
        const Entry entry = entries_[slot];
        const auto count = static_cast<std::uint32_t>(entries_.size());
        for (std::uint32_t child = 2 * slot + 1; child < count; child = 2 * slot + 1) {
            if (child + 1 < count && entries_[child + 1].before(entries_[child])) ++child;
            if (!entries_[child].before(entry)) break;
            put(requests, slot, entries_[child]);
            slot = child;
        }
        put(requests, slot, entry);
    }

    std::vector<Entry> entries_;
};

}  // namespace plimsoll
