// The search: head scan, then 8-bit rows, then half floats. Where a query knows how far its ranges reach, a few of those
// that reach furthest are read first, and then only those that reach what was found there.
#pragma once

#include "survivors.hpp"

namespace saccade {

struct Match {
  float score;
  int64_t row;  // in the truth
};

// Positions of the best `effort.finalists` rows of each query by their 8-bit codes, of equal ones the lower, and all
// that escaped the codes; rising. The queries of a batch share what is read of the head.
// `k` rows shall be right: a range that does not reach the k-th best may be left out.
std::vector<std::vector<uint32_t>> shortlists(const Codes& codes, const Kernel& kernel, std::span<const Query> queries,
                                              int64_t k, Effort effort, const uint8_t* allowed);

// The k best rows of each query's shortlist, best first, of equal scores the lower row; fewer where fewer are allowed.
std::vector<std::vector<Match>> find(const Codes& codes, const Kernel& kernel, std::span<const Query> queries, int64_t k,
                                     Effort effort, const uint8_t* allowed);

}  // namespace saccade
