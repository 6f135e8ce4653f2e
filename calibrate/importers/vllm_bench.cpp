#include <cmath>

#include <fmt/format.h>

#include "calibrate/import_text.hpp"
#include "model/base/error.hpp"

// The JSON that `vllm bench serve --save-result` and its forerunner benchmark_serving.py write
// (vllm/benchmarks/serve.py), one object a file, or one a line with --append-result. Times are in milliseconds, TTFT
// from the sending of a request.
namespace plimsoll {
namespace {

constexpr double most = 1e12;
/// Mean latencies and the rate are of the same requests, so that they can only disagree by the ramp and the end of a
/// run.
constexpr double littles_slack = 1.05;
/// The rate is printed beside what it was worked out of.
constexpr double rate_slack = 0.01;

class Runs {
  public:
    Runs(const MeasuredText& text, const GivenColumns& given)
        : given_(given),
          result_{Csv::with_columns({"source", "model", "gpu", "gpu_mem_gb", "link", "tp", "load", "prompt_tokens",
                                     "output_tokens", "users", "ttft_s", "tpot_s", "request_rate_per_s", "requests"},
                                    text.name),
                  {}} {}

    void add(const Fields& run) {
        const double completed = positive_number(run, "completed", most),
                     duration = positive_number(run, "duration", most);
        const double rate = positive_number(run, "request_throughput", most);
        if (std::abs(rate * duration / completed - 1) > rate_slack)
            run.fail("request_throughput", fmt::format("{} requests in {} s are {:.4g} a second, not {}", completed,
                                                       duration, completed / duration, rate));
        if (const std::string why = unusable(run, completed); !why.empty()) {
            result_.left_out.push_back(run.place() + ": " + why);
            return;
        }
        const double users = run.number("max_concurrency", {1, 1e6});
        const double prompt = positive_number(run, "total_input_tokens", most) / completed;
        const double output = positive_number(run, "total_output_tokens", most) / completed;
        const double ttft = positive_number(run, "mean_ttft_ms", most) / 1e3;
        const double tpot = positive_number(run, "mean_tpot_ms", most) / 1e3;
        if (rate * (ttft + (output - 1) * tpot) > users * littles_slack)
            run.fail(
                "mean_tpot_ms",
                fmt::format("{:.3g} requests/s of {:.3g} s each keep more than {} at work, the most that were sent "
                            "at once: are the times in milliseconds?",
                            rate, ttft + (output - 1) * tpot, users));
        const std::string place = run.place();
        result_.table.add_row(
            place,
            {"vllm bench", given_or(given_, "model", run.string("model_id"), place), said(run, "gpu", {"gpu"}),
             given_or(given_, "gpu_mem_gb", "", place), given_or(given_, "link", "", place),
             said(run, "tp", {"tp", "tensor_parallel_size", "tensor_parallel"}),
             given_or(given_, "load", std::nullopt, place), number_text(prompt), number_text(output),
             number_text(users), number_text(ttft), number_text(tpot), number_text(rate), number_text(completed)});
    }

    [[nodiscard]] Imported take() { return std::move(result_); }

  private:
    /// Why a run is not of the kind that is compared, if so.
    static std::string unusable(const Fields& run, double completed) {
        const double failed = run.number_or("failed", 0, {0, most});
        if (failed > 0) return fmt::format("{} of {} requests failed", failed, completed + failed);
        if (run.has("num_prompts") && run.number("num_prompts", {0, most}) > completed)
            return fmt::format("{} of {} requests were completed", completed, run.number("num_prompts", {0, most}));
        const bool at_a_rate = run.has("request_rate") && run.is_number("request_rate");
        if (at_a_rate)
            return fmt::format(
                "sent at {} requests/s: what is compared and fitted are closed loops, so many requests "
                "at once (--request-rate inf --max-concurrency N); plimsoll simulate --rate plays others",
                run.number("request_rate", {0, most}));
        if (!run.has("max_concurrency") || run.is_null("max_concurrency"))
            return "all requests were sent at once: the share of the queue in TTFT is the benchmark's (give it a "
                   "--max-concurrency)";
        if (run.number("mean_tpot_ms", {0, most}) == 0) return "one token an answer: no time between tokens";
        return {};
    }

    /// A column that --metadata may have put into the file.
    [[nodiscard]] std::string said(const Fields& run, const std::string& column,
                                   const std::vector<std::string>& keys) const {
        std::optional<std::string> found;
        for (const std::string& key : keys)
            if (run.has(key)) found = run.is_string(key) ? run.string(key) : run.json(key);
        return given_or(given_, column, found, run.place());
    }

    const GivenColumns& given_;
    Imported result_;
};

Likeness likeness(std::string_view text) {
    const auto has = [&](std::string_view part) { return text.find(part) != std::string_view::npos; };
    return has("\"request_throughput\"") && has("\"total_input_tokens\"") ? Likeness::sure : Likeness::none;
}

Imported read(const MeasuredText& text, const GivenColumns& given) {
    Runs runs(text, given);
    for (const Fields& run : json_objects(text)) runs.add(run);
    return runs.take();
}

}  // namespace

void register_vllm_bench(Registry<Importer>& registry) {
    registry.add("vllm_bench", {.description = "the JSON of vllm bench serve --save-result and of benchmark_serving.py",
                                .gives = {MeasuredKind::serving},
                                .takes = {"gpu", "gpu_mem_gb", "link", "load", "model", "tp"},
                                .likeness = likeness,
                                .read = read});
}

}  // namespace plimsoll
