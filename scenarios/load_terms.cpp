#include "scenarios/load_terms.hpp"

#include <cmath>

#include <fmt/format.h>

#include "model/base/error.hpp"
#include "scenarios/terms.hpp"

namespace plimsoll {
namespace {

constexpr double longest_think_s = 30 * 86400.0;
constexpr Range period{1e-3, 1e9};
/// A session of more turns, or with more tokens in common, is a mistake.
constexpr double most_turns = 10'000, most_tokens = 1e8;

Distribution read_think_time(const Fields& fields) {
    const std::string_view key = "think_time";
    // A plain number or a wrong kind gets the message on units.
    if (!fields.is_string(key)) static_cast<void>(fields.quantity<Seconds>(key));
    Distribution result = Distribution::parse_seconds(fields.string(key), fields.place(key));
    if (!(result.points().back() <= longest_think_s))
        fields.fail(key, "users that think for more than 30 d make no sense");
    return result;
}

/// Of people: a plain time is the mean of an exponential law. Users who all think equally long fall into step with each
/// other, which only machines do; `fixed:` says so.
Distribution read_peoples_think_time(const Fields& fields) {
    const Distribution read = read_think_time(fields);
    const bool plain = read.text().find(':') == std::string::npos && read.mean() > 0;
    return plain ? Distribution::parse_seconds("exponential:mean=" + read.text(), fields.place("think_time")) : read;
}

Drain read_drain(const Fields& drain, bool documents, Assumptions& assumptions) {
    Drain result;
    if (!documents || given(drain, "requests")) result.requests = static_cast<int>(drain.integer("requests", {1, 1e8}));
    const char* ramp = documents ? "load.protocol.ramp" : "load.drain.ramp";
    result.ramp = assumptions.source(drain, ramp).quantity<Seconds>("ramp", {0, 1e6});
    drain.finish();
    return result;
}

/// How the users go about it: for ever, or as one of the source documents' benchmarks.
void read_protocol(const Fields& load, Assumptions& assumptions, Load& result) {
    const std::vector<std::string> names{"steady", "shared-queue", "one-each"};
    const bool drain = given(load, "drain");
    const std::size_t protocol = given(load, "protocol") ? load.choice("protocol", names) : drain ? 1 : 0;
    if (protocol == 0) {
        if (drain) load.fail("drain", "'drain' belongs to the protocol shared-queue or one-each");
        result.think_time = read_peoples_think_time(assumptions.source(load, "load.think_time"));
        if (given(load, "ramp")) result.ramp = load.quantity<Seconds>("ramp", {0, 1e6});
        return;
    }
    if (given(load, "ramp")) load.fail("ramp", "the ramp of a benchmark's protocol stands in 'drain'");
    const Fields run = drain ? load.object("drain") : Fields::from_text("{}", load.place("drain"));
    if (protocol == 2) {
        if (given(load, "think_time")) load.fail("think_time", "users of one request each do not think");
        if (given(run, "requests")) run.fail("requests", "users of one request each send as many as they are");
        static_cast<void>(run.has("requests"));
        result.drain = Drain{.requests = 0, .ramp = {}, .one_each = true};
        result.drain->ramp = assumptions.source(run, "load.drain.ramp").quantity<Seconds>("ramp", {0, 1e6});
        run.finish();
        return;
    }
    const bool documents = given(load, "protocol");
    const char* think = documents ? "load.protocol.think_time" : "load.think_time";
    result.think_time = read_think_time(assumptions.source(load, think));
    result.drain = read_drain(run, documents, assumptions);
}

void read_users(const Fields& load, Assumptions& assumptions, Load& result) {
    for (const std::string_view key : {"arrivals", "cv", "diurnal", "spikes"})
        if (given(load, key)) load.fail(key, fmt::format("'{}' belongs to a rate, not to 'users'", key));
    result.kind = Load::Kind::closed;
    result.registered_users = static_cast<double>(load.integer("users", {1, 1e9}));
    const bool share_given = given(load, "active_share");
    result.active_share = assumptions.source(load, "load.active_share").number("active_share", {1e-6, 1});
    read_protocol(load, assumptions, result);
    const double active = result.active_share * result.peak_factor;
    if (share_given && active > 1)
        load.fail("peak_factor", fmt::format("a peak of {:.6g} over an active share of {:.6g} is more than all users",
                                             result.peak_factor, result.active_share));
    if (result.concurrent_users() < 1)
        load.fail("active_share", fmt::format("{:.6g} of {:.6g} users is less than one user at the same time", active,
                                              result.registered_users));
}

RateShape read_diurnal(const Fields& diurnal, Assumptions& assumptions) {
    RateShape shape;
    shape.period = assumptions.source(diurnal, "load.diurnal.period").quantity<Seconds>("period", period);
    if (given(diurnal, "factors")) {
        if (given(diurnal, "peak")) diurnal.fail("peak", "'factors' say what the peak is");
        shape.factors = diurnal.numbers("factors", {0, 1e6});
        double sum = 0;
        for (const double factor : shape.factors) sum += factor;
        if (!(sum > 0)) diurnal.fail("factors", "some factor of the rate must be above 0");
    } else {
        shape.peak = assumptions.source(diurnal, "load.diurnal.peak").number("peak", {1, 2});
    }
    diurnal.finish();
    return shape;
}

RateShape read_spikes(const Fields& spikes) {
    RateShape shape;
    shape.period = spikes.quantity<Seconds>("period", period);
    shape.spike = spikes.quantity<Seconds>("length", period);
    shape.spike_factor = spikes.number("factor", {1, 1e4});
    if (!(shape.spike < shape.period)) spikes.fail("length", "a spike must be shorter than the period");
    spikes.finish();
    return shape;
}

void read_arrivals(const Fields& load, Assumptions& assumptions, Load& result) {
    const bool diurnal = given(load, "diurnal"), spikes = given(load, "spikes");
    if (diurnal && spikes) load.fail("spikes", "'diurnal' and 'spikes' exclude each other; null takes one back");
    if (diurnal || spikes) {
        if (given(load, "arrivals")) load.fail("arrivals", "a rate that changes has Poisson arrivals");
        if (given(load, "cv")) load.fail("cv", "is for gamma or weibull arrivals");
        if (given(load, "peak_factor")) load.fail("peak_factor", "the curve of the rate says what its peak is");
        result.arrivals = diurnal ? Load::Arrivals::diurnal : Load::Arrivals::spikes;
        result.shape = diurnal ? read_diurnal(load.object("diurnal"), assumptions) : read_spikes(load.object("spikes"));
        return;
    }
    const std::vector<std::string> names{arrival_names.begin(), arrival_names.begin() + renewal_arrivals};
    if (given(load, "arrivals")) result.arrivals = static_cast<Load::Arrivals>(load.choice("arrivals", names));
    const bool has_cv = result.arrivals == Load::Arrivals::gamma || result.arrivals == Load::Arrivals::weibull;
    if (has_cv) result.cv = assumptions.source(load, "load.cv").number("cv", {0.01, 100});
    if (!has_cv && given(load, "cv")) load.fail("cv", "is for gamma or weibull arrivals");
}

SessionShape read_sessions(const Fields& sessions) {
    SessionShape shape;
    shape.turns = read_tokens(sessions, "turns");
    if (shape.turns.points().back() > most_turns)
        sessions.fail("turns", fmt::format("sessions of more than {} turns make no sense", most_turns));
    if (given(sessions, "shared_prefix"))
        shape.system_prompt = static_cast<std::uint32_t>(sessions.integer("shared_prefix", {0, most_tokens}));
    if (given(sessions, "max_context"))
        shape.max_context = static_cast<std::uint32_t>(sessions.integer("max_context", {1, most_tokens}));
    sessions.finish();
    return shape;
}

LoadClass read_class(const Fields& fields, const Load& load, const Slo& slo, const std::optional<Workload>& lengths,
                     Catalog& catalog) {
    LoadClass result;
    result.name = fields.string("name");
    result.share = fields.number("share", {1e-6, 1});
    result.workload = read_lengths(fields, catalog, lengths);
    result.sessions = given(fields, "sessions") ? read_sessions(fields.object("sessions")) : load.sessions;
    result.slo = given(fields, "slo") ? read_slo(fields.object("slo")) : slo;
    fields.finish();
    return result;
}

void read_classes(const Fields& load, const std::optional<Workload>& lengths, Catalog& catalog, Scenario& scenario) {
    if (scenario.load.drain) load.fail("classes", "classes and a benchmark's protocol exclude each other");
    double sum = 0;
    for (const Fields& fields : load.objects("classes")) {
        LoadClass one = read_class(fields, scenario.load, scenario.slo, lengths, catalog);
        for (const LoadClass& other : scenario.load.classes)
            if (other.name == one.name) fields.fail("name", "another class is named " + in_quotes(one.name));
        sum += one.share;
        scenario.load.classes.push_back(std::move(one));
    }
    if (scenario.load.classes.empty()) load.fail("classes", "the list must not be empty");
    if (scenario.load.classes.size() > 256) load.fail("classes", "more than 256 classes");
    if (std::abs(sum - 1.0) > 1e-6) load.fail("classes", fmt::format("the shares add up to {:.6g}, not to 1", sum));
}

bool any_lengths(const Fields& scenario) {
    return given(scenario, "workload") || given(scenario, "prompt_tokens") || given(scenario, "output_tokens");
}

bool holds_sessions(const Load& load) {
    bool any = load.sessions.has_value();
    for (const LoadClass& one : load.classes) any = any || one.sessions;
    return any;
}

/// A rate has think times between the turns of its sessions only.
void read_pauses(const Fields& load, Assumptions& assumptions, Load& result) {
    if (!holds_sessions(result)) {
        if (given(load, "think_time"))
            load.fail("think_time", "'think_time' belongs to 'users' or to 'sessions', not to a rate");
        return;
    }
    if (result.arrivals != Load::Arrivals::poisson)
        load.fail("sessions", "sessions of a rate begin at Poisson times: no 'arrivals', 'diurnal' or 'spikes'");
    result.think_time = read_peoples_think_time(assumptions.source(load, "load.think_time"));
}

}  // namespace

Load read_load(const Fields& load, Assumptions& assumptions) {
    Load result;
    const bool users = given(load, "users"), rate = given(load, "rate");
    if (users == rate)
        load.fail("", users ? "'users' and 'rate' exclude each other; null takes one back"
                            : "expected either 'users' or 'rate'");
    result.peak_factor = assumptions.source(load, "load.peak_factor").number("peak_factor", {1, 1000});
    if (given(load, "sessions")) result.sessions = read_sessions(load.object("sessions"));
    if (users) {
        read_users(load, assumptions, result);
        if (result.drain && result.sessions)
            load.fail("sessions", "sessions and a benchmark's protocol exclude each other");
    } else {
        for (const std::string_view key : {"active_share", "drain", "protocol", "ramp"})
            if (given(load, key)) load.fail(key, fmt::format("'{}' belongs to 'users', not to a rate", key));
        result.kind = Load::Kind::open;
        result.rate = load.quantity<PerSecond>("rate", {1e-6, 1e6});
        read_arrivals(load, assumptions, result);
    }
    // What is left is read with the lengths.
    for (const std::string_view key : {"classes", "think_time"}) static_cast<void>(load.has(key));
    load.finish();
    return result;
}

void read_requests(const Fields& scenario, Catalog& catalog, Assumptions& assumptions, Scenario& result) {
    const Fields load = scenario.object("load");
    std::optional<Workload> lengths;
    const bool classes = given(load, "classes");
    if (result.load.drain && result.load.drain->one_each && !any_lengths(scenario)) {
        lengths = catalog.workloads.at("one-each", scenario.place("workload"));
        assumptions.note("workload = one-each: the lengths of the benchmark of this protocol");
    } else if (!classes || any_lengths(scenario)) {
        lengths = read_lengths(scenario, catalog);
    }
    if (classes) read_classes(load, lengths, catalog, result);
    result.sent = lengths ? *lengths : result.load.classes.front().workload;
    if (result.load.kind == Load::Kind::open) read_pauses(load, assumptions, result.load);
    if (!result.load.classes.empty())
        result.workload = pooled(result.load.classes);
    else
        result.workload = result.load.sessions ? grown(result.sent, *result.load.sessions) : result.sent;
}

std::vector<std::string> left_out_of(const Load& load) {
    std::vector<std::string> left;
    if (load.drain) left.emplace_back("the users' benchmark run: the plan is for the steady state");
    const bool curve = load.arrivals == Load::Arrivals::diurnal || load.arrivals == Load::Arrivals::spikes;
    if (curve)
        left.push_back(
            fmt::format("the course of the rate ({}): the plan is for its highest, {:.6g} /s, as if it "
                        "lasted",
                        to_string(load.arrivals), load.peak_rate().value()));
    else if (load.arrivals != Load::Arrivals::poisson)
        left.push_back(
            fmt::format("the law of the arrivals ({}{}): the plan is for Poisson arrivals", to_string(load.arrivals),
                        load.arrivals == Load::Arrivals::constant ? "" : fmt::format(", cv {:.6g}", load.cv)));
    if (holds_sessions(load))
        left.emplace_back(
            "the order of the turns of sessions: the plan is for requests of the lengths of all turns, "
            "each by itself, and nothing of it is found in a cache");
    if (!load.classes.empty()) {
        std::string judged;
        for (const LoadClass& one : load.classes) judged += (judged.empty() ? "" : ", ") + one.name;
        left.push_back("the promises of each class (" + judged +
                       "): the plan is for one workload, pooled by their shares, under 'slo'");
    }
    return left;
}

}  // namespace plimsoll
