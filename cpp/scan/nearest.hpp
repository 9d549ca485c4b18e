// The nearest of many centres, for each of many rows of 8-bit codes: a product of two matrices of small whole numbers,
// of which only the place of each row's largest entry is kept.
//
// Rows meet the centres a tile at a time. Both are packed into words of 32 bits, each with the codes or weights of
// `per_word` neighbouring dimensions (4 bytes, 2 numbers of 16 bits, or one of 32), filled up with zeros: word w of a
// tile stands at w * tile_rows + row, word w of a group of centres at w * group_centres + centre.
#pragma once

#include <cstdint>

namespace saccade {

// A cache line, so that no load of a packed word crosses one.
struct alignas(64) Line {
  int32_t words[16];
};

struct NearestKernel {
  const char* name;
  int per_word, tile_rows, group_centres;  // tile_rows: a multiple of 16
  // The number of the centre with the largest sum of products plus bias, for each row of a tile; of equal ones the
  // lowest. Every centre of the `groups` groups has a bias.
  void (*tile)(const int32_t* rows, int64_t words, const int32_t* centres, const int32_t* bias, int64_t groups,
               uint32_t* found);
};

struct Assignment {
  int64_t n, c, d;        // c and d at least 1, d at most 4096
  const uint8_t* rows;    // n x d
  const int8_t* centres;  // c x d
  const int32_t* bias;    // c, each -2^30 to 2^30, so that every sum fits
};

// found[row]: the number of the centre that suits each of the n rows best. `kernel` is the name of one that is usable.
void nearest(const char* kernel, const Assignment& wanted, int threads, uint32_t* found);

extern const NearestKernel plain_nearest;
#if defined(__x86_64__) || defined(_M_X64)
extern const NearestKernel avx2_nearest, avx512_nearest;
#elif defined(__aarch64__) || defined(_M_ARM64)
extern const NearestKernel neon_nearest;
#endif

}  // namespace saccade
