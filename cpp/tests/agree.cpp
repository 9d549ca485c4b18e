// Compares every kernel of this build with the plain one on random cases: `agree CASES` prints how many agreed, and
// leaves with 1 at the first that did not. Needs no Python, so that it also runs under an emulator.
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <random>

#include "../scan/kernels.hpp"

using namespace saccade;

namespace {

std::mt19937_64 draw(7);

int64_t below(int64_t limit) { return int64_t(draw() % uint64_t(limit)); }

// Bytes of one kind: any, all zero, all ones, one value repeated, or only zeros and ones.
std::vector<uint8_t> bytes(int64_t count) {
  const int64_t kind = below(5);
  const auto one = uint8_t(draw());
  std::vector<uint8_t> found(static_cast<std::size_t>(count));
  for (auto& byte : found)
    byte = kind == 0 ? uint8_t(draw()) : kind == 1 ? 0 : kind == 2 ? 255 : kind == 3 ? one : uint8_t(draw() & 1 ? 255 : 0);
  return found;
}

// Signed weights, -127 to 127.
std::vector<int8_t> weights(int64_t count) {
  std::vector<int8_t> found;
  for (const uint8_t byte : bytes(count)) found.push_back(int8_t(byte == 128 ? 127 : int8_t(byte)));
  return found;
}

// A batch of queries at once, against each of them alone with the plain kernel.
bool collects_as_plain(const Kernel& kernel, const std::vector<uint8_t>& codes, int64_t blocks, int64_t rows,
                       const Weights& first, const std::vector<int32_t>& scores) {
  const auto allowed = bytes(2 * blocks);
  const uint8_t* mask = below(2) ? allowed.data() : nullptr;
  const int64_t count = below(2 * TOGETHER + 2), from = below(blocks + 1);
  const Range range{from, from + below(blocks - from + 1)};
  std::vector<Weights> queries;
  std::vector<Best> best, expected;
  for (int64_t i = 0; i < count; ++i) {
    queries.push_back(i ? packed_weights(weights(32 / first.bits * first.groups).data(), first.bits, first.groups) : first);
    const int32_t threshold = scores.empty() ? 0 : scores[std::size_t(below(int64_t(scores.size())))] - 1;
    const int64_t keep = 1 + below(40);
    best.emplace_back(keep, threshold);
    expected.emplace_back(keep, threshold);
  }
  std::vector<Asking> asking;
  for (std::size_t i = 0; i < queries.size(); ++i) {
    const int32_t offset = int32_t(below(2001)) - 1000;
    asking.push_back({&queries[i], &best[i], offset});
    const Asking alone{&queries[i], &expected[i], offset};
    plain_kernel.collect(codes.data(), range, &alone, 1, rows, mask);
  }
  kernel.collect(codes.data(), range, asking.data(), asking.size(), rows, mask);
  for (std::size_t i = 0; i < queries.size(); ++i)
    if (best[i].take() != expected[i].take()) return false;
  return true;
}

bool head_agrees(const Kernel& kernel) {
  const int bits = 1 << below(3), groups = 1 + int(below(12));
  const int64_t blocks = below(below(4) ? 20 : 100), rows = std::max<int64_t>(0, blocks * LANES - below(LANES));
  const auto codes = bytes(blocks * groups * GROUP_BYTES);
  const Weights packed = packed_weights(weights(32 / bits * groups).data(), bits, groups);
  std::vector<int32_t> mine(std::size_t(blocks * LANES)), plain(mine.size());
  kernel.head(codes.data(), blocks, packed, mine.data());
  plain_kernel.head(codes.data(), blocks, packed, plain.data());
  if (mine != plain) return false;
  return collects_as_plain(kernel, codes, blocks, rows, packed, plain);
}

bool rows_agree(const Kernel& kernel) {
  const int64_t d = 1 + below(below(10) ? 300 : 4096);
  const auto codes = bytes(d), pairs = bytes(2 * d);
  const auto signs = weights(d);
  if (kernel.row(codes.data(), signs.data(), d) != plain_kernel.row(codes.data(), signs.data(), d)) return false;
  std::vector<uint16_t> half;
  std::vector<float> query;
  for (int64_t i = 0; i < d; ++i) {
    half.push_back(uint16_t((pairs[std::size_t(2 * i)] << 8 | pairs[std::size_t(2 * i + 1)]) & 0xbbff));  // finite
    query.push_back(float(below(2001) - 1000) / 700);
  }
  const float mine = kernel.dot(half.data(), query.data(), d), plain = plain_kernel.dot(half.data(), query.data(), d);
  return std::memcmp(&mine, &plain, sizeof mine) == 0;
}

}  // namespace

int main(int count, char** words) {
  const long cases = count > 1 ? std::atol(words[1]) : 10000;
  for (const Kernel* kernel : kernels()) {
    if (!kernel->usable()) continue;
    for (long number = 0; number < cases; ++number)
      if (!head_agrees(*kernel) || !rows_agree(*kernel)) {
        std::printf("%s differs from plain in case %ld\n", kernel->name, number);
        return 1;
      }
    std::printf("%s agrees with plain in %ld cases\n", kernel->name, cases);
  }
}
