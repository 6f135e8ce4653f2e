#pragma once
#include <memory>
#include <optional>
#include <string>

#include "model/base/csv.hpp"
#include "model/spec/catalog.hpp"
#include "scenarios/instance_run.hpp"
#include "scenarios/validate.hpp"

namespace plimsoll {

/// Seeds that a shown value and a trial of the search for users are averaged over.
inline constexpr std::uint32_t shown_runs = 12, searched_runs = 6;

/// One row of a table of serving measurements as a deployment under a load.
struct MeasuredRow {
    Deployment deployment;
    std::unique_ptr<Engine> engine;  ///< the library's with the row's rule applied
    Workload workload;
    double prompt_scale = 1.0;    ///< of the printed prompt tokens, in `workload`
    std::optional<int> requests;  ///< of this run's shared queue, where the table says it
    Distribution think_time;      ///< seconds
    int least_requests = 0;       ///< of the shared queue, where the table does not say it
    std::string problem;          ///< why nothing can be predicted; empty otherwise
};

/// The GPU that a row means by its columns gpu and gpu_mem_gb, and where several fit by its link, "NVLink" or "PCIe"
/// (an empty or doubted cell tells nothing); null, and why, where none or several fit.
[[nodiscard]] const Gpu* gpu_of_row(const Csv& table, std::size_t row, Catalog& catalog, std::string& problem);
/// The model that a row means; null, and why, where none or several fit.
[[nodiscard]] const Transformer* model_of_row(const Csv& table, std::size_t row, Catalog& catalog,
                                              std::string& problem);
/// The dtype that a row means by its column weights_dtype, as it is spelt here or elsewhere ("F16", "Q4_K_M"); nothing,
/// and why, where there is none.
[[nodiscard]] std::optional<Dtype> dtype_of_row(const Csv& table, std::size_t row, std::string& problem);
/// The node of a GPU with the most of them that has room; null where there is none.
[[nodiscard]] const Node* node_for(const Gpu& gpu, int gpus, Catalog& catalog);

/// Resolves the names of a row. Throws InputError for cells that are no numbers.
[[nodiscard]] MeasuredRow measured_row(const Csv& table, std::size_t row, const ValidationAssumptions& assumptions,
                                       Catalog& catalog);

/// Predicts the benchmark's runs of one deployment.
class RowPredictor {
  public:
    /// All must outlive the predictor. `deployment`: the row's, or that with other constants.
    RowPredictor(const Deployment& deployment, const MeasuredRow& row, const ValidationAssumptions& assumptions);

    /// Why the deployment cannot run, if so; nothing else may be asked then.
    [[nodiscard]] std::string problem() const;
    /// Requests of the queue that so many users drain.
    [[nodiscard]] int queue(int users) const;
    /// Means over `runs` seeds with so many users.
    [[nodiscard]] InstanceMeans at(int users, std::uint32_t runs) const;
    [[nodiscard]] InstanceMeans at(int users) const;
    /// Most users at which both means stay within the limits; 0 when one user is too many.
    [[nodiscard]] int most_users(double ttft_limit, double tpot_limit) const;

  private:
    const Deployment& deployment_;
    const MeasuredRow& row_;
    const ValidationAssumptions& assumptions_;
    std::optional<Instance> instance_;  ///< absent: there is a problem
    std::optional<InstanceRunner> runner_;
};

}  // namespace plimsoll
