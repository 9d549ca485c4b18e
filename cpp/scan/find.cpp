#include "find.hpp"

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>

#include "rounds.hpp"

namespace saccade {
namespace {

constexpr int64_t AHEAD_ROWS = 16;
constexpr int64_t BATCH_QUERIES = 64, BATCH_BYTES = 32 << 20;  // that share a pass; of what they keep
constexpr int32_t NONE = std::numeric_limits<int32_t>::min();

constexpr int32_t MOST_OFFSET = 1 << 29;

// A query, brought to what each level multiplies with, and what it has found so far.
struct Search {
  Weights head;
  std::vector<int8_t> full;
  float full_factor;  // of the weights in `full`
  Rounds rounds;
  std::vector<uint64_t> best;  // by the 8-bit codes
};

// The ranges, with their offsets in the unit of the head's scores.
std::vector<Range> with_offsets(const Query& query, float factor) {
  std::vector<Range> ranges(query.ranges.begin(), query.ranges.end());
  for (size_t i = 0; i < query.offsets.size(); ++i)
    ranges[i].offset = int32_t(std::lrint(std::clamp<double>(double(query.offsets[i]) * factor, -MOST_OFFSET, MOST_OFFSET)));
  return ranges;
}

Search begin(const Codes& codes, const Query& query, int64_t survivors) {
  std::vector<float> component(codes.d);
  for (int64_t j = 0; j < codes.d; ++j)
    for (int64_t i = 0; i < codes.d; ++i) component[i] += query.vector[j] * codes.rotation[j * codes.d + i];
  const int64_t covered = 32 / codes.bits * codes.groups;
  std::vector<float> steps(codes.head_step, codes.head_step + codes.m);
  component.resize(std::max(codes.d, covered));
  steps.resize(covered);  // a head with more room than components is padded with zeros
  const float factor = weight_factor(component.data(), steps.data(), covered);
  const float full_factor = weight_factor(component.data(), codes.full_step, codes.d);
  return {packed_weights(whole_weights(component.data(), steps.data(), covered, factor).data(), codes.bits, codes.groups),
          whole_weights(component.data(), codes.full_step, codes.d, full_factor),
          full_factor,
          Rounds(query, with_offsets(query, factor), survivors),
          {}};
}

// The best rows by their 8-bit codes, as keys.
std::vector<uint64_t> best_rows(const Codes& codes, const Kernel& kernel, const std::vector<int8_t>& weights,
                                const std::vector<uint32_t>& rows, int64_t wanted) {
  Best best(wanted, NONE);
  const auto count = int64_t(rows.size());
  for (int64_t i = 0; i < count + AHEAD_ROWS; ++i) {
    if (i < count) prefetch(codes.full + rows[i] * codes.d, codes.d);
    if (i < AHEAD_ROWS) continue;
    const uint32_t row = rows[i - AHEAD_ROWS];
    const int32_t score = kernel.row(codes.full + row * codes.d, weights.data(), codes.d);
    if (score > best.threshold()) best.push(score, row);
  }
  return best.take();
}

void keep_largest(std::vector<uint64_t>& keys, int64_t count) {
  if (int64_t(keys.size()) <= count) return;
  std::nth_element(keys.begin(), keys.begin() + count - 1, keys.end(), std::greater<>());
  keys.resize(size_t(count));
}

// One round of some searches, which share what is read of the head; `threads` of a search that is alone.
void read(const Codes& codes, const Kernel& kernel, std::span<Search* const> searches, std::span<const Round> rounds,
          Effort effort, const uint8_t* allowed, int threads) {
  std::vector<Pass> passes;
  for (size_t i = 0; i < rounds.size(); ++i) passes.push_back({&searches[i]->head, rounds[i].ranges, rounds[i].survivors});
  std::vector<std::vector<uint32_t>> rows;
  if (passes.size() == 1)
    rows.push_back(survivors(codes, kernel, passes[0], allowed, threads));
  else
    rows = survivors_of_batch(codes, kernel, passes, allowed);
  for (size_t i = 0; i < rounds.size(); ++i) {
    auto& best = searches[i]->best;
    const auto more = best_rows(codes, kernel, searches[i]->full, rows[i], effort.finalists);
    best.insert(best.end(), more.begin(), more.end());
    keep_largest(best, effort.finalists);
  }
}

// What a row has to be similar to a query in order to come among the k best of those that were found.
float bar_of(const Search& search, int64_t k) {
  if (int64_t(search.best.size()) < k || search.full_factor == 0) return -INFINITY;
  auto keys = search.best;
  keep_largest(keys, k);
  int64_t middle = 0;  // What a code of the middle of every range scores, twice.
  for (const int8_t weight : search.full) middle += 255 * int64_t(weight);
  const int32_t score = Best::score(*std::min_element(keys.begin(), keys.end()));
  return (float(score) - float(middle) / 2) / search.full_factor;
}

// The positions found, and all that escaped the codes; rising.
std::vector<uint32_t> finalists(const Codes& codes, const Search& search, const uint8_t* allowed) {
  std::vector<uint32_t> kept;
  for (const uint64_t key : search.best) kept.push_back(Best::row(key));
  for (const uint32_t row : codes.escaped)
    if (!allowed || allowed[row / 8] >> (row % 8) & 1) kept.push_back(row);
  std::sort(kept.begin(), kept.end());
  kept.erase(std::unique(kept.begin(), kept.end()), kept.end());
  return kept;
}

// The shortlists of some queries, which share what is read of the head.
std::vector<std::vector<uint32_t>> listed(const Codes& codes, const Kernel& kernel, std::span<const Query> queries,
                                          int64_t k, Effort effort, const uint8_t* allowed, int threads) {
  std::vector<Search> searches;
  for (const auto& query : queries) searches.push_back(begin(codes, query, effort.survivors));
  std::vector<Search*> reading;
  std::vector<Round> rounds;
  for (auto& search : searches) reading.push_back(&search), rounds.push_back(search.rounds.first());
  read(codes, kernel, reading, rounds, effort, allowed, threads);
  reading.clear(), rounds.clear();
  for (auto& search : searches) {
    if (!search.rounds.has_second()) continue;
    auto round = search.rounds.second(bar_of(search, k));
    if (!round.ranges.empty()) reading.push_back(&search), rounds.push_back(std::move(round));
  }
  if (!reading.empty()) read(codes, kernel, reading, rounds, effort, allowed, threads);
  std::vector<std::vector<uint32_t>> found;
  for (const auto& search : searches) found.push_back(finalists(codes, search, allowed));
  return found;
}

// The k best by the truth.
std::vector<Match> ranked(const Codes& codes, const Kernel& kernel, const float* query,
                          const std::vector<uint32_t>& positions, int64_t k) {
  std::vector<Match> matches;
  for (const uint32_t position : positions) {
    const int64_t row = codes.order ? codes.order[position] : position;
    prefetch(codes.truth + row * codes.d, 2 * codes.d);
    matches.push_back({0, row});
  }
  for (auto& match : matches) {
    match.score = kernel.dot(codes.truth + match.row * codes.d, query, codes.d);
    if (std::isnan(match.score)) match.score = -INFINITY;  // A truth that is broken still has an order.
  }
  const auto better = [](const Match& a, const Match& b) { return a.score != b.score ? a.score > b.score : a.row < b.row; };
  const auto end = matches.begin() + std::min<int64_t>(k, int64_t(matches.size()));
  std::partial_sort(matches.begin(), end, matches.end(), better);
  matches.erase(end, matches.end());
  return matches;
}

// Takes the shortlist of query number i.
using Take = std::function<void(int64_t i, std::vector<uint32_t> shortlist)>;

// Threads share the queries; where there are fewer queries than threads, the blocks of each.
void each_shortlist(const Codes& codes, const Kernel& kernel, std::span<const Query> queries, int64_t k, Effort effort,
                    const uint8_t* allowed, const Take& take) {
  const auto some = [&](int64_t first, int64_t last, int64_t most, int threads) {
    for (int64_t start = first; start < last; start += most) {
      const auto part = queries.subspan(size_t(start), size_t(std::min(most, last - start)));
      auto found = listed(codes, kernel, part, k, effort, allowed, threads);
      for (size_t i = 0; i < found.size(); ++i) take(start + int64_t(i), std::move(found[i]));
    }
  };
  const auto count = int64_t(queries.size());
  if (count < std::max(2, effort.threads)) return some(0, count, 1, effort.threads);
  const int64_t most = std::clamp<int64_t>(BATCH_BYTES / (16 * effort.survivors), 1, BATCH_QUERIES);
  in_threads(effort.threads, [&](int part) {
    some(count * part / effort.threads, count * (part + 1) / effort.threads, most, 1);
  });
}

}  // namespace

std::vector<std::vector<uint32_t>> shortlists(const Codes& codes, const Kernel& kernel, std::span<const Query> queries,
                                              int64_t k, Effort effort, const uint8_t* allowed) {
  std::vector<std::vector<uint32_t>> found(queries.size());
  each_shortlist(codes, kernel, queries, k, effort, allowed,
                 [&](int64_t i, std::vector<uint32_t> shortlist) { found[size_t(i)] = std::move(shortlist); });
  return found;
}

std::vector<std::vector<Match>> find(const Codes& codes, const Kernel& kernel, std::span<const Query> queries, int64_t k,
                                     Effort effort, const uint8_t* allowed) {
  effort.survivors = std::max(effort.survivors, k);
  effort.finalists = std::max(effort.finalists, k);
  std::vector<std::vector<Match>> found(queries.size());
  each_shortlist(codes, kernel, queries, k, effort, allowed, [&](int64_t i, std::vector<uint32_t> shortlist) {
    found[size_t(i)] = ranked(codes, kernel, queries[size_t(i)].vector, shortlist, k);
  });
  return found;
}

}  // namespace saccade
