#pragma once
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "simulator/control_queue.hpp"
#include "simulator/random.hpp"
#include "simulator/router.hpp"
#include "simulator/simulation.hpp"
#include "simulator/tournament.hpp"

namespace plimsoll {

/// One replica of a pool; they may differ. What is pointed to must outlive the cluster.
struct ReplicaSpec {
    const StepTimer* timer = nullptr;
    const SchedulerKind* scheduler = nullptr;
    SchedulerSettings settings;
    Seconds start_up{};   ///< from being started (added, recovered) to taking requests
    bool present = true;  ///< from the beginning, and warm; otherwise a `ReplicaChange` starts it
};

/// Something that is done to a replica, or befalls it.
struct ReplicaChange {
    enum class Kind {
        start,  ///< added or recovered: takes requests once its start-up is over
        fail,   ///< at once; what it was working on and its KV are gone
        drain   ///< takes no more requests, and answers those that it has
    };
    Seconds time{};
    std::uint32_t replica = 0;
    Kind kind = Kind::fail;
};

/// Failures by chance: every replica is up for an exponential time, then down for one, then starts up.
struct RandomFailures {
    Seconds mean_up = never;
    Seconds mean_down{};
    std::uint64_t seed = 1;
};

/// The clients' side: what they put up with.
struct ClientRules {
    enum class Waits {
        for_first_token,
        for_answer  ///< the whole of it
    };
    Seconds patience = never;  ///< of an attempt; then the client goes away
    Waits waits = Waits::for_first_token;
    bool cancels = true;        ///< going away stops the engine's work on it after the step under way
    std::uint32_t retries = 0;  ///< further attempts after one that failed (gave up, lost, no room)
    Seconds retry_delay{};
};

/// Whether the scheduler computes only what is left of a prompt whose KV has come from elsewhere; one that prefills
/// whole prompts does not, and cannot decode for others.
[[nodiscard]] bool continues_prefill(const ReplicaSpec& spec);

/// Prefill and decode on different replicas. A request's first token comes from the prefill replica, and that is its
/// TTFT; then its KV goes over a link to a decode replica, where it goes on with the second token. A transfer begins
/// when the decode replica has blocks for it that nobody waits for; until its end the KV stays on the prefill replica,
/// which takes no new requests while it holds more than it may. A link does one transfer at a time, in order.
struct Disaggregation {
    enum class Link {
        of_prefill_replica,  ///< each sends on one of its own
        of_decode_replica    ///< each receives on one of its own
    };
    std::vector<ReplicaSpec> decode;  ///< their schedulers must continue a prefill
    const RouterKind* router = nullptr;
    Bytes kv_per_token{};
    BytesPerSecond bandwidth{};
    Seconds latency{};  ///< after the last byte has left; the link is free by then
    Link link = Link::of_prefill_replica;
    std::uint64_t most_held_tokens = unlimited_steps;  ///< KV on a prefill replica that waits to be sent
};

/// What befalls the replicas, and what clients and prefill replicas do about it.
struct ClusterConditions {
    std::uint32_t most_outstanding = std::numeric_limits<std::uint32_t>::max();  ///< a replica; more is refused
    ClientRules clients;
    std::vector<ReplicaChange> changes;  ///< replicas count through: those that decode after the others
    RandomFailures failures;
    bool resubmit_lost = false;  ///< a failed replica's requests begin again elsewhere; otherwise that is an error
    std::optional<Disaggregation> disaggregation;

    /// Whether a single replica is more than the loop of one replica can simulate.
    [[nodiscard]] bool any() const;
};

/// Several replicas behind a router.
struct ClusterSettings : ClusterConditions {
    std::vector<ReplicaSpec> replicas;  ///< all, or with disaggregation those that prefill
    const RouterKind* router = nullptr;
    RouterSettings routing;  ///< `replicas` and `stream` are filled in
};

/// What a run of a cluster counted. Every request sent is answered, refused, timed out or lost in the end.
struct ClusterCounts : RunCounts {
    std::uint64_t timed_out = 0;    ///< requests whose clients went away
    std::uint64_t lost = 0;         ///< requests lost with a replica
    std::uint64_t retries = 0;      ///< attempts beyond the first
    std::uint64_t resubmitted = 0;  ///< times a lost request began again
    std::uint64_t failures = 0;     ///< of replicas
    std::uint64_t transfers = 0;    ///< of a request's KV, completed
    std::uint64_t transferred_tokens = 0;
};

/// Runs requests through the replicas. At equal times arrivals come first, then steps end, then what is due of changes,
/// time-outs and transfers, then steps begin; replicas in order of their index. With one replica and nothing else it
/// does what `simulate` does.
///
/// While no replica is up requests wait for one.
class Cluster {
  public:
    Cluster(const ClusterSettings& settings, RequestTable& requests);

    /// Once.
    ClusterCounts run(Source& source, Observer* observer = nullptr, const RunLimits& limits = {});
    [[nodiscard]] const Replica& replica(std::uint32_t index) const { return replicas_[index]; }

  private:
    /// Replicas that share a router.
    struct Group {
        std::uint32_t first;
        Pool pool;
        std::unique_ptr<Router> router;
        RequestList lobby{};  ///< requests that found no replica up
    };
    struct Member {
        bool begins = true;                 ///< its next event is the beginning of a step, not an end
        bool started = false;               ///< up or starting up
        std::uint32_t life = 0;             ///< counts its failures
        std::uint64_t held_tokens = 0;      ///< prefill: KV that is still to be sent
        std::uint64_t promised_blocks = 0;  ///< decode: for KV on its way
        RequestList gate{};                 ///< prefill: requests that wait until it holds less
    };
    /// What the cluster keeps of a request beside its row.
    struct Journey {
        enum class Stage : std::uint8_t { none, lobby, gate, engine, link, sending, flying, away };
        std::uint32_t prompt = 0, output = 0, max_output = 0, cached = 0;  ///< as asked
        std::uint32_t prefill = 0, decode = 0;                             ///< replicas
        std::uint32_t attempt = 0;
        std::uint32_t submission = 0;  ///< times that it was given to a replica
        Stage stage = Stage::none;
        bool decodes = false;    ///< disaggregation: its prefill is done
        bool abandoned = false;  ///< its client went away, an engine still has it
    };
    struct Link {
        RequestList queue{};
        bool busy = false;
        std::uint32_t sending = no_request;
    };

    // cluster.cpp: the loop, routing, answers.
    void add_replicas(const std::vector<ReplicaSpec>& specs);
    void add_group(std::uint32_t first, const RouterKind& kind);
    void take_arrival();
    void ask(std::uint32_t id);
    void tell(std::uint32_t id);
    void attempt(std::uint32_t id);
    void route(std::uint32_t id);
    void submit(std::uint32_t index, std::uint32_t id);
    void advance_replica(std::uint32_t index);
    std::span<const std::uint32_t> advance(std::uint32_t index);
    void answered(std::uint32_t id, std::uint32_t index);
    void unanswered(std::uint32_t id, Request::Outcome why);
    void end(std::uint32_t id);
    void forget(std::uint32_t id);
    [[nodiscard]] bool nothing_else_now() const;
    void give_back(std::uint32_t index);
    void tell_router(std::uint32_t index);
    void reschedule(std::uint32_t index);
    [[nodiscard]] Group& group_of(std::uint32_t index) { return groups_[index < front_count_ ? 0 : 1]; }

    // cluster_changes.cpp: replicas that come and go, clients that give up.
    void control(const Control& due);
    void schedule_changes();
    void start(std::uint32_t index);
    void set_up(std::uint32_t index, bool up);
    void fail(std::uint32_t index);
    void find_lost(std::uint32_t index);
    void time_out(std::uint32_t id);
    void cancel(std::uint32_t id, std::uint32_t index);
    void attempt_failed(std::uint32_t id, Request::Outcome why);
    void begin_again(std::uint32_t id);
    void leave(std::uint32_t id);
    [[nodiscard]] std::uint32_t copy_of(std::uint32_t id);
    [[nodiscard]] bool meant(const Control& due, std::uint32_t count, Journey::Stage stage) const;

    // cluster_transfer.cpp: from prefill to decode.
    void send_to(std::uint32_t decode, std::uint32_t id);
    void start_transfer(std::uint32_t link);
    void end_transfer(std::uint32_t link);
    void deliver(std::uint32_t id);
    void free_kv(std::uint32_t id);
    void open_gate(std::uint32_t prefill);
    void look_for_room(std::uint32_t decode);
    void resume_transfers();
    [[nodiscard]] std::uint32_t link_of(const Journey& journey) const;
    [[nodiscard]] bool gate_shut(std::uint32_t prefill) const;
    [[nodiscard]] bool has_room(std::uint32_t id) const;
    [[nodiscard]] std::uint64_t blocks_on_arrival(std::uint32_t id) const;

    ClusterSettings settings_;
    RequestTable& requests_;
    std::uint32_t front_count_;
    std::vector<Replica> replicas_;
    std::vector<Member> members_;
    std::vector<Group> groups_;
    Tournament events_;
    ControlQueue controls_;
    std::vector<Journey> journeys_;  ///< by request id
    std::vector<Link> links_;
    std::vector<RandomStream> failure_times_;  ///< by replica
    std::vector<std::uint32_t> lost_;
    Source* source_ = nullptr;
    Observer* observer_ = nullptr;
    ClusterCounts counts_;
    Seconds now_{};
    std::uint64_t ended_ = 0, most_ended_ = 0;
    std::uint64_t present_ = 0;  ///< requests taken and not ended
};

}  // namespace plimsoll
