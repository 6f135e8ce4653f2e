#include "simulator/promise_watch.hpp"

#include <algorithm>
#include <numeric>
#include <utility>

#include "simulator/histogram.hpp"
#include "simulator/report.hpp"
#include "simulator/request_tag.hpp"

namespace plimsoll {

PromiseWatch::PromiseWatch(std::vector<Slo> promises, std::uint64_t warm_up_requests) : left_out_(warm_up_requests) {
    for (Slo& slo : promises) classes_.push_back({.slo = std::move(slo), .values = {}});
}

PromiseWatch::Class* PromiseWatch::counted(const Request& request) {
    if (left_out_ > 0) {
        --left_out_;
        return nullptr;
    }
    const std::size_t index = classes_.size() == 1 ? 0 : RequestTag::of(request.tag).load_class;
    return index < classes_.size() ? &classes_[index] : nullptr;
}

void PromiseWatch::finished(const Request& request) {
    Class* const of = counted(request);
    if (of == nullptr) return;
    of->values[0].push_back((request.first_token - request.arrival).value());
    if (request.output > 1)
        of->values[1].push_back((request.finished - request.first_token).value() / (request.output - 1));
    of->values[2].push_back((request.finished - request.arrival).value());
}

void PromiseWatch::unanswered(const Request& request) {
    Class* const of = counted(request);
    if (of == nullptr || request.outcome != Request::Outcome::timed_out) return;
    const double waited = (request.finished - request.arrival).value();
    of->values[0].push_back(waited);
    of->values[2].push_back(waited);
}

double PromiseWatch::worst_ratio() {
    double worst = 0;
    for (Class& one : classes_)
        for (const SloTerm& term : one.slo.terms) {
            std::vector<double>& values = one.values[static_cast<std::size_t>(term.metric)];
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
