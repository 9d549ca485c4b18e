#include "kernels.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <functional>
#include <iterator>
#include <span>

namespace saccade {

// Room for twice what is kept: a buffer that fills is cut back to the best, which also raises the threshold.
Best::Best(int64_t keep, int32_t threshold)
    : keep_(size_t(keep)), capacity_(2 * size_t(keep) + 64), threshold_(threshold),
      keys_(std::make_unique_for_overwrite<uint64_t[]>(capacity_)) {}

namespace {

constexpr int BINS = 1024;

// The key that `keep` of the keys are not below: their scores are counted in bins, and one bin is sorted.
uint64_t least_kept(std::span<const uint64_t> keys, size_t keep) {
  const auto [lowest, highest] = std::minmax_element(keys.begin(), keys.end());
  const uint64_t first = *lowest >> 32;
  const int shift = std::bit_width(((*highest >> 32) - first) / BINS);
  const auto bin_of = [&](uint64_t key) { return size_t((key >> 32) - first) >> shift; };
  std::array<size_t, BINS> counts{};
  for (const uint64_t key : keys) ++counts[bin_of(key)];
  size_t bin = BINS - 1;
  for (; counts[bin] < keep; --bin) keep -= counts[bin];
  std::vector<uint64_t> inside;
  std::copy_if(keys.begin(), keys.end(), std::back_inserter(inside), [&](uint64_t key) { return bin_of(key) == bin; });
  const auto least = inside.begin() + int64_t(keep) - 1;
  std::nth_element(inside.begin(), least, inside.end(), std::greater<>());
  return *least;
}

}  // namespace

void Best::shrink() {
  if (size_ <= keep_) return;
  const uint64_t least = least_kept({keys_.get(), size_}, keep_);
  uint64_t* end = keys_.get();
  for (size_t i = 0; i < size_; ++i) {  // without a branch, as none could be foreseen
    *end = keys_[i];
    end += keys_[i] >= least;
  }
  size_ = size_t(end - keys_.get());
  threshold_ = std::max(threshold_, score(least));
}

std::vector<uint64_t> Best::take() {
  shrink();
  return {keys_.get(), keys_.get() + size_};
}

float weight_factor(const float* components, const float* steps, int64_t count) {
  float largest = 0;
  for (int64_t i = 0; i < count; ++i) largest = std::max(largest, std::fabs(components[i] * steps[i]));
  const float factor = 127 / largest;
  return std::isfinite(factor) ? factor : 0;
}

std::vector<int8_t> whole_weights(const float* components, const float* steps, int64_t count, float factor) {
  std::vector<int8_t> weights(static_cast<size_t>(count));
  for (int64_t i = 0; i < count; ++i) weights[size_t(i)] = int8_t(std::lrint(components[i] * steps[i] * factor));
  return weights;
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
      &avx512_vbmi_kernel, &avx512_kernel, &avx2_kernel,
#elif defined(__aarch64__) || defined(_M_ARM64)
      &neon_kernel,
#endif
      &plain_kernel};
  return all;
}

}  // namespace saccade
