// What the kernels of `neighbours` share: the walk over the words. Each gives the arithmetic as a class `A` with
//   LANES (rows a register), REGISTERS (of rows in a tile), QUERIES (that meet them at once), FLIPPED
//   Rows load(const uint64_t*)               the words of LANES rows
//   Query spread(uint64_t)                   one word, for all lanes
//   void add(Sums&, Rows, Query)             what one word adds to the sums; those begin as Sums{}
//   void store(Sums, uint32_t*)              LANES sums
// All sums of a tile and a group stay in registers, so that arithmetic and not memory sets the speed.
#pragma once

#include "neighbours.hpp"

namespace saccade {

template <class A>
void sums_of_tile(const uint64_t* rows, int64_t words, const uint64_t* queries, uint32_t* found) {
  constexpr int TILE_ROWS = A::REGISTERS * A::LANES;
  typename A::Sums sums[A::REGISTERS][A::QUERIES]{};
  for (int64_t word = 0; word < words; ++word, rows += TILE_ROWS, queries += A::QUERIES) {
    typename A::Rows several[A::REGISTERS];
    for (int r = 0; r < A::REGISTERS; ++r) several[r] = A::load(rows + r * A::LANES);
    for (int q = 0; q < A::QUERIES; ++q) {
      const typename A::Query query = A::spread(queries[q]);
      for (int r = 0; r < A::REGISTERS; ++r) A::add(sums[r][q], several[r], query);
    }
  }
  for (int q = 0; q < A::QUERIES; ++q)
    for (int r = 0; r < A::REGISTERS; ++r) A::store(sums[r][q], found + q * TILE_ROWS + r * A::LANES);
}

template <class A>
constexpr Measure measure() {
  static_assert(A::REGISTERS * A::LANES <= MOST_ROWS && A::QUERIES <= MOST_QUERIES);
  return {A::REGISTERS * A::LANES, A::QUERIES, A::FLIPPED, sums_of_tile<A>};
}

}  // namespace saccade
