#include "simulator/cluster.hpp"

namespace plimsoll {
namespace {

class FirstStep final : public Observer {
  public:
    void stride(const Stride& stride) override { seen = stride; }
    void finished(const Request&) override {}
    Stride seen;
};

}  // namespace

/// Asks it: two requests, a longer and a shorter one, with all but one token of their prompts there. It should compute
/// those tokens and hold KV for the whole prompts.
bool continues_prefill(const ReplicaSpec& spec) {
    RequestTable requests(2);
    Replica replica(requests, *spec.timer, *spec.scheduler, spec.settings);
    const KvPool& kv = replica.state().kv();
    std::uint64_t blocks[2] = {};
    for (std::uint32_t i = 0; i < 2; ++i) {
        const std::uint32_t id = requests.add(), there = (2 - i) * spec.settings.block_tokens;
        requests[id].prompt = there + 1;
        requests[id].output = requests[id].max_output = 2;
        requests[id].cached = there;
        if (!replica.submit(id, Seconds{})) return false;
        blocks[i] = kv.blocks_for(there + 1);
    }
    FirstStep first;
    while (replica.strides() == 0 && replica.next_event() < never) replica.advance(&first);
    const Stride& seen = first.seen;
    const std::uint64_t due = seen.prompt_chunks > 1 ? blocks[0] + blocks[1] : blocks[0];
    return seen.prompt_chunks > 0 && seen.prompt_tokens == seen.prompt_chunks && seen.kv_blocks >= due;
}

/// A decode replica has been chosen: the request's KV queues for the link.
void Cluster::send_to(std::uint32_t decode, std::uint32_t id) {
    Journey& journey = journeys_[id];
    journey.decode = decode;
    if (blocks_on_arrival(id) > replicas_[decode].state().kv().blocks()) {
        const std::uint32_t prefill = journey.prefill;
        free_kv(id);
        give_back(decode);
        unanswered(id, Request::Outcome::refused);
        return open_gate(prefill);
    }
    journey.stage = Journey::Stage::link;
    const std::uint32_t link = link_of(journey);
    links_[link].queue.push_back(requests_, id);
    start_transfer(link);
}

/// Sends the first in the queue if the link is free and its replica has room.
void Cluster::start_transfer(std::uint32_t index) {
    Link& link = links_[index];
    if (link.busy || link.queue.empty() || !has_room(link.queue.front())) return;
    const std::uint32_t id = link.queue.front();
    Journey& journey = journeys_[id];
    link.queue.remove(requests_, id);
    link.busy = true;
    link.sending = id;
    journey.stage = Journey::Stage::sending;
    members_[journey.decode].promised_blocks += blocks_on_arrival(id);
    const Seconds takes = settings_.disaggregation->kv_per_token * journey.prompt / settings_.disaggregation->bandwidth;
    // A pipeline may still be at work on the prompt, with the next one behind it.
    const Seconds whole = std::max(now_, requests_[id].first_token);
    controls_.push({.time = whole + takes, .kind = Control::Kind::transferred, .subject = index});
}

/// The last byte has left.
void Cluster::end_transfer(std::uint32_t index) {
    Link& link = links_[index];
    const std::uint32_t id = link.sending;
    link.busy = false;
    link.sending = no_request;
    if (id != no_request) {
        Journey& journey = journeys_[id];
        journey.stage = Journey::Stage::flying;
        ++counts_.transfers;
        counts_.transferred_tokens += journey.prompt;
        free_kv(id);
        controls_.push({.time = now_ + settings_.disaggregation->latency,
                        .kind = Control::Kind::delivered,
                        .subject = id,
                        .sequence = requests_[id].sequence,
                        .count = journey.submission});
    }
    start_transfer(index);
    if (id != no_request) open_gate(journeys_[id].prefill);
}

/// The KV has arrived. The first token counts as part of the prompt: the engine has that one token left to compute,
/// which is the request's first decode step.
void Cluster::deliver(std::uint32_t id) {
    const Journey& journey = journeys_[id];
    const std::uint32_t decode = journey.decode;
    members_[decode].promised_blocks -= blocks_on_arrival(id);
    Request& request = requests_[id];
    request.prompt = journey.prompt + 1;
    request.output = journey.output - 1;
    request.max_output = journey.max_output - 1;
    request.cached = journey.prompt;
    submit(decode, id);
    look_for_room(decode);
}

/// The prefill replica keeps the request's KV no longer.
void Cluster::free_kv(std::uint32_t id) {
    members_[journeys_[id].prefill].held_tokens -= journeys_[id].prompt;
}

/// Whether a prefill replica holds too much to take new requests.
bool Cluster::gate_shut(std::uint32_t prefill) const {
    return settings_.disaggregation && members_[prefill].held_tokens > settings_.disaggregation->most_held_tokens;
}

void Cluster::open_gate(std::uint32_t prefill) {
    RequestList& gate = members_[prefill].gate;
    while (!gate.empty() && !gate_shut(prefill)) {
        const std::uint32_t id = gate.front();
        gate.remove(requests_, id);
        submit(prefill, id);
    }
}

/// Blocks of a decode replica may have become free.
void Cluster::look_for_room(std::uint32_t decode) {
    if (settings_.disaggregation->link == Disaggregation::Link::of_decode_replica)
        return start_transfer(decode - front_count_);
    for (std::uint32_t link = 0; link < links_.size(); ++link) start_transfer(link);
}

/// Queues and limits have changed all over.
void Cluster::resume_transfers() {
    for (std::uint32_t link = 0; link < links_.size(); ++link) start_transfer(link);
    for (std::uint32_t i = 0; i < front_count_; ++i) open_gate(i);
}

std::uint32_t Cluster::link_of(const Journey& journey) const {
    return settings_.disaggregation->link == Disaggregation::Link::of_prefill_replica ? journey.prefill
                                                                                      : journey.decode - front_count_;
}

/// Whether the decode replica has blocks for the request beside those that are promised or waited for.
bool Cluster::has_room(std::uint32_t id) const {
    const std::uint32_t decode = journeys_[id].decode;
    const Replica& replica = replicas_[decode];
    const EngineState& state = replica.state();
    std::uint64_t needed = replica.kv_blocks_used(now_) + members_[decode].promised_blocks + blocks_on_arrival(id);
    for (std::uint32_t other = state.waiting().front(); other != no_request && needed <= state.kv().blocks();
         other = requests_[other].next)
        needed += state.kv().blocks_for(state[other].target);
    return needed <= state.kv().blocks();
}

/// For the prompt and the first token.
std::uint64_t Cluster::blocks_on_arrival(std::uint32_t id) const {
    const Journey& journey = journeys_[id];
    return replicas_[journey.decode].state().kv().blocks_for(std::uint64_t{journey.prompt} + 1);
}

}  // namespace plimsoll
