// AVX-512 with VNNI: a group is one register, and one instruction multiplies and adds its 64 bytes. Codes are masked
// where they stand; what a field's place in the byte adds as a factor is shifted out at the end, without a rest.
#include <immintrin.h>

#include "collect.hpp"

namespace saccade {
namespace {

constexpr int64_t AHEAD_BYTES = 8192;  // how far ahead codes are called into the cache

struct Avx512 {
  using Scores = __m512i;

  template <int BITS>
  static Scores block(const uint8_t* codes, const Weights& weights) {
    constexpr int FIELDS = 8 / BITS, MASK = (1 << BITS) - 1;
    __m512i sums[FIELDS];
    for (auto& sum : sums) sum = _mm512_setzero_si512();
    for (int group = 0; group < weights.groups; ++group) {
      const uint8_t* at = codes + group * GROUP_BYTES;
      const __m512i bytes = _mm512_loadu_si512(at);
      _mm_prefetch(reinterpret_cast<const char*>(at) + AHEAD_BYTES, _MM_HINT_T0);
      for (int field = 0; field < FIELDS; ++field) {
        const __m512i code = _mm512_and_si512(bytes, _mm512_set1_epi8(char(MASK << (BITS * field))));
        const __m512i weight = _mm512_set1_epi32(weights.packed[field * weights.groups + group]);
        sums[field] = _mm512_dpbusd_epi32(sums[field], code, weight);
      }
    }
    __m512i total = sums[0];
    for (int field = 1; field < FIELDS; ++field)
      total = _mm512_add_epi32(total, _mm512_srai_epi32(sums[field], BITS * field));
    return total;
  }

  static uint32_t above(Scores scores, int32_t threshold) {
    return _mm512_cmpgt_epi32_mask(scores, _mm512_set1_epi32(threshold));
  }

  static void store(Scores scores, int32_t* out) { _mm512_storeu_si512(out, scores); }
};

int32_t row(const uint8_t* codes, const int8_t* weights, int64_t d) {
  __m512i sum = _mm512_setzero_si512();
  for (int64_t i = 0; i < d; i += 64) {
    const __mmask64 lanes = d - i >= 64 ? ~__mmask64(0) : (__mmask64(1) << (d - i)) - 1;
    sum = _mm512_dpbusd_epi32(sum, _mm512_maskz_loadu_epi8(lanes, codes + i), _mm512_maskz_loadu_epi8(lanes, weights + i));
  }
  return _mm512_reduce_add_epi32(sum);
}

bool usable() {
#if defined(_MSC_VER)
  return false;
#else
  return __builtin_cpu_supports("avx512vnni") && __builtin_cpu_supports("avx512bw") &&
         __builtin_cpu_supports("avx512vl") && avx2_kernel.usable();
#endif
}

float dot(const uint16_t* half, const float* query, int64_t d) { return avx2_kernel.dot(half, query, d); }

}  // namespace

const Kernel avx512_kernel{"avx512", usable, head<Avx512>, collect<Avx512>, row, dot};

}  // namespace saccade
