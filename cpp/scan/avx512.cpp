// AVX-512 with VNNI: a group is one register, and one instruction multiplies and adds its 64 bytes.
#include <immintrin.h>

#include "collect.hpp"

namespace saccade {
namespace {

constexpr int64_t AHEAD_BYTES = 8192;  // how far ahead codes are called into the cache

struct Avx512 {
  using Scores = __m512i;

  template <int BITS, int QUERIES>
  static void block(const uint8_t* codes, const int32_t* const* weights, int groups, Scores* scores) {
    const __m512i mask = _mm512_set1_epi8((1 << BITS) - 1);
    __m512i even[QUERIES], odd[QUERIES];  // of the fields: two chains, as a product waits for the one before
    for (int i = 0; i < QUERIES; ++i) even[i] = odd[i] = _mm512_setzero_si512();
    for (int group = 0; group < groups; ++group) {
      const uint8_t* at = codes + group * GROUP_BYTES;
      const __m512i bytes = _mm512_loadu_si512(at);
      _mm_prefetch(reinterpret_cast<const char*>(at) + AHEAD_BYTES, _MM_HINT_T0);
      for (int field = 0; field < 8 / BITS; ++field) {
        const __m512i code = _mm512_and_si512(_mm512_srli_epi16(bytes, BITS * field), mask);
        for (int i = 0; i < QUERIES; ++i) {
          __m512i& sum = field % 2 ? odd[i] : even[i];
          sum = _mm512_dpbusd_epi32(sum, code, _mm512_set1_epi32(weights[i][field * groups + group]));
        }
      }
    }
    for (int i = 0; i < QUERIES; ++i) scores[i] = _mm512_add_epi32(even[i], odd[i]);
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
