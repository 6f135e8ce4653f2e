#pragma once
#include <vector>

#include "simulator/observer.hpp"

namespace plimsoll {

/// Several observers as one, told in order. They must outlive the group.
class ObserverGroup final : public Observer {
  public:
    void add(Observer& observer) { observers_.push_back(&observer); }
    [[nodiscard]] std::size_t size() const { return observers_.size(); }

    void stride(const Stride& stride) override {
        for (Observer* observer : observers_) observer->stride(stride);
    }
    void finished(const Request& request) override {
        for (Observer* observer : observers_) observer->finished(request);
    }
    void unanswered(const Request& request) override {
        for (Observer* observer : observers_) observer->unanswered(request);
    }

  private:
    std::vector<Observer*> observers_;
};

}  // namespace plimsoll
