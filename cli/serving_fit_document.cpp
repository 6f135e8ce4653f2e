#include "cli/serving_fit_document.hpp"

#include <algorithm>
#include <thread>

#include <fmt/format.h>

#include "cli/import_options.hpp"

namespace plimsoll {
namespace {

Cell in_unit(const EngineConstantEntry& entry, double value) {
    const bool plain = entry.constant == EngineConstant::kernel_efficiency ||
                       entry.constant == EngineConstant::host_speed || entry.constant == EngineConstant::bus_bandwidth;
    return plain ? Cell::number(value) : Cell(Seconds(value));
}

Table constants_table(const ServingCalibration& calibration) {
    Table table{"constants",
                "Constants, in seconds or as a factor",
                {{"name", "constant", 0},
                 {"default", "default", 0},
                 {"default_deviation", "+-", 1},
                 {"value", "fitted", 0},
                 {"standard_error", "+-", 0}},
                {}};
    for (std::size_t i = 0; i < calibration.constants.size(); ++i) {
        const EngineConstantEntry& entry = calibration.constants[i];
        table.rows.push_back({Cell(entry.name()), in_unit(entry, entry.value), in_unit(entry, entry.deviation),
                              in_unit(entry, calibration.fits.all.values[i]),
                              in_unit(entry, calibration.fits.all.standard_errors[i])});
    }
    return table;
}

/// `<key>.<column>.<statistic>` for machines.
Facts error_facts(const std::string& key, const ServingErrorTable& errors) {
    Facts facts{key, "", {}};
    for (std::size_t c = 0; c < fitted_columns.size(); ++c) {
        const auto add = [&](const char* name, Cell cell) {
            facts.facts.push_back({std::string(fitted_columns[c]) + "." + name, "", std::move(cell)});
        };
        const ServingErrors& e = errors[c];
        add("n", Cell::count(e.model.n));
        add("median_ape", Cell::fraction(e.model.median));
        add("p90_ape", Cell::fraction(e.model.p90));
        add("bias", Cell(Kind::change, e.model.bias));
        add("constant_median_ape", Cell::fraction(e.constant.median));
        add("constant_p90_ape", Cell::fraction(e.constant.p90));
    }
    return facts;
}

void add_error_rows(Table& table, const std::string& what, const ServingErrorTable& errors) {
    for (std::size_t c = 0; c < fitted_columns.size(); ++c) {
        const ServingErrors& e = errors[c];
        table.rows.push_back({Cell(what), Cell(fitted_columns[c]), Cell::fraction(e.model.median),
                              Cell::fraction(e.model.p90), Cell(Kind::change, e.model.bias),
                              Cell::fraction(e.constant.median), Cell::fraction(e.constant.p90)});
    }
}

Table error_table(const std::string& title) {
    return {"",
            title,
            {{"", "rows not shown to the fit", 0},
             {"", "quantity", 0},
             {"", "median error", 0},
             {"", "p90", 0},
             {"", "bias", 1},
             {"", "a constant: median", 0},
             {"", "p90", 1}},
            {}};
}

constexpr std::string_view errors_title = "Errors beside those of the mean of the other rows of the same GPU";

void add_errors(const ServingCalibration& calibration, const std::string& prefix, const std::string& title,
                Document& document) {
    document.items.push_back(error_facts(prefix + "leave_one_out", calibration.leave_one_out));
    document.items.push_back(error_facts(prefix + "leave_one_campaign_out", calibration.leave_one_campaign_out));
    document.items.push_back(error_facts(prefix + "in_sample", calibration.in_sample_errors));
    document.items.push_back(error_facts(prefix + "defaults", calibration.default_errors));
    Table table = error_table(title);
    add_error_rows(table, "the row itself", calibration.leave_one_out);
    add_error_rows(table, "its campaign", calibration.leave_one_campaign_out);
    add_error_rows(table, "none", calibration.in_sample_errors);
    add_error_rows(table, "all (defaults)", calibration.default_errors);
    document.items.push_back(std::move(table));
}

Cell pair_cell(double measured, double predicted, double per_unit) {
    return plain_number(measured * per_unit) + " : " + plain_number(predicted * per_unit) + "\n" +
           change_text(predicted / measured - 1.0);
}

Table rows_table(const ServingCalibration& calibration) {
    Table table{"rows",
                "Measured : predicted without the row",
                {{"place", "", 0},
                 {"campaign", "campaign", 0},
                 {"gpu", "GPU", 0},
                 {"tensor_parallel", "TP", 0},
                 {"", "TTFT s", 0},
                 {"", "TPOT ms", 0},
                 {"", "users", 0},
                 {"", "limits -+10 %", 1}},
                {}};
    for (const char* column : {"ttft_s", "tpot_s", "users"})
        for (const char* part : {".measured", ".without_row", ".without_campaign", ".in_sample"})
            table.columns.push_back({std::string(column) + part, "", 0});
    table.columns.push_back({"users.low", "", 0});
    table.columns.push_back({"users.high", "", 0});
    for (std::size_t i = 0; i < calibration.table.rows.size(); ++i) {
        const ServingTableRow& row = calibration.table.rows[i];
        const ServingPrediction &one = calibration.without_row[i], &campaign = calibration.without_campaign[i],
                                &all = calibration.in_sample[i];
        Row cells{row.place,
                  row.campaign,
                  row.measured.deployment.gpu->name,
                  Cell::count(row.measured.deployment.tensor_parallel),
                  pair_cell(row.ttft, one.ttft, 1.0),
                  pair_cell(row.tpot, one.tpot, 1e3),
                  pair_cell(row.users, one.users, 1.0),
                  fmt::format("{:.0f} to {:.0f}", one.users_band.low, one.users_band.high)};
        for (const double v : {row.ttft, one.ttft, campaign.ttft, all.ttft, row.tpot, one.tpot, campaign.tpot, all.tpot,
                               double(row.users), double(one.users), double(campaign.users), double(all.users),
                               one.users_band.low, one.users_band.high})
            cells.push_back(Cell::number(v));
        table.rows.push_back(std::move(cells));
    }
    return table;
}

std::string share_text(double share) {
    return fmt::format("{:g}", share);
}

/// The readings of the table that nobody printed.
std::vector<std::string> readings(const ServingCalibration& calibration, const ValidationAssumptions& assumptions) {
    std::vector<std::string> texts;
    for (const std::string& campaign : calibration.table.campaigns)
        for (const ServingTableRow& row : calibration.table.rows)
            if (row.campaign == campaign && row.measured.prompt_scale != 1.0) {
                texts.push_back("prompt_scale: prompts of '" + campaign + "' count as " +
                                share_text(row.measured.prompt_scale) +
                                " of the printed tokens, inferred and not measured (see the workload's sources)");
                break;
            }
    if (!assumptions.scheduler.empty()) texts.push_back("scheduler: the rule '" + assumptions.scheduler + "'");
    if (assumptions.tpot_over_tokens)
        texts.emplace_back("tpot: the time after the first token was divided by all tokens of the answer");
    for (const auto& rule : assumptions.rules) texts.push_back("rule: " + rule.reason);
    return texts;
}

bool scales_prompts(const ServingCalibration& calibration) {
    return std::ranges::any_of(calibration.table.rows,
                               [](const ServingTableRow& row) { return row.measured.prompt_scale != 1.0; });
}

}  // namespace

Document serving_fit_document(const Arguments& arguments, Session& session) {
    Catalog& catalog = session.catalog();
    ValidationAssumptions assumptions = assumptions_named(*arguments.value("assumptions"), catalog);
    const Imported imported =
        import_files(arguments.values("serving"), import_choice(arguments), {MeasuredKind::serving});
    const Csv& table = imported.table;
    const double widen = arguments.integer("widen", {1, 100}).value_or(1);
    const std::uint32_t threads = std::max(1U, std::thread::hardware_concurrency());
    const ServingCalibration calibration = calibrate_serving(table, assumptions, catalog, widen, threads);
    Document document;
    document.items.push_back(constants_table(calibration));
    add_errors(calibration, "", std::string(errors_title), document);
    document.items.push_back(rows_table(calibration));
    document.items.push_back(Bullets{"assumptions", "Read into the table:", readings(calibration, assumptions)});
    if (scales_prompts(calibration)) {
        assumptions.prompt_scale = 1.0;
        add_errors(calibrate_serving(table, assumptions, catalog, widen, threads), "prompts_as_printed.",
                   "The same with prompts as printed", document);
    }
    std::vector<std::string> skipped = imported.left_out;
    skipped.insert(skipped.end(), calibration.table.skipped.begin(), calibration.table.skipped.end());
    if (!skipped.empty()) document.items.push_back(Bullets{"skipped", "Skipped:", std::move(skipped)});
    if (const auto directory = arguments.value("data-out"))
        document.items.push_back(
            Bullets{"files", "Written, for --data " + *directory + ":",
                    write_serving_entries(calibration, assumptions.engine, *directory, table.name(), catalog)});
    return document;
}

}  // namespace plimsoll
