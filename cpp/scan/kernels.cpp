#include "kernels.hpp"

#include <algorithm>
#include <cmath>
#include <functional>

namespace saccade {

// Room for four times what is kept: a buffer that fills is cut back to the best, which also raises the threshold.
Best::Best(int64_t keep, int32_t threshold)
    : keep_(size_t(keep)), threshold_(threshold), keys_(std::max<size_t>(4 * size_t(keep), 64)) {}

void Best::shrink() {
  if (size_ <= keep_) return;
  std::vector<uint64_t> ranked(keys_.begin(), keys_.begin() + int64_t(size_));
  const auto last = ranked.begin() + int64_t(keep_) - 1;
  std::nth_element(ranked.begin(), last, ranked.end(), std::greater<>());
  const uint64_t least = *last;
  const auto end = std::remove_if(keys_.begin(), keys_.begin() + int64_t(size_), [&](uint64_t k) { return k < least; });
  size_ = size_t(end - keys_.begin());
  threshold_ = std::max(threshold_, score(least));
}

std::vector<uint64_t> Best::take() {
  shrink();
  return {keys_.begin(), keys_.begin() + int64_t(size_)};
}

Weights packed_weights(const int8_t* weights, int bits, int groups) {
  const int fields = 8 / bits;
  Weights found{bits, groups, std::vector<int32_t>(size_t(fields) * groups)};
  for (int group = 0; group < groups; ++group)
    for (int field = 0; field < fields; ++field) {
      uint32_t four = 0;
      for (int byte = 0; byte < 4; ++byte)
        four |= uint32_t(uint8_t(weights[4 * fields * group + 4 * field + byte])) << (8 * byte);
      found.packed[field * groups + group] = int32_t(four);
    }
  return found;
}

float float_of_half(uint16_t half) {
  const int sign = half >> 15 ? -1 : 1, exponent = (half >> 10) & 31, fraction = half & 1023;
  if (exponent == 31) return fraction ? NAN : float(sign) * INFINITY;
  if (exponent == 0) return float(sign) * std::ldexp(float(fraction), -24);
  return float(sign) * std::ldexp(float(fraction + 1024), exponent - 25);
}

const std::vector<const Kernel*>& kernels() {
  static const std::vector<const Kernel*> all{
#if defined(__x86_64__) || defined(_M_X64)
      &avx512_kernel, &avx2_kernel,
#elif defined(__aarch64__) || defined(_M_ARM64)
      &neon_kernel,
#endif
      &plain_kernel};
  return all;
}

}  // namespace saccade
