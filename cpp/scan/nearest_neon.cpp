// NEON: 16 rows and 2 centres at once. A register holds two dimensions of four rows in 16 bits each; the products of
// the two stay apart until they are compared.
#include <arm_neon.h>

#include <limits>

#include "nearest_tile.hpp"

namespace saccade {
namespace {

struct Neon {
  static constexpr int PER_WORD = 2, LANES = 4, REGISTERS = 4, CENTRES = 2;
  using Codes = int16x8_t;
  struct Sums {
    int32x4_t low, high;  // of the first two rows and the last two
  };
  struct Best {
    int32x4_t sum;
    uint32x4_t centre;
  };

  static Codes load(const int32_t* words) { return vreinterpretq_s16_s32(vld1q_s32(words)); }
  static Sums start(int32_t bias) {
    const int32x4_t once = {bias, 0, bias, 0};
    return {once, once};
  }
  static void add(Sums& sums, Codes codes, int32_t weights) {
    const int16x4_t both = vreinterpret_s16_s32(vdup_n_s32(weights));
    sums.low = vmlal_s16(sums.low, vget_low_s16(codes), both);
    sums.high = vmlal_s16(sums.high, vget_high_s16(codes), both);
  }
  static Best none() { return {vdupq_n_s32(std::numeric_limits<int32_t>::min()), vdupq_n_u32(0)}; }
  static void keep(Best& best, const Sums& sums, uint32_t centre) {
    const int32x4_t sum = vpaddq_s32(sums.low, sums.high);
    best.centre = vbslq_u32(vcgtq_s32(sum, best.sum), vdupq_n_u32(centre), best.centre);
    best.sum = vmaxq_s32(best.sum, sum);
  }
  static void store(const Best& best, uint32_t* found) { vst1q_u32(found, best.centre); }
};

}  // namespace

const NearestKernel neon_nearest = nearest_kernel<Neon>("neon");

}  // namespace saccade
