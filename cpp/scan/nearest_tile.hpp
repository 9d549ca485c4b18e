// What the kernels of `nearest` share: the walk over the centres. Each gives the arithmetic as a class `A` with
//   PER_WORD, LANES (rows a register), REGISTERS (of rows in a tile), CENTRES (that meet them at once)
//   Codes load(const int32_t*)                  the words of LANES rows
//   Sums start(int32_t bias)
//   void add(Sums&, Codes, int32_t weights)     the products of one word
//   Best none()                                 less than any sum
//   void keep(Best&, Sums, uint32_t centre)     where the sum is larger than the best
//   void store(Best, uint32_t*)                 LANES numbers of centres
// All sums of a tile and its centres stay in registers, so that arithmetic and not memory sets the speed.
#pragma once

#include "nearest.hpp"

namespace saccade {

template <class A>
void tile(const int32_t* rows, int64_t words, const int32_t* centres, const int32_t* bias, int64_t groups,
          uint32_t* found) {
  typename A::Best best[A::REGISTERS];
  for (auto& one : best) one = A::none();
  for (int64_t group = 0; group < groups; ++group, bias += A::CENTRES) {
    typename A::Sums sums[A::REGISTERS][A::CENTRES];
    for (auto& several : sums)
      for (int c = 0; c < A::CENTRES; ++c) several[c] = A::start(bias[c]);
    const int32_t* at = rows;
    for (int64_t word = 0; word < words; ++word, at += A::REGISTERS * A::LANES, centres += A::CENTRES) {
      typename A::Codes codes[A::REGISTERS];
      for (int r = 0; r < A::REGISTERS; ++r) codes[r] = A::load(at + r * A::LANES);
      for (int c = 0; c < A::CENTRES; ++c)
        for (int r = 0; r < A::REGISTERS; ++r) A::add(sums[r][c], codes[r], centres[c]);
    }
    for (int r = 0; r < A::REGISTERS; ++r)
      for (int c = 0; c < A::CENTRES; ++c) A::keep(best[r], sums[r][c], uint32_t(group * A::CENTRES + c));
  }
  for (int r = 0; r < A::REGISTERS; ++r) A::store(best[r], found + r * A::LANES);
}

template <class A>
constexpr NearestKernel nearest_kernel(const char* name) {
  return {name, A::PER_WORD, A::REGISTERS * A::LANES, A::CENTRES, tile<A>};
}

}  // namespace saccade
