#pragma once
#include <cmath>
#include <string>
#include <string_view>

#include "model/base/error.hpp"
#include "scenarios/reader.hpp"

namespace plimsoll {

/// Whether all that the queueing model takes from the scenario as numbers is finite and in order.
inline bool sane(const Scenario& scenario) {
    const auto positive = [](double number) { return number > 0 && std::isfinite(number); };
    for (const Distribution* law : {&scenario.workload.prompt, &scenario.workload.output})
        if (!positive(law->mean()) || !positive(law->second_moment())) return false;
    const Load& load = scenario.load;
    const bool closed = load.kind == Load::Kind::closed;
    if (!positive(closed ? load.concurrent_users() : load.peak_rate().value())) return false;
    return std::isfinite(load.think_time.second_moment()) && !scenario.slo.terms.empty() && !scenario.models.empty() &&
           !scenario.nodes.empty() && !scenario.engines.empty();
}

/// Reads any bytes as a scenario. Only an InputError, or an EnvironmentError of a file that is named, may come of it;
/// what is read must read back as the same. Returns whether the bytes were a scenario.
inline bool read_any_scenario(std::string_view bytes) {
    static Catalog catalog({PLIMSOLL_SOURCE_DIR});
    std::string resolved;
    try {
        const Scenario scenario = parse_scenario(bytes, "input", {}, catalog);
        PLIMSOLL_ASSERT(sane(scenario));
        resolved = scenario.resolved_json;
    } catch (const InputError&) {
        return false;
    } catch (const EnvironmentError&) {
        // A name that ends in .json is a file, which need not be there.
        return false;
    }
    PLIMSOLL_ASSERT(parse_scenario(resolved, "resolved", {}, catalog).resolved_json == resolved);
    return true;
}

}  // namespace plimsoll
