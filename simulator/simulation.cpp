#include "simulator/simulation.hpp"

#include <algorithm>

namespace plimsoll {
namespace {

/// One run: the next thing to happen is either an arrival or the replica's; at equal times the arrival, so that it may
/// join the step that begins there.
class Simulation {
  public:
    Simulation(Source& source, RequestTable& requests, Replica& replica, Observer* observer)
        : source_(source), requests_(requests), replica_(replica), observer_(observer) {}

    RunCounts run(const RunLimits& limits) {
        const std::uint64_t before = replica_.iterations();
        while (counts_.requests + counts_.refused < limits.requests) {
            const Seconds arrival = source_.next_time(), event = replica_.next_event();
            const Seconds next = std::min(arrival, event);
            if (next == never) break;
            if (next > limits.time) break;
            counts_.end = next;
            ++counts_.events;
            if (arrival <= event)
                take_arrival();
            else
                advance_replica();
        }
        counts_.iterations = replica_.iterations() - before;
        counts_.stopped = replica_.outstanding() > 0 || source_.next_time() < never;
        return counts_;
    }

  private:
    void take_arrival() {
        const Seconds now = source_.next_time();
        const Arrival arrival = source_.take();
        const std::uint32_t id = requests_.add();
        Request& request = requests_[id];
        request.tag = arrival.tag;
        request.arrival = arrival.time;
        request.prompt = arrival.prompt;
        request.output = arrival.output;
        request.cached = arrival.cached;
        requests_.describe(id, arrival.content);
        request.max_output = std::max(arrival.max_output, arrival.output);
        if (replica_.submit(id, now)) return;
        ++counts_.refused;
        request.outcome = Request::Outcome::refused;
        request.finished = now;
        if (observer_ != nullptr) observer_->unanswered(request);
        source_.finished(request);
        requests_.release(id);
    }

    void advance_replica() {
        for (const std::uint32_t id : replica_.advance(observer_)) {
            ++counts_.requests;
            if (observer_ != nullptr) observer_->finished(requests_[id]);
            source_.finished(requests_[id]);
            requests_.release(id);
        }
    }

    Source& source_;
    RequestTable& requests_;
    Replica& replica_;
    Observer* observer_;
    RunCounts counts_;
};

}  // namespace

RunCounts simulate(Source& source, RequestTable& requests, Replica& replica, Observer* observer,
                   const RunLimits& limits) {
    return Simulation(source, requests, replica, observer).run(limits);
}

}  // namespace plimsoll
