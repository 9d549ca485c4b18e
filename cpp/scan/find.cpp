#include "find.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

namespace saccade {
namespace {

constexpr int64_t AHEAD_ROWS = 16;
constexpr int64_t BATCH_QUERIES = 64, BATCH_BYTES = 32 << 20;  // that share a pass; of what they keep
constexpr int32_t NONE = std::numeric_limits<int32_t>::min();

constexpr int32_t MOST_OFFSET = 1 << 29;

// A query, brought to what each level multiplies with.
struct Prepared {
  Weights head;
  std::vector<int8_t> full;
  std::vector<Range> ranges;
};

// The ranges, with their offsets in the unit of the head's scores.
std::vector<Range> with_offsets(const Query& query, float factor) {
  std::vector<Range> ranges(query.ranges.begin(), query.ranges.end());
  for (size_t i = 0; i < query.offsets.size(); ++i)
    ranges[i].offset = int32_t(std::lrint(std::clamp<double>(double(query.offsets[i]) * factor, -MOST_OFFSET, MOST_OFFSET)));
  return ranges;
}

Prepared prepare(const Codes& codes, const Query& query) {
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
          whole_weights(component.data(), codes.full_step, codes.d, full_factor), with_offsets(query, factor)};
}

// Positions of the best rows by their 8-bit codes, and all that escaped them.
std::vector<uint32_t> finalists(const Codes& codes, const Kernel& kernel, const std::vector<int8_t>& weights,
                                const std::vector<uint32_t>& rows, const uint8_t* allowed, int64_t wanted) {
  Best best(wanted, NONE);
  const auto count = int64_t(rows.size());
  for (int64_t i = 0; i < count + AHEAD_ROWS; ++i) {
    if (i < count) prefetch(codes.full + rows[i] * codes.d, codes.d);
    if (i < AHEAD_ROWS) continue;
    const uint32_t row = rows[i - AHEAD_ROWS];
    const int32_t score = kernel.row(codes.full + row * codes.d, weights.data(), codes.d);
    if (score > best.threshold()) best.push(score, row);
  }
  std::vector<uint32_t> kept;
  for (const uint64_t key : best.take()) kept.push_back(Best::row(key));
  for (const uint32_t row : codes.escaped)
    if (!allowed || allowed[row / 8] >> (row % 8) & 1) kept.push_back(row);
  std::sort(kept.begin(), kept.end());
  kept.erase(std::unique(kept.begin(), kept.end()), kept.end());
  return kept;
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

// The queries from `first` to before `last`, in one thread, some at a time.
void in_batches(const Codes& codes, const Kernel& kernel, std::span<const Query> queries, int64_t first, int64_t last,
                Effort effort, const uint8_t* allowed, const Take& take) {
  const int64_t most = std::clamp<int64_t>(BATCH_BYTES / (16 * effort.survivors), 1, BATCH_QUERIES);
  for (int64_t start = first; start < last; start += most) {
    const int64_t count = std::min(most, last - start);
    std::vector<Prepared> prepared;
    for (int64_t i = 0; i < count; ++i) prepared.push_back(prepare(codes, queries[size_t(start + i)]));
    std::vector<Pass> passes;
    for (int64_t i = 0; i < count; ++i) passes.push_back({&prepared[size_t(i)].head, prepared[size_t(i)].ranges});
    const auto rows = survivors_of_batch(codes, kernel, passes, allowed, effort.survivors);
    for (int64_t i = 0; i < count; ++i)
      take(start + i, finalists(codes, kernel, prepared[size_t(i)].full, rows[size_t(i)], allowed, effort.finalists));
  }
}

// Threads share the queries; where there are fewer queries than threads, the blocks of each.
void each_shortlist(const Codes& codes, const Kernel& kernel, std::span<const Query> queries, Effort effort,
                    const uint8_t* allowed, const Take& take) {
  const auto count = int64_t(queries.size());
  if (count < std::max(2, effort.threads)) {
    for (int64_t i = 0; i < count; ++i) {
      const auto prepared = prepare(codes, queries[size_t(i)]);
      const Pass pass{&prepared.head, prepared.ranges};
      const auto rows = survivors(codes, kernel, pass, allowed, effort.survivors, effort.threads);
      take(i, finalists(codes, kernel, prepared.full, rows, allowed, effort.finalists));
    }
    return;
  }
  in_threads(effort.threads, [&](int part) {
    const int64_t first = count * part / effort.threads, last = count * (part + 1) / effort.threads;
    in_batches(codes, kernel, queries, first, last, effort, allowed, take);
  });
}

}  // namespace

std::vector<std::vector<uint32_t>> shortlists(const Codes& codes, const Kernel& kernel, std::span<const Query> queries,
                                              Effort effort, const uint8_t* allowed) {
  std::vector<std::vector<uint32_t>> found(queries.size());
  each_shortlist(codes, kernel, queries, effort, allowed,
                 [&](int64_t i, std::vector<uint32_t> shortlist) { found[size_t(i)] = std::move(shortlist); });
  return found;
}

std::vector<std::vector<Match>> find(const Codes& codes, const Kernel& kernel, std::span<const Query> queries, int64_t k,
                                     Effort effort, const uint8_t* allowed) {
  effort.survivors = std::max(effort.survivors, k);
  effort.finalists = std::max(effort.finalists, k);
  std::vector<std::vector<Match>> found(queries.size());
  each_shortlist(codes, kernel, queries, effort, allowed, [&](int64_t i, std::vector<uint32_t> shortlist) {
    found[size_t(i)] = ranked(codes, kernel, queries[size_t(i)].vector, shortlist, k);
  });
  return found;
}

}  // namespace saccade
