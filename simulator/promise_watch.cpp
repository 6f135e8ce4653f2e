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
    ++counted_;
    if (request.outcome == Request::Outcome::refused) ++refused_;
    const std::size_t index = classes_.size() == 1 ? 0 : RequestTag::of(request.tag).load_class;
    return index < classes_.size() ? &classes_[index] : nullptr;
}

void PromiseWatch::finished(const Request& request) {
    Class* const of = counted(request);
    if (of == nullptr) return;
    arrivals_.push_back(request.arrival.value());
    ends_.push_back(request.finished.value());
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

double PromiseWatch::came_over_answered() const {
    const auto half = static_cast<std::ptrdiff_t>(ends_.size() / 2);
    const auto between_halves = [half](const std::vector<double>& times) {
        return std::accumulate(times.end() - half, times.end(), 0.0) -
               std::accumulate(times.begin(), times.begin() + half, 0.0);
    };
    const double came = between_halves(arrivals_);
    return came > 0 ? between_halves(ends_) / came : 1.0;
}

double PromiseWatch::refused_share() const {
    return counted_ > 0 ? static_cast<double>(refused_) / static_cast<double>(counted_) : 0.0;
}

}  // namespace plimsoll
