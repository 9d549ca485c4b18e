#include "survivors.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <thread>

namespace saccade {
namespace {

constexpr int64_t SAMPLE_BLOCKS = 4096;  // at most
constexpr int64_t SAMPLE_ROWS = 40;      // so many of the rows that are wanted shall be in the sample
constexpr int64_t AHEAD_BYTES = 4096;    // of the next range are called into the cache
constexpr int64_t PLACE = 7919;          // a prime: where in a range its sample begins
constexpr size_t AHEAD_SAMPLES = 8;      // ranges of the sample are called into the cache
constexpr int32_t NONE = std::numeric_limits<int32_t>::min();

int64_t sample_stride(int64_t blocks, int64_t wanted) {
  const int64_t enough = std::min(SAMPLE_BLOCKS, SAMPLE_ROWS * blocks / wanted + 1);
  return std::max<int64_t>(1, blocks / enough);
}

// How many rows of `seen` blocks of the pass's shall be above the estimate: somewhat more than their share.
int64_t share_of_sample(Pass pass, int64_t blocks, int64_t seen) {
  const double share = double(pass.wanted) / double(std::max<int64_t>(1, blocks)) * double(seen);
  return int64_t(share + 3 * std::sqrt(share)) + 4;
}

// What is above the lowest score kept, which is there when enough rows were seen.
int32_t lowest_kept(Best& best) {
  best.take();
  return best.threshold() == NONE ? NONE : best.threshold() - 1;
}

// Some of the blocks: every so many of one range; of several, neighbouring blocks from anywhere in each, so that their
// bytes come together.
std::vector<Range> sampled(std::span<const Range> ranges, int64_t stride) {
  std::vector<Range> some;
  int64_t owed = 0;
  for (const auto& range : ranges) {
    if (ranges.size() == 1) {
      for (int64_t block = range.first; block < range.last; block += stride) some.push_back({block, block + 1, range.offset});
      continue;
    }
    const int64_t length = range.last - range.first, count = (length + owed) / stride;
    owed = (length + owed) % stride;
    const int64_t first = range.first + (range.first * PLACE) % (length - std::min(count, length) + 1);
    if (count > 0 && length > 0) some.push_back({first, first + std::min(count, length), range.offset});
  }
  return some;
}

// A score that, by a sample of the blocks, somewhat more than `wanted` rows are above; NONE when the sample is small.
int32_t estimate(const Codes& codes, const Kernel& kernel, Pass pass, const uint8_t* allowed) {
  const int64_t blocks = blocks_of(pass.ranges), stride = sample_stride(blocks, pass.wanted);
  Best best(share_of_sample(pass, blocks, blocks / stride), NONE);
  const int64_t bytes = int64_t(codes.groups) * GROUP_BYTES;
  const auto some = sampled(pass.ranges, stride);
  for (size_t i = 0; i < some.size(); ++i) {
    if (i + AHEAD_SAMPLES < some.size()) {
      const Range& later = some[i + AHEAD_SAMPLES];
      prefetch(codes.head + later.first * bytes, std::min((later.last - later.first) * bytes, AHEAD_BYTES));
    }
    const Asking asking{pass.weights, &best, some[i].offset};
    kernel.collect(codes.head, some[i], &asking, 1, codes.rows, allowed);
  }
  return lowest_kept(best);
}

// The sampled blocks of a range, side by side, and which of their rows count.
struct Sample {
  std::vector<uint8_t> head, allowed;

  Sample(const Codes& codes, std::span<const Range> blocks, const uint8_t* mask) {
    const int64_t bytes = int64_t(codes.groups) * GROUP_BYTES;
    for (const auto& [block, last, offset] : blocks) {
      const uint8_t* at = codes.head + block * bytes;
      head.insert(head.end(), at, at + bytes);
      const int64_t left = std::min<int64_t>(LANES, codes.rows - block * LANES);
      for (int64_t byte = 0; byte < LANES / 8; ++byte) {
        const auto there = uint8_t((1 << std::clamp<int64_t>(left - 8 * byte, 0, 8)) - 1);
        allowed.push_back(mask ? mask[block * (LANES / 8) + byte] & there : there);
      }
    }
  }
};

// The same for each of a batch; where all look at one range for as many rows, they share the sample.
std::vector<int32_t> estimates(const Codes& codes, const Kernel& kernel, std::span<const Pass> passes,
                               const uint8_t* allowed) {
  std::vector<int32_t> found;
  const Range range = passes[0].ranges.empty() ? Range{0, 0} : passes[0].ranges[0];
  const auto alike = [&](const Pass& pass) {
    return pass.ranges.size() == 1 && pass.ranges[0].first == range.first && pass.ranges[0].last == range.last &&
           pass.wanted == passes[0].wanted;
  };
  if (!std::all_of(passes.begin(), passes.end(), alike)) {
    for (const auto& pass : passes) found.push_back(estimate(codes, kernel, pass, allowed));
    return found;
  }
  const int64_t blocks = range.last - range.first, stride = sample_stride(blocks, passes[0].wanted);
  const auto some = sampled(passes[0].ranges, stride);
  const auto seen = int64_t(some.size());
  const Sample sample(codes, some, allowed);
  std::vector<Best> best;
  best.reserve(passes.size());
  std::vector<Asking> asking;
  for (const auto& pass : passes) {
    best.emplace_back(share_of_sample(pass, blocks, blocks / stride), NONE);
    asking.push_back({pass.weights, &best.back(), pass.ranges[0].offset});
  }
  kernel.collect(sample.head.data(), {0, seen}, asking.data(), asking.size(), seen * LANES, sample.allowed.data());
  for (auto& one : best) found.push_back(lowest_kept(one));
  return found;
}

// The part of the ranges' blocks that falls to one of `parts` threads.
std::vector<Range> share_of(std::span<const Range> ranges, int part, int parts) {
  const int64_t blocks = blocks_of(ranges), begin = blocks * part / parts, end = blocks * (part + 1) / parts;
  std::vector<Range> mine;
  int64_t passed = 0;
  for (const auto& range : ranges) {
    const int64_t length = range.last - range.first;
    const int64_t from = std::max(begin - passed, int64_t(0)), to = std::min(end - passed, length);
    if (from < to) mine.push_back({range.first + from, range.first + to, range.offset});
    passed += length;
  }
  return mine;
}

std::vector<uint64_t> collected(const Codes& codes, const Kernel& kernel, Pass pass, const uint8_t* allowed,
                                int32_t threshold) {
  Best best(pass.wanted, threshold);
  const int64_t bytes = int64_t(codes.groups) * GROUP_BYTES;
  for (size_t i = 0; i < pass.ranges.size(); ++i) {
    const auto& range = pass.ranges[i];
    if (i + 1 < pass.ranges.size()) prefetch(codes.head + pass.ranges[i + 1].first * bytes, AHEAD_BYTES);
    const Asking asking{pass.weights, &best, range.offset};
    kernel.collect(codes.head, range, &asking, 1, codes.rows, allowed);
  }
  return best.take();
}

// As `collected`, of all ranges, in threads.
std::vector<uint64_t> collected_in_threads(const Codes& codes, const Kernel& kernel, Pass pass, const uint8_t* allowed,
                                           int32_t threshold, int threads) {
  std::vector<std::vector<uint64_t>> parts(static_cast<size_t>(threads));
  in_threads(threads, [&](int part) {
    const auto mine = share_of(pass.ranges, part, threads);
    parts[size_t(part)] = collected(codes, kernel, {pass.weights, mine, pass.wanted}, allowed, threshold);
  });
  if (threads == 1) return parts[0];
  Best best(pass.wanted, NONE);
  for (const auto& part : parts)
    for (const uint64_t key : part) best.push(Best::score(key), Best::row(key));
  return best.take();
}

std::vector<uint32_t> rows_of(const std::vector<uint64_t>& keys) {
  std::vector<uint32_t> rows;
  rows.reserve(keys.size());
  for (const uint64_t key : keys) rows.push_back(Best::row(key));
  return rows;
}

// Where the ranges of any pass begin or end, rising: between two such places every pass looks at all blocks or none.
std::vector<int64_t> borders_of(std::span<const Pass> passes) {
  std::vector<int64_t> borders;
  for (const auto& pass : passes)
    for (const auto& range : pass.ranges) borders.insert(borders.end(), {range.first, range.last});
  std::sort(borders.begin(), borders.end());
  borders.erase(std::unique(borders.begin(), borders.end()), borders.end());
  return borders;
}

// One pass over the codes for all.
void collect_together(const Codes& codes, const Kernel& kernel, std::span<const Pass> passes, const uint8_t* allowed,
                      std::vector<Best>& best) {
  const auto borders = borders_of(passes);
  std::vector<size_t> reached(passes.size());  // the first range of each pass that does not end before here
  std::vector<Asking> asking;
  for (size_t border = 0; border + 1 < borders.size(); ++border) {
    const Range here{borders[border], borders[border + 1]};
    asking.clear();
    for (size_t i = 0; i < passes.size(); ++i) {
      const auto ranges = passes[i].ranges;
      while (reached[i] < ranges.size() && ranges[reached[i]].last <= here.first) ++reached[i];
      if (reached[i] < ranges.size() && ranges[reached[i]].first <= here.first)
        asking.push_back({passes[i].weights, &best[i], ranges[reached[i]].offset});
    }
    kernel.collect(codes.head, here, asking.data(), asking.size(), codes.rows, allowed);
  }
}

}  // namespace

int64_t blocks_of(std::span<const Range> ranges) {
  int64_t blocks = 0;
  for (const auto& range : ranges) blocks += range.last - range.first;
  return blocks;
}

void in_threads(int parts, const std::function<void(int)>& work) {
  std::vector<std::thread> threads;
  for (int part = 0; part + 1 < parts; ++part) threads.emplace_back(work, part);
  work(parts - 1);
  for (auto& thread : threads) thread.join();
}

std::vector<uint32_t> survivors(const Codes& codes, const Kernel& kernel, Pass pass, const uint8_t* allowed, int threads) {
  const int32_t threshold = estimate(codes, kernel, pass, allowed);
  auto keys = collected_in_threads(codes, kernel, pass, allowed, threshold, threads);
  if (int64_t(keys.size()) < pass.wanted && threshold != NONE)  // The sample misled: once more, without it.
    keys = collected_in_threads(codes, kernel, pass, allowed, NONE, threads);
  return rows_of(keys);
}

std::vector<std::vector<uint32_t>> survivors_of_batch(const Codes& codes, const Kernel& kernel,
                                                      std::span<const Pass> passes, const uint8_t* allowed) {
  std::vector<Best> best;
  best.reserve(passes.size());
  const auto thresholds = estimates(codes, kernel, passes, allowed);
  for (size_t i = 0; i < passes.size(); ++i) best.emplace_back(passes[i].wanted, thresholds[i]);
  collect_together(codes, kernel, passes, allowed, best);
  std::vector<std::vector<uint32_t>> found;
  for (size_t i = 0; i < passes.size(); ++i) {
    auto keys = best[i].take();
    if (int64_t(keys.size()) < passes[i].wanted)  // The sample misled, or there are no more.
      keys = collected(codes, kernel, passes[i], allowed, NONE);
    found.push_back(rows_of(keys));
  }
  return found;
}

}  // namespace saccade
