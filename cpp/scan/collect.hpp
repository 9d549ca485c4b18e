// What the kernels share: the walk over blocks. Each kernel gives the arithmetic of one block as a class `A` with
//   Scores block<BITS>(const uint8_t* codes, const Weights&)    the LANES scores
//   uint32_t above(Scores, int32_t)                             one bit a lane
//   void store(Scores, int32_t*)
#pragma once

#include <bit>

#include "kernels.hpp"

namespace saccade {

template <class A, int BITS>
void head_of(const uint8_t* codes, int64_t blocks, const Weights& weights, int32_t* scores) {
  const int64_t bytes = int64_t(weights.groups) * GROUP_BYTES;
  for (int64_t block = 0; block < blocks; ++block)
    A::store(A::template block<BITS>(codes + block * bytes, weights), scores + block * LANES);
}

template <class A, int BITS>
void collect_of(const uint8_t* codes, int64_t first, int64_t last, const Weights& weights, int64_t rows,
                const uint8_t* allowed, Best& best) {
  const int64_t bytes = int64_t(weights.groups) * GROUP_BYTES;
  for (int64_t block = first; block < last; ++block) {
    const auto scores = A::template block<BITS>(codes + block * bytes, weights);
    uint32_t lanes = A::above(scores, best.threshold());
    if (lanes == 0) [[likely]] continue;
    const int64_t start = block * LANES;
    if (start + LANES > rows) lanes &= (1u << (rows - start)) - 1;
    if (allowed) lanes &= uint32_t(allowed[start / 8]) | uint32_t(allowed[start / 8 + 1]) << 8;
    int32_t values[LANES];
    A::store(scores, values);
    for (; lanes; lanes &= lanes - 1) {
      const int lane = std::countr_zero(lanes);
      if (values[lane] > best.threshold()) best.push(values[lane], uint32_t(start + lane));
    }
  }
}

template <class A>
void head(const uint8_t* codes, int64_t blocks, const Weights& weights, int32_t* scores) {
  if (weights.bits == 1) head_of<A, 1>(codes, blocks, weights, scores);
  if (weights.bits == 2) head_of<A, 2>(codes, blocks, weights, scores);
  if (weights.bits == 4) head_of<A, 4>(codes, blocks, weights, scores);
}

template <class A>
void collect(const uint8_t* codes, int64_t first, int64_t last, const Weights& weights, int64_t rows,
             const uint8_t* allowed, Best& best) {
  if (weights.bits == 1) collect_of<A, 1>(codes, first, last, weights, rows, allowed, best);
  if (weights.bits == 2) collect_of<A, 2>(codes, first, last, weights, rows, allowed, best);
  if (weights.bits == 4) collect_of<A, 4>(codes, first, last, weights, rows, allowed, best);
}

// The eight sums of Kernel::dot, added.
inline float added(const float* sums) {
  return ((sums[0] + sums[4]) + (sums[2] + sums[6])) + ((sums[1] + sums[5]) + (sums[3] + sums[7]));
}

}  // namespace saccade
