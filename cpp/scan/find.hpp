// The search: head scan, then 8-bit rows, then half floats.
#pragma once

#include <span>

#include "kernels.hpp"

namespace saccade {

// One gallery's codes, as the caller holds or maps them. A position is a row's place in the codes; `order` gives its
// place in the truth, or is null where they are the same.
struct Codes {
  int64_t rows, d;
  int bits, groups;              // of the head, which covers the first 32 / bits * groups components
  const uint8_t* head;           // ceil(rows / LANES) blocks
  const uint8_t* full;           // rows x d, 8 bits each
  const uint16_t* truth;         // (at least) rows x d half floats
  const uint32_t* order;         // rows
  const float* rotation;         // d x d: component i of a query is the sum over j of query[j] * rotation[j * d + i]
  const float* head_step;        // a step of the head's code, by component
  const float* full_step;        // a step of the 8-bit code, by component
  std::span<const uint32_t> escaped;  // positions whose 8-bit codes do not hold them: always compared exactly
};

// Blocks [first, last).
struct Range {
  int64_t first, last;
};

struct Effort {
  int64_t survivors;  // rows that the head hands to the 8-bit level
  int64_t finalists;  // rows that the 8-bit level hands to the truth
  int threads;
};

struct Match {
  float score;
  int64_t row;  // in the truth
};

// The k best rows of a query (d floats), best first, of equal scores the lower row; fewer where fewer are allowed.
// `allowed`: one bit a position, in whole blocks, or null for all.
std::vector<Match> find(const Codes& codes, const Kernel& kernel, const float* query, int64_t k, Effort effort,
                        std::span<const Range> ranges, const uint8_t* allowed);

// As `find` over all blocks for each of `count` queries; a stretch of codes is read once for all of them.
std::vector<std::vector<Match>> find_many(const Codes& codes, const Kernel& kernel, const float* queries, int64_t count,
                                          int64_t k, Effort effort, const uint8_t* allowed);

}  // namespace saccade
