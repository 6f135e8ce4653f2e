// Laws of all kernel forms, and times worked by hand.
#include <cmath>
#include <string>
#include <utility>
#include <vector>

#include "calibrate/kernel_operators.hpp"
#include "model/cost/kernel_form.hpp"
#include "tests/catch.hpp"
#include "tests/kernel_rows.hpp"

using namespace plimsoll;
using testing::round_peaks;

namespace {

std::vector<double> initial(const KernelForm& form) {
    std::vector<double> constants;
    for (const FormConstant& c : form.constants) constants.push_back(c.initial);
    return constants;
}

TableCells cells(std::vector<std::pair<std::string, double>> numbers) {
    return {[numbers](const std::string& column) {
                for (const auto& [name, number] : numbers)
                    if (name == column) return number;
                return 1.0;
            },
            [](const std::string& column) { return std::string(column == "distribution" ? "balanced" : "bf16"); },
            "test"};
}

/// An operator that a form of the kernel is for, larger by a factor where the load goes.
Operator sample(std::string_view kernel, double load) {
    if (kernel == "gemm" || kernel == "elementwise") return gemm_operator("g", "g", 16 * load, 4096, 4096, Dtype::bf16);
    if (kernel == "all_reduce" || kernel == "all_to_all")
        return all_reduce_row(cells({{"bytes", 1e5 * load}, {"ranks", 8}}));
    if (kernel == "moe")
        return moe_row(
            cells({{"num_tokens", 16 * load}, {"hidden", 4096}, {"inter", 1024}, {"topk", 2}, {"experts", 8}}));
    const double query = kernel == "attention_prefill" ? 64 * load : 1;
    return attention_row(cells({{"batch", 4},
                                {"query_len", query},
                                {"kv_len", 64 * load},
                                {"heads", 32},
                                {"kv_heads", 8},
                                {"head_dim", 128}}));
}

double seconds(const KernelForm& form, const Operator& op) {
    return form.time(op, round_peaks(), initial(form)).total().value();
}

}  // namespace

TEST_CASE("every form starts within its bounds, and takes longer for more work on a slower GPU") {
    for (const auto& [name, form] : kernel_forms()) {
        INFO(name);
        for (const FormConstant& c : form.constants) {
            CHECK(c.low < c.initial);
            CHECK(c.initial < c.high);
            CHECK(c.low > 0);
            CHECK(c.prior_width > 0);
        }
        double before = 0;
        for (double load = 2; load < 300; load *= 4) {
            const double now = seconds(form, sample(form.kernel, load));
            CHECK(std::isfinite(now));
            CHECK(now >= before);
            before = now;
        }
        GpuPeaks slow = round_peaks();
        slow.arithmetic *= 0.25, slow.memory *= 0.25;
        const Operator op = sample(form.kernel, 64);
        if (!is_communication(op.kind)) CHECK(form.time(op, slow, initial(form)).total().value() > seconds(form, op));
        const FormFeatures features = form.features(op, round_peaks());
        CHECK(features.count == form.feature_names.size());
        for (std::size_t f = 0; f < features.count; ++f) CHECK(std::isfinite(features.values[f]));
    }
}

TEST_CASE("decode attention is affine in sequences and context, as step costs fold it") {
    for (const auto& [name, form] : kernel_forms()) {
        if (!form.affine) continue;
        INFO(name);
        const auto time = [&, &f = form](double batch, double kv) {
            return seconds(f, attention_row(cells({{"batch", batch},
                                                   {"query_len", 1},
                                                   {"kv_len", kv},
                                                   {"heads", 32},
                                                   {"kv_heads", 8},
                                                   {"head_dim", 128}})));
        };
        // With batch x kv for the tokens in all: f = a + b batch + c batch kv. The last point follows from three.
        const double a4 = time(4, 1000), b4 = time(4, 2000), a8 = time(8, 1000);
        const double per_token = (b4 - a4) / 4000, per_sequence = (a8 - a4 - per_token * 4000) / 4;
        CHECK(time(64, 5000) == Approx(a4 + 60 * per_sequence + (64 * 5000 - 4000) * per_token));
    }
}

TEST_CASE("an all-reduce of 8 MB over four ranks, by hand") {
    // S' = 2 x 3 / 4 x 8 MB = 12 MB: 15 us + 12e6 / 100e9 = 120 us + 4 us x 12^0.5 = 13.86 us.
    const KernelForm& form = *kernel_forms().find("all_reduce");
    std::vector<double> constants{1e-5, 1.5e-5, 2e-5, 4e-5, 5e10, 1e11, 2e11, 1e10, 4e-6, 0.5};
    const auto at = [&](double ranks) {
        return form.time(all_reduce_row(cells({{"bytes", 8e6}, {"ranks", ranks}})), {}, constants).total().value();
    };
    CHECK(at(4) == Approx(148.86e-6).epsilon(1e-4));
    // Six ranks lie log2(1.5) = 0.585 of the way from four to eight: 15 us x (4/3)^0.585 = 17.75 us,
    // 100 GB/s x 2^0.585 = 150 GB/s; S' = 2 x 5 / 6 x 8 MB = 13.33 MB: 88.9 us, and 4 us x 13.33^0.5 = 14.61 us.
    CHECK(at(6) == Approx(121.26e-6).epsilon(1e-3));
}

TEST_CASE("the experts that a batch reaches") {
    // Two tokens with two choices each of four experts, taken in turn: all four are read.
    const Operator op =
        moe_row(cells({{"num_tokens", 2}, {"hidden", 100}, {"inter", 50}, {"topk", 2}, {"experts", 4}}));
    CHECK(op.experts == 4);
    CHECK(op.m * op.experts == Approx(4));
    CHECK(op.work.flop.value() == Approx(2.0 * 4 * 3 * 50 * 100));
}

TEST_CASE("few rows of experts wait for the depth of a tile, not for their bytes") {
    const KernelForm& form = *kernel_forms().find("moe");
    std::vector<double> constants = initial(form);
    for (std::size_t i = 0; i < constants.size(); ++i) {
        if (form.constants[i].name == "launch") constants[i] = 10e-6;
        if (form.constants[i].name == "per_expert") constants[i] = 1e-12;
        if (form.constants[i].name == "sharpness") constants[i] = 50.0;
        if (form.constants[i].name == "depth") constants[i] = 10e-9;
    }
    const auto at = [&](double inter) {
        const Operator op =
            moe_row(cells({{"num_tokens", 1}, {"hidden", 3000}, {"inter", inter}, {"topk", 1}, {"experts", 4}}));
        return form.time(op, round_peaks(), constants).total().value();
    };
    // Steps through 3000 and then 400 of depth at 10 ns, after 10 us; bytes of 3 x 3000 x 400 weights take 6 us at 0.6
    // of 2 TB/s.
    CHECK(at(400) == Approx(44e-6).epsilon(1e-3));
    CHECK(at(200) == Approx(42e-6).epsilon(1e-3));
    // 3 x 3000 x 10000 weights of 2 bytes: 150 us, and the depth of 130 us is hidden.
    CHECK(at(10000) == Approx(160e-6).epsilon(5e-3));
}

TEST_CASE("experts: empty rows of tiles, rows that L2 does not keep, and what passes between the products, by hand") {
    const KernelForm& form = *kernel_forms().find("moe");
    const auto parts = [&](const Operator& op, std::vector<std::pair<std::string, double>> given) {
        std::vector<double> constants = initial(form);
        for (std::size_t i = 0; i < constants.size(); ++i)
            for (const auto& [name, value] : given)
                if (form.constants[i].name == name) constants[i] = value;
        return form.time(op, round_peaks(), constants);
    };
    // Eight tokens, one for each of eight experts: as many tokens as experts, so that half of the growth to taller
    // tiles has come. 8 + 8 x 2 (1 + 4 / 2) = 56 rows by 3 x 500 x 1000 weights: 168 MFLOP at half of 300 TFLOP/s.
    const Operator even =
        moe_row(cells({{"num_tokens", 8}, {"hidden", 1000}, {"inter", 500}, {"topk", 1}, {"experts", 8}, {"ep", 1}}));
    CHECK(parts(even, {{"compute_efficiency", 0.5}, {"empty_rows", 2.0}, {"taller_tiles", 4.0}}).compute.value() ==
          Approx(1.12e-6));
    // Inputs of 10000 x 4000 x 2 B = 80 MB, of which L2 keeps 40: half of the rows come from memory.
    const Operator many =
        moe_row(cells({{"num_tokens", 10000}, {"hidden", 4000}, {"inter", 500}, {"topk", 1}, {"experts", 8}}));
    CHECK(parts(many, {{"cache_misses", 1.0}}).compute / parts(many, {{"cache_misses", 0.1}}).compute ==
          Approx(1.5 / 1.05));
    // Four tokens of eight choices, of which two fall to this rank: 2 + 0.5 x 6 rows of 1000 + 500 + 1000 values and
    // 4 x 1000 sums of 2 B, 33 kB at half of 2 TB/s.
    const Operator rank =
        moe_row(cells({{"num_tokens", 4}, {"hidden", 1000}, {"inter", 500}, {"topk", 2}, {"experts", 8}, {"ep", 4}}));
    CHECK(parts(rank, {{"between_efficiency", 0.5}, {"foreign", 0.5}}).streamed.value() == Approx(33e-9));
}

TEST_CASE("waves of tiles: one block more than the multiprocessors hold takes a second wave") {
    const KernelForm& form = *kernel_forms().find("gemm_tiles");
    std::vector<double> constants = initial(form);
    constants[5] = 0.999;   // nothing hides the last wave
    constants[11] = 0.005;  // and the best tile is found
    const auto compute = [&](double n) {
        return form.time(gemm_operator("g", "g", 4096, n, 8192, Dtype::bf16), round_peaks(), constants).compute.value();
    };
    // Where waves are full, time goes with the work; a step of one tile costs as much as many.
    CHECK(compute(6400) / compute(3200) == Approx(2.0).epsilon(0.05));
    double largest_step = 0;
    for (double n = 3200; n < 6400; n += 128) largest_step = std::max(largest_step, compute(n + 128) / compute(n));
    CHECK(largest_step > 1.06);
}

TEST_CASE(
    "a block alone on its multiprocessor counts where waves are few, a poor choice of tiles nowhere for the better") {
    const KernelForm& form = *kernel_forms().find("gemm_tiles");
    const auto time = [&](double m, double lone_block, double regret) {
        std::vector<double> constants = initial(form);
        constants[10] = lone_block, constants[11] = regret;
        return form.time(gemm_operator("g", "g", m, 4096, 4096, Dtype::bf16), round_peaks(), constants).total();
    };
    // One wave or two of blocks are held up by as much again as a block takes, a hundred waves by a hundredth.
    CHECK(time(128, 2.0, 0.005) / time(128, 0.003, 0.005) > 1.3);
    CHECK(time(65536, 2.0, 0.005) / time(65536, 0.003, 0.005) < 1.1);
    for (const double m : {1.0, 100.0, 1000.0, 10000.0}) CHECK(time(m, 0.2, 0.3) >= time(m, 0.2, 0.005) * 0.999);
}

TEST_CASE("a rank of a mixture of experts is loaded in turn, or as its busiest under a power law") {
    const auto row = [](const std::string& distribution, double tokens, double ranks) {
        TableCells one = cells(
            {{"num_tokens", tokens}, {"hidden", 1024}, {"inter", 512}, {"topk", 4}, {"experts", 64}, {"ep", ranks}});
        one.text = [distribution](const std::string& column) {
            return column == "distribution" ? distribution : std::string("bf16");
        };
        return moe_row(one);
    };
    const auto choices = [](const Operator& op) { return op.m * op.experts; };
    // 4 x 1024 choices on 64 experts: 64 each, and a rank of 8 with 8 experts gets an eighth.
    CHECK(row("balanced", 1024, 1).m == Approx(64));
    CHECK(choices(row("balanced", 1024, 8)) == Approx(512));
    CHECK(row("balanced", 1, 8).experts == 1);
    // All experts on one rank: nothing is lost but what an expert would get beyond all tokens.
    CHECK(choices(row("power_law_1.01", 1024, 1)) == Approx(4096).epsilon(0.02));
    // The busiest of 8 ranks has more than its share of 512, the busiest expert several times its 64, of 1024 tokens.
    CHECK(choices(row("power_law_1.2", 1024, 8)) > 600);
    CHECK(choices(row("power_law_1.2", 1024, 64)) <= 1024);
    CHECK(choices(row("power_law_1.2", 1024, 64)) > 320);
    CHECK_THROWS_WITH(row("skewed", 16, 1), ContainsSubstring("power_law_ALPHA"));
}
