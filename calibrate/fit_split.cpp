#include "calibrate/fit_split.hpp"

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>
#include <random>

#include <Eigen/Core>

#include "calibrate/fit_learner.hpp"
#include "model/base/error.hpp"
#include "model/base/units_text.hpp"
#include "model/cost/kernel_form.hpp"

namespace plimsoll {
namespace {

using Rows = std::vector<std::size_t>;

/// Uniform in 0 .. 1; the standard's distributions differ between libraries.
double uniform(std::mt19937_64& random) {
    return static_cast<double>(random() >> 11) * 0x1.0p-53;
}

Rows drawn(Rows rows, std::size_t count, std::mt19937_64& random) {
    for (std::size_t i = 0; i < std::min(count, rows.size()); ++i)
        std::swap(rows[i], rows[i + static_cast<std::size_t>(uniform(random) * static_cast<double>(rows.size() - i))]);
    rows.resize(std::min(count, rows.size()));
    return rows;
}

Eigen::MatrixXd features_of(const std::vector<KernelRow>& rows, const Rows& members) {
    const std::string& kernel = rows[members.front()].group.kernel;
    const auto form = std::find_if(kernel_forms().begin(), kernel_forms().end(),
                                   [&](const auto& entry) { return entry.second.kernel == kernel; });
    PLIMSOLL_ASSERT(form != kernel_forms().end());
    Eigen::MatrixXd features(static_cast<Eigen::Index>(members.size()),
                             static_cast<Eigen::Index>(form->second.feature_names.size()));
    for (std::size_t i = 0; i < members.size(); ++i) {
        const FormFeatures f = form->second.features(rows[members[i]].op);
        for (Eigen::Index c = 0; c < features.cols(); ++c)
            features(static_cast<Eigen::Index>(i), c) = f.values[static_cast<std::size_t>(c)];
    }
    return features;
}

/// Rows far from each other in the scaled logarithms of their sizes, shaken by the seed so that ties differ.
Rows spread(const std::vector<KernelRow>& rows, const Rows& members, std::size_t count, std::mt19937_64& random) {
    Eigen::MatrixXd scaled = scaled_columns(features_of(rows, members));
    for (double& value : scaled.reshaped()) value += 0.05 * (uniform(random) - 0.5);
    Rows result;
    for (const Eigen::Index i : spread_rows(scaled, count)) result.push_back(members[static_cast<std::size_t>(i)]);
    return result;
}

/// Rows at even steps of the first feature, ends included; inner steps are shaken by the seed.
Rows at_even_steps(const std::vector<KernelRow>& rows, const Rows& members, std::size_t count,
                   std::mt19937_64& random) {
    if (count >= members.size()) return members;
    const Eigen::VectorXd sizes = features_of(rows, members).col(0);
    const double low = sizes.minCoeff(),
                 step = (sizes.maxCoeff() - low) / static_cast<double>(std::max<std::size_t>(count - 1, 1));
    std::vector<bool> taken(members.size(), false);
    Rows result;
    for (std::size_t i = 0; i < count; ++i) {
        const bool inner = i > 0 && i + 1 < count;
        const double target = low + step * (static_cast<double>(i) + (inner ? 0.4 * (uniform(random) - 0.5) : 0.0));
        std::size_t nearest = members.size();
        for (std::size_t j = 0; j < members.size(); ++j)
            if (!taken[j] &&
                (nearest == members.size() || std::abs(sizes[static_cast<Eigen::Index>(j)] - target) <
                                                  std::abs(sizes[static_cast<Eigen::Index>(nearest)] - target)))
                nearest = j;
        taken[nearest] = true;
        result.push_back(members[nearest]);
    }
    return result;
}

Rows train_rows(const std::vector<KernelRow>& rows, const Rows& members, const SplitRule& rule,
                std::mt19937_64& random) {
    if (rule.share)
        return drawn(members, static_cast<std::size_t>(std::llround(*rule.share * static_cast<double>(members.size()))),
                     random);
    if (!rule.count) return members;
    if (rule.per.empty())
        return rule.designed ? spread(rows, members, *rule.count, random) : drawn(members, *rule.count, random);
    std::map<int, Rows> by_ranks;
    for (const std::size_t row : members) by_ranks[rows[row].op.ranks].push_back(row);
    Rows result;
    for (const auto& [ranks, own] : by_ranks)
        for (const std::size_t row : at_even_steps(rows, own, *rule.count, random)) result.push_back(row);
    return result;
}

std::size_t whole_number(const std::string& text, const std::string& place) {
    const double number = parse_number(text, place);
    if (number < 1 || number > 1e9 || number != std::floor(number))
        throw InputError(place, "a whole number from 1 is needed, got " + in_quotes(text));
    return static_cast<std::size_t>(number);
}

}  // namespace

SplitRule parse_train(const std::string& text) {
    constexpr std::string_view prefix = "designed:";
    SplitRule rule;
    if (text.starts_with(prefix)) {
        rule.designed = true;
        rule.count = whole_number(text.substr(prefix.size()), "--train");
        return rule;
    }
    const double number = parse_number(text, "--train");
    if (number > 0 && number < 1)
        rule.share = number;
    else
        rule.count = whole_number(text, "--train");
    return rule;
}

SplitRule parse_train_per(const std::string& text) {
    const auto equals = text.find('=');
    SplitRule rule;
    if (equals != std::string::npos) rule.per = text.substr(0, equals);
    if (rule.per != "ranks")
        throw InputError("--train-per",
                         in_quotes(text) + ": only ranks=COUNT is known, spread sizes of each rank count");
    rule.designed = true;
    rule.count = whole_number(text.substr(equals + 1), "--train-per");
    return rule;
}

RowSplit split_rows(const std::vector<KernelRow>& rows, const SplitRule& rule, std::uint64_t seed) {
    std::map<KernelGroup, Rows> groups;
    for (std::size_t i = 0; i < rows.size(); ++i) groups[rows[i].group].push_back(i);
    std::mt19937_64 random(seed);
    std::vector<bool> trained(rows.size(), false);
    for (const auto& [group, members] : groups)
        for (const std::size_t row : train_rows(rows, members, rule, random)) trained[row] = true;
    RowSplit split;
    for (std::size_t i = 0; i < rows.size(); ++i) (trained[i] ? split.train : split.test).push_back(rows[i]);
    return split;
}

}  // namespace plimsoll
