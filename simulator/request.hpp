#pragma once
#include <cstdint>
#include <limits>
#include <vector>

#include "model/base/error.hpp"
#include "model/base/units.hpp"
#include "simulator/prefix_cache.hpp"

namespace plimsoll {

/// A time that does not come.
inline constexpr Seconds never{std::numeric_limits<double>::infinity()};
/// No row of the request table.
inline constexpr std::uint32_t no_request = std::numeric_limits<std::uint32_t>::max();

/// One request on its way through a replica: what was asked, what a client saw, and where the engine has got to.
struct Request {
    std::uint64_t sequence = 0;  ///< order of arrival, which breaks every tie
    std::uint64_t tag = 0;       ///< the source's own (user, session, class); the core never looks
    Seconds arrival{};
    Seconds scheduled = never;  ///< start of the first step that worked on it
    Seconds first_token = never;
    Seconds finished = never;      ///< when it ended, with its last token or without an answer
    std::uint32_t prompt = 0;      ///< tokens, at least 1
    std::uint32_t output = 0;      ///< tokens in all, the first one included, at least 1
    std::uint32_t max_output = 0;  ///< what the client asks for (max_new_tokens), at least `output`
    std::uint32_t cached = 0;      ///< first tokens of the prompt whose KV need not be computed (a prefix, a transfer)
    std::uint32_t preemptions = 0;
    std::uint32_t replica = 0;

    /// What became of it, once it has ended.
    enum class Outcome : std::uint8_t {
        answered,
        refused,    ///< the engine, or a full cluster, did not take it
        timed_out,  ///< its client went away
        lost        ///< with a replica that failed
    };
    Outcome outcome = Outcome::answered;
    enum class Phase : std::uint8_t { free, waiting, filling, decoding, swapped, done };
    Phase phase = Phase::free;
    std::uint32_t planned = 0;    ///< output tokens that the engine computes: more than `output` under static batching
    std::uint32_t base = 0;       ///< prompt tokens as the engine holds them (padded under static batching)
    std::uint32_t target = 0;     ///< tokens to prefill: base and, after a preemption, what had been generated
    std::uint32_t prefilled = 0;  ///< of these
    std::uint32_t generated = 0;  ///< output tokens; up to date unless decoding
    std::uint64_t blocks = 0;     ///< KV blocks in its own account (a growing request's are counted by the pool)
    std::uint64_t finish_step = 0;  ///< decoding: the replica's decode step that gives the last token
    std::uint32_t next = no_request;
    std::uint32_t previous = no_request;
    std::uint32_t heap_slot = 0;
    std::uint32_t found = 0;  ///< prompt tokens that were there already when it was first admitted
};

/// What the tokens of a request are, and where the prefix cache of its replica keeps count of them.
struct RequestContent {
    Content content;
    std::uint32_t place = no_place;  ///< while it holds blocks
};

/// All requests that are somewhere in the system, as rows with ids; rows of finished requests are used again, so memory
/// follows the largest number present at once.
class RequestTable {
  public:
    explicit RequestTable(std::size_t expected = 1024) {
        rows_.reserve(expected);
        free_.reserve(expected);
    }

    /// A fresh row with the next sequence number. References to rows do not survive this.
    std::uint32_t add() {
        std::uint32_t id = 0;
        if (free_.empty()) {
            id = static_cast<std::uint32_t>(rows_.size());
            PLIMSOLL_ASSERT(id != no_request);
            rows_.emplace_back();
        } else {
            id = free_.back();
            free_.pop_back();
            rows_[id] = Request{};
        }
        rows_[id].sequence = added_++;
        return id;
    }
    /// Says what a request's tokens are.
    void describe(std::uint32_t id, const Content& content) {
        if (contents_.size() <= id) {
            if (!content.known()) return;
            contents_.resize(rows_.capacity());
        }
        contents_[id] = {content};
    }
    void release(std::uint32_t id) {
        rows_[id].phase = Request::Phase::free;
        if (free_.capacity() < rows_.capacity()) free_.reserve(rows_.capacity());
        free_.push_back(id);
    }

    [[nodiscard]] Request& operator[](std::uint32_t id) { return rows_[id]; }
    [[nodiscard]] const Request& operator[](std::uint32_t id) const { return rows_[id]; }
    [[nodiscard]] bool described(std::uint32_t id) const {
        return id < contents_.size() && contents_[id].content.known();
    }
    /// Of one that is described.
    [[nodiscard]] RequestContent& content(std::uint32_t id) { return contents_[id]; }
    [[nodiscard]] std::size_t present() const { return rows_.size() - free_.size(); }
    [[nodiscard]] std::uint64_t added() const { return added_; }

  private:
    std::vector<Request> rows_;
    std::vector<RequestContent> contents_;  ///< apart from the rows: most loads have none
    std::vector<std::uint32_t> free_;
    std::uint64_t added_ = 0;
};

/// An ordered list of requests through their `next` and `previous`; a request is in one list at a time.
class RequestList {
  public:
    [[nodiscard]] bool empty() const { return size_ == 0; }
    [[nodiscard]] std::uint32_t size() const { return size_; }
    [[nodiscard]] std::uint32_t front() const { return front_; }
    [[nodiscard]] std::uint32_t back() const { return back_; }

    void push_back(RequestTable& requests, std::uint32_t id) { link(requests, id, back_, no_request); }
    void push_front(RequestTable& requests, std::uint32_t id) { link(requests, id, no_request, front_); }
    void remove(RequestTable& requests, std::uint32_t id) {
        const Request& request = requests[id];
        (request.previous == no_request ? front_ : requests[request.previous].next) = request.next;
        (request.next == no_request ? back_ : requests[request.next].previous) = request.previous;
        --size_;
    }

  private:
    void link(RequestTable& requests, std::uint32_t id, std::uint32_t before, std::uint32_t after) {
        requests[id].previous = before;
        requests[id].next = after;
        (before == no_request ? front_ : requests[before].next) = id;
        (after == no_request ? back_ : requests[after].previous) = id;
        ++size_;
    }

    std::uint32_t front_ = no_request, back_ = no_request, size_ = 0;
};

}  // namespace plimsoll
