// AVX-512 with VNNI: 32 rows and 4 queries at once, 16 sums; one instruction multiplies and adds 64 bytes exactly, of
// which those of the queries must be signed.
#include <immintrin.h>

#include "neighbours_tile.hpp"

namespace saccade {
namespace {

struct Avx512 {
  static constexpr int LANES = 8, REGISTERS = 4, QUERIES = 4;
  using Rows = __m512i;
  using Query = __m512i;
  using Sums = __m512i;

  static Rows load(const uint64_t* words) { return _mm512_load_si512(words); }
  static Query spread(uint64_t word) { return _mm512_set1_epi64(int64_t(word)); }
};

struct Absolute : Avx512 {
  static constexpr uint8_t FLIPPED = 0;
  static void add(Sums& sums, Rows rows, Query query) { sums = _mm512_add_epi64(sums, _mm512_sad_epu8(rows, query)); }
  static void store(Sums sums, uint32_t* found) {
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(found), _mm512_cvtepi64_epi32(sums));
  }
};

struct Product : Avx512 {
  static constexpr uint8_t FLIPPED = 128;
  static void add(Sums& sums, Rows rows, Query query) { sums = _mm512_dpbusd_epi32(sums, rows, query); }
  static void store(Sums sums, uint32_t* found) {  // two parts a row
    Absolute::store(_mm512_add_epi32(sums, _mm512_srli_epi64(sums, 32)), found);
  }
};

}  // namespace

const NeighbourKernel avx512_neighbours{"avx512", measure<Absolute>(), measure<Product>()};

}  // namespace saccade
