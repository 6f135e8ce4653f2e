#include "calibrate/routed_load.hpp"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <numeric>
#include <random>
#include <span>
#include <utility>
#include <vector>

#include "model/base/error.hpp"
#include "model/base/units_text.hpp"

namespace plimsoll {
namespace {

using Count = std::int64_t;
using Counts = std::vector<Count>;  ///< [experts]: tokens of each

/// Who gets the choices that rounding lost, and gives those that it added.
enum class Remainder { most_loaded, least_loaded, ranks_in_turn };

/// How AIConfigurator's collector of a framework posed the work of a rank (095f58a and before, collector/helper.py and
/// collector/*/collect_moe.py). Which generator a table was made with is not written in it: few tokens tell, whose
/// choices lie all on one rank (most, least) or on as many ranks as there are. SGLang's rank gets the tokens with an
/// expert of its own, and computes all their choices: those of other ranks by its first expert.
struct Collector {
    std::string_view framework;
    Remainder remainder = Remainder::ranks_in_turn;
    bool computes_foreign = false;
};
constexpr Collector collectors[] = {{"trtllm-1.0", Remainder::most_loaded, false},
                                    {"vllm-0.14", Remainder::least_loaded, false},
                                    {"sglang", Remainder::ranks_in_turn, true}};

Collector collector_of(const TableCells& cells) {
    if (cells.text("source") != "aiconfigurator") return {};
    const std::string framework = cells.text("framework");
    for (const Collector& known : collectors)
        if (framework.starts_with(known.framework)) return known;
    return {};
}

struct Layer {
    Count tokens, top_k, experts, ranks;
    [[nodiscard]] std::size_t own() const { return static_cast<std::size_t>(experts / ranks); }
    [[nodiscard]] Count choices() const { return tokens * top_k; }
};

Layer layer_of(const TableCells& cells) {
    constexpr double most_tokens = 1e9, most_experts = 1e4;
    const auto whole = [&](const char* column, double most, const char* why) {
        const double value = cells.number(column);
        if (value <= most) return std::max<Count>(1, std::llround(value));
        throw InputError(cells.place + " " + column, why);
    };
    Layer layer{};
    layer.tokens = whole("num_tokens", most_tokens, "is above 1e9");
    layer.experts = whole("experts", most_experts, "is above 10000");
    layer.top_k = whole("topk", static_cast<double>(layer.experts), "is above experts");
    layer.ranks = whole("ep", static_cast<double>(layer.experts), "is above experts");
    if (layer.experts % layer.ranks != 0) throw InputError(cells.place + " ep", "does not divide experts");
    return layer;
}

/// Raises the least of some counts, none above a bound, one by one; returns what found no room.
Count raise_least(std::span<Count> counts, Count amount, Count bound) {
    const auto filled = [&](Count level) {
        Count sum = 0;
        for (const Count count : counts) sum += std::max<Count>(0, std::min(level, bound) - count);
        return sum;
    };
    Count low = *std::min_element(counts.begin(), counts.end()), high = bound;
    while (low < high) {
        const Count middle = low + (high - low + 1) / 2;
        if (filled(middle) <= amount)
            low = middle;
        else
            high = middle - 1;
    }
    amount -= filled(low);
    for (Count& count : counts) {
        count = std::max(count, std::min(low, bound));
        if (amount > 0 && count == low && count < bound) ++count, --amount;
    }
    return amount;
}

/// Each rank in turn takes one to its least loaded expert, or gives one of its most loaded.
void settle_by_ranks(Counts& counts, const Layer& layer, Count rest) {
    const bool gives = rest < 0;
    const auto turned = [&] {
        if (gives)
            for (Count& count : counts) count = -count;
    };
    const Count bound = gives ? 0 : layer.tokens;
    turned();
    std::vector<std::span<Count>> open;
    for (std::size_t first = 0; first < counts.size(); first += layer.own())
        open.push_back(std::span(counts).subspan(first, layer.own()));
    for (Count left = std::abs(rest); left > 0;) {
        std::erase_if(open, [&](auto rank) { return *std::min_element(rank.begin(), rank.end()) >= bound; });
        PLIMSOLL_ASSERT(!open.empty());
        const auto ranks = static_cast<Count>(open.size());
        Count over = 0;
        for (Count rank = 0; rank < ranks; ++rank)
            over +=
                raise_least(open[static_cast<std::size_t>(rank)], left / ranks + (rank < left % ranks ? 1 : 0), bound);
        left = over;
    }
    turned();
}

/// The experts in the order of their counts take one each, from the most or the least loaded on; or they give one each
/// from the least loaded on, in whose place the most loaded does that has none.
void settle_by_experts(Counts& counts, Count rest, bool most_first, Count bound) {
    std::vector<std::size_t> order(counts.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return counts[a] > counts[b]; });
    if (!most_first || rest < 0) std::reverse(order.begin(), order.end());
    for (std::size_t i = 0; rest < 0; ++rest, ++i) {
        Count& next = counts[order[i % order.size()]];
        --(next > 0 ? next : *std::max_element(counts.begin(), counts.end()));
    }
    while (rest > 0) {
        Count open = 0, room = rest;
        for (const Count count : counts)
            if (count < bound) ++open, room = std::min(room, bound - count);
        PLIMSOLL_ASSERT(open > 0);
        const Count rounds = std::max<Count>(1, std::min(room, rest / open));
        for (const std::size_t expert : order)
            if (rest > 0 && counts[expert] < bound) {
                const Count given = std::min(rounds, rest);
                counts[expert] += given, rest -= given;
            }
    }
}

/// Loads drawn from a density x^-alpha over 1 .. 0.8 tokens (0.01 .. 2 where choices are no more than experts), scaled
/// to the choices and rounded (AIConfigurator 095f58a, collector/helper.py).
Counts drawn_counts(const Layer& layer, double alpha, Remainder remainder, std::mt19937_64& random) {
    const bool many = layer.choices() > layer.experts;
    const double from = many ? 1.0 : 0.01, to = many ? 0.8 * static_cast<double>(layer.tokens) : 2.0;
    const double low = std::pow(from, 1 - alpha), high = std::pow(std::max(to, 1.001 * from), 1 - alpha);
    std::vector<double> loads(static_cast<std::size_t>(layer.experts));
    for (double& load : loads) {
        const double share = static_cast<double>(random() >> 11) * 0x1.0p-53;
        load = std::pow(low + (high - low) * share, 1 / (1 - alpha));
    }
    const double scale = static_cast<double>(layer.choices()) / std::accumulate(loads.begin(), loads.end(), 0.0);
    const Count bound = remainder == Remainder::most_loaded ? layer.choices() : layer.tokens;
    Counts counts;
    for (const double load : loads) counts.push_back(std::min(bound, static_cast<Count>(std::nearbyint(load * scale))));
    const Count rest = layer.choices() - std::accumulate(counts.begin(), counts.end(), Count{0});
    if (remainder == Remainder::ranks_in_turn)
        settle_by_ranks(counts, layer, rest);
    else
        settle_by_experts(counts, rest, remainder == Remainder::most_loaded, bound);
    return counts;
}

/// Tokens with an expert from `first` on: the experts by their counts fill the tokens' first choices, then the second
/// ones and so on.
Count tokens_reaching(const Counts& counts, const Layer& layer, std::size_t first) {
    std::vector<std::size_t> order(counts.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return counts[a] > counts[b]; });
    std::vector<std::pair<Count, Count>> parts;  // of the tokens, from and to
    Count at = 0;
    for (const std::size_t expert : order) {
        const Count from = at % layer.tokens, to = from + counts[expert];
        at += counts[expert];
        if (expert < first || expert >= first + layer.own() || counts[expert] == 0) continue;
        if (counts[expert] >= layer.tokens) return layer.tokens;
        parts.emplace_back(from, std::min(to, layer.tokens));
        if (to > layer.tokens) parts.emplace_back(0, to - layer.tokens);
    }
    std::sort(parts.begin(), parts.end());
    Count reached = 0, end = 0;
    for (const auto& [from, to] : parts) {
        reached += std::max<Count>(0, to - std::max(from, end));
        end = std::max(end, to);
    }
    return reached;
}

RoutedLoad load_of(std::span<const Count> own, Count reaching, const Layer& layer, bool computes_foreign) {
    RoutedLoad load;
    for (const Count count : own) {
        load.rows += static_cast<double>(std::min(count, layer.tokens));
        load.experts += count > 0 ? 1.0 : 0.0;
    }
    const bool all = !computes_foreign || layer.ranks == 1;
    load.tokens = static_cast<double>(all ? layer.tokens : std::max<Count>(1, reaching));
    const double choices = load.tokens * static_cast<double>(layer.top_k);
    if (!all) load.rows = choices, load.experts += own.front() == 0 ? 1.0 : 0.0;
    load.foreign = std::max(0.0, choices - load.rows);
    return load;
}

/// Token t goes to every stride-th expert from t on, or, where tokens are fewer than a stride, from its share of the
/// stride on; the first rank is timed.
RoutedLoad balanced_load(const Layer& layer, bool computes_foreign) {
    const Count stride = (layer.experts + layer.top_k - 1) / layer.top_k;
    const bool many = layer.tokens >= stride;
    const auto own = static_cast<Count>(layer.own());
    Counts counts(static_cast<std::size_t>(layer.experts), 0);
    Count reaching = 0;
    for (Count token = 0; token < std::min(layer.tokens, layer.experts); ++token) {
        const Count alike = many ? layer.tokens / layer.experts + (token < layer.tokens % layer.experts ? 1 : 0) : 1;
        const Count first = many ? token : token * stride / layer.tokens;
        bool here = false;
        for (Count i = 0; i < layer.top_k; ++i) {
            const Count expert = (first + i * stride) % layer.experts;
            counts[static_cast<std::size_t>(expert)] += alike;
            here = here || expert < own;
        }
        reaching += here ? alike : 0;
    }
    return load_of(std::span(counts).first(layer.own()), reaching, layer, computes_foreign);
}

/// The rank with the highest sum, on the mean of some draws: those behind a row are not known.
RoutedLoad drawn_load(const Layer& layer, double alpha, const Collector& collector) {
    constexpr int draws = 16;
    std::mt19937_64 random(1);
    RoutedLoad mean;
    for (int draw = 0; draw < draws; ++draw) {
        const Counts counts = drawn_counts(layer, alpha, collector.remainder, random);
        std::size_t busiest = 0;
        Count most = -1;
        for (std::size_t first = 0; first < counts.size(); first += layer.own()) {
            const auto begin = counts.begin() + static_cast<std::ptrdiff_t>(first);
            const Count sum = std::accumulate(begin, begin + static_cast<std::ptrdiff_t>(layer.own()), Count{0});
            if (sum > most) most = sum, busiest = first;
        }
        const Count reaching = collector.computes_foreign ? tokens_reaching(counts, layer, busiest) : 0;
        const RoutedLoad one =
            load_of(std::span(counts).subspan(busiest, layer.own()), reaching, layer, collector.computes_foreign);
        mean.tokens += one.tokens / draws, mean.rows += one.rows / draws;
        mean.experts += one.experts / draws, mean.foreign += one.foreign / draws;
    }
    return mean;
}

}  // namespace

RoutedLoad routed_load(const TableCells& cells) {
    constexpr std::string_view law = "power_law_";
    const std::string distribution = cells.text("distribution");
    const Layer layer = layer_of(cells);
    const Collector collector = collector_of(cells);
    RoutedLoad load;
    if (distribution == "balanced") {
        load = balanced_load(layer, collector.computes_foreign);
    } else if (distribution.starts_with(law)) {
        const double alpha = parse_number(distribution.substr(law.size()), cells.place + " distribution");
        // 1 has a density of its own, which its neighbours approach.
        load = drawn_load(layer, std::max(1.0 + 1e-6, alpha), collector);
    } else {
        throw InputError(cells.place + " distribution",
                         unknown_name("distribution", distribution, {"balanced", "power_law_ALPHA"}));
    }
    load.rows = std::max(1.0, load.rows), load.experts = std::max(1.0, load.experts);
    return load;
}

}  // namespace plimsoll
