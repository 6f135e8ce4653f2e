#include "cli/simulation_question.hpp"

#include <algorithm>
#include <cmath>
#include <thread>

#include <fmt/format.h>

#include "cli/scenario_options.hpp"
#include "cli/simulation_options.hpp"
#include "model/base/error.hpp"
#include "model/base/limit_text.hpp"
#include "model/base/units_text.hpp"

namespace plimsoll {
namespace {

constexpr std::uint64_t usual_requests = 100'000;
constexpr double most_requests = 1e12;

std::uint32_t small_number(const Arguments& arguments, const std::string& name, std::uint32_t fallback, Range range) {
    return static_cast<std::uint32_t>(whole_number(arguments, name, range).value_or(fallback));
}

/// Whether the load ends by itself.
bool finite(const LoadPlan& load) {
    return load.trace != nullptr || load.kind == "shared-queue" || load.kind == "one-each";
}

void read_run(const Arguments& arguments, SimulationQuestion& question) {
    SimulationSetup& setup = question.setup;
    const auto requests = whole_number(arguments, "requests", {1, most_requests});
    if (const auto duration = arguments.value("duration")) {
        setup.limits.time = parse_quantity<Seconds>(*duration, "--duration");
        if (!(setup.limits.time > Seconds{})) throw InputError("--duration", "expected a time above 0");
    }
    if (finite(setup.load)) {
        if (requests) setup.load.requests = *requests;
    } else if (requests || !arguments.given("duration")) {
        setup.limits.requests = requests.value_or(usual_requests);
    }
    question.replications = small_number(arguments, "replications", 1, {1, 10000});
    const std::uint32_t cores = std::max(1U, std::thread::hardware_concurrency());
    question.threads = small_number(arguments, "threads", cores, {1, 1024});
    setup.load.seed = *whole_number(arguments, "seed", {0, 9e15});
}

void read_warm_up(const Arguments& arguments, SimulationSetup& setup) {
    MetricsSettings& metrics = setup.metrics;
    metrics.warm_up = finite(setup.load) ? WarmUp::none : WarmUp::automatic;
    const auto wanted = arguments.value("warm-up");
    if (!wanted) return;
    if (*wanted == "none") {
        metrics.warm_up = WarmUp::none;
    } else if (*wanted == "auto") {
        metrics.warm_up = WarmUp::automatic;
    } else {
        metrics.warm_up = WarmUp::fixed;
        metrics.warm_up_requests = *whole_number(arguments, "warm-up", {0, most_requests});
        if (metrics.warm_up_requests >= std::min(setup.limits.requests, setup.load.requests - 1))
            throw InputError("--warm-up", "is not shorter than the run");
    }
}

}  // namespace

std::optional<std::uint64_t> whole_number(const Arguments& arguments, const std::string& name, Range range) {
    const auto text = arguments.value(name);
    if (!text) return std::nullopt;
    const double number = parse_number(*text, "--" + name);
    if (number != std::floor(number) || number < range.least || number > range.most)
        throw InputError("--" + name, fmt::format("expected a whole number from {} to {}, got {}",
                                                  limit_text(range.least), limit_text(range.most), in_quotes(*text)));
    return static_cast<std::uint64_t>(number);
}

SimulationQuestion read_simulation(const Arguments& arguments, Session& session) {
    SimulationQuestion question;
    if (arguments.given("prefill-replicas") && arguments.given("replicas"))
        throw InputError("--prefill-replicas", "says the same as --replicas");
    if (arguments.given("users") && arguments.given("rate"))
        throw InputError("--rate", "a load has users or a rate, not both");
    if (arguments.given("cost-tables"))
        read_tables(arguments, session, question);
    else
        read_deployment(arguments, session, question);
    if (!question.refusal.empty()) return question;
    read_run(arguments, question);
    read_warm_up(arguments, question.setup);
    return question;
}

}  // namespace plimsoll
