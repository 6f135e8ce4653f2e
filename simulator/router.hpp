#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "model/base/registry.hpp"
#include "simulator/replica.hpp"

namespace plimsoll {

/// What a router sees of the replicas behind it: which take requests, and how many each has been given and not
/// answered yet.
class Pool {
  public:
    explicit Pool(std::span<const Replica> replicas) : replicas_(replicas), members_(replicas.size()) {}

    [[nodiscard]] std::uint32_t size() const { return static_cast<std::uint32_t>(members_.size()); }
    /// Whether it takes requests: started, not failed, not being drained.
    [[nodiscard]] bool up(std::uint32_t replica) const { return members_[replica].up; }
    [[nodiscard]] std::uint32_t up_count() const { return static_cast<std::uint32_t>(up_.size()); }
    /// The k-th of those that are up, in order of their index.
    [[nodiscard]] std::uint32_t up_at(std::uint64_t k) const { return up_[k]; }
    [[nodiscard]] std::uint32_t outstanding(std::uint32_t replica) const { return members_[replica].outstanding; }
    /// Requests outstanding on all replicas together.
    [[nodiscard]] std::uint64_t total_outstanding() const { return total_; }
    /// Share of its KV blocks in use at a time.
    [[nodiscard]] double kv_share(std::uint32_t replica, Seconds now) const {
        const Replica& asked = replicas_[replica];
        return static_cast<double>(asked.kv_blocks_used(now)) / static_cast<double>(asked.state().kv().blocks());
    }

    // The cluster's part.
    void give(std::uint32_t replica) {
        ++members_[replica].outstanding;
        ++total_;
    }
    void take_back(std::uint32_t replica) {
        --members_[replica].outstanding;
        --total_;
    }
    void set_up(std::uint32_t replica, bool up);

  private:
    struct Member {
        std::uint32_t outstanding = 0;
        bool up = false;
    };
    std::span<const Replica> replicas_;
    std::vector<Member> members_;
    std::vector<std::uint32_t> up_;  ///< those that are up, in order
    std::uint64_t total_ = 0;
};

/// Bits of a request's tag that mean one thing (its session, its prefix).
struct TagField {
    unsigned shift = 0;
    unsigned bits = 64;
    [[nodiscard]] std::uint64_t of(std::uint64_t tag) const {
        return (tag >> shift) & (bits >= 64 ? ~std::uint64_t{0} : (std::uint64_t{1} << bits) - 1);
    }
};

/// What a router is made from.
struct RouterSettings {
    std::uint32_t replicas = 1;
    std::uint64_t seed = 1;        ///< of routers that draw
    std::uint64_t stream = 0;      ///< tells the routers of one run apart
    TagField session{.bits = 32};  ///< session-affinity: by default the session of a RequestTag
    TagField prefix{.bits = 40};   ///< prefix-affinity: by default session and class
    double load_factor = 1.25;     ///< prefix-affinity: most requests on a replica, over the mean
};

/// The rule by which a request is given to one of several replicas.
class Router {
  public:
    Router() = default;
    Router(const Router&) = delete;
    Router& operator=(const Router&) = delete;
    virtual ~Router() = default;

    /// The replica for a request. Called only while one is up, and to be answered with one that is.
    [[nodiscard]] virtual std::uint32_t pick(const Pool& pool, const Request& request, Seconds now) = 0;
    /// A replica went up or down, was given a request or got rid of one, or uses fewer KV blocks than before.
    virtual void changed(const Pool& pool, std::uint32_t replica) {
        static_cast<void>(pool);
        static_cast<void>(replica);
    }
};

/// A router as one file of simulator/routers registers it.
struct RouterKind {
    std::string description;
    std::function<std::unique_ptr<Router>(const RouterSettings&)> make;
};

/// The `attempt`-th replica that is up in the order that a key prefers: the same for a key whatever the load, spread
/// evenly over the replicas, and for the keys of a replica that is down spread over the others.
[[nodiscard]] std::uint32_t preferred_replica(const Pool& pool, std::uint64_t key, std::uint32_t& attempt);

/// All routers, by the name that a user gives.
[[nodiscard]] const Registry<RouterKind>& routers();

}  // namespace plimsoll
