#include "simulator/cluster.hpp"

#include <algorithm>
#include <bit>

namespace plimsoll {
namespace {

/// Orders the replicas' events by time, at equal times ends before beginnings: the bits of times that are not negative
/// are in the order of the times, and leave the sign bit free.
std::uint64_t event_key(Seconds time, bool begins) {
    return (std::bit_cast<std::uint64_t>(time.value()) << 1) | (begins ? 1 : 0);
}
Seconds event_time(std::uint64_t key) {
    return Seconds(std::bit_cast<double>(key >> 1));
}
bool event_begins(std::uint64_t key) {
    return (key & 1) != 0;
}

std::uint32_t replicas_of(const ClusterSettings& settings) {
    const std::size_t decode = settings.disaggregation ? settings.disaggregation->decode.size() : 0;
    return static_cast<std::uint32_t>(settings.replicas.size() + decode);
}

}  // namespace

bool ClusterConditions::any() const {
    return most_outstanding < std::numeric_limits<std::uint32_t>::max() || clients.patience < never ||
           !changes.empty() || failures.mean_up < never || disaggregation.has_value();
}

Cluster::Cluster(const ClusterSettings& settings, RequestTable& requests)
    : settings_(settings),
      requests_(requests),
      front_count_(static_cast<std::uint32_t>(settings.replicas.size())),
      events_(replicas_of(settings)) {
    PLIMSOLL_ASSERT(front_count_ > 0 && settings.router != nullptr);
    const std::uint32_t count = replicas_of(settings_);
    replicas_.reserve(count);
    groups_.reserve(2);
    add_replicas(settings_.replicas);
    if (const auto& split = settings_.disaggregation) {
        PLIMSOLL_ASSERT(!split->decode.empty() && split->router != nullptr && split->bandwidth > BytesPerSecond{});
        for (const ReplicaSpec& spec : split->decode) PLIMSOLL_ASSERT(continues_prefill(spec));
        add_replicas(split->decode);
        links_.resize(split->link == Disaggregation::Link::of_prefill_replica ? front_count_ : count - front_count_);
    }
    members_.resize(count);
    for (std::uint32_t i = 0; i < count; ++i) failure_times_.emplace_back(settings_.failures.seed, "failures", i);
    add_group(0, *settings_.router);
    if (settings_.disaggregation) add_group(front_count_, *settings_.disaggregation->router);
    for (std::uint32_t i = 0; i < count; ++i) events_.set(i, event_key(never, true));
}

void Cluster::add_replicas(const std::vector<ReplicaSpec>& specs) {
    for (const ReplicaSpec& spec : specs) {
        PLIMSOLL_ASSERT(spec.timer != nullptr && spec.scheduler != nullptr);
        replicas_.emplace_back(requests_, *spec.timer, *spec.scheduler, spec.settings,
                               static_cast<std::uint32_t>(replicas_.size()));
    }
}

void Cluster::add_group(std::uint32_t first, const RouterKind& kind) {
    const auto end = first == 0 ? front_count_ : static_cast<std::uint32_t>(replicas_.size());
    RouterSettings routing = settings_.routing;
    routing.replicas = end - first;
    routing.stream = groups_.size();
    groups_.push_back({.first = first,
                       .pool = Pool(std::span<const Replica>(replicas_).subspan(first, end - first)),
                       .router = kind.make(routing)});
}

ClusterCounts Cluster::run(Source& source, Observer* observer, const RunLimits& limits) {
    source_ = &source;
    observer_ = observer;
    most_ended_ = limits.requests;
    schedule_changes();
    while (ended_ < most_ended_) {
        const Seconds arrival = source.next_time(), due = controls_.next_time();
        const std::uint64_t key = events_.best_key();
        const Seconds event = event_time(key);
        const Seconds next = std::min({arrival, due, event});
        const bool nobody_left = arrival == never && event == never && present_ == 0;
        if (next == never || next > limits.time || nobody_left) break;
        now_ = next;
        ++counts_.events;
        if (arrival == next)
            take_arrival();
        else if (due == next && (event > next || event_begins(key)))
            control(controls_.pop());
        else
            advance_replica(events_.best());
    }
    counts_.end = now_;
    for (const Replica& replica : replicas_) counts_.iterations += replica.iterations();
    counts_.stopped = present_ > 0 || source.next_time() < never;
    return counts_;
}

void Cluster::take_arrival() {
    const Arrival arrival = source_->take();
    const std::uint32_t id = requests_.add();
    if (id >= journeys_.size()) journeys_.resize(std::max<std::size_t>(1024, 2 * std::size_t{id}));
    requests_[id].tag = arrival.tag;
    requests_[id].arrival = arrival.time;
    requests_.describe(id, arrival.content);
    journeys_[id] = {
        .prompt = arrival.prompt, .output = arrival.output, .max_output = std::max(arrival.max_output, arrival.output)};
    ++present_;
    ask(id);
    attempt(id);
}

/// What the first replica is to do: all of it, or the prefill and its token.
void Cluster::ask(std::uint32_t id) {
    Request& request = requests_[id];
    const Journey& journey = journeys_[id];
    request.prompt = journey.prompt;
    request.cached = journey.cached;
    request.output = settings_.disaggregation ? 1 : journey.output;
    request.max_output = settings_.disaggregation ? 1 : journey.max_output;
}

/// What the client sees of it.
void Cluster::tell(std::uint32_t id) {
    Request& request = requests_[id];
    const Journey& journey = journeys_[id];
    request.prompt = journey.prompt;
    request.output = journey.output;
    request.max_output = journey.max_output;
    request.cached = journey.cached;
}

/// The client sends the request, for the first time or again.
void Cluster::attempt(std::uint32_t id) {
    const std::uint32_t number = ++journeys_[id].attempt;
    if (settings_.clients.patience < never)
        controls_.push({.time = (number == 1 ? requests_[id].arrival : now_) + settings_.clients.patience,
                        .kind = Control::Kind::time_out,
                        .subject = id,
                        .sequence = requests_[id].sequence,
                        .count = number});
    route(id);
}

void Cluster::route(std::uint32_t id) {
    Journey& journey = journeys_[id];
    Group& group = groups_[journey.decodes ? 1 : 0];
    if (group.pool.up_count() == 0) {
        journey.stage = Journey::Stage::lobby;
        group.lobby.push_back(requests_, id);
        return;
    }
    const std::uint32_t chosen = group.router->pick(group.pool, requests_[id], now_);
    const bool full = group.pool.outstanding(chosen) >= settings_.most_outstanding;
    if (full && !journey.decodes) return attempt_failed(id, Request::Outcome::refused);
    group.pool.give(chosen);
    group.router->changed(group.pool, chosen);
    ++journey.submission;
    const std::uint32_t index = group.first + chosen;
    if (journey.decodes) return send_to(index, id);
    journey.prefill = index;
    if (!gate_shut(index)) return submit(index, id);
    journey.stage = Journey::Stage::gate;
    members_[index].gate.push_back(requests_, id);
}

void Cluster::submit(std::uint32_t index, std::uint32_t id) {
    journeys_[id].stage = Journey::Stage::engine;
    Replica& replica = replicas_[index];
    if (replica.next_event() == never) members_[index].begins = true;
    if (replica.submit(id, now_)) return reschedule(index);
    give_back(index);
    unanswered(id, Request::Outcome::refused);
}

/// A step that begins may have given up KV (a preemption); at its end the requests that leave tell the router.
std::span<const std::uint32_t> Cluster::advance(std::uint32_t index) {
    Replica& replica = replicas_[index];
    const std::uint64_t used = replica.state().kv().used();
    const auto finished = replica.advance(observer_);
    if (finished.empty() && replica.state().kv().used() < used) tell_router(index);
    return finished;
}

void Cluster::advance_replica(std::uint32_t index) {
    Replica& replica = replicas_[index];
    const std::uint64_t strides = replica.strides();
    const auto finished = advance(index);
    for (const std::uint32_t id : finished) answered(id, index);
    if (index >= front_count_ && !finished.empty()) look_for_room(index);
    // The end of a step, or an engine's dropping of what is given up, comes before the beginning of a step.
    bool begins = replica.strides() != strides || replica.next_event() == now_;
    if (begins && nothing_else_now()) {
        // What would come next is the beginning of this replica's next step.
        ++counts_.events;
        advance(index);
        begins = false;
    }
    members_[index].begins = begins;
    reschedule(index);
}

/// Whether nothing but the replica that comes first has anything due by now.
bool Cluster::nothing_else_now() const {
    return source_->next_time() > now_ && controls_.next_time() > now_ && ended_ < most_ended_ &&
           event_time(events_.runner_up_key()) > now_;
}

/// A replica has done its part of a request.
void Cluster::answered(std::uint32_t id, std::uint32_t index) {
    give_back(index);
    Journey& journey = journeys_[id];
    if (journey.abandoned) return forget(id);
    Request& request = requests_[id];
    if (settings_.disaggregation && !journey.decodes && journey.output > 1) {
        journey.decodes = true;
        members_[index].held_tokens += journey.prompt;
        request.finished = never;
        return route(id);
    }
    if (settings_.disaggregation) tell(id);
    ++counts_.requests;
    if (observer_ != nullptr) observer_->finished(request);
    end(id);
}

/// The request has ended without its answer.
void Cluster::unanswered(std::uint32_t id, Request::Outcome why) {
    ++(why == Request::Outcome::refused     ? counts_.refused
       : why == Request::Outcome::timed_out ? counts_.timed_out
                                            : counts_.lost);
    begin_again(id);
    tell(id);
    requests_[id].outcome = why;
    requests_[id].finished = now_;
    if (observer_ != nullptr) observer_->unanswered(requests_[id]);
    end(id);
}

void Cluster::end(std::uint32_t id) {
    source_->finished(requests_[id]);
    ++ended_;
    --present_;
    forget(id);
}

void Cluster::forget(std::uint32_t id) {
    journeys_[id].stage = Journey::Stage::none;
    requests_.release(id);
}

void Cluster::give_back(std::uint32_t index) {
    group_of(index).pool.take_back(index - group_of(index).first);
    tell_router(index);
}

/// Something that routers go by has changed.
void Cluster::tell_router(std::uint32_t index) {
    Group& group = group_of(index);
    group.router->changed(group.pool, index - group.first);
}

void Cluster::reschedule(std::uint32_t index) {
    events_.set(index, event_key(replicas_[index].next_event(), members_[index].begins));
}

}  // namespace plimsoll
