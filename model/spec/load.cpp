#include "model/spec/load.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace plimsoll {
namespace {

/// Chance that a session has a k-th turn, for k = 1, 2, ...
std::vector<double> chances_of_turns(const Distribution& turns) {
    const std::vector<double>& points = turns.points();
    std::vector<double> chances;
    for (const double point : points) {
        const auto whole = static_cast<std::size_t>(std::max(1.0, std::floor(point + 0.5)));
        if (whole > chances.size()) chances.resize(whole, 0.0);
        for (std::size_t k = 0; k < whole; ++k) chances[k] += 1.0 / static_cast<double>(points.size());
    }
    return chances;
}

}  // namespace

double mean_turns(const SessionShape& sessions) {
    const std::vector<double> chances = chances_of_turns(sessions.turns);
    return std::accumulate(chances.begin(), chances.end(), 0.0);
}

Workload grown(const Workload& messages, const SessionShape& sessions) {
    const double turn = messages.mean_tokens();
    std::vector<std::pair<double, Distribution>> prompts;
    double context = sessions.system_prompt;
    for (const double chance : chances_of_turns(sessions.turns)) {
        const bool beyond = sessions.max_context > 0 && context + turn > sessions.max_context;
        // The first turn is always sent.
        if (beyond && !prompts.empty()) break;
        prompts.emplace_back(chance, messages.prompt.shifted(context));
        context += turn;
    }
    Workload result = messages;
    result.prompt = Distribution::pooled(prompts);
    return result;
}

Workload pooled(const std::vector<LoadClass>& classes) {
    Workload result;
    std::vector<std::pair<double, Distribution>> prompts, outputs;
    for (const LoadClass& one : classes) {
        const Workload seen = one.sessions ? grown(one.workload, *one.sessions) : one.workload;
        result.name += (result.name.empty() ? "" : " + ") + seen.name;
        prompts.emplace_back(one.share, seen.prompt);
        outputs.emplace_back(one.share, seen.output);
    }
    result.prompt = Distribution::pooled(prompts);
    result.output = Distribution::pooled(outputs);
    return result;
}

double Load::highest_factor() const {
    if (arrivals == Arrivals::spikes) return shape.spike_factor;
    if (arrivals != Arrivals::diurnal) return 1.0;
    if (shape.factors.empty()) return shape.peak;
    const double sum = std::accumulate(shape.factors.begin(), shape.factors.end(), 0.0);
    return *std::max_element(shape.factors.begin(), shape.factors.end()) * static_cast<double>(shape.factors.size()) /
           sum;
}

Load Load::part(double share) const {
    Load result = *this;
    result.active_share = result.peak_factor = 1.0;
    const auto whole = [share](double number) { return std::max(1.0, std::ceil(number * share - 1e-9)); };
    if (kind == Kind::open)
        result.rate = rate * peak_factor * share;
    else
        result.registered_users = whole(concurrent_users());
    if (drain && drain->requests > 0) result.drain->requests = static_cast<int>(whole(drain->requests));
    return result;
}

}  // namespace plimsoll
