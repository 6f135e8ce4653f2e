#pragma once
#include "model/spec/deployment.hpp"

namespace plimsoll {

/// Time of messages from the GPUs of one host to those of another. Each tensor rank of a stage has a message of its
/// own, over its share of the host's adapters and no faster than it would go inside a host; an adapter carries no more
/// than its rate, and a rank has one at the most.
class NetworkTimes {
  public:
    /// Of a deployment whose nodes have adapters.
    explicit NetworkTimes(const Deployment& deployment);

    [[nodiscard]] Seconds send_recv(Bytes size) const { return start_ + size / bandwidth_; }
    [[nodiscard]] BytesPerSecond bandwidth() const { return bandwidth_; }
    [[nodiscard]] Origin origin() const { return origin_; }

  private:
    Seconds start_;
    BytesPerSecond bandwidth_;
    Origin origin_;
};

}  // namespace plimsoll
