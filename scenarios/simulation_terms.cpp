#include "scenarios/simulation_terms.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "model/base/error.hpp"
#include "simulator/scheduler.hpp"

namespace plimsoll {
namespace {

constexpr Range some_replicas{1, 100'000};
constexpr Range some_time{0, 1e9};
constexpr Range some_tokens{1, 1e9};
constexpr Range ratio{0, 1e3};

std::uint32_t small_integer(const Fields& fields, std::string_view key, Range range) {
    return static_cast<std::uint32_t>(fields.integer(key, range));
}

template <class Value>
void read_small(const Fields& fields, std::string_view key, Range range, std::optional<Value>& into) {
    if (given(fields, key)) into = static_cast<Value>(fields.integer(key, range));
}
void read_number(const Fields& fields, std::string_view key, Range range, std::optional<double>& into) {
    if (given(fields, key)) into = fields.number(key, range);
}

/// A name that must be in a registry.
template <class Kinds>
std::string read_name(const Fields& fields, std::string_view key, const char* what, const Kinds& kinds) {
    const std::string name = fields.string(key);
    static_cast<void>(kinds.at(name, what, fields.place(key)));
    return name;
}

EngineTerms read_engine_terms(const Fields& engine) {
    EngineTerms terms;
    for (const std::string& key : engine.keys()) terms.places[key] = engine.place(key);
    if (given(engine, "scheduler")) terms.scheduler = read_name(engine, "scheduler", "scheduler", schedulers());
    read_small(engine, "max_step_tokens", some_tokens, terms.max_step_tokens);
    read_small(engine, "kv_block_tokens", {1, 4096}, terms.block_tokens);
    read_small(engine, "kv_blocks", {1, 1e12}, terms.kv_blocks);
    read_number(engine, "watermark", {0, 0.5}, terms.watermark);
    if (given(engine, "padded_prefill")) terms.padded_prefill = engine.boolean("padded_prefill");
    read_number(engine, "waiting_served_ratio", ratio, terms.waiting_served_ratio);
    read_small(engine, "max_waiting_tokens", {0, 1e9}, terms.max_waiting_tokens);
    read_small(engine, "chunk_tokens", {0, 1e9}, terms.chunk_tokens);
    read_number(engine, "new_token_ratio", {0, 1}, terms.new_token_ratio);
    read_number(engine, "least_new_token_ratio", {0, 1}, terms.least_new_token_ratio);
    read_small(engine, "new_token_ratio_decay_steps", some_tokens, terms.new_token_ratio_decay_steps);
    read_small(engine, "ubatch_tokens", {0, 1e9}, terms.ubatch_tokens);
    read_small(engine, "reserved_output_tokens", {1, 1e6}, terms.reserved_output_tokens);
    engine.finish();
    return terms;
}

std::optional<SwapTerms> read_preemption(const Fields& preemption) {
    const bool swap = preemption.choice("mode", {"recompute", "swap"}) == 1;
    SwapTerms terms;
    terms.place = preemption.place();
    for (const std::string_view key : {"host_blocks", "time_per_block"})
        if (!swap && given(preemption, key)) preemption.fail(key, fmt::format("'{}' is for the mode swap", key));
    read_small(preemption, "host_blocks", {0, 1e12}, terms.host_blocks);
    if (given(preemption, "time_per_block"))
        terms.time_per_block = preemption.quantity<Seconds>("time_per_block", {0, 10});
    preemption.finish();
    return swap ? std::optional(terms) : std::nullopt;
}

PoolTerms read_pool(const Fields& pool, Catalog& catalog) {
    PoolTerms terms;
    terms.place = pool.place();
    terms.replicas = small_integer(pool, "replicas", some_replicas);
    if (given(pool, "node")) {
        terms.node = &catalog.nodes.at(pool.string("node"), pool.place("node"));
        terms.gpu = &catalog.gpus.at(terms.node->gpu, pool.place("node"));
        terms.efficiency = &catalog.classes.at(terms.gpu->efficiency_class, pool.place("node"));
    }
    if (given(pool, "engine")) terms.engine = &catalog.engines.at(pool.string("engine"), pool.place("engine"));
    if (given(pool, "weights")) terms.weights = parse_dtype(pool.string("weights"), pool.place("weights"));
    read_small(pool, "tensor_parallel", {1, 1024}, terms.tensor_parallel);
    read_small(pool, "pipeline_parallel", {1, 1024}, terms.pipeline_parallel);
    read_small(pool, "expert_parallel", {1, 1024}, terms.expert_parallel);
    read_small(pool, "attention_data_parallel", {1, 1024}, terms.attention_data_parallel);
    read_small(pool, "context_parallel", {1, 1024}, terms.context_parallel);
    read_small(pool, "hosts_per_instance", {1, 1024}, terms.hosts_per_instance);
    read_small(pool, "max_sequences", {1, 1e6}, terms.max_sequences);
    pool.finish();
    return terms;
}

ClientRules read_clients(const Fields& clients, Assumptions& assumptions) {
    ClientRules rules;
    const auto source = [&](const char* path) { return assumptions.source(clients, path); };
    if (given(clients, "patience")) {
        rules.patience = clients.quantity<Seconds>("patience", {1e-3, 1e9});
        const bool answer = source("simulation.clients.waits").choice("waits", {"first-token", "answer"}) == 1;
        rules.waits = answer ? ClientRules::Waits::for_answer : ClientRules::Waits::for_first_token;
        rules.cancels = source("simulation.clients.cancels").boolean("cancels");
    } else {
        for (const std::string_view key : {"waits", "cancels"})
            if (given(clients, key)) clients.fail(key, fmt::format("'{}' says nothing without 'patience'", key));
    }
    rules.retries = small_integer(source("simulation.clients.retries"), "retries", {0, 1000});
    if (rules.retries > 0)
        rules.retry_delay = source("simulation.clients.retry_delay").quantity<Seconds>("retry_delay", some_time);
    else if (given(clients, "retry_delay"))
        clients.fail("retry_delay", "'retry_delay' says nothing without 'retries'");
    clients.finish();
    return rules;
}

RandomFailures read_failures(const Fields& failures, Assumptions& assumptions) {
    RandomFailures result;
    result.mean_up = failures.quantity<Seconds>("mean_up", {1e-3, 1e12});
    result.mean_down =
        assumptions.source(failures, "simulation.failures.mean_down").quantity<Seconds>("mean_down", some_time);
    if (given(failures, "seed")) result.seed = static_cast<std::uint64_t>(failures.integer("seed", {0, 9e15}));
    failures.finish();
    return result;
}

std::vector<ReplicaChange> read_events(const std::vector<Fields>& events, std::uint32_t replicas) {
    std::vector<ReplicaChange> changes;
    for (const Fields& event : events) {
        ReplicaChange change;
        change.time = event.quantity<Seconds>("time", some_time);
        change.replica = small_integer(event, "replica", {0, replicas - 1.0});
        change.kind = static_cast<ReplicaChange::Kind>(event.choice("kind", {"start", "fail", "drain"}));
        event.finish();
        changes.push_back(change);
    }
    return changes;
}

void read_link(const Fields& split, Catalog& catalog, SplitTerms& terms) {
    double adapters = 1;
    if (given(split, "links")) adapters = static_cast<double>(split.integer("links", {1, 1024}));
    if (split.is_string("link")) {
        const Link& link = catalog.links.at(split.string("link"), split.place("link"));
        terms.bandwidth = link.effective.value * adapters;
        terms.latency = link.latency.value;
        return;
    }
    const Fields link = split.object("link");
    terms.bandwidth = link.quantity<BytesPerSecond>("bandwidth", {1, 1e15}) * adapters;
    terms.latency = link.quantity<Seconds>("latency", {0, 1e3});
    link.finish();
}

SplitTerms read_split(const Fields& split, Catalog& catalog, Assumptions& assumptions) {
    SplitTerms terms;
    terms.decode = read_pool(split.object("decode"), catalog);
    const Fields router = assumptions.source(split, "simulation.disaggregation.router");
    terms.router = read_name(router, "router", "router", routers());
    read_link(split, catalog, terms);
    const Fields owner = assumptions.source(split, "simulation.disaggregation.link_of");
    terms.link = static_cast<Disaggregation::Link>(owner.choice("link_of", {"prefill", "decode"}));
    read_small(split, "most_held_tokens", {0, 1e12}, terms.most_held_tokens);
    split.finish();
    return terms;
}

void read_replicas(const Fields& simulation, Catalog& catalog, Assumptions& assumptions, SimulationTerms& terms) {
    if (given(simulation, "pools")) {
        if (given(simulation, "replicas")) simulation.fail("replicas", "'pools' say how many replicas there are");
        for (const Fields& pool : simulation.objects("pools")) terms.pools.push_back(read_pool(pool, catalog));
        if (terms.pools.empty()) simulation.fail("pools", "the list must not be empty");
    } else if (given(simulation, "replicas")) {
        terms.replicas = small_integer(simulation, "replicas", some_replicas);
    }
    if (given(simulation, "router")) {
        terms.router = read_name(simulation, "router", "router", routers());
        if (terms.front() == 1) simulation.fail("router", "is for several replicas");
    }
    read_number(simulation, "load_factor", {1, 100}, terms.load_factor);
    if (terms.load_factor && terms.router != "prefix-affinity")
        simulation.fail("load_factor", "is for the router prefix-affinity");
    if (given(simulation, "disaggregation"))
        terms.split = read_split(simulation.object("disaggregation"), catalog, assumptions);
    if (terms.all() > some_replicas.most) simulation.fail("", "more than 100000 replicas");
    if (given(simulation, "start_up")) terms.start_up = simulation.quantity<Seconds>("start_up", some_time);
    if (given(simulation, "absent"))
        for (const std::int64_t index : simulation.integers("absent", {0, terms.all() - 1.0}))
            terms.absent.push_back(static_cast<std::uint32_t>(index));
}

RecordingTerms read_recording(const Fields& recording) {
    RecordingTerms terms;
    terms.place = recording.place();
    if (given(recording, "file")) terms.file = recording.string("file");
    if (given(recording, "speed")) terms.speed = recording.number("speed", {1e-6, 1e6});
    recording.finish();
    return terms;
}

void read_conditions(const Fields& simulation, Assumptions& assumptions, SimulationTerms& terms) {
    ClusterConditions& conditions = terms.conditions;
    if (given(simulation, "most_outstanding"))
        conditions.most_outstanding = small_integer(simulation, "most_outstanding", {1, 4e9});
    if (given(simulation, "clients")) conditions.clients = read_clients(simulation.object("clients"), assumptions);
    if (given(simulation, "failures")) conditions.failures = read_failures(simulation.object("failures"), assumptions);
    if (given(simulation, "events")) conditions.changes = read_events(simulation.objects("events"), terms.all());
    const bool fails = conditions.failures.mean_up < never || !conditions.changes.empty();
    if (given(simulation, "lost_requests") && !fails)
        simulation.fail("lost_requests", "'lost_requests' says nothing without 'failures' or 'events'");
    if (fails)
        conditions.resubmit_lost =
            assumptions.source(simulation, "simulation.lost_requests").choice("lost_requests", {"fail", "resubmit"}) ==
            1;
    if (terms.start_up > Seconds{} && !fails)
        simulation.fail("start_up", "'start_up' says nothing without 'failures' or 'events'");
}

}  // namespace

std::uint32_t SimulationTerms::front() const {
    if (pools.empty()) return replicas;
    std::uint32_t sum = 0;
    for (const PoolTerms& pool : pools) sum += pool.replicas;
    return sum;
}

SimulationTerms read_simulation(const Fields& simulation, Catalog& catalog, Assumptions& assumptions) {
    SimulationTerms terms;
    read_replicas(simulation, catalog, assumptions, terms);
    read_conditions(simulation, assumptions, terms);
    terms.engine = read_engine_terms(object_or_empty(simulation, "engine"));
    if (given(simulation, "recording")) terms.recording = read_recording(simulation.object("recording"));
    if (given(simulation, "preemption")) terms.swap = read_preemption(simulation.object("preemption"));
    simulation.finish();
    return terms;
}

std::vector<std::string> left_out_of(const SimulationTerms& terms) {
    std::vector<std::string> left;
    const ClusterConditions& conditions = terms.conditions;
    const auto say = [&](bool said, const char* what) {
        if (said) left.emplace_back(what);
    };
    say(conditions.failures.mean_up < never || !conditions.changes.empty(),
        "replicas that fail, start or are drained (simulation): the plan is for instances that are always up; 'spares' "
        "adds nodes");
    say(conditions.clients.patience < never || conditions.clients.retries > 0,
        "clients that go away or try again (simulation): those of the plan wait for their answers");
    say(conditions.most_outstanding < std::numeric_limits<std::uint32_t>::max(),
        "the limit on requests of a replica (simulation.most_outstanding): the plan refuses nobody");
    say(!terms.pools.empty(), "pools of different replicas (simulation): the plan is for instances of one kind");
    say(terms.split.has_value(), "prefill and decode on separate replicas (simulation): the plan's instances do both");
    say(terms.recording.has_value(), "recorded requests (simulation.recording): the plan is for 'load'");
    say(terms.swap.has_value(), "preemption by swapping (simulation): the plan computes preempted requests again");
    return left;
}

}  // namespace plimsoll
