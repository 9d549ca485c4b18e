#include "encode.hpp"

#include <algorithm>
#include <bit>
#include <cstring>

#include "kernels.hpp"

namespace saccade {

// Giesen, "Half-to-float done quic", 2010: the exponent is moved and its bias changed; what is below the least normal
// number gets a hidden bit that is then subtracted, and what has the largest exponent gets the largest once more.
void widen(const uint16_t* half, const float* mean, int64_t d, float* values) {
  constexpr uint32_t EXPONENT = 0x7c00u << 13, BIAS = (127 - 15) << 23, AGAIN = (128 - 16) << 23, HIDDEN = 1u << 23;
  const float least = std::bit_cast<float>(uint32_t(127 - 14) << 23);
  for (int64_t i = 0; i < d; ++i) {
    const uint32_t shifted = (half[i] & 0x7fffu) << 13, exponent = shifted & EXPONENT;
    const uint32_t normal = shifted + BIAS + (AGAIN & (0u - uint32_t(exponent == EXPONENT)));
    const uint32_t small = std::bit_cast<uint32_t>(std::bit_cast<float>(shifted + BIAS + HIDDEN) - least);
    const uint32_t below = 0u - uint32_t(exponent == 0), size = (small & below) | (normal & ~below);
    values[i] = std::bit_cast<float>(size | (half[i] & 0x8000u) << 16) - mean[i];
  }
}

std::vector<float> factors_of(const float* steps, std::size_t count) {
  std::vector<float> factors(count);
  for (std::size_t i = 0; i < count; ++i) factors[i] = steps[i] > 0 ? 1 / steps[i] : 0;
  return factors;
}

bool quantise(const float* values, const float* factors, int64_t count, int bits, uint8_t* codes) {
  const float middle = float(1 << bits) / 2, top = float(1 << bits) - 1;
  int32_t outside = 0;
  for (int64_t i = 0; i < count; ++i) {
    const float place = values[i] * factors[i] + middle;
    const float risen = place > 0 ? place : 0, cut = risen < top ? risen : top;  // NaN becomes 0
    outside |= !(place >= 0) | !(place < top + 1);
    codes[i] = uint8_t(int32_t(cut));
  }
  return outside != 0;
}

// The four bytes of a field move together: no code is so large that it would leave its byte.
void pack(const uint8_t* codes, int bits, int64_t groups, uint8_t* lane) {
  const uint32_t mask = 0x01010101u * ((1u << bits) - 1);
  for (int64_t group = 0; group < groups; ++group) {
    uint32_t word = 0;
    for (int shift = 0; shift < 8; shift += bits, codes += 4) {
      uint32_t four;
      std::memcpy(&four, codes, 4);
      word |= (four & mask) << shift;
    }
    std::memcpy(lane + group * GROUP_BYTES, &word, 4);
  }
}

void encode(const Encoding& wanted) {
  const int64_t d = wanted.d, m = wanted.m;
  const auto head_factors = factors_of(wanted.head_step, std::size_t(m));
  const auto full_factors = factors_of(wanted.full_step, std::size_t(d));
  std::vector<float> left(static_cast<std::size_t>(m));
  std::vector<uint8_t> codes(std::size_t(wanted.groups) * (32 / wanted.bits));
  for (int64_t row = 0; row < wanted.rows; ++row) {
    const int64_t block = row / LANES, lane = row % LANES;
    uint8_t* block_at = wanted.head + block * wanted.groups * GROUP_BYTES;
    if (lane == 0) std::fill_n(block_at, wanted.groups * GROUP_BYTES, uint8_t(0));
    if (!wanted.filled[row]) {
      std::fill_n(wanted.full + row * d, d, uint8_t(0));
      wanted.outside[row] = 0;
      continue;
    }
    const float *components = wanted.components + row * d, *centre = wanted.centres + wanted.cell[block] * m;
    for (int64_t i = 0; i < m; ++i) left[std::size_t(i)] = components[i] - centre[i];
    quantise(left.data(), head_factors.data(), m, wanted.bits, codes.data());
    pack(codes.data(), wanted.bits, wanted.groups, block_at + lane * (GROUP_BYTES / LANES));
    wanted.outside[row] = quantise(components, full_factors.data(), d, 8, wanted.full + row * d);
  }
}

}  // namespace saccade
