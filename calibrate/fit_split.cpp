#include "calibrate/fit_split.hpp"

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>
#include <optional>
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
        const FormFeatures f = form->second.features(rows[members[i]].op, {});
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

/// Where each row lies between the first and the last: half by the logarithm of its size, half by its rank, so that
/// steps are even and yet more of them fall where there are more rows.
Eigen::VectorXd positions(const Eigen::VectorXd& sizes) {
    const Eigen::VectorXd scaled = scaled_columns(sizes);
    Eigen::VectorXd result(sizes.size());
    for (Eigen::Index i = 0; i < sizes.size(); ++i) {
        const auto below = static_cast<double>((sizes.array() < sizes[i]).count());
        result[i] = 0.5 * scaled[i] + 0.5 * below / std::max(1.0, static_cast<double>(sizes.size() - 1));
    }
    return result;
}

/// Rows at even steps of the first feature, ends included; inner steps are shaken by the seed.
Rows at_even_steps(const std::vector<KernelRow>& rows, const Rows& members, std::size_t count,
                   std::mt19937_64& random) {
    if (count >= members.size()) return members;
    const Eigen::VectorXd sizes = positions(features_of(rows, members).col(0));
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

/// A row that is fitted, with what KernelRow says of it.
struct Chosen {
    std::size_t row = 0;
    double stands_for = 1, reach = 1;
};

/// Mean distance to the so many nearest.
double mean_of_nearest(Eigen::VectorXd distances, Eigen::Index count) {
    std::sort(distances.begin(), distances.end());
    return distances.head(std::min(count, distances.size())).mean();
}

/// Chosen rows lie evenly over the sizes, the others where they may: each stands for those nearest to it. As many
/// neighbours as surround a point of that many sizes say how far rows lie from the chosen, and these from each other.
std::vector<Chosen> standing_for(const std::vector<KernelRow>& rows, const Rows& members, const Rows& chosen) {
    const Eigen::MatrixXd scaled = scaled_columns(features_of(rows, members));
    const Eigen::Index around = (scaled.colwise().maxCoeff().array() > 0).count() + 1;
    std::vector<Chosen> result;
    Eigen::MatrixXd places(static_cast<Eigen::Index>(chosen.size()), scaled.cols());
    std::vector<bool> fitted(members.size(), false);
    for (const std::size_t row : chosen) {
        const auto at = std::find(members.begin(), members.end(), row) - members.begin();
        places.row(static_cast<Eigen::Index>(result.size())) = scaled.row(at);
        fitted[static_cast<std::size_t>(at)] = true;
        result.push_back({row, 0.0});
    }
    double of_others = 0, others = 0, of_chosen = 0;
    for (Eigen::Index i = 0; i < scaled.rows(); ++i) {
        Eigen::Index nearest = 0;
        Eigen::VectorXd distances = (places.rowwise() - scaled.row(i)).rowwise().norm();
        distances.minCoeff(&nearest);
        result[static_cast<std::size_t>(nearest)].stands_for += 1;
        if (!fitted[static_cast<std::size_t>(i)]) {
            of_others += mean_of_nearest(distances, around), others += 1;
            continue;
        }
        distances[nearest] = distances.maxCoeff();  // itself
        of_chosen += mean_of_nearest(distances, around);
    }
    const double reach =
        others > 0 && of_chosen > 0 ? of_others / others / (of_chosen / static_cast<double>(chosen.size())) : 1.0;
    for (Chosen& one : result) {
        one.stands_for = std::max(one.stands_for, 1.0);  // of several at one place
        one.reach = std::min(reach, 1.0);
    }
    return result;
}

std::vector<Chosen> train_rows(const std::vector<KernelRow>& rows, const Rows& members, const SplitRule& rule,
                               std::mt19937_64& random) {
    std::vector<Chosen> result;
    if (!rule.designed) {
        const std::size_t count =
            rule.share ? static_cast<std::size_t>(std::llround(*rule.share * static_cast<double>(members.size())))
                       : rule.count.value_or(members.size());
        for (const std::size_t row : rule.share || rule.count ? drawn(members, count, random) : members)
            result.push_back({row});
        return result;
    }
    if (rule.per.empty()) return standing_for(rows, members, spread(rows, members, *rule.count, random));
    std::map<int, Rows> by_ranks;
    for (const std::size_t row : members) by_ranks[rows[row].op.ranks].push_back(row);
    for (const auto& [ranks, own] : by_ranks)
        for (const Chosen& one : standing_for(rows, own, at_even_steps(rows, own, *rule.count, random)))
            result.push_back(one);
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
    std::vector<std::optional<Chosen>> chosen(rows.size());
    for (const auto& [group, members] : groups)
        for (const Chosen& one : train_rows(rows, members, rule, random)) chosen[one.row] = one;
    RowSplit split;
    for (std::size_t i = 0; i < rows.size(); ++i) {
        (chosen[i] ? split.train : split.test).push_back(rows[i]);
        if (!chosen[i]) continue;
        split.train.back().stands_for = chosen[i]->stands_for;
        split.train.back().reach = chosen[i]->reach;
    }
    return split;
}

}  // namespace plimsoll
