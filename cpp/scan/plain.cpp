// The reference: C++ without special instructions.
#include <array>

#include "collect.hpp"

namespace saccade {
namespace {

struct Plain {
  using Scores = std::array<int32_t, LANES>;

  template <int BITS, int QUERIES>
  static void block(const uint8_t* codes, const int32_t* const* weights, int groups, Scores* scores) {
    for (int i = 0; i < QUERIES; ++i) scores[i] = one<BITS>(codes, weights[i], groups);
  }

  template <int BITS>
  static Scores one(const uint8_t* codes, const int32_t* weights, int groups) {
    constexpr int FIELDS = 8 / BITS, MASK = (1 << BITS) - 1;
    Scores scores{};
    for (int group = 0; group < groups; ++group)
      for (int field = 0; field < FIELDS; ++field) {
        const uint32_t four = uint32_t(weights[field * groups + group]);
        for (int byte = 0; byte < 4; ++byte) {
          const int32_t weight = int8_t(four >> (8 * byte));
          for (int lane = 0; lane < LANES; ++lane) {
            const int code = codes[group * GROUP_BYTES + 4 * lane + byte] >> (BITS * field);
            scores[lane] += weight * (code & MASK);
          }
        }
      }
    return scores;
  }

  static uint32_t above(const Scores& scores, int32_t threshold) {
    uint32_t lanes = 0;
    for (int lane = 0; lane < LANES; ++lane) lanes |= uint32_t(scores[lane] > threshold) << lane;
    return lanes;
  }

  static void store(const Scores& scores, int32_t* out) {
    for (int lane = 0; lane < LANES; ++lane) out[lane] = scores[lane];
  }
};

int32_t row(const uint8_t* codes, const int8_t* weights, int64_t d) {
  int32_t sum = 0;
  for (int64_t i = 0; i < d; ++i) sum += int32_t(codes[i]) * weights[i];
  return sum;
}

float dot(const uint16_t* half, const float* query, int64_t d) {
  float sums[8] = {};
  for (int64_t i = 0; i < d; ++i) sums[i % 8] += float_of_half(half[i]) * query[i];
  return added(sums);
}

}  // namespace

const Kernel plain_kernel{"plain", [] { return true; }, head<Plain>, collect<Plain>, row, dot};

}  // namespace saccade
