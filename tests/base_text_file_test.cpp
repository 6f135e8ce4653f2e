#include "model/base/csv.hpp"
#include "model/base/error.hpp"
#include "model/base/text_file.hpp"
#include "tests/catch.hpp"
#include "tests/cli_run.hpp"

using namespace plimsoll;

TEST_CASE("A file is read whole, up to what is allowed") {
    const std::string path = "tests/cli/tables/workload.csv", text = text_of_file(path);
    CHECK(text == cli::read(path));
    CHECK(text_of_file(path, text.size()) == text);
    CHECK_THROWS_AS(text_of_file(path, text.size() - 1), InputError);
    CHECK_THROWS_WITH(text_of_file("/dev/zero", std::size_t{1} << 20U), "/dev/zero: the file is larger than 1 MiB");
    CHECK(text_of_file("/dev/null").empty());
}

TEST_CASE("A folder in the place of a file is the machine's failure") {
    CHECK_THROWS_WITH(text_of_file("tests"), "tests: Is a directory");
    CHECK_THROWS_WITH(text_of_file("no/such/file"), "no/such/file: No such file or directory");
    CHECK_THROWS_AS(Csv::from_file("tests"), EnvironmentError);
    for (const char* line : {"validate tests", "calibrate fit --from tests", "calibrate fit --serving tests",
                             "validate tests/cli/measurements/a100.csv --assumptions tests"}) {
        CAPTURE(line);
        const cli::Result result = cli::run(cli::words(line), cli::shipped_data);
        CHECK(result.code == 4);
        CHECK(result.errors == "plimsoll: tests: Is a directory\n");
    }
}
