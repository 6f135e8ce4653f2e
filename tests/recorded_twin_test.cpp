#include <cmath>
#include <fstream>

#include <fmt/format.h>

#include "model/base/csv.hpp"
#include "simulator/affine_timer.hpp"
#include "tests/catch.hpp"
#include "tests/simulated.hpp"
#include "tests/twin.hpp"

using namespace plimsoll;
using namespace simulated;

namespace {

// Written by the twin (the hidden test case below), kept so that a change of a rule in both shows.
const std::string file = std::string(PLIMSOLL_SOURCE_DIR) + "/tests/recorded/twin.csv";
constexpr const char* recorded[] = {"sarathi", "vllm-v0", "vllm-v1", "sglang", "tgi", "lightllm"};

const AffineTimer& timer() {
    static const AffineTimer one({Seconds(0.01), Seconds(1e-4), Seconds(5e-4), Seconds(1e-6)});
    return one;
}

SchedulerSettings limits(const std::string& scheduler) {
    SchedulerSettings settings = schedulers().find(scheduler)->defaults;
    settings.max_sequences = 6;
    settings.max_step_tokens = 200;
    settings.kv_blocks = 224 / settings.block_tokens;
    return settings;
}

/// Eight requests in two bursts; fixed numbers without a pattern.
std::vector<Arrival> load() {
    const std::uint32_t prompts[] = {57, 12, 93, 40, 71, 5, 88, 30}, outputs[] = {33, 61, 9, 80, 24, 50, 3, 45};
    std::vector<Arrival> arrivals;
    for (std::size_t i = 0; i < 8; ++i)
        arrivals.push_back({.time = Seconds(0.013 * static_cast<double>(i) + (i < 5 ? 0.0 : 0.31)),
                            .prompt = prompts[i],
                            .output = outputs[i],
                            .max_output = outputs[i] + 10});
    return arrivals;
}

}  // namespace

TEST_CASE("The recorded runs of the twin are reproduced") {
    const Csv table = Csv::from_file(file);
    REQUIRE(table.rows() == std::size(recorded) * 8);
    std::size_t row = 0;
    for (const char* scheduler : recorded) {
        RequestTable requests;
        Replica replica(requests, timer(), *schedulers().find(scheduler), limits(scheduler));
        Script source(load());
        Record record;
        simulate(source, requests, replica, &record);
        for (const Request& request : record.requests) {
            INFO(table.place(row));
            REQUIRE(table.text(row, "scheduler") == scheduler);
            CHECK(std::abs(request.first_token.value() - table.number(row, "first_token_s").value()) < 1e-8);
            CHECK(std::abs(request.finished.value() - table.number(row, "finished_s").value()) < 1e-8);
            CHECK(request.preemptions == table.number(row, "preemptions").value());
            ++row;
        }
    }
}

TEST_CASE("Write the twin's record anew", "[.record]") {
    std::ofstream out(file);
    out << "scheduler,first_token_s,finished_s,preemptions\n";
    for (const char* scheduler : recorded) {
        twin::Users users;
        for (const Arrival& arrival : load())
            users.push_back({{.gap = arrival.time.value(),
                              .prompt = static_cast<int>(arrival.prompt),
                              .output = static_cast<int>(arrival.output),
                              .max_output = static_cast<int>(arrival.max_output)}});
        for (const auto& outcomes : twin::make(scheduler, limits(scheduler), timer())->run(users))
            out << fmt::format("{},{:.9f},{:.9f},{}\n", scheduler, outcomes[0].first_token, outcomes[0].finished,
                               outcomes[0].preemptions);
    }
}
