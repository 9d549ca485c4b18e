// AVX-512 with VNNI: a group is one register, and one instruction multiplies and adds its 64 bytes.
#include <immintrin.h>

#include "collect.hpp"

namespace saccade {
namespace {

constexpr int64_t AHEAD_BYTES = 4096;  // how far ahead codes are called into the cache
constexpr int MOST_IN_REGISTERS = 16;  // of 32: the others hold masks, sums and codes

struct Avx512 {
  using Scores = __m512i;

  template <int BITS, int QUERIES>
  static void block(const uint8_t* codes, const int32_t* const* weights, int groups, Scores* scores) {
    if constexpr (QUERIES == 1) {
      *scores = one_query<BITS>(codes, weights[0], groups);
      return;
    }
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

  template <int BITS>
  static Scores one_query(const uint8_t* codes, const int32_t* weights, int groups) {
    return products<BITS>(codes, groups, [&](int i) { return _mm512_set1_epi32(weights[i]); });
  }

  // Codes are masked where they stand, which spares shifts: a field's place is shifted out of its sum, without a rest.
  template <int BITS>
  static Scores products(const uint8_t* codes, int groups, auto weight) {
    constexpr int FIELDS = 8 / BITS, MASK = (1 << BITS) - 1;
    __m512i sums[FIELDS];
    for (auto& sum : sums) sum = _mm512_setzero_si512();
    for (int group = 0; group < groups; ++group) {
      const uint8_t* at = codes + group * GROUP_BYTES;
      const __m512i bytes = _mm512_loadu_si512(at);
      _mm_prefetch(reinterpret_cast<const char*>(at) + AHEAD_BYTES, _MM_HINT_T0);
      for (int field = 0; field < FIELDS; ++field) {
        const __m512i code = _mm512_and_si512(bytes, _mm512_set1_epi8(char(MASK << (BITS * field))));
        sums[field] = _mm512_dpbusd_epi32(sums[field], code, weight(field * groups + group));
      }
    }
    __m512i total = sums[0];
    for (int field = 1; field < FIELDS; ++field)
      total = _mm512_add_epi32(total, _mm512_srai_epi32(sums[field], BITS * field));
    return total;
  }

  // One query's weights stay in registers, where there is room for them; says whether there was.
  template <int BITS>
  static bool hits(const uint8_t* codes, Range blocks, const int32_t* weights, int groups, int32_t limit, Hits& hits) {
    constexpr int GROUPS = 4, COUNT = 8 / BITS * GROUPS;
    if (COUNT > MOST_IN_REGISTERS || groups != GROUPS) return false;
    __m512i kept[COUNT];
    for (int i = 0; i < COUNT; ++i) kept[i] = _mm512_set1_epi32(weights[i]);
    for (int64_t block = blocks.first; block < blocks.last; ++block) {
      const uint8_t* at = codes + block * GROUPS * GROUP_BYTES;
      hits.add<Avx512>(block, products<BITS>(at, GROUPS, [&](int i) { return kept[i]; }), limit);
    }
    return true;
  }

  static uint32_t above(Scores scores, int32_t threshold) {
    uint16_t lanes = _mm512_cmpgt_epi32_mask(scores, _mm512_set1_epi32(threshold));
#if defined(__GNUC__)
    asm("" : "+r"(lanes));  // Into a general register: GCC 12 was seen to spill 16 bits of a mask and to load 32.
#endif
    return lanes;
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
