#include <cerrno>
#include <cstdio>
#include <string>
#include <vector>

#include "model/base/error.hpp"
#include "model/base/fields.hpp"
#include "tests/catch.hpp"

using namespace plimsoll;

namespace {

constexpr Range any{-1e30, 1e30};

Fields fields(const std::string& text) {
    return Fields::from_text(text, "a.json");
}

std::string nested(std::size_t levels) {
    std::string text;
    for (std::size_t i = 0; i < levels; ++i) text += R"({"a":)";
    return text + "1" + std::string(levels, '}');
}

/// A file in the working directory that goes when the test ends.
struct TemporaryFile {
    explicit TemporaryFile(const std::string& content) {
        std::FILE* file = std::fopen(path.c_str(), "wb");
        REQUIRE(file != nullptr);
        REQUIRE(std::fwrite(content.data(), 1, content.size(), file) == content.size());
        std::fclose(file);
    }
    TemporaryFile(const TemporaryFile&) = delete;
    TemporaryFile& operator=(const TemporaryFile&) = delete;
    ~TemporaryFile() { std::remove(path.c_str()); }
    std::string path = "base_fields_test.tmp.json";
};

}  // namespace

TEST_CASE("every kind of field is read", "[fields]") {
    const Fields f = fields(R"({"name": "x", "names": ["a", "b"], "on": true, "part": 0.5, "count": 3.0,
                               "counts": [1, 2, 4], "bandwidth": "933 GB/s", "inner": {"deep": 1}, "none": null})");
    CHECK(f.string("name") == "x");
    CHECK(f.string_or("nothing", "fallback") == "fallback");
    CHECK(f.strings("names") == std::vector<std::string>{"a", "b"});
    CHECK(f.strings("name") == std::vector<std::string>{"x"});
    CHECK(f.choice("name", {"w", "x"}) == 1);
    CHECK(f.boolean("on"));
    CHECK(f.boolean_or("off", true));
    CHECK(f.number("part", {0, 1}) == 0.5);
    CHECK(f.number("count", any) == 3.0);
    CHECK(f.number_or("nothing", 7.5, any) == 7.5);
    CHECK(f.integer("count", {1, 3}) == 3);
    CHECK(f.integer_or("nothing", -4, any) == -4);
    CHECK(f.integers("counts", {1, 4}) == std::vector<std::int64_t>{1, 2, 4});
    CHECK(f.integers("count", any) == std::vector<std::int64_t>{3});
    CHECK(f.quantity<BytesPerSecond>("bandwidth").value() == 933e9);
    CHECK(f.quantity_or("nothing", Seconds(2.0)) == Seconds(2.0));
    CHECK(f.object("inner").integer("deep", any) == 1);
    CHECK(f.is_null("none"));
    CHECK(f.is_string("name"));
    CHECK(f.is_number("part"));
    CHECK(f.is_object("inner"));
    CHECK_FALSE(f.is_object("name"));
    CHECK_FALSE(f.is_null("nothing"));
    CHECK(f.keys().front() == "name");
    CHECK(f.keys().back() == "none");
    CHECK_NOTHROW(f.finish());
}

TEST_CASE("large whole numbers stay exact", "[fields]") {
    const Fields f = fields(R"({"exact": 9007199254740993, "beyond": 18446744073709551615, "huge": 1e300})");
    CHECK(f.integer("exact", any) == 9007199254740993);  // 2^53 + 1 is no double
    CHECK_THROWS_AS(f.integer("beyond", any), InputError);
    CHECK_THROWS_AS(f.integer("huge", {0, 1e308}), InputError);
}

TEST_CASE("a wrong value is refused with its place and what was expected", "[fields]") {
    const Fields load = fields(R"({"load": {"users": -3, "share": 3.5, "text": "3", "empty": "", "list": [1, "b"],
                                  "flag": "yes", "none": null}})")
                            .object("load");
    CHECK_THROWS_WITH(load.integer("users", {1, 1e9}),
                      "a.json: /load/users: expected a whole number from 1 to 1,000,000,000, got -3");
    CHECK_THROWS_WITH(load.integer("share", {0, 10}),
                      "a.json: /load/share: expected a whole number from 0 to 10, got 3.5");
    CHECK_THROWS_WITH(load.integer("text", any), "a.json: /load/text: expected a whole number, got '3'");
    CHECK_THROWS_WITH(load.number("share", {0, 1}), "a.json: /load/share: expected a number from 0 to 1, got 3.5");
    CHECK_THROWS_WITH(load.number("users", {0, 1e30}), "a.json: /load/users: expected a number of at least 0, got -3");
    CHECK_THROWS_WITH(load.number("flag", any), "a.json: /load/flag: expected a number, got 'yes'");
    CHECK_THROWS_WITH(load.string("users"), "a.json: /load/users: expected a text, got -3");
    CHECK_THROWS_WITH(load.string("none"), "a.json: /load/none: expected a text, got null");
    CHECK_THROWS_WITH(load.string("empty"), "a.json: /load/empty: the text must not be empty");
    CHECK_THROWS_WITH(load.string("gone"), "a.json: /load: the field 'gone' is missing");
    CHECK_THROWS_WITH(load.strings("list"), "a.json: /load/list/0: expected a text, got 1");
    CHECK_THROWS_WITH(load.strings("users"), "a.json: /load/users: expected a text or a list of texts, got -3");
    CHECK_THROWS_WITH(load.integers("list", any), "a.json: /load/list/1: expected a whole number, got 'b'");
    CHECK_THROWS_WITH(load.boolean("flag"), "a.json: /load/flag: expected true or false, got 'yes'");
    CHECK_THROWS_WITH(load.object("list"), "a.json: /load/list: expected an object, got a list");
    CHECK_THROWS_WITH(load.objects("flag"), "a.json: /load/flag: expected a list of objects, got 'yes'");
    CHECK_THROWS_WITH(load.objects("list"), "a.json: /load/list/0: expected an object, got 1");
    CHECK_THROWS_WITH(load.choice("flag", {"yes!", "no"}),
                      "a.json: /load/flag: unknown flag 'yes'; did you mean 'yes!'? known: no, yes!");
    CHECK_THROWS_WITH(load.fail("users", "too few"), "a.json: /load/users: too few");
    CHECK_THROWS_WITH(load.fail("", "too few"), "a.json: /load: too few");
}

TEST_CASE("a quantity needs text with a unit, within its range", "[fields]") {
    const Fields f = fields(R"({"bare": 3.15, "unitless": "3.15", "late": "-1 s", "far": "2 h", "flag": true})");
    CHECK_THROWS_WITH(f.quantity<Seconds>("bare"),
                      "a.json: /bare: the number 3.15 needs a unit; expected a time such as '3.15 s'; known units of "
                      "time: s, ms, us, ns, min, h, d, year");
    CHECK_THROWS_WITH(f.quantity<Seconds>("unitless"),
                      "a.json: /unitless: '3.15' has no unit; known units of time: s, ms, us, ns, min, h, d, year");
    CHECK_THROWS_WITH(f.quantity<Seconds>("late"), "a.json: /late: expected a time of at least 0 s, got '-1 s'");
    CHECK_THROWS_WITH(f.quantity<Seconds>("far", {0, 3600}),
                      "a.json: /far: expected a time from 0 s to 3600 s, got '2 h'");
    CHECK_THROWS_WITH(f.quantity<Watts>("flag"), "a.json: /flag: expected a power such as '300 W', got true");
}

TEST_CASE("a field that nobody asked for is refused, the first one first", "[fields]") {
    const Fields f = fields(R"({"memory": {"size": "24 GiB", "bandwith": "933 GB/s", "colour": 1}})");
    const Fields memory = f.object("memory");
    CHECK_NOTHROW(f.finish());
    CHECK(memory.quantity<Bytes>("size").value() == 24.0 * 1073741824.0);
    CHECK_FALSE(memory.has("bandwidth"));
    CHECK_THROWS_WITH(memory.finish(),
                      "a.json: /memory: unknown field 'bandwith'; did you mean 'bandwidth'? known: bandwidth, size");
    CHECK_THROWS_WITH(fields(R"({"x": 1})").finish(), "a.json: unknown field 'x'; known: none");
}

TEST_CASE("copies and second readers share the record of what was asked for", "[fields]") {
    const Fields f = fields(R"({"a": 1, "inner": {"b": 2}})");
    const Fields copy = f;
    CHECK(copy.integer("a", any) == 1);
    CHECK(f.object("inner").integer("b", any) == 2);
    CHECK_NOTHROW(f.finish());
    CHECK_NOTHROW(copy.object("inner").finish());
}

TEST_CASE("an absent object is empty and knows where it would be", "[fields]") {
    const Fields f = fields(R"({"there": {"x": 1}})");
    CHECK(f.object_or_empty("there").has("x"));
    const Fields absent = f.object_or_empty("slo");
    CHECK(absent.keys().empty());
    CHECK_NOTHROW(absent.finish());
    CHECK(absent.place() == "a.json: /slo");
    CHECK_THROWS_WITH(absent.string("x"), "a.json: /slo: the field 'x' is missing");
}

TEST_CASE("places are JSON pointers", "[fields]") {
    const Fields f = fields(R"({"a/b~c": [{"x": 1}, {"y": 2}]})");
    CHECK(f.place() == "a.json");
    CHECK(f.place("z") == "a.json: /z");
    CHECK(f.objects("a/b~c").at(1).place("y") == "a.json: /a~1b~0c/1/y");
}

TEST_CASE("broken JSON is refused with line and column", "[fields]") {
    const auto check = [](const std::string& text, const std::string& message) {
        CHECK_THROWS_WITH(fields(text), "a.json" + message);
    };
    check("", ":1:1: the file is empty; expected a JSON object");
    check(" \n\t\n", ":1:1: the file is empty; expected a JSON object");
    check("{\"a\": 1", ":1:8: the text ends before an object is closed; '}' is missing");
    check("{\"a\": [1,\n2\n", ":3:1: the text ends before a list is closed; ']' is missing");
    check("{\"a\": 1,\n}", ":2:1: expected a key in double quotes, got '}'");
    check("{\"a\": nul}", ":1:7: expected a JSON value, got 'nul'");
    check("{\"a\": NaN}", ":1:7: expected a JSON value, got 'NaN'");
    check("{\"a\": -Infinity}", ":1:7: expected a JSON value, got '-Infinity'");
    check("{\"a\": 1e999}", ":1:7: the number '1e999' is too large");
    check("{\"a\" 1}", ":1:6: expected ':', got '1'");
    check("{\"a\": 1 \"b\": 2}", ":1:9: expected ',' or '}', got '\"b\"'");
    check("{\"a\": [1}", ":1:9: expected ',' or ']', got '}'");
    check("{\"a\": tru}", ":1:7: expected a JSON value, got 'tru'");
    check("{\"a\": -}", ":1:7: expected a JSON value, got '-'");
    check("{\"a\": [1 2]}", ":1:10: expected ',' or ']', got '2'");
    check("{} {}", ":1:4: expected nothing after the JSON, got '{'");
    check("{\"a\": \"\\q\"}", ":1:9: invalid string: forbidden character after backslash");
    check("// note\n{}", ":1:1: expected a JSON value, got '/'");
    check("[1]", ": expected a JSON object at the top");
    check("3", ": expected a JSON object at the top");
    check("{\"a\":\n \"\xFF\"}", ":2:3: this byte is not UTF-8");
    check("{\"\xC0\x80\": 1}", ":1:3: this byte is not UTF-8");          // NUL in two bytes
    check("{\"\xED\xA0\x80\": 1}", ":1:3: this byte is not UTF-8");      // half a surrogate pair
    check("{\"\xF4\x90\x80\x80\": 1}", ":1:3: this byte is not UTF-8");  // past U+10FFFF
    check("{\"\xE2\x82", ":1:3: this byte is not UTF-8");                // cut inside a character
    check(std::string("{}\0{", 4), ":1:3: a NUL byte does not belong in JSON");
}

TEST_CASE("text beyond ASCII and a byte order mark are fine", "[fields]") {
    const Fields f = fields(
        "\xEF\xBB\xBF{\"gr\xC3\xB6\xC3\x9F"
        "e\": \"\xF0\x9F\x9A\xA2\"}");
    CHECK(f.string("gr\xC3\xB6\xC3\x9F"
                   "e") == "\xF0\x9F\x9A\xA2");
}

TEST_CASE("a key that stands twice is refused with the pointer of its object", "[fields]") {
    CHECK_THROWS_WITH(fields(R"({"a": {"b": {"x": 1, "y": 2, "x": 1}}})"), "a.json: /a/b: the key 'x' stands twice");
    CHECK_THROWS_WITH(fields(R"({"x": 1, "x": 1})"), "a.json: the key 'x' stands twice");
    CHECK_THROWS_WITH(fields(R"({"a": [0, {"x": 1, "x": 1}]})"), "a.json: /a/1: the key 'x' stands twice");
    CHECK_THROWS_WITH(fields(R"({"x": 1, "\u0078": 1})"), "a.json: the key 'x' stands twice");
    CHECK_NOTHROW(fields(R"({"a": {"x": 1}, "b": {"x": 1}})"));
}

TEST_CASE("depth and size are limited", "[fields]") {
    CHECK_NOTHROW(fields(nested(64)));
    CHECK_THROWS_WITH(fields(nested(65)), ContainsSubstring("/a/a: nested more than 64 levels deep"));
    CHECK_THROWS_AS(fields("{\"a\":" + std::string(1'000'000, '[')), InputError);
    const std::string sixteen_mib(std::size_t{16} << 20U, ' ');
    CHECK_NOTHROW(fields("{}" + sixteen_mib.substr(2)));
    CHECK_THROWS_WITH(fields("{}" + sixteen_mib), "a.json: the file is larger than 16 MiB");
}

TEST_CASE("a file is read, and the machine's failure is told from the user's", "[fields]") {
    const TemporaryFile file("{\"a\": 1}\n");
    const Fields f = Fields::from_file(file.path);
    CHECK(f.integer("a", any) == 1);
    CHECK(f.place("a") == file.path + ": /a");
    CHECK_THROWS_AS(Fields::from_file("no/such/file.json"), EnvironmentError);
    CHECK_THROWS_WITH(Fields::from_file("no/such/file.json"), "no/such/file.json: No such file or directory");
    CHECK_THROWS_WITH(Fields::from_file("."), ".: Is a directory");
}

TEST_CASE("overriding merges objects and replaces all else", "[fields]") {
    const Fields base =
        Fields::from_text(R"({"slo": {"ttft": "1 s", "tpot": "2 s"}, "models": [1, 2], "x": {"y": 1}})", "base.json");
    const Fields child =
        Fields::from_text(R"({"slo": {"tpot": "9 kg"}, "models": [3], "x": null, "new": 1})", "child.json");
    const Fields both = base.overlaid_with(child);
    CHECK(both.dump() == R"({"slo":{"ttft":"1 s","tpot":"9 kg"},"models":[3],"x":null,"new":1})");
    // A value keeps the file that it came from; the whole is the child's.
    CHECK(both.object("slo").place("ttft") == "base.json: /slo/ttft");
    CHECK_THROWS_WITH(both.object("slo").quantity<Seconds>("tpot"),
                      ContainsSubstring("child.json: /slo/tpot: unknown unit of time 'kg'"));
    CHECK(both.place() == "child.json");
    CHECK(base.dump() == R"({"slo":{"ttft":"1 s","tpot":"2 s"},"models":[1,2],"x":{"y":1}})");
}

TEST_CASE("an overlay keeps what was asked of its parts and is otherwise its own", "[fields]") {
    const Fields base = fields(R"({"a": 1})");
    const Fields child = fields(R"({"extends": "base"})");
    CHECK(child.string("extends") == "base");
    Fields both = base.overlaid_with(child);
    CHECK_THROWS_WITH(both.finish(), ContainsSubstring("unknown field 'a'"));
    both.set("a", "2", "--set");
    CHECK(both.integer("a", any) == 2);
    CHECK_NOTHROW(both.finish());
    CHECK_THROWS_AS(base.finish(), InputError);
    CHECK(base.integer("a", any) == 1);
}

TEST_CASE("one value is set by a dotted path", "[fields]") {
    Fields f = fields(R"({"slo": {"ttft": "1 s"}, "models": ["a", {"name": "b"}]})");
    f.set("slo.ttft", "2 s", "--set slo.ttft=2 s");
    f.set("models.0", "[1, 2]", "--set");
    f.set("models.1.name", "\"c\"", "--set");
    f.set("load.users.peak", "1e4", "--set");
    f.set("flag", "true", "--set");
    CHECK(f.dump() ==
          R"({"slo":{"ttft":"2 s"},"models":[[1,2],{"name":"c"}],"load":{"users":{"peak":10000}},"flag":true})");
    // A bad value is blamed on the option that gave it.
    CHECK_THROWS_WITH(f.object("slo").quantity<Watts>("ttft"),
                      ContainsSubstring("--set slo.ttft=2 s: /slo/ttft: '2 s' is a time, expected a power"));
}

TEST_CASE("a path that leads nowhere is refused and changes nothing", "[fields]") {
    Fields f = fields(R"({"a": 1, "list": [1, 2]})");
    CHECK_THROWS_WITH(f.set("a.b", "1", "--set"),
                      "--set: the step 'b' of the path 'a.b' goes through a value that is no object or list");
    CHECK_THROWS_WITH(f.set("list.2", "1", "--set"),
                      "--set: the step '2' of the path 'list.2' is beyond the list, which has 2 entries");
    CHECK_THROWS_WITH(f.set("list.x", "1", "--set"),
                      "--set: the step 'x' of the path 'list.x' goes through a list; expected the index of an entry, "
                      "counted from 0");
    CHECK_THROWS_AS(f.set("list.-1", "1", "--set"), InputError);
    CHECK_THROWS_AS(f.set("list.99999999999999999999", "1", "--set"), InputError);
    CHECK_THROWS_WITH(f.set("a..b", "1", "--set"), "--set: the path 'a..b' has an empty step");
    CHECK_THROWS_AS(f.set("", "1", "--set"), InputError);
    CHECK_THROWS_AS(f.set("a.", "1", "--set"), InputError);
    std::string deep = "x";
    for (int i = 0; i < 100; ++i) deep += ".x";
    CHECK_THROWS_WITH(f.set(deep, "1", "--set"), "--set: the path goes more than 64 levels deep");
    CHECK(f.dump() == R"({"a":1,"list":[1,2]})");
}

TEST_CASE("a dump reads back as itself", "[fields]") {
    const std::string text =
        R"({"b":[1,-2.5,1e+30,true,null,[],{}],"a":{"quote\"back\\slash":"line\nbreak\u0001"},"big":9007199254740993})";
    CHECK(fields(text).dump() == text);
    CHECK(fields(R"({"a": [1, {"b": 2}], "c": {}})").dump(2) ==
          "{\n  \"a\": [\n    1,\n    {\n      \"b\": 2\n    }\n  ],\n  \"c\": {}\n}");
}

TEST_CASE("hostile names do not reach the terminal as they are", "[fields]") {
    CHECK_THROWS_WITH(fields("{\"\\u001b[31m\": 1}").finish(), "a.json: unknown field '?[31m'; known: none");
    const std::string long_key(5000, 'k');
    try {
        (void)fields("{\"" + long_key + "\": {\"x\": 1}}").object(long_key).string("x");
        FAIL("a number was read as a text");
    } catch (const InputError& error) {
        CHECK(std::string(error.what()).size() < 300);
    }
}
