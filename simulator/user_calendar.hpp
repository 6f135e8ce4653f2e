#pragma once
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "simulator/request.hpp"

namespace plimsoll {

/// Who sends next: a heap with four children a node. Among equal times the lower user comes first.
class UserCalendar {
  public:
    explicit UserCalendar(std::size_t users) { heap_.reserve(users); }

    [[nodiscard]] bool empty() const { return heap_.empty(); }
    [[nodiscard]] Seconds next_time() const { return heap_.empty() ? never : heap_.front().time; }

    void add(Seconds time, std::uint32_t user) {
        const Entry entry{time, user};
        std::size_t hole = heap_.size();
        heap_.push_back(entry);
        while (hole > 0) {
            const std::size_t parent = (hole - 1) / 4;
            if (!before(entry, heap_[parent])) break;
            heap_[hole] = heap_[parent];
            hole = parent;
        }
        heap_[hole] = entry;
    }

    /// The user whose time has come, removed; the calendar must not be empty.
    std::uint32_t take() {
        const std::uint32_t user = heap_.front().user;
        const Entry last = heap_.back();
        heap_.pop_back();
        if (!heap_.empty()) sink(last);
        return user;
    }

  private:
    struct Entry {
        Seconds time{};
        std::uint32_t user = 0;
    };
    static bool before(const Entry& a, const Entry& b) {
        return a.time < b.time || (a.time == b.time && a.user < b.user);
    }

    void sink(const Entry& entry) {
        std::size_t hole = 0;
        for (std::size_t child = 1; child < heap_.size(); child = 4 * hole + 1) {
            const std::size_t end = child + 4 < heap_.size() ? child + 4 : heap_.size();
            std::size_t least = child;
            for (std::size_t i = child + 1; i < end; ++i)
                if (before(heap_[i], heap_[least])) least = i;
            if (!before(heap_[least], entry)) break;
            heap_[hole] = heap_[least];
            hole = least;
        }
        heap_[hole] = entry;
    }

    std::vector<Entry> heap_;
};

}  // namespace plimsoll
