// NEON: two rows a register, 8 rows and 2 queries at once.
#include <arm_neon.h>

#include "neighbours_tile.hpp"

namespace saccade {
namespace {

struct Neon {
  static constexpr int LANES = 2, REGISTERS = 4, QUERIES = 2;
  static constexpr uint8_t FLIPPED = 0;
  using Rows = uint8x16_t;

  static Rows load(const uint64_t* words) { return vreinterpretq_u8_u64(vld1q_u64(words)); }
  // Two parts of each of two rows.
  static void store_halves(uint32x4_t halves, uint32_t* found) {
    vst1_u32(found, vpadd_u32(vget_low_u32(halves), vget_high_u32(halves)));
  }
};

struct Absolute : Neon {
  using Query = uint8x16_t;
  using Sums = uint32x4_t;

  static Query spread(uint64_t word) { return vreinterpretq_u8_u64(vdupq_n_u64(word)); }
  static void add(Sums& sums, Rows rows, Query query) {
    sums = vpadalq_u16(sums, vpaddlq_u8(vabdq_u8(rows, query)));
  }
  static void store(Sums sums, uint32_t* found) { store_halves(sums, found); }
};

struct Product : Neon {
  using Query = uint8x8_t;
  struct Sums {
    uint32x4_t first, second;  // of either row
  };

  static Query spread(uint64_t word) { return vcreate_u8(word); }
  static void add(Sums& sums, Rows rows, Query query) {
    sums.first = vpadalq_u16(sums.first, vmull_u8(vget_low_u8(rows), query));
    sums.second = vpadalq_u16(sums.second, vmull_u8(vget_high_u8(rows), query));
  }
  static void store(const Sums& sums, uint32_t* found) { store_halves(vpaddq_u32(sums.first, sums.second), found); }
};

}  // namespace

const NeighbourKernel neon_neighbours{"neon", measure<Absolute>(), measure<Product>()};

}  // namespace saccade
