// What the kernels share: the walk over blocks. Each kernel gives the arithmetic of one block as a class `A` with
//   void block<BITS, QUERIES>(const uint8_t* codes, const int32_t* const* weights, int groups, Scores* scores)
//                                                      the LANES scores of each query, by its packed weights
//   uint32_t above(Scores, int32_t)                    one bit a lane
//   void store(Scores, int32_t*)
#pragma once

#include <algorithm>
#include <bit>
#include <limits>

#include "kernels.hpp"

namespace saccade {

constexpr int64_t CHUNK_BLOCKS = 32;  // are scored before the best of them are kept
constexpr int64_t STRETCH_BYTES = 128 << 10;  // of codes that stay in the cache while several queries meet them

template <class A, int BITS>
void head_of(const uint8_t* codes, int64_t blocks, const Weights& weights, int32_t* scores) {
  const int64_t bytes = int64_t(weights.groups) * GROUP_BYTES;
  const int32_t* packed = weights.packed.data();
  for (int64_t block = 0; block < blocks; ++block) {
    typename A::Scores found;
    A::template block<BITS, 1>(codes + block * bytes, &packed, weights.groups, &found);
    A::store(found, scores + block * LANES);
  }
}

// What a score has to be above before the offset is added.
inline int32_t limit_of(const Asking& asking) {
  const int64_t limit = int64_t(asking.best->threshold()) - asking.offset;
  return int32_t(std::clamp<int64_t>(limit, std::numeric_limits<int32_t>::min(), std::numeric_limits<int32_t>::max()));
}

// Pushes those of a block's lanes that are rows, allowed and above the threshold.
inline void push_lanes(uint32_t lanes, const int32_t* scores, int64_t block, int64_t rows, const uint8_t* allowed,
                       const Asking& asking) {
  Best& best = *asking.best;
  const int64_t start = block * LANES;
  if (start + LANES > rows) lanes &= (1u << (rows - start)) - 1;
  if (allowed) lanes &= uint32_t(allowed[start / 8]) | uint32_t(allowed[start / 8 + 1]) << 8;
  for (; lanes; lanes &= lanes - 1) {
    const int lane = std::countr_zero(lanes);
    const int32_t score = scores[lane] + asking.offset;
    if (score > best.threshold()) best.push(score, uint32_t(start + lane));
  }
}

// The same for one row.
inline void push_row(int32_t score, int64_t row, int64_t rows, const uint8_t* allowed, const Asking& asking) {
  if (row >= rows || (allowed && !(allowed[row / 8] >> (row % 8) & 1))) return;
  const int64_t whole = int64_t(score) + asking.offset;
  asking.best->push_if(whole > asking.best->threshold(), int32_t(whole), uint32_t(row));
}

// The blocks of a chunk in which a query has a score above its limit.
struct Hits {
  int64_t count;
  int64_t block[CHUNK_BLOCKS];
  uint32_t lanes[CHUNK_BLOCKS];
  alignas(64) int32_t scores[CHUNK_BLOCKS][LANES];

  // Writes in any case and counts when there is a lane, for a branch would often be foretold wrongly.
  template <class A>
  void add(int64_t at, const typename A::Scores& found, int32_t limit) {
    block[count] = at;
    A::store(found, scores[count]);
    lanes[count] = A::above(found, limit);
    count += lanes[count] != 0;
  }
};

template <class A, int BITS, int QUERIES>
void hits_of(const uint8_t* codes, Range blocks, const int32_t* const* weights, int groups, const int32_t* limits, Hits* hits) {
  if constexpr (QUERIES == 1 && requires { A::template hits<BITS>; }) {
    if (A::template hits<BITS>(codes, blocks, weights[0], groups, limits[0], hits[0])) return;
  }
  for (int64_t block = blocks.first; block < blocks.last; ++block) {
    typename A::Scores scores[QUERIES];
    A::template block<BITS, QUERIES>(codes + block * groups * GROUP_BYTES, weights, groups, scores);
    for (int i = 0; i < QUERIES; ++i) hits[i].add<A>(block, scores[i], limits[i]);
  }
}

template <class A, int BITS, int QUERIES>
void collect_of(const uint8_t* codes, Range blocks, const Asking* asking, int64_t rows, const uint8_t* allowed) {
  const int32_t* weights[QUERIES];
  int32_t limits[QUERIES];
  Hits hits[QUERIES];
  for (int i = 0; i < QUERIES; ++i) weights[i] = asking[i].weights->packed.data();
  for (int64_t first = blocks.first; first < blocks.last; first += CHUNK_BLOCKS) {
    for (int i = 0; i < QUERIES; ++i) limits[i] = limit_of(asking[i]), hits[i].count = 0;
    hits_of<A, BITS, QUERIES>(codes, {first, std::min(first + CHUNK_BLOCKS, blocks.last)}, weights, asking[0].weights->groups, limits, hits);
    for (int i = 0; i < QUERIES; ++i)
      for (int64_t hit = 0; hit < hits[i].count; ++hit)
        push_lanes(hits[i].lanes[hit], hits[i].scores[hit], hits[i].block[hit], rows, allowed, asking[i]);
  }
}

// All queries meet a stretch of codes while it is in the cache.
template <class A, int BITS>
void collect_all(const uint8_t* codes, Range blocks, const Asking* asking, std::size_t count, int64_t rows,
                 const uint8_t* allowed) {
  const int64_t stretch = std::max<int64_t>(1, STRETCH_BYTES / (int64_t(asking[0].weights->groups) * GROUP_BYTES));
  for (int64_t first = blocks.first; first < blocks.last; first += stretch) {
    const Range here{first, std::min(first + stretch, blocks.last)};
    std::size_t i = 0;
    for (; i + TOGETHER <= count; i += TOGETHER) collect_of<A, BITS, TOGETHER>(codes, here, asking + i, rows, allowed);
    for (; i < count; ++i) collect_of<A, BITS, 1>(codes, here, asking + i, rows, allowed);
  }
}

template <class A>
void head(const uint8_t* codes, int64_t blocks, const Weights& weights, int32_t* scores) {
  if (weights.bits == 1) head_of<A, 1>(codes, blocks, weights, scores);
  if (weights.bits == 2) head_of<A, 2>(codes, blocks, weights, scores);
  if (weights.bits == 4) head_of<A, 4>(codes, blocks, weights, scores);
}

template <class A>
void collect(const uint8_t* codes, Range blocks, const Asking* asking, std::size_t count, int64_t rows,
             const uint8_t* allowed) {
  if (count == 0) return;
  const int bits = asking[0].weights->bits;
  if (bits == 1) collect_all<A, 1>(codes, blocks, asking, count, rows, allowed);
  if (bits == 2) collect_all<A, 2>(codes, blocks, asking, count, rows, allowed);
  if (bits == 4) collect_all<A, 4>(codes, blocks, asking, count, rows, allowed);
}

// The eight sums of Kernel::dot, added.
inline float added(const float* sums) {
  return ((sums[0] + sums[4]) + (sums[2] + sums[6])) + ((sums[1] + sums[5]) + (sums[3] + sums[7]));
}

}  // namespace saccade
