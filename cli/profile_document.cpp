#include "cli/profile_document.hpp"

#include <algorithm>
#include <cmath>
#include <string_view>

#include <fmt/format.h>

#include "cli/fit_document.hpp"
#include "model/cost/kernel_form.hpp"

namespace plimsoll {
namespace {

/// "gemm vllm-0.14.0 bf16, path gemv": one kernel among those of its profile.
std::string name_of(const KernelModel& model) {
    std::string name = model.kernel + " " + model.library;
    if (!model.dtype.empty()) name += " " + model.dtype;
    if (!model.kv_dtype.empty() && model.kv_dtype != model.dtype) name += ", " + model.kv_dtype + " cache";
    if (!model.path.empty()) name += ", path " + model.path;
    if (!model.topology.empty()) name += ", " + model.topology;
    return name;
}

Cell text_or_nothing(const std::string& text) {
    return text.empty() ? Cell() : Cell(text);
}

Facts head(const Profile& profile) {
    Facts facts{"profile",
                "",
                {{"name", "profile", profile.name},
                 {"gpu", "GPU", profile.gpu},
                 {"date", "date", profile.date},
                 {"source", "source", profile.source}}};
    for (const auto& [key, value] : profile.environment) facts.facts.push_back({"environment." + key, key, value});
    return facts;
}

Table kernels(const Profile& profile) {
    Table table{"kernels",
                "Kernels, and how far measurements that the fit had not seen lie from it",
                {{"kernel", "kernel", 0, true, "", true},
                 {"library", "library", 0, true},
                 {"dtype", "dtype", 1},
                 {"kv_dtype", "KV", 1},
                 {"path", "path", 1},
                 {"topology", "topology", 1, true},
                 {"form", "form", 6},
                 {"points", "points", 0},
                 {"residuals.mean_ape", "mean error", 0},
                 {"residuals.median_ape", "median", 4},
                 {"residuals.p90_ape", "p90", 0},
                 {"residuals.bias", "bias", 5},
                 {"residuals.count", "", 0},
                 {"origin", "origin", 4},
                 {"source", "", 0}},
                {}};
    for (const KernelModel& model : profile.kernels) {
        const Residuals& r = model.residuals;
        table.rows.push_back({model.kernel, model.library, text_or_nothing(model.dtype),
                              text_or_nothing(model.kv_dtype), text_or_nothing(model.path),
                              text_or_nothing(model.topology), model.form,
                              Cell::count(static_cast<double>(model.points)), Cell::fraction(r.mean_ape),
                              Cell::fraction(r.median_ape), Cell::fraction(r.p90_ape), Cell(Kind::change, r.bias),
                              Cell::count(static_cast<double>(r.count)), to_string(model.origin), model.source});
    }
    return table;
}

Table constants(const Profile& profile) {
    Table table{"constants",
                "Constants",
                {{"kernel", "kernel", 0, true, "", true},
                 {"constant", "constant", 0},
                 {"value", "", 0},
                 {"standard_error", "", 0},
                 {"", "value", 0},
                 {"", "+-", 0},
                 {"", "unit", 1},
                 {"relative_error", "relative", 1}},
                {}};
    for (const KernelModel& model : profile.kernels)
        for (const FittedConstant& constant : model.constants)
            table.rows.push_back(
                {name_of(model), constant.name, Cell::number(constant.value), Cell::number(constant.standard_error),
                 fmt::format("{:.4g}", constant.value), fmt::format("{:.2g}", constant.standard_error),
                 text_or_nothing(std::string(unit_of(model, constant.name))),
                 constant.value != 0 ? Cell::fraction(constant.standard_error / std::fabs(constant.value)) : Cell()});
    return table;
}

Table ranges(const Profile& profile) {
    Table table{"ranges",
                "Sizes measured",
                {{"kernel", "kernel", 0, true, "", true}, {"size", "size", 0}, {"low", "from", 0}, {"high", "to", 0}},
                {}};
    for (const KernelModel& model : profile.kernels)
        for (const ValidRange& range : model.ranges)
            table.rows.push_back({name_of(model), range.name, Cell::number(range.low), Cell::number(range.high)});
    return table;
}

constexpr int plot_columns = 41;
constexpr double plot_edge = 0.5;  // of the logarithm

int column_of(double logarithm) {
    const double share = (std::clamp(logarithm, -plot_edge, plot_edge) + plot_edge) / (2.0 * plot_edge);
    return static_cast<int>(std::lround(share * (plot_columns - 1)));
}

double quantile(const std::vector<double>& quantiles, double share) {
    const double place = share * static_cast<double>(quantiles.size() - 1);
    const auto below = static_cast<std::size_t>(place);
    const std::size_t above = std::min(below + 1, quantiles.size() - 1);
    return quantiles[below] + (quantiles[above] - quantiles[below]) * (place - static_cast<double>(below));
}

/// "....---===|==--...": 5th to 95th percentile, the middle half and the median; the fit itself stands at ':'. Blanks
/// would not keep their place in a table.
std::string box(const std::vector<double>& quantiles) {
    std::string line(plot_columns, '.');
    const auto fill = [&](double from, double to, char mark) {
        for (int i = column_of(quantile(quantiles, from)); i <= column_of(quantile(quantiles, to)); ++i)
            line[static_cast<std::size_t>(i)] = mark;
    };
    line[plot_columns / 2] = ':';
    fill(0.05, 0.95, '-');
    fill(0.25, 0.75, '=');
    fill(0.5, 0.5, '|');
    return line;
}

Table plot(const Profile& profile) {
    const std::string axis = fmt::format("{:<20}:{:>20}", "-39 %", "+65 %");
    Table table{"",
                "Measured over fitted: the middle half =, 90 % of it -, the median |",
                {{"", "kernel", 0, true}, {"", axis, 0}},
                {}};
    for (const KernelModel& model : profile.kernels)
        if (!model.residuals.quantiles.empty()) table.rows.push_back({name_of(model), box(model.residuals.quantiles)});
    return table;
}

/// Sizes that serving meets, which a profile had better cover.
struct Wanted {
    std::string_view kernel, size;
    double low, high;
};
constexpr Wanted wanted[] = {
    {"gemm", "m", 1, 8192},
    {"gemm", "n", 1024, 28672},
    {"gemm", "k", 1024, 28672},
    {"attention_prefill", "query", 128, 8192},
    {"attention_prefill", "kv", 128, 32768},
    {"attention_decode", "batch", 1, 128},
    {"attention_decode", "kv", 256, 32768},
    {"all_reduce", "bytes", 8192, 134217728},
    {"all_reduce", "ranks", 2, 8},
    {"moe", "rows", 1, 65536},
    {"elementwise", "bytes", 16384, 134217728},
};

/// Whether a constant is where the form begins and as unsure.
bool is_untold(const KernelModel& model, const FittedConstant& constant) {
    const KernelForm* form = kernel_forms().find(model.form);
    if (!form) return false;
    for (const FormConstant& known : form->constants)
        if (known.name == constant.name)
            return std::fabs(constant.value / known.initial - 1.0) < 1e-3 &&
                   constant.standard_error > 0.9 * known.prior_width * known.initial;
    return false;
}

std::string untold_constants(const KernelModel& model) {
    std::string names;
    for (const FittedConstant& constant : model.constants)
        if (is_untold(model, constant)) names += (names.empty() ? "" : ", ") + constant.name;
    return names;
}

/// Where predictions lean on few points, and where they leave what was measured.
std::vector<std::string> needs_of(const KernelModel& model) {
    constexpr double points_a_constant = 4, loose = 0.25, poor = 0.25;
    std::vector<std::string> needs;
    const std::string name = name_of(model);
    if (static_cast<double>(model.points) < points_a_constant * static_cast<double>(model.constants.size()))
        needs.push_back(fmt::format("{}: {} points for {} constants", name, model.points, model.constants.size()));
    if (const std::string untold = untold_constants(model); !untold.empty())
        needs.push_back(fmt::format("{}: no measurement tells of {}", name, untold));
    for (const FittedConstant& c : model.constants)
        if (c.standard_error > loose * std::fabs(c.value) && !is_untold(model, c))
            needs.push_back(fmt::format("{}: {} is known to {:.0f} % only", name, c.name,
                                        100.0 * c.standard_error / std::max(1e-300, std::fabs(c.value))));
    for (const Wanted& size : wanted)
        for (const ValidRange& range : model.ranges) {
            if (size.kernel != model.kernel || size.size != range.name) continue;
            // The ends of a range are kept as logarithms, and differ in the last digits.
            constexpr double slack = 1e-9;
            if (range.low > size.low * (1 + slack))
                needs.push_back(fmt::format("{}: {} below {:g}", name, range.name, range.low));
            if (range.high < size.high * (1 - slack))
                needs.push_back(fmt::format("{}: {} above {:g}", name, range.name, range.high));
        }
    if (model.residuals.p90_ape > poor)
        needs.push_back(
            fmt::format("{}: a tenth of the measurements lie more than {:.0f} % off, another path may hide "
                        "among them",
                        name, 100.0 * model.residuals.p90_ape));
    return needs;
}

}  // namespace

std::vector<Item> profile_items(const Profile& profile) {
    std::vector<Item> items{head(profile), kernels(profile), plot(profile), constants(profile), ranges(profile)};
    Bullets needs{"needs", "More points are needed:", {}};
    for (const KernelModel& model : profile.kernels)
        for (std::string& need : needs_of(model)) needs.lines.push_back(std::move(need));
    items.push_back(std::move(needs));
    return items;
}

}  // namespace plimsoll
