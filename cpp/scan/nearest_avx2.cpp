// AVX2: 16 rows and 4 centres at once. Codes and weights are numbers of 16 bits, since two products of a code and a
// weight do not fit the 16 bits that maddubs adds them in.
#include <immintrin.h>

#include <limits>

#include "nearest_tile.hpp"

namespace saccade {
namespace {

struct Avx2 {
  static constexpr int PER_WORD = 2, LANES = 8, REGISTERS = 2, CENTRES = 4;
  using Codes = __m256i;
  using Sums = __m256i;
  struct Best {
    __m256i sum, centre;
  };

  static Codes load(const int32_t* words) { return _mm256_load_si256(reinterpret_cast<const __m256i*>(words)); }
  static Sums start(int32_t bias) { return _mm256_set1_epi32(bias); }
  static void add(Sums& sums, Codes codes, int32_t weights) {
    sums = _mm256_add_epi32(sums, _mm256_madd_epi16(codes, _mm256_set1_epi32(weights)));
  }
  static Best none() { return {_mm256_set1_epi32(std::numeric_limits<int32_t>::min()), _mm256_setzero_si256()}; }
  static void keep(Best& best, Sums sums, uint32_t centre) {
    const __m256i larger = _mm256_cmpgt_epi32(sums, best.sum);
    best.sum = _mm256_max_epi32(best.sum, sums);
    best.centre = _mm256_blendv_epi8(best.centre, _mm256_set1_epi32(int32_t(centre)), larger);
  }
  static void store(const Best& best, uint32_t* found) {
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(found), best.centre);
  }
};

}  // namespace

const NearestKernel avx2_nearest = nearest_kernel<Avx2>("avx2");

}  // namespace saccade
