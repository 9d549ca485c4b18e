#include "rounds.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace saccade {
namespace {

// One mark a range: whether it is one of those that reach furthest, of equal ones the first.
std::vector<bool> near_ranges(std::span<const float> reach) {
  std::vector<uint32_t> numbers(reach.size());
  std::iota(numbers.begin(), numbers.end(), 0);
  const auto count = (int64_t(reach.size()) + NEAR - 1) / NEAR;
  const auto further = [&](uint32_t a, uint32_t b) { return reach[a] != reach[b] ? reach[a] > reach[b] : a < b; };
  std::nth_element(numbers.begin(), numbers.begin() + count - 1, numbers.end(), further);
  std::vector<bool> near(reach.size());
  for (int64_t i = 0; i < count; ++i) near[numbers[size_t(i)]] = true;
  return near;
}

// The share of some survivors that falls to so many of all blocks, at least 1.
int64_t part_of(int64_t survivors, int64_t blocks, int64_t all, double denser) {
  const double part = std::ceil(double(survivors) * denser * double(blocks) / double(std::max<int64_t>(1, all)));
  return std::max<int64_t>(1, std::min(survivors, int64_t(part)));
}

}  // namespace

Rounds::Rounds(const Query& query, std::span<const Range> ranges, int64_t survivors)
    : first_{{}, survivors}, survivors_left_(0) {
  if (query.reach.empty()) {
    first_.ranges.assign(ranges.begin(), ranges.end());
    return;
  }
  const auto near = near_ranges(query.reach);
  for (size_t i = 0; i < ranges.size(); ++i) {
    if (near[i]) {
      first_.ranges.push_back(ranges[i]);
    } else {
      rest_.push_back(ranges[i]);
      reach_.push_back(query.reach[i]);
    }
  }
  first_.survivors = part_of(survivors, blocks_of(first_.ranges), blocks_of(ranges), DENSER);
  survivors_left_ = survivors - first_.survivors;
}

Round Rounds::second(float bar) const {
  Round round{{}, 0};
  for (size_t i = 0; i < rest_.size(); ++i)
    if (reach_[i] >= bar) round.ranges.push_back(rest_[i]);
  round.survivors = part_of(survivors_left_, blocks_of(round.ranges), blocks_of(rest_), 1);
  return round;
}

}  // namespace saccade
