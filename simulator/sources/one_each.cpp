#include "simulator/lengths.hpp"

namespace plimsoll {
namespace {

/// User i of n sends its only request at ramp x i / n.
class OneEachSource final : public Source {
  public:
    explicit OneEachSource(const LoadPlan& plan)
        : lengths_(plan),
          prompts_(plan.seed, "prompts"),
          outputs_(plan.seed, "outputs"),
          users_(plan.users),
          ramp_(plan.ramp.value_or(Seconds{})) {}

    [[nodiscard]] Seconds next_time() const override {
        return next_ < users_ ? ramp_ * (static_cast<double>(next_) / users_) : never;
    }
    Arrival take() override {
        Arrival arrival = lengths_.draw(prompts_, outputs_);
        arrival.time = next_time();
        arrival.tag = RequestTag{.session = next_++}.packed();
        return arrival;
    }

  private:
    Lengths lengths_;
    RandomStream prompts_, outputs_;
    std::uint32_t users_, next_ = 0;
    Seconds ramp_;
};

std::optional<std::string> refusal(const LoadPlan& plan) {
    if (auto why = users_refusal(plan)) return why;
    if (plan.requests != 0 && plan.requests != plan.users) return "it sends as many requests as there are users";
    return std::nullopt;
}

}  // namespace

void register_one_each(Registry<LoadKind>& kinds) {
    kinds.add("one-each", {.description = "users that each send one request, all at once or over a ramp",
                           .refusal = refusal,
                           .make = [](const LoadPlan& plan) -> std::unique_ptr<Source> {
                               return std::make_unique<OneEachSource>(plan);
                           }});
}

}  // namespace plimsoll
