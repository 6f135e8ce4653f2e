#include <algorithm>

#include "simulator/cluster.hpp"

namespace plimsoll {

using Kind = Control::Kind;

void Cluster::control(const Control& due) {
    switch (due.kind) {
        case Kind::start:
            return start(due.subject);
        case Kind::ready:
            if (members_[due.subject].life == due.count && members_[due.subject].started) set_up(due.subject, true);
            return;
        case Kind::fail:
            if (due.count == ControlQueue::any || due.count == members_[due.subject].life) fail(due.subject);
            return;
        case Kind::drain:
            members_[due.subject].started = false;
            return set_up(due.subject, false);
        case Kind::time_out:
            if (meant(due, journeys_[due.subject].attempt, journeys_[due.subject].stage)) time_out(due.subject);
            return;
        case Kind::retry:
            if (meant(due, journeys_[due.subject].attempt, Journey::Stage::away)) attempt(due.subject);
            return;
        case Kind::transferred:
            return end_transfer(due.subject);
        case Kind::delivered:
            if (meant(due, journeys_[due.subject].submission, Journey::Stage::flying)) deliver(due.subject);
            return;
    }
}

/// Whether the request that was meant is still there, and where it was then.
bool Cluster::meant(const Control& due, std::uint32_t count, Journey::Stage stage) const {
    const Journey::Stage now = journeys_[due.subject].stage;
    return now != Journey::Stage::none && now == stage && requests_[due.subject].sequence == due.sequence &&
           count == due.count;
}

void Cluster::schedule_changes() {
    const auto add = [this](const std::vector<ReplicaSpec>& specs, std::uint32_t first) {
        for (std::uint32_t i = 0; i < specs.size(); ++i) {
            if (!specs[i].present) continue;
            members_[first + i].started = true;
            set_up(first + i, true);
        }
    };
    add(settings_.replicas, 0);
    if (settings_.disaggregation) add(settings_.disaggregation->decode, front_count_);
    for (const ReplicaChange& change : settings_.changes) {
        PLIMSOLL_ASSERT(change.replica < replicas_.size());
        const Kind kind = change.kind == ReplicaChange::Kind::start  ? Kind::start
                          : change.kind == ReplicaChange::Kind::fail ? Kind::fail
                                                                     : Kind::drain;
        controls_.push({.time = change.time, .kind = kind, .subject = change.replica, .count = ControlQueue::any});
    }
}

void Cluster::start(std::uint32_t index) {
    Member& member = members_[index];
    if (member.started) return;
    member.started = true;
    const Seconds start_up = index < front_count_ ? settings_.replicas[index].start_up
                                                  : settings_.disaggregation->decode[index - front_count_].start_up;
    controls_.push({.time = now_ + start_up, .kind = Kind::ready, .subject = index, .count = member.life});
}

void Cluster::set_up(std::uint32_t index, bool up) {
    Group& group = group_of(index);
    group.pool.set_up(index - group.first, up);
    group.router->changed(group.pool, index - group.first);
    if (!up) return;
    if (settings_.failures.mean_up < never)
        controls_.push({.time = now_ + settings_.failures.mean_up * failure_times_[index].exponential(),
                        .kind = Kind::fail,
                        .subject = index,
                        .count = members_[index].life});
    while (!group.lobby.empty()) {
        const std::uint32_t id = group.lobby.front();
        group.lobby.remove(requests_, id);
        route(id);
    }
}

void Cluster::fail(std::uint32_t index) {
    Member& member = members_[index];
    if (!member.started && group_of(index).pool.outstanding(index - group_of(index).first) == 0) return;
    ++counts_.failures;
    ++member.life;
    member.started = false;
    set_up(index, false);
    find_lost(index);
    for (const std::uint32_t id : lost_) leave(id);
    member.begins = true;
    reschedule(index);
    if (settings_.failures.mean_up < never)
        controls_.push({.time = now_ + settings_.failures.mean_down * failure_times_[index].exponential(),
                        .kind = Kind::start,
                        .subject = index});
    for (const std::uint32_t id : lost_) {
        if (journeys_[id].abandoned) {
            forget(id);
        } else if (settings_.resubmit_lost) {
            ++counts_.resubmitted;
            begin_again(id);
            route(id);
        } else {
            attempt_failed(id, Request::Outcome::lost);
        }
    }
    resume_transfers();
}

/// Requests that are lost with a replica, in order of arrival: those in its engine, those that wait for it, and those
/// whose KV it holds, sends or is to receive.
void Cluster::find_lost(std::uint32_t index) {
    const auto dropped = replicas_[index].drop_all();
    lost_.assign(dropped.begin(), dropped.end());
    for (std::uint32_t id = 0; id < journeys_.size(); ++id) {
        using Stage = Journey::Stage;
        const Journey& journey = journeys_[id];
        const Stage stage = journey.stage;
        const bool gated = stage == Stage::gate && journey.prefill == index;
        const bool held = (stage == Stage::lobby && journey.decodes) || stage == Stage::link || stage == Stage::sending;
        const bool coming = stage == Stage::link || stage == Stage::sending || stage == Stage::flying;
        if (gated || (held && journey.prefill == index) || (coming && journey.decode == index)) lost_.push_back(id);
    }
    std::sort(lost_.begin(), lost_.end(),
              [this](std::uint32_t a, std::uint32_t b) { return requests_[a].sequence < requests_[b].sequence; });
}

/// The client's patience with an attempt is over. What waits outside of an engine goes away at once; an engine that is
/// told drops it after the step under way, and one that is not goes on.
void Cluster::time_out(std::uint32_t id) {
    const Journey& journey = journeys_[id];
    if (journey.abandoned || journey.stage == Journey::Stage::away) return;
    const bool for_first_token = settings_.clients.waits == ClientRules::Waits::for_first_token;
    if (for_first_token && requests_[id].first_token < never) return;
    if (journey.stage == Journey::Stage::engine) {
        if (settings_.clients.cancels) cancel(id, journey.decodes ? journey.decode : journey.prefill);
        return attempt_failed(copy_of(id), Request::Outcome::timed_out);
    }
    leave(id);
    attempt_failed(id, Request::Outcome::timed_out);
    resume_transfers();
}

void Cluster::cancel(std::uint32_t id, std::uint32_t index) {
    if (replicas_[index].next_event() == never) members_[index].begins = true;
    replicas_[index].cancel(id, now_);
    reschedule(index);
}

/// The client's side of a request that an engine still has, as a row of its own.
std::uint32_t Cluster::copy_of(std::uint32_t id) {
    const std::uint32_t copy = requests_.add();
    if (copy >= journeys_.size()) journeys_.resize(2 * std::size_t{copy});
    requests_[copy].tag = requests_[id].tag;
    requests_[copy].arrival = requests_[id].arrival;
    if (requests_.described(id)) {
        const Content content = requests_.content(id).content;
        requests_.describe(copy, content);
    }
    journeys_[copy] = journeys_[id];
    journeys_[id].abandoned = true;
    return copy;
}

/// One attempt has failed, and the request is in nobody's hands; the client tries again, or it has ended.
void Cluster::attempt_failed(std::uint32_t id, Request::Outcome why) {
    Journey& journey = journeys_[id];
    if (journey.attempt > settings_.clients.retries) return unanswered(id, why);
    ++counts_.retries;
    begin_again(id);
    journey.stage = Journey::Stage::away;
    controls_.push({.time = now_ + settings_.clients.retry_delay,
                    .kind = Kind::retry,
                    .subject = id,
                    .sequence = requests_[id].sequence,
                    .count = journey.attempt});
}

/// Nothing of the request has been done.
void Cluster::begin_again(std::uint32_t id) {
    Request& request = requests_[id];
    request.scheduled = request.first_token = request.finished = never;
    journeys_[id].decodes = false;
    ask(id);
}

/// Takes a request out of wherever it is; an engine has dropped it already.
void Cluster::leave(std::uint32_t id) {
    const Journey& journey = journeys_[id];
    switch (journey.stage) {
        case Journey::Stage::lobby:
            groups_[journey.decodes ? 1 : 0].lobby.remove(requests_, id);
            if (journey.decodes) free_kv(id);
            return;
        case Journey::Stage::gate:
            members_[journey.prefill].gate.remove(requests_, id);
            return give_back(journey.prefill);
        case Journey::Stage::engine:
            return give_back(journey.decodes ? journey.decode : journey.prefill);
        case Journey::Stage::link:
            links_[link_of(journey)].queue.remove(requests_, id);
            free_kv(id);
            return give_back(journey.decode);
        case Journey::Stage::sending:
            links_[link_of(journey)].sending = no_request;
            free_kv(id);
            [[fallthrough]];
        case Journey::Stage::flying:
            members_[journey.decode].promised_blocks -= blocks_on_arrival(id);
            return give_back(journey.decode);
        case Journey::Stage::away:
        case Journey::Stage::none:
            return;
    }
}

}  // namespace plimsoll
