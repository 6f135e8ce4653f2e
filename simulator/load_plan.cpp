#include "simulator/load_plan.hpp"

#include <algorithm>
#include <cmath>

#include "simulator/random.hpp"

namespace plimsoll {

std::unique_ptr<Source> make_source(const LoadPlan& plan, const std::string& place) {
    const LoadKind& kind = load_sources().at(plan.kind, "load", place);
    if (const auto why = kind.refusal(plan)) throw InputError(place, "load '" + plan.kind + "': " + *why);
    return kind.make(plan);
}

namespace {

LoadPlan plan_of(const Load& load, const LoadClass& one, std::uint32_t max_output) {
    LoadPlan plan;
    plan.class_name = one.name;
    plan.prompt = one.workload.prompt;
    plan.output = one.workload.output;
    plan.max_output = max_output;
    plan.slo = one.slo;
    plan.think_time = load.think_time;
    if (one.sessions) plan.session = *one.sessions;
    if (load.kind == Load::Kind::open) {
        plan.kind = one.sessions ? "sessions" : to_string(load.arrivals);
        plan.rate = load.rate * load.peak_factor;
        if (one.sessions) plan.rate = plan.rate / mean_turns(*one.sessions);
        plan.cv = load.cv;
        plan.shape = load.shape;
        return plan;
    }
    plan.kind = one.sessions ? "sessions" : "closed";
    plan.users = static_cast<std::uint32_t>(std::llround(load.concurrent_users()));
    plan.ramp = load.ramp;
    if (load.drain) {
        plan.kind = load.drain->one_each ? "one-each" : "shared-queue";
        const int queue = load.drain->requests > 0 ? load.drain->requests : queue_for(static_cast<int>(plan.users));
        plan.requests = load.drain->one_each ? plan.users : static_cast<std::uint64_t>(queue);
        plan.ramp = load.drain->ramp;
        plan.stratified = true;
    }
    return plan;
}

/// Whole users by shares: each class gets the whole part of its own, and those with the largest remainders one more.
std::vector<std::uint32_t> split(std::uint32_t users, const std::vector<LoadClass>& classes) {
    std::vector<std::uint32_t> counts;
    std::vector<double> remainders;
    std::uint32_t left = users;
    for (const LoadClass& one : classes) {
        const double exact = users * one.share;
        counts.push_back(static_cast<std::uint32_t>(exact + 1e-9));
        remainders.push_back(exact - counts.back());
        left -= std::min(left, counts.back());
    }
    for (; left > 0; --left) {
        const auto most = std::max_element(remainders.begin(), remainders.end());
        ++counts[static_cast<std::size_t>(most - remainders.begin())];
        *most -= 1.0;
    }
    return counts;
}

}  // namespace

LoadPlan load_plan(const Load& load, const Workload& workload, std::uint64_t seed, const Slo& slo,
                   std::uint32_t max_output) {
    LoadPlan plan;
    if (load.classes.empty()) {
        const LoadClass all{.name = {}, .share = 1.0, .workload = workload, .sessions = load.sessions, .slo = slo};
        plan = plan_of(load, all, max_output);
        plan.seed = seed;
        return plan;
    }
    plan.kind = "mixture";
    plan.seed = seed;
    plan.slo = slo;
    const auto users = static_cast<std::uint32_t>(std::llround(load.concurrent_users()));
    const std::vector<std::uint32_t> counts = split(users, load.classes);
    for (std::size_t i = 0; i < load.classes.size(); ++i) {
        const LoadClass& one = load.classes[i];
        LoadPlan part = plan_of(load, one, max_output);
        part.users = load.kind == Load::Kind::closed ? counts[i] : 0;
        part.rate = part.rate * one.share;
        if (load.kind == Load::Kind::closed && part.users == 0)
            throw InputError("load.classes",
                             "the share of '" + one.name + "' is less than one of " + std::to_string(users) + " users");
        plan.classes.push_back(std::move(part));
    }
    return plan;
}

std::vector<Slo> promises_of(const LoadPlan& plan) {
    if (plan.classes.empty()) return {plan.slo};
    std::vector<Slo> promises;
    for (const LoadPlan& part : plan.classes) promises.push_back(part.slo);
    return promises;
}

std::uint64_t derived_seed(std::uint64_t seed, std::string_view what, std::uint64_t index) {
    return RandomStream(seed, what, index).bits();
}

std::optional<std::string> users_refusal(const LoadPlan& plan) {
    if (plan.users == 0) return "it needs users";
    if (plan.rate > PerSecond{}) return "users send when they are ready: a rate cannot be given";
    if (plan.ramp && !(*plan.ramp >= Seconds{})) return "the ramp must not be negative";
    return std::nullopt;
}

std::optional<std::string> rate_refusal(const LoadPlan& plan) {
    if (!(plan.rate > PerSecond{}) || !plan.rate.finite()) return "it needs a rate above 0";
    if (plan.users != 0) return "it has a rate and no users";
    if (!(plan.cv > 0 && plan.cv <= 100)) return "cv must be above 0 and at most 100";
    return std::nullopt;
}

}  // namespace plimsoll
