#include <numeric>

#include "model/base/csv.hpp"
#include "model/base/fields.hpp"
#include "simulator/affine_timer.hpp"
#include "simulator/load_plan.hpp"
#include "simulator/observer_group.hpp"
#include "simulator/request_rows.hpp"
#include "simulator/simulation.hpp"
#include "simulator/time_series.hpp"
#include "simulator/trace_events.hpp"
#include "tests/catch.hpp"

using namespace plimsoll;

namespace {

class Text final : public TextSink {
  public:
    void write(std::string_view piece) override { text += piece; }
    std::string text;
};

/// Steps of one second; a prompt of 32 tokens does not fit the engine's one block.
void run(const std::vector<Arrival>& script, Observer& observer) {
    Trace trace;
    for (const Arrival& arrival : script) {
        trace.arrival.push_back(arrival.time);
        trace.prompt.push_back(arrival.prompt);
        trace.output.push_back(arrival.output);
    }
    LoadPlan plan;
    plan.kind = "trace";
    plan.trace = std::make_shared<const Trace>(trace);
    const auto source = make_source(plan, "test");
    const AffineTimer timer({.constant = Seconds{1.0}});
    SchedulerSettings settings;
    settings.max_sequences = 8;
    settings.max_step_tokens = 100;
    settings.kv_blocks = 4;
    RequestTable requests;
    Replica replica(requests, timer, schedulers().at("vllm-v0", "scheduler", "test"), settings);
    simulate(*source, requests, replica, &observer);
}

/// The first is overtaken by the second, the third is too long for the KV pool, the fourth has one token.
const std::vector<Arrival> overtaking{{.time = Seconds{0.0}, .prompt = 4, .output = 4},
                                      {.time = Seconds{0.5}, .prompt = 5, .output = 2},
                                      {.time = Seconds{0.75}, .prompt = 90, .output = 2},
                                      {.time = Seconds{7.25}, .prompt = 6, .output = 1}};

}  // namespace

TEST_CASE("rows: one a request, in order of arrival") {
    Text text;
    RequestRows rows(text);
    run(overtaking, rows);
    rows.flush();
    // Prefills 0-1 and 1-2, decode of both 2-3, of the first alone 3-5; at 7.25 a prefill.
    CHECK(text.text ==
          "request_id,arrived_at,first_token_at,completed_at,ttft_s,tpot_s,e2e_s,preemptions,queue_s,prompt_tokens,"
          "output_tokens,replica,class,status\n"
          "0,0,1,5,1,1.3333333333333333,5,0,0,4,4,0,0,ok\n"
          "1,0.5,2,3,1.5,1,2.5,0,0.5,5,2,0,0,ok\n"
          "2,0.75,,0.75,,,,0,,90,2,0,0,refused\n"
          "3,7.25,8.25,8.25,1,,1,0,0,6,1,0,0,ok\n");
    CHECK(Csv::from_text(text.text, "rows").rows() == 4);
}

TEST_CASE("rows: a run that was stopped leaves those that ended") {
    Text text;
    RequestRows rows(text);
    Request request;
    request.sequence = 2;
    request.scheduled = request.first_token = request.finished = Seconds{1.0};
    request.output = 1;
    rows.finished(request);
    const std::size_t header = text.text.size();
    request.sequence = 0;
    rows.finished(request);
    CHECK(text.text.size() > header);
    rows.flush();
    const Csv csv = Csv::from_text(text.text, "rows");
    REQUIRE(csv.rows() == 2);
    CHECK(csv.text(1, "request_id") == "2");
}

TEST_CASE("trace events: a JSON document with a slice a stride and a span a request") {
    Text text;
    TraceEvents events(text);
    run(overtaking, events);
    events.close();
    const Fields document = Fields::from_text(text.text, "trace.json");
    int slices = 0, begins = 0, ends = 0, refused = 0;
    double last_end = 0;
    for (const Fields& event : document.objects("traceEvents")) {
        const std::string phase = event.string("ph");
        slices += phase == "X" ? 1 : 0;
        begins += phase == "b" ? 1 : 0;
        ends += phase == "e" ? 1 : 0;
        refused += phase == "i" ? 1 : 0;
        if (phase != "X") continue;
        const double start = event.number("ts", {0, 1e12});
        CHECK(start >= last_end);
        last_end = start + event.number("dur", {0, 1e12});
    }
    CHECK(slices >= 5);
    CHECK(begins == 3 * 4);
    CHECK(ends == begins);
    CHECK(refused == 1);
    CHECK(last_end == 8.25e6);
}

TEST_CASE("trace events: an empty run is a document too") {
    Text text;
    TraceEvents events(text);
    events.close();
    CHECK(Fields::from_text(text.text, "trace.json").objects("traceEvents").empty());
}

TEST_CASE("time series: joining intervals loses nothing") {
    TimeSeries fine(Seconds{0.5}), joined(Seconds{1.0 / 1024});
    ObserverGroup both;
    both.add(fine);
    both.add(joined);
    run(overtaking, both);
    // By hand: busy 0-5 and 7.25-8.25; sequences 1, 1, 2, 1, 1 and 1 a second.
    REQUIRE(fine.slots().size() == 17);
    CHECK(fine.slots()[0].busy == Approx(0.5));
    CHECK(fine.slots()[4].sequences == Approx(1.0));
    CHECK(fine.slots()[11].busy == 0.0);
    CHECK(fine.slots()[14].busy == Approx(0.25));
    CHECK(fine.slots()[1].waiting == Approx(0.5));
    CHECK(fine.slots()[10].finished == 1);
    CHECK(joined.slots().size() <= 512);
    CHECK(joined.width() * 512.0 > Seconds{8.25});
    for (const TimeSeries* series : {&fine, &joined}) {
        TimeSlot all;
        for (const TimeSlot& slot : series->slots()) all += slot;
        CHECK(all.busy == Approx(6.0));
        CHECK(all.sequences == Approx(7.0));
        CHECK(all.arrived == 4);
        CHECK(all.finished == 3);
        CHECK(all.unanswered.refused == 1);
        CHECK(all.output_tokens == 7);
        CHECK(all.ttft_sum == Approx(3.5));
        CHECK(all.waiting == Approx(0.5));
    }
}
