#include "model/base/csv.hpp"
#include "simulator/tabulated_timer.hpp"
#include "tests/catch.hpp"
#include "tests/simulated.hpp"

using namespace plimsoll;
using namespace simulated;

namespace {

std::vector<Arrival> workload(const std::string& file) {
    const Csv table = Csv::from_file(file);
    std::vector<Arrival> arrivals;
    for (std::size_t row = 0; row < table.rows(); ++row) {
        Arrival arrival;
        arrival.time = Seconds(table.number(row, "arrived_at").value());
        arrival.prompt = static_cast<std::uint32_t>(table.number(row, "num_prefill_tokens").value());
        arrival.output = static_cast<std::uint32_t>(table.number(row, "num_decode_tokens").value());
        arrivals.push_back(arrival);
    }
    return arrivals;
}

/// The largest difference of a first token or a completion from the record, in seconds.
double largest_difference(const std::string& folder, const std::string& run, const std::string& load,
                          const char* scheduler, const SchedulerSettings& settings) {
    const TabulatedTimer timer(folder + "/tables_a30_qwen2_7b", 28);
    RequestTable requests;
    Replica replica(requests, timer, *schedulers().find(scheduler), settings);
    Script source(workload(folder + "/workload_" + load + ".csv"));
    Record record;
    simulate(source, requests, replica, &record);

    const Csv table = Csv::from_file(folder + "/requests_" + run + ".csv");
    REQUIRE(record.requests.size() == table.rows());
    double largest = 0;
    for (std::size_t row = 0; row < table.rows(); ++row) {
        const Request& request = record.requests[row];
        const double arrived = table.number(row, "arrived_at").value();
        const double ttft = table.number(row, "ttft_s").value(), e2e = table.number(row, "e2e_s").value();
        largest = std::max(largest, std::abs(request.first_token.value() - arrived - ttft));
        largest = std::max(largest, std::abs(request.finished.value() - arrived - e2e));
    }
    return largest;
}

SchedulerSettings limits(std::uint32_t step_tokens, bool padded) {
    SchedulerSettings settings;
    settings.max_sequences = 48;
    settings.max_step_tokens = step_tokens;
    settings.kv_blocks = 11008;
    settings.block_tokens = 16;
    settings.watermark = 0.01;
    settings.padded_prefill = padded;
    return settings;
}

}  // namespace

TEST_CASE("Another simulator's recorded runs are reproduced, request by request, on its own cost tables") {
    const std::string shared = shared_folder();
    if (shared.empty()) {
        WARN("skipped: no folder of measurements (PLIMSOLL_SHARED)");
        return;
    }
    const std::string folder = shared + "/data/reference_runs";
    CHECK(largest_difference(folder, "a30_sarathi_1k_q3", "a30_sarathi_1k_q3", "sarathi", limits(512, false)) < 1e-6);
    CHECK(largest_difference(folder, "a30_sarathi_10k_q3", "a30_sarathi_10k_q3", "sarathi", limits(512, false)) < 1e-6);
    CHECK(largest_difference(folder, "a30_vllm_10k_q3", "a30_sarathi_10k_q3", "vllm-v0", limits(4096, true)) < 1e-6);
}
