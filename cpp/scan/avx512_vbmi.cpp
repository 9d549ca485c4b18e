// AVX-512 with VBMI: where many queries meet the same codes, a bound goes before the products. The 32 bits of a vector in
// a group are cut into pieces of 7, 7, 6, 6 and 6. What a query's score gains from a piece stands in a table of 128 or 64
// bytes, rounded up, and one instruction looks up 64 vectors (after André, Kermarrec and Le Scouarnec, "Cache locality is
// not enough", VLDB 2015; we differ: what is looked up is no score, but tells which vectors cannot be above the limit, so
// that the answers are those of the other kernels). The few others are scored by products.
#include <immintrin.h>

#include <array>
#include <bit>
#include <cmath>
#include <cstring>

#include "collect.hpp"

namespace saccade {
namespace {

constexpr int TILE_BLOCKS = 4;  // a byte a row fills one register
constexpr int TILES = 8;        // meet two queries at once: a register for the sums of each
constexpr int PIECES = 5;       // of a group's 32 bits
constexpr std::array<int, PIECES + 1> FIRST_BIT{0, 7, 14, 20, 26, 32};
constexpr int LONG_PIECES = 2;  // have 7 bits, and two registers of a table
constexpr int TABLES = PIECES + LONG_PIECES;  // registers a group
constexpr int MOST_GROUPS = 8;                // of more, roundings would leave little of the bound
constexpr std::size_t LEAST_QUERIES = 8;      // are worth making the pieces,
constexpr int64_t LEAST_BLOCKS = 1024;        // and these the tables
constexpr int64_t STEP_BLOCKS = 4096;         // meet the same tables
constexpr int64_t RARE = 50;                  // of so many rows one may reach the limit, else products are as fast
constexpr float FULL = 254 * (1 + 1e-5f);     // the limit in a table's units: 254, and what floats may lose

// A query's tables, in units such that a sum that ends below 255 shows a score that is not above the limit.
struct Looker {
  __m512i tables[MOST_GROUPS * TABLES];
  int32_t weights[MOST_GROUPS * 8];  // packed
  std::size_t query;  // its number
  int64_t reached = 0;  // rows that did
};

// What each bit of a group adds to the score.
template <int BITS>
void bit_weights(const Weights& weights, int group, int32_t* out) {
  for (int byte = 0; byte < 4; ++byte)
    for (int field = 0; field < 8 / BITS; ++field)
      for (int bit = 0; bit < BITS; ++bit)
        *out++ = int32_t(int8_t(weights.packed[std::size_t(field * weights.groups + group)] >> (8 * byte))) * (1 << bit);
}

// What counts as nothing in a piece's table: a deviation below the mean of all sums, or the least of them. Sums that are
// lower count too much, which spares units for the others.
int32_t floor_of(const int32_t* bits, int count) {
  float mean = 0, variance = 0;
  int32_t least = 0;
  for (int i = 0; i < count; ++i) {
    const auto weight = float(bits[i]);
    least += std::min(0, bits[i]), mean += weight / 2, variance += weight * weight / 4;
  }
  return std::max(least, int32_t(mean - std::sqrt(variance)));
}

// The table of a piece: sums of the weights of the bits that are set, from the floor up, in units, rounded up.
template <int COUNT>
void fill(const int32_t* bits, int32_t floor, float units, __m512i* table) {
  constexpr int PARTS = 1 << (COUNT - 4);
  constexpr uint16_t LANES_WITH[4] = {0xaaaa, 0xcccc, 0xf0f0, 0xff00};  // bit 0, 1, 2, 3
  const __m512i zero = _mm512_setzero_si512();
  __m512i sums[PARTS];
  sums[0] = _mm512_set1_epi32(-floor);
  for (int bit = 0; bit < 4; ++bit)
    sums[0] = _mm512_mask_add_epi32(sums[0], LANES_WITH[bit], sums[0], _mm512_set1_epi32(bits[bit]));
  for (int bit = 4; bit < COUNT; ++bit)
    for (int part = 0; part < 1 << (bit - 4); ++part)
      sums[part + (1 << (bit - 4))] = _mm512_add_epi32(sums[part], _mm512_set1_epi32(bits[bit]));
  for (int part = 0; part < PARTS; ++part) {
    const __m512 scaled = _mm512_mul_ps(_mm512_cvtepi32_ps(_mm512_max_epi32(sums[part], zero)), _mm512_set1_ps(units));
    const __m512i up = _mm512_cvt_roundps_epi32(scaled, _MM_FROUND_TO_POS_INF | _MM_FROUND_NO_EXC);
    _mm_store_si128(reinterpret_cast<__m128i*>(table) + part, _mm512_cvtusepi32_epi8(up));
  }
}

// Makes a query's tables; says whether they can tell anything.
template <int BITS>
bool make_tables(const Asking& asking, Looker& looker) {
  const int groups = asking.weights->groups;
  int32_t bits[MOST_GROUPS][32], floors[MOST_GROUPS][PIECES];
  int64_t room = limit_of(asking);
  for (int group = 0; group < groups; ++group) {
    bit_weights<BITS>(*asking.weights, group, bits[group]);
    for (int piece = 0; piece < PIECES; ++piece) {
      const int first = FIRST_BIT[piece];
      floors[group][piece] = floor_of(bits[group] + first, FIRST_BIT[piece + 1] - first);
      room -= floors[group][piece];
    }
  }
  if (room <= 0) return false;
  const float units = FULL / float(room);
  std::copy(asking.weights->packed.begin(), asking.weights->packed.end(), looker.weights);
  __m512i* table = looker.tables;
  for (int group = 0; group < groups; ++group)
    for (int piece = 0; piece < PIECES; ++piece) {
      const int32_t* from = bits[group] + FIRST_BIT[piece];
      if (piece < LONG_PIECES)
        fill<7>(from, floors[group][piece], units, table), table += 2;
      else
        fill<6>(from, floors[group][piece], units, table), table += 1;
    }
  return true;
}

struct alignas(64) Bytes {
  uint8_t at[64];
  operator __m512i() const { return _mm512_load_si512(at); }
};

// Where in 64 bits, which are two rows', the pieces begin: four of each row, or the fifth.
constexpr Bytes beginnings(bool fifth) {
  Bytes found{};
  for (int i = 0; i < 64; ++i) found.at[i] = uint8_t(FIRST_BIT[fifth ? 4 : i % 4] + 32 * (i / 4 % 2));
  return found;
}

// Of 32 rows with four bytes each: byte number `byte` of all, and then that after it.
constexpr Bytes gathered(int byte) {
  Bytes found{};
  for (int i = 0; i < 64; ++i) found.at[i] = uint8_t(4 * (i % 32) + byte + i / 32);
  return found;
}

constexpr Bytes FOUR = beginnings(false), FIFTH = beginnings(true), FIRST_TWO = gathered(0), NEXT_TWO = gathered(2);

// A register of each piece of each group for the rows of a tile; bits above a piece's own are anything. Calls the codes
// that come next into the cache.
void cut(const uint8_t* codes, int groups, __m512i* planes) {
  const char* next = reinterpret_cast<const char*>(codes + TILES * TILE_BLOCKS * groups * GROUP_BYTES);
  for (int i = 0; i < TILE_BLOCKS * groups; ++i) _mm_prefetch(next + i * GROUP_BYTES, _MM_HINT_T1);
  for (int group = 0; group < groups; ++group, planes += PIECES * TILES) {
    __m512i zero_one[2], two_three[2], four[2];
    for (int half = 0; half < 2; ++half) {
      const uint8_t* at = codes + (2 * half * groups + group) * GROUP_BYTES;
      const __m512i a = _mm512_loadu_si512(at), b = _mm512_loadu_si512(at + groups * GROUP_BYTES);
      const __m512i some_a = _mm512_multishift_epi64_epi8(FOUR, a), some_b = _mm512_multishift_epi64_epi8(FOUR, b);
      zero_one[half] = _mm512_permutex2var_epi8(some_a, FIRST_TWO, some_b);
      two_three[half] = _mm512_permutex2var_epi8(some_a, NEXT_TWO, some_b);
      four[half] = _mm512_permutex2var_epi8(_mm512_multishift_epi64_epi8(FIFTH, a), FIRST_TWO,
                                            _mm512_multishift_epi64_epi8(FIFTH, b));
    }
    constexpr int LOW = 0x44, HIGH = 0xee;  // halves of both
    planes[0 * TILES] = _mm512_shuffle_i64x2(zero_one[0], zero_one[1], LOW);
    planes[1 * TILES] = _mm512_shuffle_i64x2(zero_one[0], zero_one[1], HIGH);
    planes[2 * TILES] = _mm512_shuffle_i64x2(two_three[0], two_three[1], LOW);
    planes[3 * TILES] = _mm512_shuffle_i64x2(two_three[0], two_three[1], HIGH);
    planes[4 * TILES] = _mm512_shuffle_i64x2(four[0], four[1], LOW);
  }
}

// A tile in which rows reached a query's limit: a bit a row.
struct Reached {
  uint64_t rows;
  int32_t tile, query;
};

// Writes in any case and goes on where a row reached the limit, as Hits::add.
Reached* noted(Reached* end, __m512i sums, int tile, int query) {
  *end = {_mm512_cmpeq_epi8_mask(sums, _mm512_set1_epi8(-1)), tile, query};
  return end + (end->rows != 0);
}

// Two queries, or one twice, meet some tiles; returns the end of what is noted.
Reached* look_up(const __m512i* planes, int groups, int tiles, const Looker* const* pair, Reached* end) {
  __m512i first[TILES], second[TILES];
  for (int tile = 0; tile < TILES; ++tile) first[tile] = second[tile] = _mm512_setzero_si512();
  const __m512i *a = pair[0]->tables, *b = pair[1]->tables;
  do {
    for (int piece = 0; piece < LONG_PIECES; ++piece, planes += TILES, a += 2, b += 2)
      for (int tile = 0; tile < TILES; ++tile) {
        first[tile] = _mm512_adds_epu8(first[tile], _mm512_permutex2var_epi8(a[0], planes[tile], a[1]));
        second[tile] = _mm512_adds_epu8(second[tile], _mm512_permutex2var_epi8(b[0], planes[tile], b[1]));
      }
    for (int piece = LONG_PIECES; piece < PIECES; ++piece, planes += TILES, ++a, ++b)
      for (int tile = 0; tile < TILES; ++tile) {
        first[tile] = _mm512_adds_epu8(first[tile], _mm512_permutexvar_epi8(planes[tile], *a));
        second[tile] = _mm512_adds_epu8(second[tile], _mm512_permutexvar_epi8(planes[tile], *b));
      }
  } while (--groups);
  for (int tile = 0; tile < tiles; ++tile) end = noted(end, first[tile], tile, 0);
  for (int tile = 0; tile < tiles && pair[0] != pair[1]; ++tile) end = noted(end, second[tile], tile, 1);
  return end;
}

// One row's score: four groups at a time.
template <int BITS>
int32_t row_score(const uint8_t* codes, const int32_t* weights, int groups) {
  const __m128i mask = _mm_set1_epi8((1 << BITS) - 1);
  __m128i sum = _mm_setzero_si128();
  const auto dword = [&](int group) {
    int32_t found = 0;
    if (group < groups) std::memcpy(&found, codes + group * GROUP_BYTES, sizeof found);
    return found;
  };
  for (int group = 0; group < groups; group += 4) {
    const __m128i bytes = _mm_set_epi32(dword(group + 3), dword(group + 2), dword(group + 1), dword(group));
    const auto lanes = __mmask8((1 << std::min(4, groups - group)) - 1);
    for (int field = 0; field < 8 / BITS; ++field) {
      const __m128i weight = _mm_maskz_loadu_epi32(lanes, weights + field * groups + group);
      sum = _mm_dpbusd_epi32(sum, _mm_and_si128(_mm_srli_epi16(bytes, BITS * field), mask), weight);
    }
  }
  const __m128i two = _mm_add_epi32(sum, _mm_shuffle_epi32(sum, 0x4e));
  return _mm_cvtsi128_si32(_mm_add_epi32(two, _mm_shuffle_epi32(two, 0xb1)));
}

template <int BITS>
void collect_bounded(const uint8_t* codes, Range blocks, std::vector<Looker>& lookers, const Asking* asking, int64_t rows,
                     const uint8_t* allowed) {
  if (lookers.empty()) return;
  __m512i planes[MOST_GROUPS * PIECES * TILES] = {};
  const int queries = int(lookers.size()), groups = asking->weights->groups;
  Reached reached[2 * TILES + 1];
  for (int64_t first = blocks.first; first < blocks.last; first += TILES * TILE_BLOCKS) {
    const int tiles = int(std::min<int64_t>(TILES, (blocks.last - first) / TILE_BLOCKS));
    for (int tile = 0; tile < tiles; ++tile)
      cut(codes + (first + tile * TILE_BLOCKS) * groups * GROUP_BYTES, groups, planes + tile);
    for (int i = 0; i < queries; i += 2) {
      Looker* pair[2] = {&lookers[std::size_t(i)], &lookers[std::size_t(std::min(i + 1, queries - 1))]};
      const Reached* end = look_up(planes, groups, tiles, pair, reached);
      for (const Reached* one = reached; one != end; ++one)
        for (uint64_t left = one->rows; left; left &= left - 1) {
          Looker& looker = *pair[one->query];
          ++looker.reached;
          const int place = std::countr_zero(left), lane = place % LANES;
          const int64_t block = first + TILE_BLOCKS * one->tile + place / LANES;
          const uint8_t* at = codes + block * groups * GROUP_BYTES + lane * (GROUP_BYTES / LANES);
          push_row(row_score<BITS>(at, looker.weights, groups), block * LANES + lane, rows, allowed, asking[looker.query]);
        }
    }
  }
}

// Queries whose tables tell too little, and blocks that make no whole tile, are left to products.
template <int BITS>
void collect_some(const uint8_t* codes, Range blocks, const Asking* asking, std::size_t count, int64_t rows,
                  const uint8_t* allowed) {
  const int64_t whole = blocks.last - (blocks.last - blocks.first) % TILE_BLOCKS;
  std::vector<bool> dense(count);
  std::vector<Looker> lookers(count);
  std::vector<Asking> others;
  for (int64_t first = blocks.first; first < whole; first += STEP_BLOCKS) {
    const Range here{first, std::min(first + STEP_BLOCKS, whole)};
    lookers.clear(), others.clear();
    for (std::size_t i = 0; i < count; ++i) {
      lookers.emplace_back().query = i;
      if (!dense[i] && make_tables<BITS>(asking[i], lookers.back())) continue;
      lookers.pop_back();
      others.push_back(asking[i]);
    }
    collect_bounded<BITS>(codes, here, lookers, asking, rows, allowed);
    avx512_kernel.collect(codes, here, others.data(), others.size(), rows, allowed);
    for (const auto& looker : lookers) dense[looker.query] = looker.reached * RARE > (here.last - here.first) * LANES;
  }
  avx512_kernel.collect(codes, {whole, blocks.last}, asking, count, rows, allowed);
}

void head(const uint8_t* codes, int64_t blocks, const Weights& weights, int32_t* scores) {
  avx512_kernel.head(codes, blocks, weights, scores);
}

void collect(const uint8_t* codes, Range blocks, const Asking* asking, std::size_t count, int64_t rows,
             const uint8_t* allowed) {
  if (count < LEAST_QUERIES || blocks.last - blocks.first < LEAST_BLOCKS || asking->weights->groups > MOST_GROUPS)
    return avx512_kernel.collect(codes, blocks, asking, count, rows, allowed);
  const int bits = asking->weights->bits;
  if (bits == 1) collect_some<1>(codes, blocks, asking, count, rows, allowed);
  if (bits == 2) collect_some<2>(codes, blocks, asking, count, rows, allowed);
  if (bits == 4) collect_some<4>(codes, blocks, asking, count, rows, allowed);
}

int32_t row(const uint8_t* codes, const int8_t* weights, int64_t d) { return avx512_kernel.row(codes, weights, d); }

float dot(const uint16_t* half, const float* query, int64_t d) { return avx512_kernel.dot(half, query, d); }

bool usable() {
#if defined(_MSC_VER)
  return false;
#else
  return __builtin_cpu_supports("avx512vbmi") && avx512_kernel.usable();
#endif
}

}  // namespace

const Kernel avx512_vbmi_kernel{"avx512vbmi", usable, head, collect, row, dot};

}  // namespace saccade
