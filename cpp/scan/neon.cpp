// NEON, as every 64-bit Arm processor has it: a block is four registers of four vectors. Codes are shifted down; two
// products (at most 15 * 127 each) fit the 16 bits that they are added in.
#include <arm_neon.h>

#include "collect.hpp"

namespace saccade {
namespace {

struct Neon {
  struct Scores {
    int32x4_t part[4];
  };

  template <int BITS, int QUERIES>
  static void block(const uint8_t* codes, const int32_t* const* weights, int groups, Scores* scores) {
    const uint8x16_t mask = vdupq_n_u8((1 << BITS) - 1);
    for (int i = 0; i < QUERIES; ++i)
      for (auto& part : scores[i].part) part = vdupq_n_s32(0);
    for (int group = 0; group < groups; ++group)
      for (int quarter = 0; quarter < 4; ++quarter) {
        const uint8x16_t bytes = vld1q_u8(codes + group * GROUP_BYTES + 16 * quarter);
        for (int field = 0; field < 8 / BITS; ++field) {
          const uint8x16_t down = vshlq_u8(bytes, vdupq_n_s8(int8_t(-BITS * field)));
          const int8x16_t code = vreinterpretq_s8_u8(vandq_u8(down, mask));
          for (int i = 0; i < QUERIES; ++i) {
            const int8x16_t weight = vreinterpretq_s8_s32(vdupq_n_s32(weights[i][field * groups + group]));
            const int16x8_t low = vmull_s8(vget_low_s8(code), vget_low_s8(weight));
            const int16x8_t high = vmull_s8(vget_high_s8(code), vget_high_s8(weight));
            // Pairs of neighbours twice: the four bytes of a vector become one sum.
            const int32x4_t sums = vpaddq_s32(vpaddlq_s16(low), vpaddlq_s16(high));
            scores[i].part[quarter] = vaddq_s32(scores[i].part[quarter], sums);
          }
        }
      }
  }

  static uint32_t above(const Scores& scores, int32_t threshold) {
    const int32x4_t bound = vdupq_n_s32(threshold);
    const uint32x4_t place = {1, 2, 4, 8};
    uint32_t lanes = 0;
    for (int quarter = 0; quarter < 4; ++quarter)
      lanes |= vaddvq_u32(vandq_u32(vcgtq_s32(scores.part[quarter], bound), place)) << (4 * quarter);
    return lanes;
  }

  static void store(const Scores& scores, int32_t* out) {
    for (int quarter = 0; quarter < 4; ++quarter) vst1q_s32(out + 4 * quarter, scores.part[quarter]);
  }
};

int32_t row(const uint8_t* codes, const int8_t* weights, int64_t d) {
  int32x4_t sum = vdupq_n_s32(0);
  int64_t i = 0;
  for (; i + 8 <= d; i += 8) {
    const int16x8_t code = vreinterpretq_s16_u16(vmovl_u8(vld1_u8(codes + i)));
    const int16x8_t weight = vmovl_s8(vld1_s8(weights + i));
    sum = vmlal_s16(sum, vget_low_s16(code), vget_low_s16(weight));
    sum = vmlal_s16(sum, vget_high_s16(code), vget_high_s16(weight));
  }
  int32_t total = vaddvq_s32(sum);
  for (; i < d; ++i) total += int32_t(codes[i]) * weights[i];
  return total;
}

float dot(const uint16_t* half, const float* query, int64_t d) {
  float32x4_t first = vdupq_n_f32(0), second = first;
  int64_t i = 0;
  for (; i + 8 <= d; i += 8) {
    const float16x8_t value = vreinterpretq_f16_u16(vld1q_u16(half + i));
    first = vaddq_f32(first, vmulq_f32(vcvt_f32_f16(vget_low_f16(value)), vld1q_f32(query + i)));
    second = vaddq_f32(second, vmulq_f32(vcvt_f32_f16(vget_high_f16(value)), vld1q_f32(query + i + 4)));
  }
  float sums[8];
  vst1q_f32(sums, first);
  vst1q_f32(sums + 4, second);
  for (; i < d; ++i) sums[i % 8] += float_of_half(half[i]) * query[i];
  return added(sums);
}

}  // namespace

const Kernel neon_kernel{"neon", [] { return true; }, head<Neon>, collect<Neon>, row, dot};

}  // namespace saccade
