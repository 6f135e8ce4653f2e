#include <algorithm>

#include "simulator/lengths.hpp"

namespace plimsoll {
namespace {

/// The earliest of the classes' next requests; of equal times the first class's.
class MixtureSource final : public Source {
  public:
    explicit MixtureSource(const LoadPlan& plan) : left_(plan.requests == 0 ? ~std::uint64_t{0} : plan.requests) {
        for (std::size_t i = 0; i < plan.classes.size(); ++i) {
            LoadPlan part = plan.classes[i];
            part.seed = derived_seed(plan.seed, "class", i);
            parts_.push_back(make_source(part, "class " + std::to_string(i)));
        }
        choose();
    }

    [[nodiscard]] Seconds next_time() const override { return left_ > 0 ? next_time_ : never; }
    Arrival take() override {
        Arrival arrival = parts_[next_]->take();
        RequestTag tag = RequestTag::of(arrival.tag);
        tag.load_class = static_cast<std::uint8_t>(next_);
        arrival.tag = tag.packed();
        --left_;
        choose();
        return arrival;
    }
    void finished(const Request& request) override {
        parts_[RequestTag::of(request.tag).load_class]->finished(request);
        choose();
    }

  private:
    void choose() {
        next_ = 0;
        next_time_ = parts_[0]->next_time();
        for (std::size_t i = 1; i < parts_.size(); ++i) {
            const Seconds time = parts_[i]->next_time();
            if (!(time < next_time_)) continue;
            next_ = i;
            next_time_ = time;
        }
    }

    std::vector<std::unique_ptr<Source>> parts_;
    std::uint64_t left_;
    std::size_t next_ = 0;
    Seconds next_time_{};
};

std::optional<std::string> refusal(const LoadPlan& plan) {
    if (plan.classes.empty() || plan.classes.size() > 256) return "it needs 1 to 256 classes";
    if (plan.users != 0 || plan.rate > PerSecond{}) return "users and rates belong to its classes";
    for (const LoadPlan& part : plan.classes) {
        if (!part.classes.empty()) return "a class cannot be a mixture again";
        const LoadKind* kind = load_sources().find(part.kind);
        if (kind == nullptr) return unknown_name("load", part.kind, load_sources().names());
        if (auto why = kind->refusal(part)) return "class '" + part.kind + "': " + *why;
    }
    return std::nullopt;
}

}  // namespace

void register_mixture(Registry<LoadKind>& kinds) {
    kinds.add("mixture",
              {.description = "classes of requests side by side, each with its own load, lengths and promises",
               .refusal = refusal,
               .make = [](const LoadPlan& plan) -> std::unique_ptr<Source> {
                   return std::make_unique<MixtureSource>(plan);
               }});
}

}  // namespace plimsoll
