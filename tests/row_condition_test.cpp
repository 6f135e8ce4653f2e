// Rows that --where takes, of whatever table. Those of kernels: tests/kernel_table_test.cpp.
#include "calibrate/row_condition.hpp"

#include <string>
#include <vector>

#include "calibrate/importer.hpp"
#include "tests/catch.hpp"

using namespace plimsoll;

TEST_CASE("conditions take rows of every kind of table before their names are resolved") {
    const std::string text =
        "model,gpu,phase,batch,seconds\n"
        "m,g,decode,8,0.01\n"
        "m,g,decode,64?,0.02\n"
        "m,other,decode,,0.03\n"
        "m,g,prefill,16,0.04\n";
    const auto taken = [&](const std::vector<std::string>& conditions) {
        ImportChoice choice;
        for (const std::string& condition : conditions) choice.where.push_back(parse_condition(condition));
        return import_text({"steps.csv", text}, choice, {MeasuredKind::steps});
    };
    CHECK(taken({}).table.rows() == 4);
    // A doubted number and an empty cell are within no bound, and are equal to their own text alone.
    const Imported large = taken({"batch>=8"});
    CHECK(large.read == 4);
    REQUIRE(large.table.rows() == 2);
    CHECK(large.table.place(1) == "steps.csv:5");
    CHECK(taken({"batch>=8", "phase=decode"}).table.rows() == 1);
    CHECK(taken({"batch=64?"}).table.place(0) == "steps.csv:3");
    CHECK(taken({"batch=64"}).table.rows() == 0);
    CHECK(taken({"batch="}).table.place(0) == "steps.csv:4");
    CHECK_THROWS_WITH(taken({"gpu<=3"}), ContainsSubstring("steps.csv:2 gpu"));
    CHECK_THROWS_WITH(taken({"group=8"}), ContainsSubstring("unknown column 'group'"));
}
