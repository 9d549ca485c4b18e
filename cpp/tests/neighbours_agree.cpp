// Compares kernels of `neighbours` with a plain double loop on random cases: `neighbours_agree CASES KERNEL…` prints how
// many agreed, and leaves with 1 at the first that did not. Needs no Python, so that it also runs under an emulator.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <utility>
#include <vector>

#include "../scan/neighbours.hpp"

using namespace saccade;

namespace {

std::mt19937_64 draw(7);

int64_t below(int64_t limit) { return int64_t(draw() % uint64_t(limit)); }

// Bytes of one kind: any, all zero, all ones, or few different ones, for ties.
std::vector<uint8_t> bytes(int64_t count) {
  const int64_t kind = below(4);
  std::vector<uint8_t> found(static_cast<std::size_t>(count));
  for (auto& byte : found) byte = kind == 0 ? uint8_t(draw()) : kind == 1 ? 0 : kind == 2 ? 255 : uint8_t(draw() & 1);
  return found;
}

bool is_right(const Neighbourhood& wanted, int64_t query, const uint32_t* distances, const uint32_t* numbers) {
  std::vector<std::pair<int64_t, int64_t>> all;
  for (int64_t row = 0; row < wanted.n; ++row) {
    int64_t sum = 0;
    for (int64_t i = 0; i < wanted.d; ++i) {
      const int64_t apart = int64_t(wanted.rows[row * wanted.d + i]) - wanted.queries[query * wanted.d + i];
      sum += wanted.squared ? apart * apart : std::abs(apart);
    }
    all.emplace_back(sum, row);
  }
  std::sort(all.begin(), all.end());
  for (int64_t i = 0; i < wanted.k; ++i)
    if (distances[i] != all[std::size_t(i)].first || numbers[i] != all[std::size_t(i)].second) return false;
  return true;
}

bool agrees(const char* kernel) {
  const int64_t d = 1 + below(below(20) ? 90 : MOST_NUMBERS), n = 1 + below(d > 90 ? 10 : 150), q = below(d > 90 ? 5 : 20);
  const auto rows = bytes(n * d), queries = bytes(q * d);
  const Neighbourhood wanted{n, q, d, 1 + below(n), rows.data(), queries.data(), below(2) == 0};
  const auto size = static_cast<std::size_t>(q * wanted.k);
  std::vector<uint32_t> distances(size), numbers(size);
  neighbours(kernel, wanted, 1 + int(below(3)), distances.data(), numbers.data());
  for (int64_t query = 0; query < q; ++query)
    if (!is_right(wanted, query, distances.data() + query * wanted.k, numbers.data() + query * wanted.k)) return false;
  return true;
}

}  // namespace

int main(int count, char** words) {
  const long cases = count > 1 ? std::atol(words[1]) : 1000;
  for (int kernel = 2; kernel < count; ++kernel) {
    for (long number = 0; number < cases; ++number)
      if (!agrees(words[kernel])) {
        std::printf("%s differs in case %ld\n", words[kernel], number);
        return 1;
      }
    std::printf("%s agrees in %ld cases\n", words[kernel], cases);
  }
}
