#include "calibrate/host/instruction_sets.hpp"

#include <array>
#include <map>
#include <numeric>

#include "calibrate/host/host_kernel.hpp"
#include "model/base/error.hpp"
#include "tests/catch.hpp"
#include "tests/cli_run.hpp"

using namespace plimsoll;

namespace {

/// The kernels of each set in the library, by its name: one line of nm a symbol.
std::map<std::string, std::vector<std::string>> kernel_symbols() {
    std::map<std::string, std::vector<std::string>> by_set;
    std::vector<std::string> member;
    std::string set;
    const auto keep = [&] {
        if (!set.empty()) by_set[set] = member;
        member.clear(), set.clear();
    };
    for (const std::string& line : cli::lines(cli::shell(PLIMSOLL_NM " --defined-only " PLIMSOLL_LIBRARY).out)) {
        if (line.ends_with(":")) keep();
        member.push_back(line);
        for (const InstructionSet& known : instruction_sets())
            if (line.ends_with("N8plimsoll" + std::to_string(known.name.size()) + std::string(known.name) +
                               "7kernelsE"))
                set = known.name;
    }
    keep();
    return by_set;
}

}  // namespace

TEST_CASE("the widest set that is available is taken, another one by its name") {
    const auto all = instruction_sets();
    REQUIRE_FALSE(all.empty());
    CHECK(all.front().name == "baseline");
    CHECK(all.front().available);
    CHECK(instruction_set("", "here").available);
    for (const InstructionSet& set : all) CHECK(std::string(set.kernels->library).starts_with("eigen-"));

    const VectorKernels none{};
    const std::array old{InstructionSet{"baseline", "", true, &none}, InstructionSet{"wide", "WIDE", true, &none},
                         InstructionSet{"wider", "WIDE, WIDER", false, &none}};
    CHECK(instruction_set("", "here", old).name == "wide");
    CHECK(instruction_set("baseline", "here", old).name == "baseline");
    CHECK_THROWS_WITH(instruction_set("wider", "--instructions", old),
                      "--instructions: this processor has no WIDE, WIDER; it can run: baseline wide");
    CHECK_THROWS_WITH(instruction_set("widr", "--instructions", old),
                      ContainsSubstring("unknown instruction set 'widr'; did you mean 'wide'?"));
}

TEST_CASE("code for one instruction set shares no function with code for another") {
    if (cli::shell(PLIMSOLL_NM " --version").code != 0) {
        WARN("skipped: nm is not installed");
        return;
    }
    const auto by_set = kernel_symbols();
    CHECK(by_set.size() == instruction_sets().size());
    for (const auto& [set, symbols] : by_set)
        for (const std::string& line : symbols) {
            INFO(set << ": " << line);
            // "0000000000000010 W _ZN12Eigen_avx512...": functions are T, W where the linker may merge them, or i.
            const std::size_t space = line.find(' ');
            const bool function = space != line.npos && line.size() > space + 3 &&
                                  std::string_view("TWi").find(line[space + 1]) != std::string_view::npos;
            if (function) CHECK(line.find(set) != line.npos);
            // Nothing runs before a set was chosen, but for what a sanitizer does to constants.
            if (PLIMSOLL_SANITIZED == 0) CHECK(line.find("_GLOBAL__sub_I") == line.npos);
        }
}

TEST_CASE("all instruction sets expand every half and every bfloat16 to what it is") {
    std::vector<std::uint16_t> bits(1U << 16U);
    std::iota(bits.begin(), bits.end(), std::uint16_t{0});
    const auto size = static_cast<std::int64_t>(bits.size());
    const float one = 1.0F;
    std::vector<float> found(bits.size());
    for (const InstructionSet& set : instruction_sets()) {
        if (!set.available) continue;
        for (const NumberType type : {NumberType::fp16, NumberType::bf16}) {
            // A column of one number times one.
            set.kernels->multiply({type, bits.data(), &one, found.data(), 1, 1, 0, size});
            const unsigned exponent = type == NumberType::fp16 ? 0x7C00U : 0x7F80U;
            std::size_t wrong = 0;
            for (std::size_t i = 0; i < bits.size(); ++i)
                wrong += (i & exponent) != exponent &&
                         static_cast<double>(found[i]) != number_at(bits.data(), type, static_cast<std::int64_t>(i));
            INFO(set.name);
            CHECK(wrong == 0);
        }
    }
}

TEST_CASE("what is not asked for stays as it was, wherever a share begins") {
    constexpr std::int64_t m = 3, n = 50, k = 37;
    std::vector<float> weights(n * k), input(m * k);
    // Whole numbers below 2^24: sums are exact in any order.
    for (std::size_t i = 0; i < weights.size(); ++i) weights[i] = static_cast<float>(i % 7) - 3.0F;
    for (std::size_t i = 0; i < input.size(); ++i) input[i] = static_cast<float>(i % 5) - 2.0F;
    for (const InstructionSet& set : instruction_sets()) {
        if (!set.available) continue;
        for (const auto& [first, last] : {std::pair<std::int64_t, std::int64_t>{0, 50}, {32, 50}, {7, 8}, {20, 20}}) {
            std::vector<float> output(m * n, 99.0F);
            set.kernels->multiply({NumberType::fp32, weights.data(), input.data(), output.data(), m, k, first, last});
            for (std::int64_t column = 0; column < n; ++column)
                for (std::int64_t row = 0; row < m; ++row) {
                    double expected = 99;
                    if (column >= first && column < last) {
                        expected = 0;
                        for (std::int64_t l = 0; l < k; ++l)
                            expected += static_cast<double>(input[static_cast<std::size_t>(row * k + l)]) *
                                        static_cast<double>(weights[static_cast<std::size_t>(column * k + l)]);
                    }
                    CHECK(static_cast<double>(output[static_cast<std::size_t>(column * m + row)]) == expected);
                }
        }
    }
}
