#include "simulator/router.hpp"

namespace plimsoll {
namespace {

/// All requests of a session (a field of the tag) go to one replica, chosen by a hash. While it is down its sessions
/// are spread over the others, and return to it afterwards.
class SessionAffinity final : public Router {
  public:
    explicit SessionAffinity(const RouterSettings& settings) : session_(settings.session) {}

    [[nodiscard]] std::uint32_t pick(const Pool& pool, const Request& request, Seconds) override {
        std::uint32_t attempt = 0;
        return preferred_replica(pool, session_.of(request.tag), attempt);
    }

  private:
    TagField session_;
};

}  // namespace

void register_session_affinity(Registry<RouterKind>& registry) {
    registry.add("session-affinity",
                 {.description = "all requests of a session to one replica",
                  .make = [](const RouterSettings& settings) { return std::make_unique<SessionAffinity>(settings); }});
}

}  // namespace plimsoll
