// The reference: C++ without special instructions.
#include <array>

#include "neighbours_tile.hpp"

namespace saccade {
namespace {

struct Plain {
  static constexpr int LANES = 8, REGISTERS = 1, QUERIES = 1;
  static constexpr uint8_t FLIPPED = 0;
  using Rows = const uint64_t*;
  using Query = uint64_t;
  using Sums = std::array<uint32_t, LANES>;

  static Rows load(const uint64_t* words) { return words; }
  static Query spread(uint64_t word) { return word; }
  static uint32_t byte(uint64_t word, int number) { return uint32_t(word >> (8 * number)) & 255; }
  static void store(const Sums& sums, uint32_t* found) {
    for (int lane = 0; lane < LANES; ++lane) found[lane] = sums[lane];
  }
};

struct Absolute : Plain {
  static void add(Sums& sums, Rows rows, Query query) {
    for (int lane = 0; lane < LANES; ++lane)
      for (int i = 0; i < WORD_BYTES; ++i) {
        const uint32_t a = byte(rows[lane], i), b = byte(query, i);
        sums[lane] += a > b ? a - b : b - a;
      }
  }
};

struct Product : Plain {
  static void add(Sums& sums, Rows rows, Query query) {
    for (int lane = 0; lane < LANES; ++lane)
      for (int i = 0; i < WORD_BYTES; ++i) sums[lane] += byte(rows[lane], i) * byte(query, i);
  }
};

}  // namespace

const NeighbourKernel plain_neighbours{"plain", measure<Absolute>(), measure<Product>()};

}  // namespace saccade
