#pragma once
#include <algorithm>
#include <cstdint>

#include "simulator/load_plan.hpp"
#include "simulator/random.hpp"
#include "simulator/request_tag.hpp"

namespace plimsoll {

/// Draws what requests look like: whole tokens from the plan's laws, or rows of its trace.
class Lengths {
  public:
    explicit Lengths(const LoadPlan& plan)
        : prompt_(plan.prompt), output_(plan.output), trace_(plan.trace), max_output_(plan.max_output) {}

    /// A request; `prompts` and `outputs` may be one stream.
    [[nodiscard]] Arrival draw(RandomStream& prompts, RandomStream& outputs) const {
        if (trace_ != nullptr) return row(static_cast<std::size_t>(prompts.below(trace_->size())));
        const double u = prompts.uniform();
        return at(u, outputs.uniform());
    }
    /// The request at the quantiles u and v of prompt and output.
    [[nodiscard]] Arrival at(double u, double v) const {
        return {.prompt = whole(prompt_.quantile(u)), .output = whole(output_.quantile(v)), .max_output = max_output_};
    }
    [[nodiscard]] Arrival row(std::size_t index) const {
        return {.prompt = trace_->prompt[index], .output = trace_->output[index], .max_output = max_output_};
    }
    [[nodiscard]] static std::uint32_t whole(double tokens) {
        return std::max(1U, static_cast<std::uint32_t>(tokens + 0.5));
    }

  private:
    Distribution prompt_, output_;
    std::shared_ptr<const Trace> trace_;
    std::uint32_t max_output_;
};

}  // namespace plimsoll
