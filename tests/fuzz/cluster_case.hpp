#pragma once
#include <algorithm>
#include <cstdint>
#include <span>
#include <vector>

#include "simulator/affine_timer.hpp"
#include "simulator/cluster.hpp"

namespace plimsoll {

/// Choices that are read from bytes; zeros follow the last one.
class Choices {
  public:
    explicit Choices(std::span<const std::uint8_t> bytes) : bytes_(bytes) {}

    std::uint32_t below(std::uint32_t bound) {
        const std::uint32_t low = next();
        return (bound <= 256 ? low : low + 256 * next()) % bound;
    }
    std::uint32_t between(std::uint32_t least, std::uint32_t most) { return least + below(most - least + 1); }
    bool one_in(std::uint32_t count) { return below(count) == count - 1; }
    template <class T, class... More>
    T one_of(T first, More... more) {
        const T all[]{first, static_cast<T>(more)...};
        return all[below(1 + sizeof...(More))];
    }

  private:
    std::uint32_t next() {
        if (bytes_.empty()) return 0;
        const std::uint8_t byte = bytes_.front();
        bytes_ = bytes_.subspan(1);
        return byte;
    }
    std::span<const std::uint8_t> bytes_;
};

/// A small cluster and some requests for it, out of any bytes. Times lie on a grid of hundredths of a second, so that
/// much happens at the same time; every replica that goes away comes back, so that everything can be answered.
struct ClusterCase {
    /// `scheduler` and `router` take the place of what the bytes name.
    explicit ClusterCase(std::span<const std::uint8_t> bytes, const SchedulerKind* scheduler = nullptr,
                         const RouterKind* router = nullptr)
        : choices_(bytes), scheduler_(scheduler), router_(router), timer(draw_timer()) {
        settings.router = draw_router();
        const std::uint32_t replicas = choices_.between(1, 4);
        const ReplicaSpec alike = draw_replica();
        const bool mixed = choices_.one_in(3);
        for (std::uint32_t i = 0; i < replicas; ++i) settings.replicas.push_back(mixed ? draw_replica() : alike);
        if (choices_.one_in(3)) draw_disaggregation();
        if (choices_.one_in(2)) draw_clients();
        if (choices_.one_in(2)) draw_changes();
        settings.most_outstanding = choices_.one_in(4) ? choices_.between(1, 12) : settings.most_outstanding;
        settings.routing.seed = choices_.below(256);
        draw_arrivals();
    }
    ClusterCase(const ClusterCase&) = delete;
    ClusterCase& operator=(const ClusterCase&) = delete;

    /// Whether all that happens is that requests go through one replica.
    [[nodiscard]] bool plain() const {
        return settings.replicas.size() == 1 && settings.changes.empty() && settings.failures.mean_up == never &&
               settings.clients.patience == never && !settings.disaggregation &&
               settings.most_outstanding >= arrivals.size();
    }
    [[nodiscard]] const ReplicaSpec& replica(std::uint32_t index) const {
        const auto front = static_cast<std::uint32_t>(settings.replicas.size());
        return index < front ? settings.replicas[index] : settings.disaggregation->decode[index - front];
    }

  private:
    Choices choices_;
    const SchedulerKind* scheduler_;
    const RouterKind* router_;

  public:
    Seconds constant{};  ///< least time of a step
    AffineTimer timer;
    ClusterSettings settings;
    std::vector<Arrival> arrivals;  ///< tags count up

  private:
    AffineTimer::Coefficients draw_timer() {
        constant = Seconds(0.01 * choices_.between(1, 4));
        return {.constant = constant,
                .per_prompt_token = Seconds(choices_.one_of(0.0, 1e-4)),
                .per_decode = Seconds(choices_.one_of(0.0, 1e-3)),
                .per_context_token = Seconds(choices_.one_of(0.0, 1e-6, 1e-5))};
    }
    const RouterKind* draw_router() {
        const auto drawn = choices_.below(static_cast<std::uint32_t>(routers().names().size()));
        return router_ != nullptr ? router_ : &(routers().begin() + drawn)->second;
    }

    SchedulerSettings draw_settings(const SchedulerKind& kind) {
        SchedulerSettings drawn = kind.defaults;
        drawn.max_sequences = choices_.between(1, 8);
        drawn.max_step_tokens = std::max(drawn.max_sequences, choices_.one_of(16u, 64u, 300u));
        drawn.block_tokens = choices_.one_of(16u, 1u, 5u);
        drawn.watermark = choices_.one_of(0.0, 0.01, 0.2);
        drawn.padded_prefill = choices_.one_in(2);
        drawn.preemption = choices_.one_of(PreemptionMode::recompute, PreemptionMode::swap);
        drawn.swap_blocks = choices_.below(40);
        drawn.swap_per_block = Seconds(choices_.one_of(0.0, 0.01));
        drawn.waiting_served_ratio = choices_.one_of(0.0, 0.3, 1.2);
        drawn.max_waiting_tokens = choices_.below(12);
        drawn.chunk_tokens = choices_.one_of(0u, 8u, 40u);
        drawn.new_token_ratio = choices_.one_of(0.1, 0.7);
        drawn.least_new_token_ratio = 0.05;
        drawn.new_token_ratio_decay_steps = choices_.between(1, 50);
        drawn.ubatch_tokens = choices_.one_of(0u, 8u, 20u);
        if (kind.refusal && kind.refusal(drawn)) drawn.block_tokens = 1;
        drawn.kv_blocks = choices_.between(60, 500) / drawn.block_tokens + 1;
        PLIMSOLL_ASSERT(!kind.refusal || !kind.refusal(drawn));
        return drawn;
    }
    ReplicaSpec draw_replica() {
        const auto drawn = choices_.below(static_cast<std::uint32_t>(schedulers().names().size()));
        const SchedulerKind& kind = scheduler_ != nullptr ? *scheduler_ : (schedulers().begin() + drawn)->second;
        return {.timer = &timer,
                .scheduler = &kind,
                .settings = draw_settings(kind),
                .start_up = Seconds(0.01 * choices_.below(100)),
                .present = !choices_.one_in(6)};
    }

    void draw_disaggregation() {
        Disaggregation split;
        for (std::uint32_t count = choices_.between(1, 3); count > 0; --count) {
            ReplicaSpec spec = draw_replica();
            if (!continues_prefill(spec)) {
                spec.scheduler = schedulers().find("sarathi");
                spec.settings = draw_settings(*spec.scheduler);
            }
            // Too few tokens or blocks for the question whether it continues two prompts at once.
            if (continues_prefill(spec)) split.decode.push_back(spec);
        }
        if (split.decode.empty()) return;
        split.router = draw_router();
        split.kv_per_token = Bytes(1);
        split.bandwidth = BytesPerSecond(choices_.one_of(1e3, 1e5));
        split.latency = Seconds(choices_.one_of(0.0, 0.01));
        split.link = choices_.one_of(Disaggregation::Link::of_prefill_replica, Disaggregation::Link::of_decode_replica);
        if (choices_.one_in(2)) split.most_held_tokens = choices_.below(300);
        settings.disaggregation = std::move(split);
    }

    void draw_clients() {
        settings.clients = {
            .patience = Seconds(0.01 * choices_.between(5, 250)),
            .waits = choices_.one_of(ClientRules::Waits::for_first_token, ClientRules::Waits::for_answer),
            .cancels = !choices_.one_in(3),
            .retries = choices_.below(3),
            .retry_delay = Seconds(0.01 * choices_.below(50))};
    }

    void draw_changes() {
        using Kind = ReplicaChange::Kind;
        const auto replicas = static_cast<std::uint32_t>(
            settings.replicas.size() + (settings.disaggregation ? settings.disaggregation->decode.size() : 0));
        settings.resubmit_lost = choices_.one_in(2);
        for (std::uint32_t count = choices_.below(7); count > 0; --count)
            settings.changes.push_back({.time = Seconds(0.01 * choices_.below(600)),
                                        .replica = choices_.below(replicas),
                                        .kind = choices_.one_of(Kind::fail, Kind::start, Kind::drain)});
        if (choices_.one_in(3))
            settings.failures = {.mean_up = Seconds(choices_.between(20, 60)),
                                 .mean_down = Seconds(choices_.between(1, 5)),
                                 .seed = choices_.below(256)};
    }

    void draw_arrivals() {
        Seconds time{};
        for (std::uint32_t count = choices_.between(1, 32); count > 0; --count) {
            time += Seconds(0.01 * choices_.one_of(0u, 1u, choices_.below(30), choices_.below(300)));
            const std::uint32_t output = choices_.between(1, choices_.one_of(4u, 60u));
            arrivals.push_back({.time = time,
                                .prompt = choices_.between(1, choices_.one_of(20u, 120u, 600u)),
                                .output = output,
                                .max_output = output + choices_.one_of(0u, 30u),
                                .tag = arrivals.size()});
        }
        // Long after everything else whoever is gone comes back.
        const std::size_t replicas =
            settings.replicas.size() + (settings.disaggregation ? settings.disaggregation->decode.size() : 0);
        for (std::uint32_t i = 0; i < replicas; ++i)
            if (!settings.changes.empty() || !replica(i).present)
                settings.changes.push_back(
                    {.time = time + Seconds(1e4), .replica = i, .kind = ReplicaChange::Kind::start});
    }
};

}  // namespace plimsoll
