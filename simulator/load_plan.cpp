#include "simulator/load_plan.hpp"

#include <cmath>

#include "simulator/random.hpp"

namespace plimsoll {

std::unique_ptr<Source> make_source(const LoadPlan& plan, const std::string& place) {
    const LoadKind& kind = load_sources().at(plan.kind, "load", place);
    if (const auto why = kind.refusal(plan)) throw InputError(place, "load '" + plan.kind + "': " + *why);
    return kind.make(plan);
}

LoadPlan load_plan(const Load& load, const Workload& workload, std::uint64_t seed) {
    LoadPlan plan;
    plan.seed = seed;
    plan.prompt = workload.prompt;
    plan.output = workload.output;
    if (load.kind == Load::Kind::open) {
        plan.rate = load.peak_rate();
        return plan;
    }
    plan.kind = load.drain ? "shared-queue" : "closed";
    plan.users = static_cast<std::uint32_t>(std::llround(load.concurrent_users()));
    plan.think_time = load.think_time;
    if (load.drain) {
        plan.requests = static_cast<std::uint64_t>(load.drain->requests);
        plan.ramp = load.drain->ramp;
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
