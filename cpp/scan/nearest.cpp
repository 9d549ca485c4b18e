#include "nearest.hpp"
#include "kernel_names.hpp"

#include <algorithm>
#include <cstring>
#include <future>
#include <limits>
#include <stdexcept>
#include <vector>

namespace saccade {
namespace {

constexpr int LINE_WORDS = 16;

const NearestKernel& kernel_named(const char* name) {
  for (const NearestKernel* kernel : {
#if defined(__x86_64__) || defined(_M_X64)
           &avx512_nearest, &avx2_nearest,
#elif defined(__aarch64__) || defined(_M_ARM64)
           &neon_nearest,
#endif
           &plain_nearest})
    if (shared_kernel(name) == kernel->name) return *kernel;
  throw std::invalid_argument("there is no kernel of that name");
}

template <int PER_WORD, class T>
int32_t word_of(const T* values, int count) {
  constexpr int BITS = 32 / PER_WORD;
  constexpr uint32_t MASK = 0xffffffffu >> (32 - BITS);
  uint32_t word = 0;
  for (int i = 0; i < count; ++i) word |= (uint32_t(values[i]) & MASK) << (BITS * i);
  return int32_t(word);
}

// Word w of row r, of `count` rows of d values, at w * width + r.
template <int PER_WORD, class T>
void packed_by(const T* values, int64_t count, int64_t d, int64_t width, int32_t* words) {
  for (int64_t row = 0; row < count; ++row, values += d) {
    int64_t word = 0;
    for (; (word + 1) * PER_WORD <= d; ++word)
      words[word * width + row] = word_of<PER_WORD>(values + word * PER_WORD, PER_WORD);
    if (word * PER_WORD < d)
      words[word * width + row] = word_of<PER_WORD>(values + word * PER_WORD, int(d - word * PER_WORD));
  }
}

template <class T>
void pack(int per_word, const T* values, int64_t count, int64_t d, int64_t width, int32_t* words) {
  if (per_word == 1) packed_by<1>(values, count, d, width, words);
  if (per_word == 2) packed_by<2>(values, count, d, width, words);
  if (per_word == 4) packed_by<4>(values, count, d, width, words);
}

// The centres as a kernel meets them. Those that fill up the last group can never be the best.
struct Centres {
  int64_t words, groups;
  std::vector<int32_t> weights, bias;

  Centres(const NearestKernel& kernel, const Assignment& wanted)
      : words((wanted.d + kernel.per_word - 1) / kernel.per_word),
        groups((wanted.c + kernel.group_centres - 1) / kernel.group_centres),
        weights(size_t(groups * kernel.group_centres * words)), bias(wanted.bias, wanted.bias + wanted.c) {
    const int64_t width = kernel.group_centres;
    for (int64_t first = 0; first < wanted.c; first += width)
      pack(kernel.per_word, wanted.centres + first * wanted.d, std::min(width, wanted.c - first), wanted.d, width,
           weights.data() + first * words);
    bias.resize(size_t(groups * width), std::numeric_limits<int32_t>::min());
  }
};

// Rows [first, last).
void assign(const NearestKernel& kernel, const Assignment& wanted, const Centres& centres, int64_t first, int64_t last,
            uint32_t* found) {
  const int64_t width = kernel.tile_rows;
  std::vector<Line> packed(size_t(width / LINE_WORDS * centres.words));
  std::vector<uint32_t> numbers(static_cast<size_t>(width));
  for (int64_t row = first; row < last; row += width) {
    const int64_t count = std::min(width, last - row);
    pack(kernel.per_word, wanted.rows + row * wanted.d, count, wanted.d, width, packed.data()->words);
    kernel.tile(packed.data()->words, centres.words, centres.weights.data(), centres.bias.data(), centres.groups,
                numbers.data());
    std::copy_n(numbers.begin(), count, found + row);
  }
}

}  // namespace

void nearest(const char* name, const Assignment& wanted, int threads, uint32_t* found) {
  const NearestKernel& kernel = kernel_named(name);
  const Centres centres(kernel, wanted);
  const int64_t tiles = (wanted.n + kernel.tile_rows - 1) / kernel.tile_rows;
  const auto parts = std::min<int64_t>(threads, tiles);
  const auto work = [&](int64_t part) {
    const int64_t first = tiles * part / parts * kernel.tile_rows;
    const int64_t last = std::min(wanted.n, tiles * (part + 1) / parts * kernel.tile_rows);
    assign(kernel, wanted, centres, first, last, found);
  };
  std::vector<std::future<void>> others;  // Each is waited for where it is left.
  for (int64_t part = 1; part < parts; ++part) others.push_back(std::async(std::launch::async, work, part));
  if (parts > 0) work(0);
  for (auto& other : others) other.get();
}

}  // namespace saccade
