#include "simulator/kv_pool.hpp"

#include "simulator/random.hpp"
#include "tests/catch.hpp"

using namespace plimsoll;

TEST_CASE("KV pool: growing requests take a block when their last is full") {
    KvPool pool(10, 4);
    CHECK(pool.blocks_for(0) == 0);
    CHECK(pool.blocks_for(4) == 1);
    CHECK(pool.blocks_for(5) == 2);
    // 7 tokens hold 2 blocks with one place left, 8 tokens 2 full ones.
    pool.take(4);
    pool.start_growing(7);
    pool.start_growing(8);
    CHECK(pool.step_need() == 1);  // only the full one
    CHECK(pool.need(2) == 2);      // then the other
    CHECK(pool.need(5) == 3);      // 12 and 13 tokens: 3 + 4 blocks
    // 6 free blocks serve 8 + 12 = 20 tokens and 7 + 13 = 20 tokens, 5 blocks each: 12 steps.
    CHECK(pool.steps_that_fit() == 12);
    pool.grow(12);
    CHECK(pool.free() == 0);
    CHECK(pool.step_need() == 1);
    CHECK(pool.steps_that_fit() == 0);
    pool.stop_growing(19);
    pool.stop_growing(20);
    pool.give(10);
    CHECK(pool.growing() == 0);
    CHECK(pool.used() == 0);
    CHECK(pool.steps_that_fit() == std::numeric_limits<std::uint64_t>::max());
}

TEST_CASE("KV pool: counts by the token without blocks") {
    KvPool pool(100, 1);
    pool.take(30);
    pool.start_growing(10);
    pool.start_growing(20);
    CHECK(pool.need(7) == 14);
    CHECK(pool.steps_that_fit() == 35);
    pool.grow(35);
    CHECK(pool.free() == 0);
}

TEST_CASE("KV pool: a jump takes what the single steps take, whoever comes and goes") {
    RandomStream random(3, "pool");
    for (const std::uint32_t block : {1u, 2u, 5u, 16u}) {
        KvPool pool(1u << 20, block);
        std::vector<std::uint64_t> stored;
        for (int round = 0; round < 200; ++round) {
            if (stored.empty() || random.below(3) != 0) {
                stored.push_back(1 + random.below(100));
                pool.take(pool.blocks_for(stored.back()));
                pool.start_growing(stored.back());
            } else {
                std::swap(stored[random.below(stored.size())], stored.back());
                pool.stop_growing(stored.back());
                pool.give(pool.blocks_for(stored.back()));
                stored.pop_back();
            }
            const std::uint64_t steps = random.below(50);
            pool.grow(steps);
            std::uint64_t blocks = 0;
            for (auto& tokens : stored) blocks += pool.blocks_for(tokens += steps);
            REQUIRE(pool.used() == blocks);
        }
    }
}
