#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "tests/catch.hpp"
#include "tests/fuzz/scenario_target.hpp"

// The corpus of the fuzz target and some thousands of changes to it, for machines without libFuzzer.
namespace {

namespace fs = std::filesystem;

std::vector<std::string> corpus() {
    std::vector<std::string> texts;
    for (const char* folder : {"tests/fuzz/corpus", "tests/bad_input", "scenarios"})
        for (const auto& entry : fs::directory_iterator(fs::path(PLIMSOLL_SOURCE_DIR) / folder)) {
            if (entry.path().extension() != ".json") continue;
            std::ifstream stream(entry.path(), std::ios::binary);
            texts.emplace_back(std::istreambuf_iterator<char>(stream), std::istreambuf_iterator<char>());
        }
    return texts;
}

/// A stream of numbers that is the same everywhere (Steele, Lea, Flood: SplitMix64, OOPSLA 2014).
class Numbers {
  public:
    std::size_t below(std::size_t bound) {
        std::uint64_t z = state_ += 0x9E3779B97F4A7C15U;
        z = (z ^ (z >> 30U)) * 0xBF58476D1CE4E5B9U;
        z = (z ^ (z >> 27U)) * 0x94D049BB133111EBU;
        return static_cast<std::size_t>((z ^ (z >> 31U)) % bound);
    }

  private:
    std::uint64_t state_ = 42;
};

struct Token {
    std::size_t start, length;
};

/// Quoted texts and plain words, in the order of the text.
std::vector<Token> tokens_of(const std::string& text) {
    std::vector<Token> tokens;
    for (std::size_t at = 0; (at = text.find_first_not_of(" \n,:{}[]", at)) != text.npos;) {
        const bool quoted = text[at] == '"';
        const std::size_t end = quoted ? text.find('"', at + 1) : text.find_first_of(" \n,:{}[]\"", at + 1);
        const std::size_t length = end == text.npos ? text.size() - at : end - at + (quoted ? 1 : 0);
        tokens.push_back({at, length});
        at += length;
    }
    return tokens;
}

/// Puts a token of another text, or a number, in the place of one of this text: mostly still JSON.
void swap_token(std::string& text, const std::string& other, Numbers& numbers) {
    static const std::vector<std::string> values{"null", "0", "1", "2", "0.5", "-1", "1e300", "[]", "{}", "\"1 s\""};
    const std::vector<Token> mine = tokens_of(text), theirs = tokens_of(other);
    if (mine.empty() || theirs.empty()) return;
    const Token out = mine[numbers.below(mine.size())], in = theirs[numbers.below(theirs.size())];
    text.replace(out.start, out.length,
                 numbers.below(3) == 0 ? values[numbers.below(values.size())] : other.substr(in.start, in.length));
}

/// Flips, removes, doubles or inserts a piece, or takes over a piece of another text.
void mutate(std::string& text, const std::string& other, Numbers& numbers) {
    static const std::vector<std::string> pieces{"null", "-1",   "1e308", "0",  "\"\"", "[]", "{}", ",", "\"", "}", ":",
                                                 "true", "1e-9", " s",    "%s", "\xFF", "\\", "..", "/", "=",  "N+"};
    const std::size_t at = numbers.below(text.size() + 1);
    const std::size_t length = numbers.below(12);
    switch (numbers.below(12)) {
        case 0:
            if (at < text.size()) text[at] = static_cast<char>(numbers.below(256));
            return;
        case 1:
            text.erase(at, length);
            return;
        case 2:
            text.insert(at, text.substr(numbers.below(text.size() + 1), length));
            return;
        case 3:
            text.insert(at, pieces[numbers.below(pieces.size())]);
            return;
        case 4:
            text.replace(at, length, other.substr(numbers.below(other.size() + 1), numbers.below(40)));
            return;
        default:
            swap_token(text, other, numbers);
    }
}

}  // namespace

TEST_CASE("scenario fuzz: any bytes are a scenario or an input error") {
    const std::vector<std::string> texts = corpus();
    REQUIRE(texts.size() > 50);
    Numbers numbers;
    int scenarios = 0;
    for (const std::string& text : texts) {
        // What is near a scenario gets further into the reader.
        const int rounds = plimsoll::read_any_scenario(text) ? 1000 : 100;
        for (int round = 0; round < rounds; ++round) {
            std::string changed = text;
            for (std::size_t edits = 1 + numbers.below(2); edits > 0; --edits)
                mutate(changed, texts[numbers.below(texts.size())], numbers);
            scenarios += plimsoll::read_any_scenario(changed) ? 1 : 0;
        }
    }
    // Enough of them get past the first error for the rest to be worth something.
    CHECK(scenarios > 500);
}
