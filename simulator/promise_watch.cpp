#include "simulator/promise_watch.hpp"

#include <algorithm>
#include <numeric>

#include "simulator/histogram.hpp"
#include "simulator/report.hpp"

namespace plimsoll {

PromiseWatch::PromiseWatch(const Slo& slo, std::uint64_t warm_up_requests) : slo_(slo), left_out_(warm_up_requests) {}

void PromiseWatch::finished(const Request& request) {
    if (left_out_ > 0) {
        --left_out_;
        return;
    }
    values_[0].push_back((request.first_token - request.arrival).value());
    if (request.output > 1)
        values_[1].push_back((request.finished - request.first_token).value() / (request.output - 1));
    values_[2].push_back((request.finished - request.arrival).value());
}

void PromiseWatch::refused(const Request&) {
    if (left_out_ > 0) --left_out_;
}

double PromiseWatch::worst_ratio() {
    double worst = 0;
    for (const SloTerm& term : slo_.terms) {
        std::vector<double>& values = values_[static_cast<std::size_t>(term.metric)];
        if (values.empty()) continue;
        const double value =
            term.statistic == Statistic::mean
                ? std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size())
                : exact_quantile(values, reported_quantiles[static_cast<std::size_t>(term.statistic) - 1]);
        worst = std::max(worst, value / term.limit.value());
    }
    return worst;
}

}  // namespace plimsoll
