// Compares kernels of `nearest` with a plain triple loop on random cases: `nearest_agree CASES KERNEL…` prints how many
// agreed, and leaves with 1 at the first that did not. Needs no Python, so that it also runs under an emulator.
#include <cstdio>
#include <cstdlib>
#include <limits>
#include <random>
#include <vector>

#include "../scan/nearest.hpp"

using namespace saccade;

namespace {

std::mt19937_64 draw(7);

int64_t below(int64_t limit) { return int64_t(draw() % uint64_t(limit)); }

// Bytes of one kind: any, all zero, all ones, only the two ends of a signed byte, or few different ones, for ties.
std::vector<uint8_t> bytes(int64_t count) {
  const int64_t kind = below(5);
  std::vector<uint8_t> found(static_cast<std::size_t>(count));
  for (auto& byte : found)
    byte = kind == 0   ? uint8_t(draw())
           : kind == 1 ? 0
           : kind == 2 ? 255
           : kind == 3 ? uint8_t(draw() & 1 ? 127 : 128)
                       : uint8_t(draw() & 1);
  return found;
}

uint32_t best(const Assignment& wanted, int64_t row) {
  int64_t largest = std::numeric_limits<int64_t>::min();
  uint32_t centre = 0;
  for (int64_t c = 0; c < wanted.c; ++c) {
    int64_t sum = wanted.bias[c];
    for (int64_t i = 0; i < wanted.d; ++i) sum += wanted.rows[row * wanted.d + i] * wanted.centres[c * wanted.d + i];
    if (sum > largest) largest = sum, centre = uint32_t(c);
  }
  return centre;
}

bool agrees(const char* kernel) {
  const int64_t d = 1 + below(below(20) ? 70 : 4096), n = below(d > 70 ? 20 : 150), c = 1 + below(d > 70 ? 5 : 20);
  const auto rows = bytes(n * d), centres = bytes(c * d);
  std::vector<int32_t> bias;
  const int64_t range = below(2) ? 1 : int64_t(1) << 30;
  for (int64_t i = 0; i < c; ++i) bias.push_back(int32_t(below(2 * range + 1) - range));
  const Assignment wanted{n, c, d, rows.data(), reinterpret_cast<const int8_t*>(centres.data()), bias.data()};
  std::vector<uint32_t> found(static_cast<std::size_t>(n));
  nearest(kernel, wanted, 1 + int(below(3)), found.data());
  for (int64_t row = 0; row < n; ++row)
    if (found[std::size_t(row)] != best(wanted, row)) return false;
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
