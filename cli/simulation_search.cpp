#include "cli/simulation_search.hpp"

#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "cli/progress.hpp"
#include "cli/simulation_document.hpp"

namespace plimsoll {
namespace {

constexpr SteadyRuns runs{.least_requests = 5000, .cycles = 30};
constexpr double tolerance = 0.005;  ///< of the load, relative
constexpr double most_users = 1e5;   ///< of a replica
constexpr double rate_range = 1e4;   ///< from the guess to the least and the most rate that is looked at

bool by_users(const SimulationQuestion& question) {
    return question.setup.load.users > 0;
}

void refuse_what_is_not_steady(const LoadPlan& load) {
    constexpr std::array kinds{"closed", "constant", "gamma", "poisson", "sessions", "weibull"};
    if (std::find(kinds.begin(), kinds.end(), load.kind) == kinds.end())
        throw InputError("--highest-load", "is for a steady load of users or of a rate, not for " + load.kind);
    if (load.kind == "sessions" && load.users == 0)
        throw InputError("--highest-load", "is for sessions of users, not for a rate of them");
    if (load.slo.terms.empty())
        throw InputError("--highest-load", "needs promises: those of a scenario, or --ttft, --tpot or --e2e");
}

void set_load(double load, SimulationQuestion& question) {
    if (by_users(question))
        question.setup.load.users = static_cast<std::uint32_t>(load);
    else
        question.setup.load.rate = PerSecond(load);
}

/// Requests of mean length that the limits and the KV cache of a replica let run at the same time.
double largest_running(const SimulationSetup& setup) {
    const double tokens = setup.load.prompt.mean() + setup.load.output.mean();
    const double stored = static_cast<double>(setup.settings.kv_blocks) * setup.settings.block_tokens;
    return std::min<double>(setup.settings.max_sequences, stored / tokens);
}

/// What the analytic model says.
std::optional<double> forecast_of(const SimulationQuestion& question) {
    if (!question.model) return std::nullopt;
    Forecaster forecaster(*question.model);
    const Slo& slo = question.setup.load.slo;
    const Capacity capacity = by_users(question) ? closed_capacity(forecaster, question.think_time, slo, most_users)
                                                 : open_capacity(forecaster, slo);
    return (by_users(question) ? capacity.users : capacity.rate.value()) * question.front();
}

std::string progress_text(const SearchResult& result) {
    double holds = 0, breaks = 0;
    for (const Trial& trial : result.trials) {
        if (trial.ratio.value <= 1.0) holds = trial.load;
        if (trial.ratio.value > 1.0 && breaks == 0) breaks = trial.load;
    }
    std::string text = fmt::format("highest load: {} tried", result.trials.size());
    if (holds > 0) text += ", " + plain_number(holds) + " holds";
    if (breaks > 0) text += ", " + plain_number(breaks) + " does not";
    return text;
}

SearchSettings settings_of(const SimulationQuestion& question, std::optional<double> forecast) {
    const SimulationSetup& setup = question.setup;
    const bool users = by_users(question);
    SearchSettings settings;
    settings.whole = users;
    settings.guess = forecast && *forecast > 0 ? *forecast : users ? setup.load.users : setup.load.rate.value();
    settings.least = users ? 1.0 : settings.guess / rate_range;
    settings.most = users ? most_users * question.front() : settings.guess * rate_range;
    settings.tolerance = tolerance;
    settings.threads = question.threads;
    settings.stop = setup.stop;
    return settings;
}

/// A load in words for people, a rate with its unit.
std::string load_text(double load, bool users) {
    return users ? plain_number(load) : plain_number(load) + " requests/s";
}

std::string sentence(const HighestLoad& highest, bool users, double replicas) {
    const SearchResult& found = highest.found;
    if (!(found.highest > 0)) return "The search was stopped before it came to a load that holds.";
    std::string text = fmt::format("The promises hold up to {}{} an instance (95 % interval {} to {})",
                                   load_text(found.highest / replicas, users), users ? " users" : "",
                                   plain_number(found.ci95.low / replicas), plain_number(found.ci95.high / replicas));
    if (found.interrupted) text += ", as far as the search had come";
    if (highest.forecast)
        text += fmt::format("; the forecast is {}: {}", load_text(*highest.forecast / replicas, users),
                            change_text(*highest.forecast / found.highest - 1.0));
    return text + ".";
}

}  // namespace

void find_highest_load(std::ostream* progress, SimulationQuestion& question) {
    refuse_what_is_not_steady(question.setup.load);
    HighestLoad highest;
    highest.forecast = forecast_of(question);
    SearchSettings settings = settings_of(question, highest.forecast);
    StatusLine status(progress);
    settings.tell = [&](const SearchResult& result) { status.show(progress_text(result)); };
    const double running = largest_running(question.setup) * question.front();
    highest.found = search_capacity(settings, [&](double load) {
        SimulationSetup setup = question.setup;
        if (by_users(question))
            setup.load.users = static_cast<std::uint32_t>(load);
        else
            setup.load.rate = PerSecond(load);
        setup.limits = {};
        run_steadily(setup, by_users(question) ? load : open_places(running), runs);
        return setup;
    });
    if (highest.found.highest > 0) set_load(highest.found.highest, question);
    forecast_load(question);
    question.highest = std::move(highest);
}

void add_highest_load(const SimulationQuestion& question, std::vector<Item>& items) {
    if (!question.highest) return;
    const bool users = by_users(question);
    const double replicas = question.front();
    const SearchResult& found = question.highest->found;
    const auto each = [&](bool wanted, double load) { return wanted ? Cell::number(load / replicas) : Cell(); };
    const Cell forecast = question.highest->forecast ? Cell::number(*question.highest->forecast / replicas) : Cell();
    items.emplace_back(Facts{"highest_load",
                             "",
                             {{"users_per_instance", "", each(users, found.highest)},
                              {"users_interval.low", "", each(users, found.ci95.low)},
                              {"users_interval.high", "", each(users, found.ci95.high)},
                              {"rate_per_instance_per_s", "", each(!users, found.highest)},
                              {"rate_interval_per_s.low", "", each(!users, found.ci95.low)},
                              {"rate_interval_per_s.high", "", each(!users, found.ci95.high)},
                              {"forecast_users_per_instance", "", users ? forecast : Cell()},
                              {"forecast_rate_per_instance_per_s", "", users ? Cell() : forecast},
                              {"gap", "", gap(forecast, found.highest / replicas)},
                              {"reached_most", "", Cell::flag(found.reached_most)},
                              {"interrupted", "", Cell::flag(found.interrupted)},
                              {"runs", "", Cell::count(found.runs)}}});
    Table trials{"trials",
                 "",
                 {{users ? "users" : "rate_per_s", ""},
                  {"ratio.mean", ""},
                  {"ratio.ci95.low", ""},
                  {"ratio.ci95.high", ""},
                  {"replications", ""}},
                 {},
                 false};
    for (const Trial& trial : found.trials)
        trials.rows.push_back({Cell::number(trial.load), Cell::number(trial.ratio.value),
                               Cell::number(trial.ratio.low()), Cell::number(trial.ratio.high()),
                               Cell::count(static_cast<double>(trial.ratios.size()))});
    items.emplace_back(std::move(trials));
    items.emplace_back(Paragraph{sentence(*question.highest, users, replicas)});
}

}  // namespace plimsoll
