#include <nlohmann/json.hpp>

#include "tests/catch.hpp"
#include "tests/cli_run.hpp"

using cli::run;
using Json = nlohmann::json;

TEST_CASE("validate prints both protocols beside the measurement on request") {
    const cli::Result result = run({"validate", "tests/cli/measurements/printed.csv", "--protocol", "both",
                                    "--requests", "40", "--format", "json"},
                                   cli::shipped_data);
    REQUIRE(result.code == 0);
    const Json answer = Json::parse(result.out);
    REQUIRE(answer.at("protocols").size() == 1);  // the other row's lengths are inferred
    const Json& row = answer.at("protocols").at(0);
    CHECK(row.at("users") == 20);
    CHECK(row.at("requests") == 40);
    CHECK(row.at("rate_from_tokens") == true);
    CHECK(row.at("request_rate_per_s").at("measured") == 1.5);  // 225 tokens a second / 150
    for (const char* quantity : {"ttft_s", "tpot_s", "request_rate_per_s"})
        for (const char* key : {"measured", "drain", "steady", "drain_error", "steady_error"})
            CHECK(row.at(quantity).at(key).is_number());
    CHECK(answer.at("protocol_summary").size() == 3);
    CHECK(answer.at("explained").size() == 3);
    CHECK(answer.at("rows").size() == 2);

    const cli::Result none =
        run({"validate", "tests/cli/measurements/a100.csv", "--protocol", "both"}, cli::shipped_data);
    CHECK(none.out.find("no row of the table has printed lengths") != std::string::npos);
    CHECK(run({"validate", "tests/cli/measurements/a100.csv"}, cli::shipped_data).out.find("printed lengths") ==
          std::string::npos);
}
