#include "model/capacity/decode_spread.hpp"

#include <algorithm>
#include <cmath>
#include <random>
#include <vector>

#include "tests/catch.hpp"

using namespace plimsoll;

namespace {

DecodeSpread::Flow flow(double rate, double stay) {
    return {.rate = PerSecond(rate), .stay = Seconds(stay), .think = Seconds(0)};
}

double deviation(const DecodeSpread::Flow& flow, double time) {
    return std::sqrt(DecodeSpread(flow).variance(Seconds(time)).value());
}

/// Requests of `tokens` tokens each that decode together in fluid: of each unit of time prompts take what is left of
/// their work, w (1 + e) each, first, and the rest goes to all at 1 / (1 + slope x present) tokens a second each.
double simulated_deviation(double rate, double tokens, double work, double slope, bool exponential_prompts) {
    std::mt19937_64 random(3);
    std::exponential_distribution<double> gap(rate), length(1.0);
    struct Running {
        double start, until;
    };
    std::vector<Running> running;  // by order of arrival: all of one length leave in it
    double now = 0, served = 0, next = gap(random), sum = 0, squares = 0;
    std::size_t first = 0;
    int counted = 0;
    constexpr int wanted = 200000, warm_up = 2000;
    while (counted < wanted + warm_up) {
        const double pace = 1.0 / (1.0 + slope * static_cast<double>(running.size() - first));
        const double leaves = first < running.size() ? now + (running[first].until - served) / pace : HUGE_VAL;
        if (leaves < next) {
            served = running[first].until;
            now = leaves;
            if (counted++ >= warm_up) {
                const double stay = now - running[first].start;
                sum += stay;
                squares += stay * stay;
            }
            ++first;
            continue;
        }
        if (next > now) {
            served += (next - now) * pace;
            now = next;
        }
        next += gap(random);
        // Nobody gets tokens while the prompt is computed, nor while those are that come meanwhile.
        now += work * (exponential_prompts ? length(random) : 1.0);
        running.push_back({now, served + tokens});
    }
    const double mean = sum / wanted;
    return std::sqrt(squares / wanted - mean * mean);
}

}  // namespace

TEST_CASE("Decode spread: prompts alone add up as a compound Poisson law") {
    // 2 prompts/s of 0.1 s take 0.2 of the time: each takes 0.1 / 0.8 s from a stay, of those that fall into it.
    DecodeSpread::Flow only_prompts = flow(2.0, 10.0);
    only_prompts.prefill_share = 0.2;
    CHECK(deviation(only_prompts, 10.0) == Approx(0.125 * std::sqrt(20.0)).epsilon(1e-6));
    CHECK(deviation(only_prompts, 0.5) == Approx(0.125).epsilon(1e-6));
    only_prompts.prompt_cv2 = 3.0;
    CHECK(deviation(only_prompts, 10.0) == Approx(0.25 * std::sqrt(20.0)).epsilon(1e-6));
}

TEST_CASE("Decode spread: a number of others that does not mind is that of a station with room for all") {
    // Stays of 5 s each at 3/s: the covariance of the number after t is 3 (5 - t), whose integral over 5 x 5 s is
    // 2 x 3 x 5^3 / 3 = 250.
    DecodeSpread::Flow alike = flow(3.0, 5.0);
    alike.slope = 1e-6;
    CHECK(deviation(alike, 5.0) == Approx(1e-6 * std::sqrt(250.0)).epsilon(0.01));
    // Exponential ones: 15 e^(-t/5), whose integral over T x T is 2 x 15 x 25 (T/5 - 1 + e^(-T/5)).
    DecodeSpread::Flow exponential = alike;
    exponential.stay_cv2 = 1.0;
    CHECK(deviation(exponential, 5.0) == Approx(1e-6 * std::sqrt(750.0 * std::exp(-1.0))).epsilon(0.01));
    CHECK(deviation(exponential, 20.0) == Approx(1e-6 * std::sqrt(750.0 * (3.0 + std::exp(-4.0)))).epsilon(0.01));
}

TEST_CASE("Decode spread: prompts and numbers together are those of a run, whose users calm it") {
    struct Case {
        double rate, tokens, work, slope;
        bool exponential;
    };
    for (const Case& c : {Case{4.0, 6.0, 0.05, 0.0, false}, Case{4.0, 5.0, 0.0, 0.02, false},
                          Case{4.0, 6.0, 0.05, 0.01, false}, Case{4.0, 6.0, 0.05, 0.01, true}}) {
        CAPTURE(c.rate, c.tokens, c.work, c.slope, c.exponential);
        const double rho = c.rate * c.work;
        // stay = tokens (1 + slope rate stay) / (1 - rho).
        const double stay = c.tokens / (1.0 - rho) / (1.0 - c.tokens * c.slope * c.rate / (1.0 - rho));
        DecodeSpread::Flow open = flow(c.rate, stay);
        open.prefill_share = rho;
        open.prompt_cv2 = c.exponential ? 1.0 : 0.0;
        open.slope = c.slope / (1.0 + c.slope * c.rate * stay);
        CHECK(deviation(open, stay) ==
              Approx(simulated_deviation(c.rate, c.tokens, c.work, c.slope, c.exponential)).epsilon(0.1));
        DecodeSpread::Flow closed = open;
        closed.think = Seconds(stay);
        CHECK(deviation(closed, stay) < deviation(open, stay));
        // A long prompt stays in the cache.
        DecodeSpread::Flow heavy = open;
        heavy.prompt_cv2 = 1.0;
        const double light = deviation(heavy, stay);
        heavy.context_slope = heavy.slope;
        CHECK((heavy.slope > 0) == (deviation(heavy, stay) > light));
    }
}
