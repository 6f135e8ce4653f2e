#pragma once
#include <memory>
#include <optional>
#include <string>

#include "model/cost/architecture.hpp"
#include "model/spec/deployment.hpp"

namespace plimsoll {

/// What drafts for a deployment that speculates, on the same ranks: a model of its own in its own dtype, or the module
/// that predicts a further token, which is a layer of the last kind behind a matrix that joins the hidden state with
/// the embedding, and shares the tables with its model (DeepSeek-V3, arXiv 2412.19437, section 2.2; README_WEIGHTS.md).
class Draft {
  public:
    /// Needs a deployment that speculates and of which `speculation_refusal` says nothing.
    explicit Draft(const Deployment& target);
    Draft(const Draft&) = delete;
    Draft& operator=(const Draft&) = delete;

    [[nodiscard]] const Deployment& deployment() const { return deployment_; }
    [[nodiscard]] const Architecture& architecture() const { return architecture_; }
    /// Weights on the fullest rank, of all modules where these draft.
    [[nodiscard]] Bytes weight_bytes_per_rank() const;
    /// Of one token of the instance on the fullest rank.
    [[nodiscard]] Bytes kv_bytes_per_token_per_rank() const;

  private:
    Transformer model_;
    Architecture architecture_;
    Deployment deployment_;
    int modules_;
};

/// The draft of a deployment, or null where it does not speculate.
[[nodiscard]] std::shared_ptr<const Draft> draft_of(const Deployment& deployment);

/// Why the deployment cannot speculate as it is asked to, if so.
[[nodiscard]] std::optional<std::string> speculation_refusal(const Deployment& deployment);

}  // namespace plimsoll
