#include "simulator/trace.hpp"

#include "model/base/error.hpp"
#include "simulator/load_plan.hpp"
#include "simulator/request_tag.hpp"
#include "tests/catch.hpp"

using namespace plimsoll;

namespace {

using Tokens = std::vector<std::uint32_t>;

std::string csv_failure(const std::string& text) {
    try {
        static_cast<void>(read_trace_csv(text, "t.csv"));
    } catch (const InputError& error) {
        return error.what();
    }
    return "";
}

std::string jsonl_failure(const std::string& text) {
    try {
        static_cast<void>(read_trace_jsonl(text, "t.jsonl"));
    } catch (const InputError& error) {
        return error.what();
    }
    return "";
}

}  // namespace

TEST_CASE("trace: seconds and tokens under the names that tools use") {
    const Trace trace = read_trace_csv(
        "request_id,arrived_at,num_prefill_tokens,num_decode_tokens\n0,0.25,395,112\n1,0.5,1030,403\n", "t.csv");
    CHECK(trace.arrival == std::vector<Seconds>{Seconds{0.25}, Seconds{0.5}});
    CHECK(trace.prompt == Tokens{395, 1030});
    CHECK(trace.output == Tokens{112, 403});
    CHECK(trace.rate() == PerSecond(4.0));
    CHECK(trace.mean_prompt() == 712.5);
    CHECK(trace.mean_output() == 257.5);
    CHECK(read_trace_csv("arrival,prompt,output\n1,2,3\n", "t.csv").prompt == Tokens{2});
    CHECK(read_trace_csv("arrival_ms,prompt_tokens,output_tokens\n1500,2,3\n", "t.csv").arrival[0].value() ==
          Approx(1.5));
    CHECK(read_trace_csv("prompt_len,output_len\n7,9\n", "t.csv").arrival.empty());
}

TEST_CASE("trace: Azure's dates count from the first, across a leap day") {
    const Trace trace = read_trace_csv(
        "TIMESTAMP,ContextTokens,GeneratedTokens\n"
        "2024-02-28 23:59:59.5000000,374,44\n"
        "2024-02-29 00:00:00.2500000,396,109\n"
        "2024-03-01 00:00:00+00:00,879,55\n",
        "t.csv");
    CHECK(trace.arrival[0] == Seconds{0.0});
    CHECK(trace.arrival[1].value() == Approx(0.75).margin(1e-12));
    // Half a second and the whole of 29 February.
    CHECK(trace.arrival[2].value() == Approx(86400.5).margin(1e-9));
    CHECK(trace.output == Tokens{44, 109, 55});
}

TEST_CASE("trace: block hashes become shared prefixes") {
    const Trace trace = read_trace_jsonl(
        "{\"timestamp\": 0, \"input_length\": 1200, \"output_length\": 5, \"hash_ids\": [46, 47, 48]}\n\n"
        "{\"timestamp\": 3000, \"input_length\": 1100, \"output_length\": 6, \"hash_ids\": [46, 47, 99]}\n"
        "{\"timestamp\": 3000, \"input_length\": 700, \"output_length\": 7, \"hash_ids\": [5, 47]}\n"
        "{\"timestamp\": 4000, \"input_length\": 1100, \"output_length\": 7, \"hash_ids\": [46, 47, 99]}\n",
        "t.jsonl");
    CHECK(trace.arrival[1] == Seconds{3.0});
    // Two known blocks of 512; none, since the first is new; three, which is all of the prompt.
    CHECK(trace.shared_prefix == Tokens{0, 1024, 0, 1100});
    CHECK(Tokens(trace.blocks_of(1).begin(), trace.blocks_of(1).end()) == Tokens{0, 1, 3});
    CHECK(Tokens(trace.blocks_of(2).begin(), trace.blocks_of(2).end()) == Tokens{4, 1});

    LoadPlan plan;
    plan.kind = "trace";
    plan.trace = std::make_shared<const Trace>(trace);
    plan.trace_speed = 2.0;
    const auto source = make_source(plan, "test");
    static_cast<void>(source->take());
    const Arrival second = source->take();
    CHECK(second.time == Seconds{1.5});
    CHECK(RequestTag::of(second.tag).shared_prefix == 1024);
    CHECK(RequestTag::of(second.tag).session == 1);
}

TEST_CASE("trace: what is wrong is said with its line") {
    CHECK_THAT(csv_failure("arrival,output\n1,2\n"), ContainsSubstring("t.csv:1: no column of prompt tokens"));
    // Another kind of file altogether.
    const std::string brackets(100'000, '[');
    CHECK(csv_failure(brackets).size() < 500);
    CHECK_THAT(csv_failure("prompt,prompt_tokens,output\n1,2,3\n"), ContainsSubstring("two columns of prompt tokens"));
    CHECK_THAT(csv_failure("arrival,arrived_at,prompt,output\n1,2,3,4\n"),
               ContainsSubstring("two columns of arrivals"));
    CHECK_THAT(csv_failure("arrival,prompt,output\n1,5,6\n2,0,6\n"), ContainsSubstring("t.csv:3"));
    CHECK_THAT(csv_failure("arrival,prompt,output\n1,5.5,6\n"), ContainsSubstring("whole number of tokens"));
    CHECK_THAT(csv_failure("arrival,prompt,output\n1,many,6\n"), ContainsSubstring("t.csv:2"));
    CHECK_THAT(csv_failure("arrival,prompt,output\n,5,6\n"), ContainsSubstring("'arrival' must be at least 0"));
    CHECK_THAT(csv_failure("arrival,prompt,output\n2,5,6\n1,5,6\n"), ContainsSubstring("sort the trace by arrival"));
    CHECK_THAT(csv_failure("arrival,prompt,output\n"), ContainsSubstring("no requests"));
    for (const char* moment :
         {"2023-13-01 00:00:00", "2023-11-16", "18:15:46", "2023-11-16 18:15:4x", "soon", "", "2023-11-16 18:15:46.1x"})
        CHECK_THAT(csv_failure(std::string("TIMESTAMP,ContextTokens,GeneratedTokens\n") + moment + ",1,1\n"),
                   ContainsSubstring("t.csv:2: expected a date and time"));
    CHECK_THAT(jsonl_failure("{\"input_length\": 1, \"output_length\": 1}\n{\"input_length\": 1}\n"),
               ContainsSubstring("t.jsonl:2: no field of output tokens"));
    CHECK_THAT(jsonl_failure("{\"input_length\": 1, \"output_length\": 1, \"mood\": 3}\n"), ContainsSubstring("mood"));
    CHECK_THAT(jsonl_failure("{\"timestamp\": 1, \"input_length\": 1, \"output_length\": 1}\n"
                             "{\"input_length\": 1, \"output_length\": 1}\n"),
               ContainsSubstring("in all lines or in none"));
    CHECK_THAT(jsonl_failure("\n"), ContainsSubstring("no requests"));
    CHECK_THROWS_AS(read_trace("/nowhere/trace.csv"), EnvironmentError);
}
