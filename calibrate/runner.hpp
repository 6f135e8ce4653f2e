#pragma once
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "calibrate/model_shapes.hpp"
#include "calibrate/sample.hpp"
#include "calibrate/timing.hpp"
#include "model/base/registry.hpp"

namespace plimsoll {

/// One point with the benchmark that can measure it.
struct Job {
    std::string benchmark;
    const Microbenchmark* how = nullptr;
    KernelPoint point;
};

/// The points of all benchmarks, the most telling of each first: the first point of every benchmark, then the second
/// of every one, and so on. Points without ranks get `threads`, where that is not 0. `shapes`: the weights of the
/// products, if not the benchmark's own.
[[nodiscard]] std::vector<Job> jobs_of(const Registry<Microbenchmark>& benchmarks, bool quick, int threads,
                                       const std::vector<WeightShape>& shapes = {});

struct MeasuringPlan {
    TimingRule rule = {};
    Seconds budget{120};  ///< no point is begun after it
    int rounds = 3;  ///< each goes over the points again: what changes from one to the next is the run-to-run error
    std::uint64_t seed = 1;
};

/// One point in one round.
struct Measured {
    std::string benchmark;
    int round = 0;  ///< from 0
    Sample sample;
};

/// A point without a sample that counts.
struct LeftOut {
    std::string benchmark;
    KernelPoint point;
    std::string why;
};

/// What came of a plan.
struct Measurements {
    std::vector<Measured> samples;  ///< in the order of measuring, timed-out ones too
    std::vector<LeftOut> left_out;  ///< could not run, gave a wrong result, or no reading counted
    int complete_rounds = 0;
    bool interrupted = false;
    Seconds took{};
};

/// How far it is, before each point.
struct MeasuringStep {
    int round = 0;
    std::size_t point = 0, points = 0;  ///< of this round
    Seconds elapsed{};
    const Job* job = nullptr;
};

/// What measuring needs from outside.
struct MeasuringSeams {
    std::function<Seconds()> now;
    /// False: stop and keep what there is.
    std::function<bool(const MeasuringStep&)> go_on = [](const MeasuringStep&) { return true; };
    /// Points of one more round, after those of the plan, from what was measured so far; none: it is over.
    std::function<std::vector<Job>(const Measurements&)> next_round = {};
    /// Called after each point with all there is, so that it can be put by.
    std::function<void(const Measurements&)> measured = {};
};

/// Measures round by round, each in a random order of its own in which points of the first half still come before
/// those of the second, so that a short budget drops the least telling ones. Each point's output is compared with its
/// reference once, and a wrong one is left out.
[[nodiscard]] Measurements measure(const std::vector<Job>& jobs, const MeasuringPlan& plan,
                                   const MeasuringSeams& seams);

}  // namespace plimsoll
