// AVX-512 with VNNI: 64 rows and 4 centres at once, 16 sums; one instruction multiplies and adds 64 bytes exactly.
#include <immintrin.h>

#include <limits>

#include "nearest_tile.hpp"

namespace saccade {
namespace {

struct Avx512 {
  static constexpr int PER_WORD = 4, LANES = 16, REGISTERS = 4, CENTRES = 4;
  using Codes = __m512i;
  using Sums = __m512i;
  struct Best {
    __m512i sum, centre;
  };

  static Codes load(const int32_t* words) { return _mm512_load_si512(words); }
  static Sums start(int32_t bias) { return _mm512_set1_epi32(bias); }
  static void add(Sums& sums, Codes codes, int32_t weights) {
    sums = _mm512_dpbusd_epi32(sums, codes, _mm512_set1_epi32(weights));
  }
  static Best none() { return {_mm512_set1_epi32(std::numeric_limits<int32_t>::min()), _mm512_setzero_si512()}; }
  static void keep(Best& best, Sums sums, uint32_t centre) {
    const __mmask16 larger = _mm512_cmpgt_epi32_mask(sums, best.sum);
    best.sum = _mm512_max_epi32(best.sum, sums);
    best.centre = _mm512_mask_mov_epi32(best.centre, larger, _mm512_set1_epi32(int32_t(centre)));
  }
  static void store(const Best& best, uint32_t* found) { _mm512_storeu_si512(found, best.centre); }
};

}  // namespace

const NearestKernel avx512_nearest = nearest_kernel<Avx512>("avx512");

}  // namespace saccade
