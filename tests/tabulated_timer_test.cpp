#include "simulator/tabulated_timer.hpp"

#include <filesystem>
#include <fstream>

#include "model/base/error.hpp"
#include "tests/catch.hpp"

using namespace plimsoll;

namespace {

/// Tables whose entries tell which were read, in milliseconds a layer: linear 100 x tokens with 1 x tokens for the
/// cache, decode 0.01 x kv + 0.001 x batch, prefill 0.1 x kv + 0.0001 x chunk.
class Tables {
  public:
    Tables() {
        std::filesystem::create_directories(folder);
        std::ofstream linear(folder + "/linear.csv");
        linear << "num_tokens,attn_pre_proj,attn_post_proj,mlp_up_proj,mlp_down_proj,mlp_act,input_layernorm,"
                  "post_attention_layernorm,attn_rope,add,attn_kv_cache_save\n";
        for (int n = 1; n <= 64; ++n) linear << n << ',' << 92 * n << ",1,1,1,1,1,1,1,1," << n << '\n';
        std::ofstream decode(folder + "/attn_decode.csv");
        decode << "batch,kv,ms_per_layer\n";
        for (int b = 1; b <= 4; ++b)
            for (int kv = 0; kv <= 256; kv += 64) decode << b << ',' << kv << ',' << 0.01 * kv + 0.001 * b << '\n';
        std::ofstream prefill(folder + "/attn_prefill.csv");
        prefill << "kv,chunk,ms_per_layer\n";
        for (int kv = 0; kv <= 256; kv += 64)
            for (int c = 1; c <= 64; ++c) prefill << kv << ',' << c << ',' << 0.1 * kv + 0.0001 * c << '\n';
    }
    ~Tables() { std::filesystem::remove_all(folder); }
    Tables(const Tables&) = delete;
    Tables& operator=(const Tables&) = delete;

    std::string folder = (std::filesystem::temp_directory_path() / "plimsoll_tabulated_timer_test").string();
};

}  // namespace

TEST_CASE("Tabulated times: roundings, factors and layers as the tables' rules say") {
    const Tables tables;
    const TabulatedTimer timer(tables.folder, 2);
    const auto ms = [&](std::vector<PromptChunk> chunks, std::uint32_t decodes, std::uint64_t context) {
        return 1e3 * timer.step(chunks, decodes, context).value();
    };
    // 5 tokens: linear of 8 (92 x 8 + 8 = 744) and cache of 5; prefill of a chunk of 5 after nothing.
    CHECK(ms({{0, 5, 0}}, 0, 0) == Approx(2 * (744 + 5 + 0.0005)));
    // One decode at context 65 reads the row of 128; 1 token: linear of 8.
    CHECK(ms({}, 1, 65) == Approx(2 * (744 + 1 + 1.28 + 0.001)));
    // Three decodes, contexts 64 x 3 + 2: the mean is cut to 64; 10 % more for several.
    CHECK(ms({}, 3, 194) == Approx(2 * (744 + 3 + 1.1 * (0.64 + 0.003))));
    CHECK(ms({}, 3, 195) == Approx(2 * (744 + 3 + 1.1 * (1.28 + 0.003))));
    // Chunks of 6 and 8 after 1 and 64: contexts 64 + 64 = 128, root of 36 + 64 = 10; 14 tokens and a decode: 16.
    CHECK(ms({{0, 6, 1}, {1, 8, 64}}, 1, 10) == Approx(2 * (92 * 16 + 8 + 15 + 0.64 + 0.001 + 1.1 * (12.8 + 0.001))));
}

TEST_CASE("Tabulated times: decode steps keep their time until the mean context enters the next row") {
    const Tables tables;
    const TabulatedTimer timer(tables.folder, 2);
    // Means 126, 127, 128 read the row of 128, 129 that of 192.
    const DecodePiece piece = timer.decode(2, 2 * 126 + 1);
    CHECK(piece.steps == 3);
    CHECK(piece.growth == Seconds(0));
    CHECK(timer.step({}, 2, 2 * 128 + 1) == piece.first);
    CHECK(timer.step({}, 2, 2 * 129 + 1) > piece.first);
}

TEST_CASE("Tabulated times: outside the tables is an error") {
    const Tables tables;
    const TabulatedTimer timer(tables.folder, 2);
    CHECK_THROWS_AS(timer.decode(5, 10), InputError);
    CHECK_THROWS_AS(timer.decode(1, 257), InputError);
    const std::vector<PromptChunk> long_chunk{{0, 65, 0}};
    CHECK_THROWS_AS(timer.step(long_chunk, 0, 0), InputError);
    CHECK_THROWS_AS(TabulatedTimer(tables.folder + "/nowhere", 2), EnvironmentError);
}
