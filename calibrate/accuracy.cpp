#include "calibrate/accuracy.hpp"

#include <algorithm>
#include <map>
#include <set>

#include "calibrate/row_condition.hpp"

namespace plimsoll {
namespace {

void add(TestErrors& sum, const TestErrors& errors, double share) {
    sum.n += errors.n;
    for (const auto member : {&TestErrors::mape, &TestErrors::median_ape, &TestErrors::p90_ape, &TestErrors::bias,
                              &TestErrors::coverage50, &TestErrors::coverage80, &TestErrors::coverage90})
        sum.*member += share * errors.*member;
}

/// Rows of the GPUs that the catalog knows, in groups of some size.
std::vector<KernelRow> known_rows(const Csv& csv, const AccuracyRule& rule, Catalog& catalog) {
    std::set<std::string> gpus;
    for (std::size_t row = 0; row < csv.rows(); ++row) gpus.insert(csv.text(row, "gpu"));
    std::vector<KernelRow> rows;
    for (const std::string& gpu : gpus) {
        if (catalog.gpus.candidates(gpu).size() != 1) continue;
        std::vector<RowCondition> conditions{{"gpu", RowCondition::Relation::equal, gpu}};
        for (const std::string& text : rule.conditions) conditions.push_back(parse_condition(text));
        KernelTable table = read_kernel_table(rows_where(csv, conditions), catalog);
        rows.insert(rows.end(), table.rows.begin(), table.rows.end());
    }
    std::map<KernelGroup, std::size_t> sizes;
    for (const KernelRow& row : rows) ++sizes[row.group];
    std::erase_if(rows, [&](const KernelRow& row) { return sizes[row.group] < rule.fewest; });
    return rows;
}

/// What the rows of a group have in common beyond the kernel where all groups are pooled: collectives between hosts
/// are other kernels on other links than those within one.
std::string pool_of(const KernelGroup& group) {
    if (group.kernel != "all_reduce" && group.kernel != "all_to_all") return "";
    return group.topology.find("nodes") == std::string::npos ? "one host" : "several hosts";
}

/// Means over seeds of what `errors` picks of each report, by the name that `errors` gives.
struct Means {
    std::map<std::string, GroupAccuracy> by_name;

    void add(const std::string& name, const GroupAccuracy& start, const TestErrors& errors, std::uint64_t seeds) {
        GroupAccuracy& one = by_name.try_emplace(name, start).first->second;
        plimsoll::add(one.mean, errors, 1.0 / static_cast<double>(seeds));
        one.worst_mape = std::max(one.worst_mape, errors.mape);
    }
};

}  // namespace

const std::vector<AccuracyRule>& accuracy_rules() {
    static const std::vector<AccuracyRule> rules{
        {"gemm.csv", {"n>=1024", "k>=1024"}, {"0.3", "30"}},
        {"attention_prefill.csv", {"query_len>=128", "heads>=8"}, {"0.3", "designed:60"}},
        {"attention_decode.csv", {"kv_len>=256", "heads>=8", "group<=32"}, {"0.3", "designed:60"}},
        {"allreduce.csv", {}, {"ranks=6"}, 24},
        {"moe.csv", {}, {"0.3"}}};
    return rules;
}

TableAccuracy judge_table(const Csv& csv, const AccuracyRule& rule, std::uint64_t seeds, Catalog& catalog,
                          std::uint32_t threads) {
    std::map<std::string, std::vector<KernelRow>> pools;
    for (KernelRow& row : known_rows(csv, rule, catalog)) pools[pool_of(row.group)].push_back(std::move(row));
    TableAccuracy result;
    for (const std::string& train : rule.trains) {
        const SplitRule split = train.starts_with("ranks=") ? parse_train_per(train) : parse_train(train);
        Means groups, pooled;
        for (const auto& [pool, rows] : pools)
            for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
                const FitReport report = fit_and_judge(rows, split, seed, {}, catalog, threads);
                std::size_t fitted = 0;
                for (const GroupReport& group : report.groups) {
                    fitted += group.train_rows;
                    groups.add(group.fit.group.text(),
                               {group.fit.group, train, group.train_rows + group.test.n, group.train_rows, {}, 0},
                               group.test, seeds);
                }
                for (const OperatorReport& op : report.operators)
                    pooled.add(op.kernel + pool, {{op.kernel, "", "", pool, "", ""}, train, rows.size(), fitted, {}, 0},
                               op.test, seeds);
            }
        for (auto& [name, one] : groups.by_name) result.groups.push_back(std::move(one));
        for (auto& [name, one] : pooled.by_name) result.pooled.push_back(std::move(one));
    }
    return result;
}

}  // namespace plimsoll
