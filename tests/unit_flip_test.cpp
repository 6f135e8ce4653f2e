// Every quantity of every data file has the unit that its field asks for: with one of another dimension the file is
// refused, with its name and the place.
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <regex>
#include <string>
#include <vector>

#include "model/base/error.hpp"
#include "model/spec/catalog.hpp"
#include "tests/catch.hpp"

using namespace plimsoll;
namespace fs = std::filesystem;

namespace {

struct Folder {
    const char* path;
    std::function<void(const Fields&)> read;
    bool has_units;
};

template <auto reader>
void read_as(const Fields& fields) {
    static_cast<void>(reader(fields));
}

/// Where a unit stands in a text: behind a number that fills a string from its beginning.
struct Place {
    std::size_t at, size;
    std::string quantity;
};

std::vector<Place> units_in(const std::string& text) {
    static const std::regex quantity(
        R"re("(-?[0-9]+(?:\.[0-9]+)?(?:e[-+]?[0-9]+)?) ?([A-Za-z%][A-Za-z/]*)(?: \+- [^"]*)?")re");
    std::vector<Place> places;
    for (std::sregex_iterator found(text.begin(), text.end(), quantity), end; found != end; ++found)
        places.push_back(
            {static_cast<std::size_t>(found->position(2)), static_cast<std::size_t>(found->length(2)), found->str(0)});
    return places;
}

std::string text_of(const fs::path& path) {
    std::ifstream stream(path);
    return {std::istreambuf_iterator<char>(stream), {}};
}

std::string refusal(const Folder& folder, const std::string& text) {
    try {
        folder.read(Fields::from_text(text, "file.json"));
        return "";
    } catch (const InputError& error) {
        return error.what();
    }
}

}  // namespace

TEST_CASE("a unit of another dimension is refused in every quantity of every data file") {
    const Folder folders[] = {{"hardware_db/gpus", read_as<read_gpu>, true},
                              {"hardware_db/classes", read_as<read_efficiency_class>, true},
                              {"hardware_db/links", read_as<read_link>, true},
                              {"hardware_db/nodes", read_as<read_node>, true},
                              {"hardware_db/profiles", read_as<read_profile>, false},
                              {"scenarios/library/engines", read_as<read_engine>, true},
                              {"scenarios/library/models", read_as<read_transformer>, false},
                              {"scenarios/library/workloads", read_as<read_workload>, false}};
    for (const Folder& folder : folders) {
        std::size_t flipped = 0;
        for (const auto& file : fs::directory_iterator(fs::path(PLIMSOLL_SOURCE_DIR) / folder.path)) {
            const std::string text = text_of(file.path());
            INFO(file.path());
            REQUIRE(refusal(folder, text).empty());
            // Other names of a link may look like quantities ("10GbE").
            const std::size_t names = text.find("\"aliases\""), names_end = text.find(']', names);
            const std::string fields = text.substr(0, text.find("\"sources\""));
            for (const Place& place : units_in(fields)) {
                if (place.at > names && place.at < names_end) continue;
                const bool power = text.substr(place.at, place.size).ends_with("W");
                const std::string why =
                    refusal(folder, std::string(text).replace(place.at, place.size, power ? "s" : "W"));
                INFO(place.quantity << ": " << why);
                CHECK(why.starts_with("file.json: /"));
                ++flipped;
            }
        }
        INFO(folder.path);
        CHECK((flipped > 0) == folder.has_units);
    }
}
