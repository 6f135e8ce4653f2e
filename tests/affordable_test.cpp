#include "model/capacity/affordable.hpp"

#include "model/capacity/planner.hpp"
#include "tests/catch.hpp"
#include "tests/chat_scenario.hpp"

using namespace plimsoll;

namespace {

Catalog& catalog() {
    return TestInstance::catalog();
}

/// Users of a chat on nodes of eight A100, four instances of two GPUs on each.
Scenario chat() {
    Scenario s = testing::chat();
    s.tensor_parallel = {2};
    s.load.registered_users = 20000;
    return s;
}

Answer answer_to(const Scenario& scenario) {
    Plan planned = plan(scenario, catalog());
    REQUIRE(planned.answers.size() == 1);
    return planned.answers.front();
}

Candidate best(const Scenario& scenario) {
    const Answer answer = answer_to(scenario);
    INFO(answer.reason);
    REQUIRE(answer.best);
    return *answer.best;
}

Candidate nearest(const Scenario& scenario) {
    const Answer answer = answer_to(scenario);
    REQUIRE_FALSE(answer.best);
    REQUIRE(answer.nearest);
    REQUIRE(answer.nearest->within_bounds);
    return *answer.nearest;
}

}  // namespace

TEST_CASE("Bounds that a plan keeps change nothing in it") {
    const Candidate free = best(chat());
    Scenario bounded = chat();
    bounded.max_nodes = free.nodes;
    bounded.max_cost = free.cost;
    const Candidate same = best(bounded);
    CHECK(same.nodes == free.nodes);
    CHECK(same.cost == free.cost);
    CHECK_FALSE(same.within_bounds);
}

TEST_CASE("The most users within a bound on nodes are those that a plan puts on so many nodes, and no more") {
    Scenario s = chat();
    // Of four registered users three are there at the peak.
    s.load.active_share = 0.5;
    s.load.peak_factor = 1.5;
    s.headroom = 0.1;
    s.spares = 1;
    const int needed = best(s).nodes;
    REQUIRE(needed > 4);
    s.max_nodes = needed - 2;
    const Candidate beyond = nearest(s);
    CHECK(beyond.nodes == needed);
    CHECK(beyond.refusal->why ==
          "needs " + std::to_string(needed) + " nodes, more than the " + std::to_string(needed - 2) + " allowed");
    CHECK(beyond.within_bounds->nodes == needed - 2);
    s.load.registered_users = beyond.within_bounds->users;
    const Candidate most = best(s);
    CHECK(most.nodes == needed - 2);
    CHECK(most.cost->value() == Approx(beyond.within_bounds->cost->value()).epsilon(1e-3));
    // One more of those who are there.
    s.load.registered_users += 2;
    CHECK_FALSE(answer_to(s).best);
}

TEST_CASE("The most users within a cost are paid for, and another node would not be") {
    Scenario s = chat();
    const Candidate free = best(s);
    REQUIRE(free.nodes > 4);
    s.max_cost = *free.cost * 0.55;
    const Candidate beyond = nearest(s);
    const WithinBounds within = *beyond.within_bounds;
    CHECK(beyond.cost == free.cost);
    CHECK(within.nodes < free.nodes);
    CHECK(*within.cost <= *s.max_cost);
    CHECK(*within.cost * ((within.nodes + 1.0) / within.nodes) > *s.max_cost);
    s.load.registered_users = within.users;
    CHECK(best(s).nodes == within.nodes);
    s.load.registered_users = within.users + 1;
    CHECK_FALSE(answer_to(s).best);
}

TEST_CASE("Bounds of a rate leave a rate as the scenario states it") {
    Scenario s = chat();
    s.load.kind = Load::Kind::open;
    s.load.rate = PerSecond(3000);
    s.load.peak_factor = 1.25;
    s.max_nodes = 3;
    const WithinBounds within = *nearest(s).within_bounds;
    CHECK(within.nodes == 3);
    CHECK(within.users == 0);
    s.load.rate = within.rate * 0.9999;
    CHECK(best(s).nodes == 3);
    s.load.rate = within.rate * 1.0001;
    CHECK_FALSE(answer_to(s).best);
}

TEST_CASE("A bound below one instance leaves nobody") {
    Scenario s = chat();
    s.max_cost = *best(s).cost * 1e-3;
    const WithinBounds within = *nearest(s).within_bounds;
    CHECK(within.nodes == 0);
    CHECK(within.users == 0);
    CHECK_FALSE(within.cost);
}

TEST_CASE("Fewer users are sure to be carried within a bound than the forecast has") {
    Scenario s = chat();
    s.max_nodes = 3;
    const double forecast = nearest(s).within_bounds->users;
    s.confidence = 0.9;
    const double sure = nearest(s).within_bounds->users;
    CHECK(sure > 0);
    CHECK(sure < forecast);
}

TEST_CASE("Where the cost is bounded a candidate without a price is refused") {
    Scenario s = chat();
    s.cost.rented = true;
    s.nodes = {&catalog().nodes.at("a30-24gb-pcie-8", "test")};
    REQUIRE_FALSE(best(s).cost);
    s.max_cost = DollarsPerSecond(1);
    const Answer answer = answer_to(s);
    CHECK_FALSE(answer.best);
    CHECK_FALSE(answer.nearest);
    const Plan planned = plan(s, catalog());
    CHECK(planned.candidates.front().refusal->why == "its cost is bounded and unknown (rental price of a30-24gb-pcie)");
}
