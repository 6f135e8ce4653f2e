#include <cerrno>
#include <string>
#include <vector>

#include "model/base/error.hpp"
#include "model/base/registry.hpp"
#include "tests/catch.hpp"

using namespace plimsoll;

TEST_CASE("an input error reads place, then what is wrong", "[error]") {
    const InputError error("a.json: /load", "too small");
    CHECK(std::string(error.what()) == "a.json: /load: too small");
    CHECK(error.place() == "a.json: /load");
}

TEST_CASE("an environment error names the path and the reason", "[error]") {
    CHECK(std::string(EnvironmentError("/no/where", ENOENT).what()) == "/no/where: No such file or directory");
}

TEST_CASE("the nearest name forgives a third of the length and the case", "[error]") {
    const std::vector<std::string> gpus = {"a100-40gb-sxm", "a30-24gb-pcie", "v100-32gb-sxm2"};
    CHECK(nearest_name("A30-24GB-PCIE", gpus) == "a30-24gb-pcie");
    CHECK(nearest_name("a100-40gb-smx", gpus) == "a100-40gb-sxm");
    CHECK(nearest_name("v100-32gb", gpus).empty());  // five letters short of 14, but 9 / 3 = 3 are forgiven
    CHECK(nearest_name("bandwith", {"bandwidth"}) == "bandwidth");
    CHECK(nearest_name("zebra", {"users", "load"}).empty());
    CHECK(nearest_name("", {"a", "b"}).empty());
    CHECK(nearest_name("x", {}).empty());
    // Two names with no letter in common are not near, however short.
    CHECK(nearest_name("xy", {"s", "ms"}).empty());
}

TEST_CASE("a nearer name wins, and the first of two equally near ones", "[error]") {
    CHECK(nearest_name("fp17", {"fp8", "fp16", "bf16"}) == "fp16");
    CHECK(nearest_name("int5", {"int4", "int8"}) == "int4");
    CHECK(nearest_name("int5", {"int8", "int4"}) == "int8");
    CHECK(nearest_name(std::string(1'000'000, 'a'), {"a"}).empty());
}

TEST_CASE("an unknown name is told with the known ones, sorted", "[error]") {
    CHECK(unknown_name("field", "bandwith", {"memory", "bandwidth"}) ==
          "unknown field 'bandwith'; did you mean 'bandwidth'? known: bandwidth, memory");
    CHECK(unknown_name("scheduler", "zzz", {"fcfs", "chunked"}) == "unknown scheduler 'zzz'; known: chunked, fcfs");
    CHECK(unknown_name("field", "zzz", {}) == "unknown field 'zzz'; known: none");
}

TEST_CASE("a long list of known names is cut with its count", "[error]") {
    std::vector<std::string> known;
    for (char c = 'o'; c >= 'a'; --c) known.emplace_back(8, c);  // 15 names
    CHECK(unknown_name("thing", "zz", known) ==
          "unknown thing 'zz'; known: aaaaaaaa, bbbbbbbb, cccccccc, dddddddd, eeeeeeee, ffffffff, gggggggg, hhhhhhhh, "
          "iiiiiiii, jjjjjjjj, kkkkkkkk, llllllll and 3 more");
    known.resize(12);
    CHECK_THAT(unknown_name("thing", "zz", known), !ContainsSubstring("more"));
}

TEST_CASE("a quoted text is safe to print and not torn inside a character", "[error]") {
    CHECK(in_quotes("plain") == "'plain'");
    CHECK(in_quotes("a\n\x1b[31mb") == "'a??[31mb'");
    CHECK(in_quotes("abcdef", 3) == "'abc...'");
    CHECK(in_quotes("abc", 3) == "'abc'");
    // Two bytes a letter: the cut after three bytes moves back to two.
    CHECK(in_quotes("\xC3\xA4\xC3\xB6", 3) == "'\xC3\xA4...'");
}

TEST_CASE("a registry finds by name and refuses what it does not hold", "[registry]") {
    Registry<int> registry;
    registry.add("ring", 1);
    registry.add("tree", 2);
    CHECK(registry.at("tree", "collective", "a.json: /x") == 2);
    CHECK(registry.find("star") == nullptr);
    CHECK(registry.names() == std::vector<std::string>{"ring", "tree"});
    CHECK_THROWS_WITH(registry.at("rinf", "collective", "a.json: /x"),
                      "a.json: /x: unknown collective 'rinf'; did you mean 'ring'? known: ring, tree");
}
