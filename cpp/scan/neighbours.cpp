#include "neighbours.hpp"
#include "kernel_names.hpp"

#include <algorithm>
#include <cstring>
#include <future>
#include <limits>
#include <stdexcept>
#include <vector>

namespace saccade {
namespace {

constexpr int64_t LINE_BYTES = 64;
constexpr int64_t CHUNK_BYTES = 512 << 10;  // of queries that meet a tile while it is packed; they stay near the core

struct alignas(LINE_BYTES) Line {
  uint64_t words[LINE_BYTES / WORD_BYTES];
};

const NeighbourKernel& kernel_named(const char* name) {
  for (const NeighbourKernel* kernel : {
#if defined(__x86_64__) || defined(_M_X64)
           &avx512_neighbours, &avx2_neighbours,
#elif defined(__aarch64__) || defined(_M_ARM64)
           &neon_neighbours,
#endif
           &plain_neighbours})
    if (shared_kernel(name) == kernel->name) return *kernel;
  throw std::invalid_argument("there is no kernel of that name");
}

int64_t words_for(int64_t d) { return (d + WORD_BYTES - 1) / WORD_BYTES; }

// `count` rows of d bytes, word w of row r at w * width + r.
void pack(const uint8_t* bytes, int64_t count, int64_t d, int64_t width, uint64_t* words) {
  const int64_t whole = d / WORD_BYTES;
  for (int64_t row = 0; row < count; ++row, bytes += d) {
    for (int64_t word = 0; word < whole; ++word) std::memcpy(words + word * width + row, bytes + word * WORD_BYTES, WORD_BYTES);
    if (whole * WORD_BYTES == d) continue;
    uint64_t last = 0;
    std::memcpy(&last, bytes + whole * WORD_BYTES, size_t(d - whole * WORD_BYTES));
    words[whole * width + row] = last;
  }
}

// What a squared distance |a - b|^2 = |a|^2 + |b|^2 - 2 ab needs of one side beside the product. A flipped query makes
// the sum of products 128 |a|_1 less, which the side of the rows takes back.
uint32_t own_part(const uint8_t* bytes, int64_t d, bool flipped) {
  uint32_t squares = 0, sum = 0;
  for (int64_t i = 0; i < d; ++i) squares += uint32_t(bytes[i]) * bytes[i], sum += bytes[i];
  return squares - (flipped ? 256 * sum : 0);
}

// The nearest rows of one query so far, as keys of distance and number: a heap with the furthest on top.
struct Kept {
  uint64_t* keys;
  int64_t count = 0;

  uint32_t limit(int64_t k) const { return count < k ? std::numeric_limits<uint32_t>::max() : uint32_t(keys[0] >> 32); }
  void push(uint32_t distance, uint32_t row, int64_t k) {
    if (distance >= limit(k)) return;  // of equally near ones the lower row, which came before
    if (count == k) std::pop_heap(keys, keys + count--);
    keys[count++] = (uint64_t(distance) << 32) | row;
    std::push_heap(keys, keys + count);
  }
};

// Some queries, packed in groups, and what is kept for each.
class Chunk {
 public:
  Chunk(const Measure& measure, const Neighbourhood& wanted, int64_t first, int64_t count)
      : measure_(measure), wanted_(wanted), words_(words_for(wanted.d)),
        groups_((count + measure.group_queries - 1) / measure.group_queries),
        packed_(size_t(groups_ * measure.group_queries * words_)), keys_(size_t(count * wanted.k)), own_(size_t(count)) {
    const int64_t width = measure.group_queries;
    const uint8_t* queries = wanted.queries + first * wanted.d;
    for (int64_t query = 0; query < count; query += width)
      pack(queries + query * wanted.d, std::min(width, count - query), wanted.d, width, packed_.data() + query * words_);
    for (auto& word : packed_) word ^= measure.flipped * 0x0101010101010101u;  // flipped fill meets rows' zeros
    for (int64_t query = 0; query < count; ++query) {
      if (wanted.squared) own_[size_t(query)] = own_part(queries + query * wanted.d, wanted.d, false);
      kept_.push_back({keys_.data() + query * wanted.k});
    }
  }

  // Rows first to first + count, packed, with the rows' own parts.
  void meet(const uint64_t* tile, const uint32_t* own, int64_t first, int64_t count) {
    uint32_t sums[MOST_ROWS * MOST_QUERIES];
    const int64_t width = measure_.group_queries;
    for (int64_t group = 0; group < groups_; ++group) {
      measure_.tile(tile, words_, packed_.data() + group * width * words_, sums);
      const int64_t last = std::min(width, int64_t(kept_.size()) - group * width);
      for (int64_t query = 0; query < last; ++query)
        keep(sums + query * measure_.tile_rows, own, size_t(group * width + query), uint32_t(first), count);
    }
  }

  void take(uint32_t* distances, uint32_t* numbers) {
    for (auto& kept : kept_) {
      std::sort_heap(kept.keys, kept.keys + kept.count);
      for (int64_t i = 0; i < kept.count; ++i) *distances++ = uint32_t(kept.keys[i] >> 32), *numbers++ = uint32_t(kept.keys[i]);
    }
  }

 private:
  void keep(uint32_t* sums, const uint32_t* own, size_t query, uint32_t first, int64_t count) {
    if (wanted_.squared)
      for (int64_t row = 0; row < count; ++row) sums[row] = own[row] + own_[query] - 2 * sums[row];
    Kept& kept = kept_[query];
    if (*std::min_element(sums, sums + count) >= kept.limit(wanted_.k)) return;
    for (int64_t row = 0; row < count; ++row) kept.push(sums[row], first + uint32_t(row), wanted_.k);
  }

  const Measure& measure_;
  const Neighbourhood& wanted_;
  int64_t words_, groups_;
  std::vector<uint64_t> packed_, keys_;
  std::vector<uint32_t> own_;
  std::vector<Kept> kept_;
};

// Queries first to last meet all rows, a chunk of them at a time.
void search(const Measure& measure, const Neighbourhood& wanted, int64_t first, int64_t last, uint32_t* distances,
            uint32_t* numbers) {
  const int64_t words = words_for(wanted.d), width = measure.tile_rows;
  const int64_t size = std::max<int64_t>(measure.group_queries, CHUNK_BYTES / (words * WORD_BYTES));
  std::vector<Line> tile(size_t(words * width * WORD_BYTES / LINE_BYTES));
  uint32_t own[MOST_ROWS];
  for (; first < last; first += size) {
    Chunk chunk(measure, wanted, first, std::min(size, last - first));
    for (int64_t row = 0; row < wanted.n; row += width) {
      const int64_t count = std::min(width, wanted.n - row);
      const uint8_t* rows = wanted.rows + row * wanted.d;
      pack(rows, count, wanted.d, width, tile.data()->words);
      for (int64_t i = 0; wanted.squared && i < count; ++i)
        own[i] = own_part(rows + i * wanted.d, wanted.d, measure.flipped != 0);
      chunk.meet(tile.data()->words, own, row, count);
    }
    chunk.take(distances + first * wanted.k, numbers + first * wanted.k);
  }
}

}  // namespace

void neighbours(const char* name, const Neighbourhood& wanted, int threads, uint32_t* distances, uint32_t* numbers) {
  const NeighbourKernel& kernel = kernel_named(name);
  const Measure& measure = wanted.squared ? kernel.product : kernel.absolute;
  const int64_t groups = (wanted.q + measure.group_queries - 1) / measure.group_queries;
  const auto parts = std::min<int64_t>(threads, groups);
  const auto work = [&](int64_t part) {
    const int64_t first = groups * part / parts * measure.group_queries;
    const int64_t last = std::min(wanted.q, groups * (part + 1) / parts * measure.group_queries);
    search(measure, wanted, first, last, distances, numbers);
  };
  std::vector<std::future<void>> others;  // Each is waited for where it is left.
  for (int64_t part = 1; part < parts; ++part) others.push_back(std::async(std::launch::async, work, part));
  if (parts > 0) work(0);
  for (auto& other : others) other.get();
}

}  // namespace saccade
