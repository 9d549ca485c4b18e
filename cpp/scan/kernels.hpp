// The kernels: the three inner loops of a search, once for each family of processors.
//
// Codes of the head level: blocks of LANES vectors. With b bits a dimension (1, 2 or 4) a byte holds 8 / b dimensions
// and a group of GROUP_BYTES bytes holds 4 * 8 / b dimensions of every vector of the block: byte 4 * v + j of group g
// holds, in its bits b * f to b * f + b - 1, the code of vector v in dimension (32 / b) * g + 4 * f + j.
// The score of a vector is the sum over its dimensions of weight times code: a whole number, the same in every kernel.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

namespace saccade {

constexpr int LANES = 16;
constexpr int GROUP_BYTES = 64;
constexpr int TOGETHER = 4;

// Blocks [first, last), and what is added to the scores of their rows: a product with their cell's centre.
struct Range {
  int64_t first, last;
  int32_t offset = 0;
};

// The weights of one query, in the order in which a kernel meets the codes: packed[f * groups + g] holds the four
// signed bytes of field f in group g.
struct Weights {
  int bits = 0, groups = 0;
  std::vector<int32_t> packed;
};

// What brings the largest product of a component and its step to 127 either way; 0 when all are 0, or nearly.
float weight_factor(const float* components, const float* steps, int64_t count);

// The products times the factor, as whole numbers.
std::vector<int8_t> whole_weights(const float* components, const float* steps, int64_t count, float factor);

// The weights of the components in their order, 32 / bits * groups of them, as a kernel meets them.
Weights packed_weights(const int8_t* weights, int bits, int groups);

// The best `keep` (at least 1) of the (score, row) pairs that are pushed; of equal scores the lower row. Rows come in
// rising order.
class Best {
 public:
  explicit Best(int64_t keep, int32_t threshold);
  // What is not above the threshold needs no push.
  int32_t threshold() const { return threshold_; }
  void push(int32_t score, uint32_t row) { push_if(true, score, row); }
  // Without a branch for what could not be foreseen.
  void push_if(bool wanted, int32_t score, uint32_t row) {
    keys_[size_] = key(score, row);
    size_ += wanted;
    if (size_ == capacity_) shrink();
  }
  // The pairs kept, as keys, in the order in which they were pushed.
  std::vector<uint64_t> take();
  static uint64_t key(int32_t score, uint32_t row) {
    return (uint64_t(uint32_t(score) ^ 0x80000000u) << 32) | (0xffffffffu - row);
  }
  static int32_t score(uint64_t key) { return int32_t(uint32_t(key >> 32) ^ 0x80000000u); }
  static uint32_t row(uint64_t key) { return 0xffffffffu - uint32_t(key); }

 private:
  void shrink();
  std::size_t keep_, capacity_, size_ = 0;
  int32_t threshold_;
  std::unique_ptr<uint64_t[]> keys_;
};

// One query's part in a pass over the head.
struct Asking {
  const Weights* weights;
  Best* best;
  int32_t offset;
};

struct Kernel {
  const char* name;
  bool (*usable)();
  // Scores of `blocks` blocks: LANES whole numbers a block.
  void (*head)(const uint8_t* codes, int64_t blocks, const Weights& weights, int32_t* scores);
  // For each of `count` queries, all of the same bits and groups: pushes every row of the blocks that is above
  // best->threshold(), below `rows`, and allowed (one bit a row, or null for all). TOGETHER queries share a load.
  void (*collect)(const uint8_t* codes, Range blocks, const Asking* asking, std::size_t count, int64_t rows,
                  const uint8_t* allowed);
  // Sum over d dimensions of weight times code.
  int32_t (*row)(const uint8_t* codes, const int8_t* weights, int64_t d);
  // Dot product of d half floats with d floats: eight sums, of the dimensions by their number modulo 8, then added as
  // ((0+4) + (2+6)) + ((1+5) + (3+7)).
  float (*dot)(const uint16_t* half, const float* query, int64_t d);
};

// All kernels of this build, the fastest first; the plain one last.
const std::vector<const Kernel*>& kernels();

float float_of_half(uint16_t half);

extern const Kernel plain_kernel;
#if defined(__x86_64__) || defined(_M_X64)
extern const Kernel avx2_kernel, avx512_kernel, avx512_vbmi_kernel;
#elif defined(__aarch64__) || defined(_M_ARM64)
extern const Kernel neon_kernel;
#endif

}  // namespace saccade
