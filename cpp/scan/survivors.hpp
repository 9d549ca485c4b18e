// The first level of a search: the pass over the head, for one query or for a batch.
#pragma once

#include <functional>
#include <span>

#include "kernels.hpp"

namespace saccade {

// One gallery's codes, as the caller holds or maps them. A position is a row's place in the codes; `order` gives its
// place in the truth, or is null where they are the same.
struct Codes {
  int64_t rows, d;
  int64_t m;                     // the head covers the first m components
  int bits, groups;              // of the head, which has room for 32 / bits * groups components
  const uint8_t* head;           // ceil(rows / LANES) blocks
  const uint8_t* full;           // rows x d, 8 bits each
  const uint16_t* truth;         // (at least) rows x d half floats, or null
  const uint32_t* order;         // rows
  const float* rotation;         // d x d: component i of a query is the sum over j of query[j] * rotation[j * d + i]
  const float* head_step;        // a step of the head's code, by component: m
  const float* full_step;        // a step of the 8-bit code, by component
  std::span<const uint32_t> escaped;  // positions whose 8-bit codes do not hold them: always passed on
};

struct Query {
  const float* vector;            // d
  std::span<const Range> ranges;  // the blocks to look at, rising
  std::span<const float> offsets;  // one a range: the query's product with what its rows' codes leave out; or none
  std::span<const float> reach;    // one a range: how large the query's product with its rows may be; or none
};

struct Effort {
  int64_t survivors;  // rows that the head hands to the 8-bit level
  int64_t finalists;  // rows that the 8-bit level hands to the truth
  int threads;
};

// The blocks to look at, by a query's packed weights, and how many rows to keep of them, at least 1.
struct Pass {
  const Weights* weights;
  std::span<const Range> ranges;
  int64_t wanted;
};

int64_t blocks_of(std::span<const Range> ranges);

// Positions of the best rows by the head, at most those wanted, of equal scores the lower; rising within each thread's
// part. `allowed`: one bit a position, in whole blocks, or null for all.
std::vector<uint32_t> survivors(const Codes& codes, const Kernel& kernel, Pass pass, const uint8_t* allowed, int threads);

// The same for each of a batch, in one thread; a stretch of codes is read once for all that look at it.
std::vector<std::vector<uint32_t>> survivors_of_batch(const Codes& codes, const Kernel& kernel,
                                                      std::span<const Pass> passes, const uint8_t* allowed);

#if defined(__GNUC__)
inline void prefetch(const void* at) { __builtin_prefetch(at); }
#else
inline void prefetch(const void*) {}
#endif

// Calls bytes into the cache; they need not be there.
inline void prefetch(const void* at, int64_t bytes) {
  for (int64_t i = 0; i < bytes; i += 64) prefetch(static_cast<const char*>(at) + i);
}

// Runs work(part) for 0 <= part < parts, each in a thread of its own but for the last.
void in_threads(int parts, const std::function<void(int)>& work);

}  // namespace saccade
