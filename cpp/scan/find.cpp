#include "find.hpp"

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <thread>

namespace saccade {
namespace {

constexpr int64_t SAMPLE_BLOCKS = 4096;  // at most
constexpr int64_t SAMPLE_ROWS = 40;      // so many of the rows that are wanted shall be in the sample
constexpr int64_t AHEAD_ROWS = 12;
constexpr int64_t STRETCH_BYTES = 128 << 10;  // of codes that stay in the cache while several queries meet them
constexpr int32_t NONE = std::numeric_limits<int32_t>::min();

#if defined(__GNUC__)
inline void prefetch(const void* at) { __builtin_prefetch(at); }
#else
inline void prefetch(const void*) {}
#endif

inline void prefetch(const void* at, int64_t bytes) {
  for (int64_t i = 0; i < bytes; i += 64) prefetch(static_cast<const char*>(at) + i);
}

// A query, brought to what each level multiplies with.
struct Prepared {
  const float* query;
  Weights head;
  std::vector<int8_t> full;
};

// Scaled so that the largest is 127 either way, and rounded.
std::vector<int8_t> whole(const std::vector<float>& component, const float* step, int64_t count) {
  float largest = 0;
  for (int64_t i = 0; i < count; ++i) largest = std::max(largest, std::fabs(component[i] * step[i]));
  const float factor = largest > 0 ? 127 / largest : 0;
  std::vector<int8_t> weights(count);
  for (int64_t i = 0; i < count; ++i) weights[i] = int8_t(std::lrint(component[i] * step[i] * factor));
  return weights;
}

Prepared prepare(const Codes& codes, const float* query) {
  std::vector<float> component(codes.d);
  for (int64_t j = 0; j < codes.d; ++j)
    for (int64_t i = 0; i < codes.d; ++i) component[i] += query[j] * codes.rotation[j * codes.d + i];
  const int64_t covered = 32 / codes.bits * codes.groups;
  std::vector<float> steps(codes.head_step, codes.head_step + std::min(covered, codes.d));
  component.resize(std::max(codes.d, covered));  // a head wider than d is padded with zeros
  steps.resize(covered);
  return {query, packed_weights(whole(component, steps.data(), covered).data(), codes.bits, codes.groups),
          whole(component, codes.full_step, codes.d)};
}

int64_t blocks_of(std::span<const Range> ranges) {
  int64_t blocks = 0;
  for (const auto& range : ranges) blocks += range.last - range.first;
  return blocks;
}

int64_t sample_stride(int64_t blocks, int64_t wanted) {
  const int64_t enough = std::min(SAMPLE_BLOCKS, SAMPLE_ROWS * blocks / wanted + 1);
  return std::max<int64_t>(1, blocks / enough);
}

// A score that, by a sample of the blocks, somewhat more than `wanted` rows are above; NONE when the sample is small.
int32_t estimate(const Codes& codes, const Kernel& kernel, const Weights& weights, std::span<const Range> ranges,
                 const uint8_t* allowed, int64_t wanted) {
  const int64_t blocks = blocks_of(ranges), stride = sample_stride(blocks, wanted);
  const double share = double(wanted) / double(std::max<int64_t>(1, blocks)) * double(blocks / stride);
  Best best(int64_t(share + 3 * std::sqrt(share)) + 4, NONE);
  int64_t skip = 0;
  for (const auto& range : ranges) {
    int64_t block = range.first + skip;
    for (; block < range.last; block += stride)
      kernel.collect(codes.head, block, block + 1, weights, codes.rows, allowed, best);
    skip = block - range.last;
  }
  best.take();  // Its threshold is now the lowest score kept, when enough rows were seen.
  return best.threshold() == NONE ? NONE : best.threshold() - 1;
}

// Runs work(part) for 0 <= part < parts, each in a thread of its own but for the last.
void in_threads(int parts, const std::function<void(int)>& work) {
  std::vector<std::thread> threads;
  for (int part = 0; part + 1 < parts; ++part) threads.emplace_back(work, part);
  work(parts - 1);
  for (auto& thread : threads) thread.join();
}

// The part of the ranges' blocks that falls to one of `parts` threads.
std::vector<Range> share_of(std::span<const Range> ranges, int part, int parts) {
  const int64_t blocks = blocks_of(ranges), begin = blocks * part / parts, end = blocks * (part + 1) / parts;
  std::vector<Range> mine;
  int64_t passed = 0;
  for (const auto& range : ranges) {
    const int64_t length = range.last - range.first;
    const int64_t from = std::max(begin - passed, int64_t(0)), to = std::min(end - passed, length);
    if (from < to) mine.push_back({range.first + from, range.first + to});
    passed += length;
  }
  return mine;
}

// Positions of the best rows by the head, at most `wanted`, rising within each thread's part.
std::vector<uint32_t> survivors(const Codes& codes, const Kernel& kernel, const Weights& weights,
                                std::span<const Range> ranges, const uint8_t* allowed, int64_t wanted, int threads) {
  int32_t threshold = estimate(codes, kernel, weights, ranges, allowed, wanted);
  for (;;) {
    std::vector<std::vector<uint64_t>> parts(threads);
    in_threads(threads, [&](int part) {
      Best best(wanted, threshold);
      for (const auto& range : share_of(ranges, part, threads))
        kernel.collect(codes.head, range.first, range.last, weights, codes.rows, allowed, best);
      parts[part] = best.take();
    });
    Best best(wanted, NONE);
    int64_t seen = 0;
    for (const auto& part : parts)
      for (const uint64_t key : part) best.push(Best::score(key), Best::row(key)), ++seen;
    if (seen < wanted && threshold != NONE) {
      threshold = NONE;  // The sample misled: once more, without it.
      continue;
    }
    std::vector<uint32_t> rows;
    for (const uint64_t key : best.take()) rows.push_back(Best::row(key));
    return rows;
  }
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
  for (auto& match : matches) match.score = kernel.dot(codes.truth + match.row * codes.d, query, codes.d);
  const auto better = [](const Match& a, const Match& b) { return a.score != b.score ? a.score > b.score : a.row < b.row; };
  const auto end = matches.begin() + std::min<int64_t>(k, int64_t(matches.size()));
  std::partial_sort(matches.begin(), end, matches.end(), better);
  matches.erase(end, matches.end());
  return matches;
}

std::vector<Match> finish(const Codes& codes, const Kernel& kernel, const Prepared& prepared,
                          const std::vector<uint32_t>& rows, const uint8_t* allowed, int64_t k, Effort effort) {
  const auto last = finalists(codes, kernel, prepared.full, rows, allowed, std::max(effort.finalists, k));
  return ranked(codes, kernel, prepared.query, last, k);
}

}  // namespace

std::vector<Match> find(const Codes& codes, const Kernel& kernel, const float* query, int64_t k, Effort effort,
                        std::span<const Range> ranges, const uint8_t* allowed) {
  const auto prepared = prepare(codes, query);
  const int64_t wanted = std::max(effort.survivors, k);
  const auto rows = survivors(codes, kernel, prepared.head, ranges, allowed, wanted, effort.threads);
  return finish(codes, kernel, prepared, rows, allowed, k, effort);
}

std::vector<std::vector<Match>> find_many(const Codes& codes, const Kernel& kernel, const float* queries, int64_t count,
                                          int64_t k, Effort effort, const uint8_t* allowed) {
  const Range all{0, (codes.rows + LANES - 1) / LANES};
  const int64_t wanted = std::max(effort.survivors, k);
  const int64_t stretch = std::max<int64_t>(1, STRETCH_BYTES / (int64_t(codes.groups) * GROUP_BYTES));
  std::vector<std::vector<Match>> answers(count);
  in_threads(effort.threads, [&](int part) {
    const int64_t first = count * part / effort.threads, last = count * (part + 1) / effort.threads;
    std::vector<Prepared> prepared;
    std::vector<Best> best;
    for (int64_t i = first; i < last; ++i) {
      prepared.push_back(prepare(codes, queries + i * codes.d));
      best.emplace_back(wanted, estimate(codes, kernel, prepared.back().head, {&all, 1}, allowed, wanted));
    }
    for (int64_t block = all.first; block < all.last; block += stretch)
      for (size_t i = 0; i < best.size(); ++i)
        kernel.collect(codes.head, block, std::min(block + stretch, all.last), prepared[i].head, codes.rows, allowed, best[i]);
    for (size_t i = 0; i < best.size(); ++i) {
      std::vector<uint32_t> rows;
      for (const uint64_t key : best[i].take()) rows.push_back(Best::row(key));
      if (int64_t(rows.size()) < wanted)
        answers[first + int64_t(i)] = find(codes, kernel, prepared[i].query, k, {effort.survivors, effort.finalists, 1}, {&all, 1}, allowed);
      else
        answers[first + int64_t(i)] = finish(codes, kernel, prepared[i], rows, allowed, k, effort);
    }
  });
  return answers;
}

}  // namespace saccade
