// AVX2: a block is two registers of eight vectors. Codes are shifted down before they are multiplied, so that two
// products (at most 15 * 127 each) fit the 16 bits that maddubs adds them in.
#include <immintrin.h>

#include "collect.hpp"

namespace saccade {
namespace {

struct Avx2 {
  struct Scores {
    __m256i low, high;
  };

  template <int BITS, int QUERIES>
  static void block(const uint8_t* codes, const int32_t* const* weights, int groups, Scores* scores) {
    const __m256i mask = _mm256_set1_epi8((1 << BITS) - 1), ones = _mm256_set1_epi16(1);
    Scores sums[QUERIES];
    for (auto& sum : sums) sum.low = sum.high = _mm256_setzero_si256();
    for (int group = 0; group < groups; ++group) {
      const auto* at = reinterpret_cast<const __m256i*>(codes + group * GROUP_BYTES);
      const __m256i first = _mm256_loadu_si256(at), second = _mm256_loadu_si256(at + 1);
      for (int field = 0; field < 8 / BITS; ++field) {
        const __m256i a = _mm256_and_si256(_mm256_srli_epi16(first, BITS * field), mask);
        const __m256i b = _mm256_and_si256(_mm256_srli_epi16(second, BITS * field), mask);
        for (int i = 0; i < QUERIES; ++i) {
          const __m256i weight = _mm256_set1_epi32(weights[i][field * groups + group]);
          sums[i].low = _mm256_add_epi32(sums[i].low, _mm256_madd_epi16(_mm256_maddubs_epi16(a, weight), ones));
          sums[i].high = _mm256_add_epi32(sums[i].high, _mm256_madd_epi16(_mm256_maddubs_epi16(b, weight), ones));
        }
      }
    }
    for (int i = 0; i < QUERIES; ++i) scores[i] = sums[i];
  }

  static uint32_t above(const Scores& scores, int32_t threshold) {
    const __m256i bound = _mm256_set1_epi32(threshold);
    const auto bits = [&](__m256i half) {
      return uint32_t(_mm256_movemask_ps(_mm256_castsi256_ps(_mm256_cmpgt_epi32(half, bound))));
    };
    return bits(scores.low) | bits(scores.high) << 8;
  }

  static void store(const Scores& scores, int32_t* out) {
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(out), scores.low);
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(out + 8), scores.high);
  }
};

int32_t row(const uint8_t* codes, const int8_t* weights, int64_t d) {
  __m256i sum = _mm256_setzero_si256();
  int64_t i = 0;
  for (; i + 16 <= d; i += 16) {
    const __m256i code = _mm256_cvtepu8_epi16(_mm_loadu_si128(reinterpret_cast<const __m128i*>(codes + i)));
    const __m256i weight = _mm256_cvtepi8_epi16(_mm_loadu_si128(reinterpret_cast<const __m128i*>(weights + i)));
    sum = _mm256_add_epi32(sum, _mm256_madd_epi16(code, weight));
  }
  const __m128i four = _mm_add_epi32(_mm256_castsi256_si128(sum), _mm256_extracti128_si256(sum, 1));
  const __m128i two = _mm_add_epi32(four, _mm_shuffle_epi32(four, 0x4e));
  int32_t total = _mm_cvtsi128_si32(_mm_add_epi32(two, _mm_shuffle_epi32(two, 0xb1)));
  for (; i < d; ++i) total += int32_t(codes[i]) * weights[i];
  return total;
}

float dot(const uint16_t* half, const float* query, int64_t d) {
  __m256 sum = _mm256_setzero_ps();
  int64_t i = 0;
  for (; i + 8 <= d; i += 8) {
    const __m256 value = _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(half + i)));
    sum = _mm256_add_ps(sum, _mm256_mul_ps(value, _mm256_loadu_ps(query + i)));
  }
  float sums[8];
  _mm256_storeu_ps(sums, sum);
  for (; i < d; ++i) sums[i % 8] += float_of_half(half[i]) * query[i];
  return added(sums);
}

bool usable() {
#if defined(_MSC_VER)
  return true;  // The Windows build asks for a processor with AVX2.
#else
  return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("f16c");
#endif
}

}  // namespace

const Kernel avx2_kernel{"avx2", usable, head<Avx2>, collect<Avx2>, row, dot};

}  // namespace saccade
