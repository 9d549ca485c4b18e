// AVX2: four rows a register. Sums of absolute differences have an instruction; for products, bytes are widened to 16
// bits, since two products of bytes do not fit the 16 bits that maddubs adds them in.
#include <immintrin.h>

#include "neighbours_tile.hpp"

namespace saccade {
namespace {

__m256i loaded(const uint64_t* words) { return _mm256_load_si256(reinterpret_cast<const __m256i*>(words)); }

struct Absolute {
  static constexpr int LANES = 4, REGISTERS = 4, QUERIES = 2;
  static constexpr uint8_t FLIPPED = 0;
  using Rows = __m256i;
  using Query = __m256i;
  using Sums = __m256i;

  static Rows load(const uint64_t* words) { return loaded(words); }
  static Query spread(uint64_t word) { return _mm256_set1_epi64x(int64_t(word)); }
  static void add(Sums& sums, Rows rows, Query query) { sums = _mm256_add_epi64(sums, _mm256_sad_epu8(rows, query)); }
  static void store(Sums sums, uint32_t* found) {
    const __m256i even = _mm256_permutevar8x32_epi32(sums, _mm256_setr_epi32(0, 2, 4, 6, 0, 2, 4, 6));
    _mm_storeu_si128(reinterpret_cast<__m128i*>(found), _mm256_castsi256_si128(even));
  }
};

struct Product {
  static constexpr int LANES = 4, REGISTERS = 2, QUERIES = 2;
  static constexpr uint8_t FLIPPED = 0;
  struct Rows {
    __m256i even, odd;  // rows 0 and 2, rows 1 and 3, their eight numbers in 16 bits each
  };
  using Query = __m256i;
  struct Sums {
    __m256i even, odd;  // four parts a row
  };

  static Rows load(const uint64_t* words) {
    const __m256i bytes = loaded(words), zero = _mm256_setzero_si256();
    return {_mm256_unpacklo_epi8(bytes, zero), _mm256_unpackhi_epi8(bytes, zero)};
  }
  static Query spread(uint64_t word) {
    return _mm256_broadcastsi128_si256(_mm_cvtepu8_epi16(_mm_cvtsi64_si128(int64_t(word))));
  }
  static void add(Sums& sums, const Rows& rows, Query query) {
    sums.even = _mm256_add_epi32(sums.even, _mm256_madd_epi16(rows.even, query));
    sums.odd = _mm256_add_epi32(sums.odd, _mm256_madd_epi16(rows.odd, query));
  }
  static void store(const Sums& sums, uint32_t* found) {
    const __m256i halves = _mm256_hadd_epi32(sums.even, sums.odd);  // two parts a row
    const __m256i whole = _mm256_hadd_epi32(halves, halves);
    _mm_storel_epi64(reinterpret_cast<__m128i*>(found), _mm256_castsi256_si128(whole));
    _mm_storel_epi64(reinterpret_cast<__m128i*>(found + 2), _mm256_extracti128_si256(whole, 1));
  }
};

}  // namespace

const NeighbourKernel avx2_neighbours{"avx2", measure<Absolute>(), measure<Product>()};

}  // namespace saccade
