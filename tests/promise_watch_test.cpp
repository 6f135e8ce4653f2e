#include "simulator/promise_watch.hpp"

#include "simulator/request_tag.hpp"
#include "tests/catch.hpp"

using namespace plimsoll;

namespace {

/// A request sent at 0.
Request answered(double first_token, double finished, std::uint32_t output) {
    Request request;
    request.first_token = Seconds(first_token);
    request.finished = Seconds(finished);
    request.output = output;
    return request;
}

Request refused() {
    Request request;
    request.outcome = Request::Outcome::refused;
    request.finished = Seconds{};
    return request;
}

double ratio_of(const Slo& slo, std::uint64_t warm_up) {
    PromiseWatch watch({slo}, warm_up);
    watch.finished(answered(1.0, 5.0, 3));  // 2 s a token
    watch.unanswered(refused());
    watch.finished(answered(3.0, 3.0, 1));   // no token after the first
    watch.finished(answered(5.0, 13.0, 5));  // 2 s
    watch.finished(answered(7.0, 11.0, 2));  // 4 s
    return watch.worst_ratio();
}

}  // namespace

TEST_CASE("The promise that is nearest to its limit, or furthest beyond, decides") {
    const SloTerm ttft{Metric::ttft, Statistic::mean, Seconds(8.0)};  // mean of 1, 3, 5, 7 is 4
    const SloTerm tpot{Metric::tpot, Statistic::mean, Seconds(8.0)};  // mean of 2, 2, 4
    const SloTerm e2e{Metric::e2e, Statistic::p99, Seconds(10.0)};    // about 13
    CHECK(ratio_of({{ttft}}, 0) == Approx(0.5));
    CHECK(ratio_of({{tpot}}, 0) == Approx(8.0 / 3.0 / 8.0));
    CHECK(ratio_of({{ttft, tpot}}, 0) == Approx(0.5));
    CHECK(ratio_of({{ttft, tpot, e2e}}, 0) == Approx(1.3).epsilon(0.03));
}

TEST_CASE("Classes have promises of their own, and a client that left had waited that long") {
    const Slo quick{{{Metric::ttft, Statistic::mean, Seconds(2.0)}}},
        patient{{{Metric::e2e, Statistic::mean, Seconds(10.0)}}};
    PromiseWatch watch({quick, patient}, 0);
    Request request = answered(1.0, 5.0, 3);
    watch.finished(request);
    CHECK(watch.worst_ratio() == Approx(0.5));
    request = answered(1.0, 8.0, 3);
    request.tag = RequestTag{.load_class = 1}.packed();
    watch.finished(request);
    CHECK(watch.worst_ratio() == Approx(0.8));
    // Left after 7 s: a TTFT of 7 at the least, 4 in the mean of two.
    request = Request{};
    request.outcome = Request::Outcome::timed_out;
    request.finished = Seconds(7.0);
    watch.unanswered(request);
    CHECK(watch.worst_ratio() == Approx(2.0));
}

TEST_CASE("The warm-up counts what was refused, and nothing is decided before its end") {
    const Slo slo{{{Metric::ttft, Statistic::mean, Seconds(1.0)}}};
    CHECK(ratio_of(slo, 1) == Approx(5.0));  // mean of 3, 5, 7
    CHECK(ratio_of(slo, 2) == Approx(5.0));  // the refused one has no latency
    CHECK(ratio_of(slo, 3) == Approx(6.0));
    CHECK(ratio_of(slo, 5) == 0.0);
}

TEST_CASE("A queue that grows shows in arrivals that outrun the answers") {
    PromiseWatch growing({Slo{}}, 0), steady({Slo{}}, 0);
    CHECK(steady.came_over_answered() == 1.0);
    for (int i = 0; i < 100; ++i) {
        // One a second comes; one in two seconds is answered, or each after seven.
        Request request = answered(i, 2.0 * i + 3.0, 2);
        request.arrival = Seconds(i);
        growing.finished(request);
        request.finished = Seconds(i + 7.0);
        steady.finished(request);
    }
    CHECK(growing.came_over_answered() == Approx(2.0));
    CHECK(steady.came_over_answered() == Approx(1.0));
}

TEST_CASE("The share that was refused is of all that ended after the warm-up") {
    PromiseWatch watch({Slo{}}, 1);
    CHECK(watch.refused_share() == 0.0);
    watch.unanswered(refused());  // warm-up
    CHECK(watch.refused_share() == 0.0);
    watch.unanswered(refused());
    for (int i = 0; i < 3; ++i) watch.finished(answered(1.0, 2.0, 2));
    CHECK(watch.refused_share() == 0.25);
}
