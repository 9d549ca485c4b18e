// Which of a query's ranges are read at first, and which after that.
#pragma once

#include "survivors.hpp"

namespace saccade {

constexpr int64_t NEAR = 8;    // One range in so many is near: read first.
constexpr double DENSER = 2;   // So many times as many rows of a near block survive.

// Some ranges, and how many of their rows pass the head.
struct Round {
  std::vector<Range> ranges;
  int64_t survivors;
};

// The first round: a share of the ranges, those that reach furthest, and more than that share of the survivors. All of
// both where the query does not know how far its ranges reach. What is left waits for the second.
class Rounds {
 public:
  // `ranges`: the query's, with their offsets.
  Rounds(const Query& query, std::span<const Range> ranges, int64_t survivors);
  const Round& first() const { return first_; }
  bool has_second() const { return !rest_.empty(); }
  // The ranges that are left and reach the bar.
  Round second(float bar) const;

 private:
  Round first_;
  std::vector<Range> rest_;
  std::vector<float> reach_;  // of the rest
  int64_t survivors_left_;
};

}  // namespace saccade
