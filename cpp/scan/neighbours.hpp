// The nearest rows of 8-bit numbers, for each of many queries of the same kind, by sums of absolute or squared
// differences: whole numbers, the same in every kernel.
//
// Rows meet queries a tile at a time. Both are packed into words of 64 bits, each with eight neighbouring numbers, filled
// up with zeros: word w of a tile of rows stands at w * tile_rows + row, word w of a group of queries at
// w * group_queries + query.
#pragma once

#include <cstdint>

namespace saccade {

constexpr int WORD_BYTES = 8;

struct Measure {
  int tile_rows, group_queries;  // tile_rows: a multiple of 8, at most MOST_ROWS; group_queries at most MOST_QUERIES
  uint8_t flipped;               // the bits of a query's bytes that this measure wants flipped: 0, or the highest
  // sums[query * tile_rows + row] for one tile and one group. Rows begin at a multiple of 64 bytes.
  void (*tile)(const uint64_t* rows, int64_t words, const uint64_t* queries, uint32_t* sums);
};

constexpr int MOST_ROWS = 32, MOST_QUERIES = 4;

struct NeighbourKernel {
  const char* name;
  Measure absolute;  // sums of absolute differences
  Measure product;   // sums of products; a flipped byte counts as signed, which is 128 less
};

struct Neighbourhood {
  int64_t n, q, d, k;  // n below 2^32; 1 <= d <= MOST_NUMBERS; 1 <= k <= n
  const uint8_t* rows;     // n x d
  const uint8_t* queries;  // q x d
  bool squared;            // else absolute
};

constexpr int64_t MOST_NUMBERS = 32768;  // so that every sum fits 31 bits

// The k nearest rows of every query, nearest first, of equally near ones the lower: distances and numbers, q x k.
// `kernel` is the name of one that is usable.
void neighbours(const char* kernel, const Neighbourhood& wanted, int threads, uint32_t* distances, uint32_t* numbers);

extern const NeighbourKernel plain_neighbours;
#if defined(__x86_64__) || defined(_M_X64)
extern const NeighbourKernel avx2_neighbours, avx512_neighbours;
#elif defined(__aarch64__) || defined(_M_ARM64)
extern const NeighbourKernel neon_neighbours;
#endif

}  // namespace saccade
