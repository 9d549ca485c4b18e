#include "cells.hpp"

#include <algorithm>
#include <cmath>
#include <functional>

namespace saccade {
namespace {

constexpr double MOST = 1 << 29;  // that is added to a product of whole numbers
constexpr int SUMS = 16;  // of a product, side by side

float product(const float* a, const float* b, int64_t d) {
  float sums[SUMS] = {};
  int64_t i = 0;
  for (; i + SUMS <= d; i += SUMS)
    for (int j = 0; j < SUMS; ++j) sums[j] += a[i + j] * b[i + j];
  for (int j = 0; i < d; ++i, ++j) sums[j] += a[i] * b[i];
  float total = 0;
  for (const float sum : sums) total += sum;
  return total;
}

// The likeliest cells' numbers, rising.
std::vector<uint32_t> likeliest(const CellTable& table, const Kernel& kernel, const float* components, int64_t probes) {
  const float factor = weight_factor(components, table.steps, table.d);
  const auto weights = whole_weights(components, table.steps, table.d, factor);
  std::vector<uint64_t> keys;
  keys.reserve(size_t(table.cells));
  for (int64_t cell = 0; cell < table.cells; ++cell) {
    const double outwards = std::min(double(OUTER_RADII * table.radii[cell]) * factor, MOST);
    const int32_t reach = kernel.row(table.codes + cell * table.d, weights.data(), table.d) + int32_t(std::lrint(outwards));
    keys.push_back(Best::key(reach, uint32_t(cell)));
  }
  std::nth_element(keys.begin(), keys.begin() + (probes - 1), keys.end(), std::greater<>());
  std::vector<uint32_t> found;
  for (int64_t i = 0; i < probes; ++i) found.push_back(Best::row(keys[size_t(i)]));
  std::sort(found.begin(), found.end());
  return found;
}

}  // namespace

void likely_cells(const CellTable& table, const Kernel& kernel, const float* components, Likely found) {
  for (const uint32_t cell : likeliest(table, kernel, components, found.probes)) {
    *found.blocks++ = table.blocks[2 * cell];
    *found.blocks++ = table.blocks[2 * cell + 1];
    *found.products = product(table.centres + cell * table.d, components, table.d);
    *found.reach++ = *found.products++ + found.margin * table.radii[cell];
  }
}

}  // namespace saccade
