#include "model/capacity/mixture.hpp"

#include <algorithm>
#include <cmath>

#include "model/base/error.hpp"

namespace plimsoll {

namespace {

struct Totals {
    double weight = 0.0;
    double mean = 0.0;
    double variance = 0.0;
};

/// Weight, mean and variance of some components together; the variance around the mean, not as a difference of squares.
Totals totals_of(std::span<const Component> components) {
    Totals totals;
    for (const Component& c : components) {
        totals.weight += c.weight;
        totals.mean += c.weight * c.mean;
    }
    if (totals.weight == 0.0) return {};
    totals.mean /= totals.weight;
    for (const Component& c : components) {
        const double offset = c.mean - totals.mean;
        totals.variance += c.weight * (c.variance + offset * offset);
    }
    totals.variance /= totals.weight;
    return totals;
}

void sort_by_mean(std::vector<Component>& components) {
    const auto lower_mean = [](const Component& a, const Component& b) { return a.mean < b.mean; };
    if (!std::is_sorted(components.begin(), components.end(), lower_mean))
        std::sort(components.begin(), components.end(), lower_mean);
}

}  // namespace

void Mixture::add(double weight, Seconds mean, SecondsSquared variance) {
    PLIMSOLL_ASSERT(weight >= 0.0 && mean.value() >= 0.0 && variance.value() >= 0.0);
    PLIMSOLL_ASSERT(mean.finite() && variance.finite() && (variance.value() == 0.0 || mean.value() > 0.0));
    if (weight > 0.0) components_.push_back({weight, mean.value(), variance.value()});
}

void Mixture::add(const Mixture& other, double factor) {
    PLIMSOLL_ASSERT(&other != this);
    for (const Component& c : other.components_) add(c.weight * factor, Seconds(c.mean), SecondsSquared(c.variance));
}

void Mixture::scale(double factor) {
    PLIMSOLL_ASSERT(factor >= 0.0 && std::isfinite(factor));
    for (Component& c : components_) {
        c.mean *= factor;
        c.variance *= factor * factor;
    }
}

double Mixture::weight() const {
    return totals_of(components_).weight;
}

Seconds Mixture::mean() const {
    return Seconds(totals_of(components_).mean);
}

SecondsSquared Mixture::variance() const {
    return SecondsSquared(totals_of(components_).variance);
}

void Mixture::merge(std::size_t groups) {
    PLIMSOLL_ASSERT(groups > 0);
    if (components_.size() <= groups) return;
    sort_by_mean(components_);
    std::size_t written = 0;
    std::size_t left = groups;
    double above = totals_of(components_).weight;
    for (std::size_t begin = 0; begin < components_.size();) {
        // Of what is above the group before, this one leaves the share ((left - 1) / left)^2 to those after it.
        const double share = static_cast<double>(left - 1) / static_cast<double>(left);
        const double edge = above * share * share;
        std::size_t end = begin;
        do {
            above -= components_[end].weight;
            ++end;
        } while (end < components_.size() && (left == 1 || above - 0.5 * components_[end].weight > edge));
        const Totals group = totals_of({components_.data() + begin, end - begin});
        components_[written++] = {group.weight, group.mean, group.variance};
        begin = end;
        if (left > 1) --left;
    }
    components_.resize(written);
}

void Mixture::assign_sum(const Mixture& a, const Mixture& b, std::size_t groups) {
    PLIMSOLL_ASSERT(this != &a && this != &b);
    Mixture first = a;
    Mixture second = b;
    first.merge(groups);
    second.merge(groups);
    components_.clear();
    components_.reserve(first.components_.size() * second.components_.size());
    for (const Component& x : first.components_)
        for (const Component& y : second.components_)
            components_.push_back({x.weight * y.weight, x.mean + y.mean, x.variance + y.variance});
}

}  // namespace plimsoll
