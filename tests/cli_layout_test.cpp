#include "cli/document.hpp"
#include "cli/format.hpp"
#include "cli/text_layout.hpp"
#include "cli/words.hpp"
#include "tests/catch.hpp"

using namespace plimsoll;

namespace {

std::string written(const std::string& format, const Table& table, std::size_t width = 80) {
    Document document;
    document.items.push_back(table);
    return formats().find(format)->write(document, width);
}

Table small_table() {
    return {
        "rows",
        "Title",
        {{"name", "name", 0}, {"users", "users", 0}, {"cost_usd", "cost", 2, false, "USD"}, {"note", "note", 1, true}},
        {{"first", Cell::count(12345), Dollars(2.5), "some words that are long"},
         {"second", Cell::count(7), Cell(), "x,\"y\""}}};
}

}  // namespace

TEST_CASE("numbers for people have three significant digits and no letters") {
    CHECK(plain_number(0) == "0");
    CHECK(plain_number(3.14159) == "3.14");
    CHECK(plain_number(2.5) == "2.5");
    CHECK(plain_number(12.0) == "12");
    CHECK(plain_number(99.96) == "100");
    CHECK(plain_number(999.4) == "999");
    CHECK(plain_number(999.9) == "1,000");
    CHECK(plain_number(1234567) == "1,234,567");
    CHECK(plain_number(-1234.4) == "-1,234");
    CHECK(plain_number(-123.4) == "-123");
    CHECK(plain_number(0.01234) == "0.0123");
    CHECK(to_text(Cell::fraction(0.1234)) == "12.3 %");
    CHECK(to_text(Cell::fraction(0.0001)) == "<0.1 %");
    CHECK(change_text(0.5) == "+50.0 %");
    CHECK(change_text(-0.034) == "-3.4 %");
    CHECK(change_text(14.0) == "+1,400 %");
    CHECK(change_text(0.0) == "+0.0 %");
    CHECK(to_text(Cell(Dollars(1234.5))) == "1,234 USD");
    CHECK(to_text(Cell(Dollars(12.5) / Seconds(3600))) == "12.50 USD/h");
    CHECK(to_text(Cell(Seconds(0.0984)), "ms") == "98.4");
    CHECK(to_text(Cell(Kind::number, std::nan(""))) == "-");
}

TEST_CASE("words are broken at blanks, then at hyphens, then anywhere, and percent signs stay with their numbers") {
    using Lines = std::vector<std::string>;
    CHECK(wrap("one two three", 7) == Lines{"one two", "three"});
    CHECK(wrap("a100-40gb-sxm-8", 10) == Lines{"a100-40gb-", "sxm-8"});
    CHECK(wrap("abcdefgh", 3) == Lines{"abc", "def", "gh"});
    CHECK(wrap("up 12 % or so", 5) == Lines{"up", "12 %", "or so"});
    CHECK(wrap("", 5) == Lines{""});
    CHECK(wrap("h\xc3\xa9t\xc3\xa9", 2) == Lines{"h\xc3\xa9", "t\xc3\xa9"});
    CHECK(display_width("\xc3\xa9t\xc3\xa9") == 3);
    CHECK(longest_word("ab abc a") == 3);
    CHECK(longest_part("ab-abcd") == 4);
}

TEST_CASE("a table drops its least important columns and says which") {
    const std::string wide = written("table", small_table(), 60);
    CHECK(wide ==
          "Title\n"
          "name     users  cost USD  note\n"
          "------  ------  --------  ------------------------\n"
          "first   12,345      2.50  some words that are long\n"
          "second       7         -  x,\"y\"\n");
    const std::string narrow = written("table", small_table(), 26);
    CHECK(narrow ==
          "Title\n"
          "name     users  note\n"
          "------  ------  ----------\n"
          "first   12,345  some words\n"
          "                that are\n"
          "                long\n"
          "second       7  x,\"y\"\n"
          "\n"
          "Not shown for want of\n"
          "width (see --width): cost.\n");
    const std::string records = written("table", small_table(), 12);
    CHECK_THAT(records, ContainsSubstring("name: first\nusers:\n12,345\n"));
}

TEST_CASE("an empty column that may go goes, and a change stands below its value") {
    Table table{"rows", "", {{"name", "name", 0}, {"a", "empty", 1}, {"b", "count", 0}}, {}};
    Cell cell = Cell::count(12);
    cell.change = -0.25;
    table.rows.push_back({"x", Cell(), cell});
    CHECK(written("table", table) ==
          "name    count\n"
          "----  -------\n"
          "x          12\n"
          "      -25.0 %\n");
    CHECK(written("csv", table) == "name,a,b,change.b\r\nx,,12,-0.25\r\n");
    CHECK_THAT(written("markdown", table), ContainsSubstring("12 (-25.0 %)"));
    CHECK(written("json", table).find("\"change\"") != std::string::npos);
}

TEST_CASE("a heading stands above the rows that share it, and is a column everywhere else") {
    Table table{"rows", "", {{"gpu", "GPU", 0, true, "", true}, {"library", "library", 0}, {"n", "rows", 0}}, {}};
    table.rows.push_back({"a100", "vllm", Cell::count(1)});
    table.rows.push_back({"a100", "sglang", Cell::count(20)});
    table.rows.push_back({"h200", "vllm", Cell::count(3)});
    CHECK(written("table", table) ==
          "library  rows\n"
          "-------  ----\n"
          "GPU a100:\n"
          "vllm        1\n"
          "sglang     20\n"
          "\n"
          "GPU h200:\n"
          "vllm        3\n");
    CHECK(written("csv", table) == "gpu,library,n\r\na100,vllm,1\r\na100,sglang,20\r\nh200,vllm,3\r\n");
    CHECK_THAT(written("markdown", table), ContainsSubstring("| h200 | vllm | 3 |"));
    CHECK_THAT(written("table", table, 6), ContainsSubstring("GPU\nh200:\n"));
}

TEST_CASE("names stay whole where less important columns can make room, all but a few long ones") {
    Table table{"rows", "", {{"name", "name", 0, true}, {"note", "note", 1}}, {}};
    for (const char* name : {"aa-bb-11", "aa-bb-22", "aa-bb-33", "aa-bb-44", "aa-bb-55", "aa-bb-66", "aa-bb-77",
                             "aa-bb-88", "aa-bb-ff", "aa-bb-cc-dd-ee"})
        table.rows.push_back({name, "eight so"});
    // Nine of ten names are 8 wide, and so is the note: 18 with the gap.
    CHECK_THAT(written("table", table, 18), ContainsSubstring("aa-bb-ff  eight so\naa-bb-    eight so\ncc-dd-ee\n"));
    const std::string narrower = written("table", table, 17);
    CHECK_THAT(narrower, ContainsSubstring("aa-bb-ff\naa-bb-cc-dd-ee\n"));
    CHECK_THAT(narrower, ContainsSubstring("Not shown"));
    // No column is left to go: then they break.
    CHECK_THAT(written("table", table, 6), ContainsSubstring("aa-bb-\nff\n"));
}

TEST_CASE("CSV quotes what needs it and gives numbers in full") {
    CHECK(written("csv", small_table()) ==
          "name,users,cost_usd,note\r\n"
          "first,12345,2.5,some words that are long\r\n"
          "second,7,,\"x,\"\"y\"\"\"\r\n");
}

TEST_CASE("facts wrap beside their names") {
    const Facts facts{"", "", {{"a", "name", "llama"}, {"b", "other", "one two three four"}, {"c", "", "hidden"}}};
    CHECK(layout_facts(facts, 20) ==
          "name   llama\n"
          "other  one two three\n"
          "       four\n");
}
