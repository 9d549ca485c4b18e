// The reference: C++ without special instructions.
#include <array>
#include <limits>

#include "nearest_tile.hpp"

namespace saccade {
namespace {

struct Plain {
  static constexpr int PER_WORD = 1, LANES = 16, REGISTERS = 1, CENTRES = 1;
  using Codes = const int32_t*;
  using Sums = std::array<int32_t, LANES>;
  struct Best {
    Sums sum;
    std::array<uint32_t, LANES> centre;
  };

  static Codes load(const int32_t* words) { return words; }
  static Sums start(int32_t bias) {
    Sums sums;
    sums.fill(bias);
    return sums;
  }
  static void add(Sums& sums, Codes codes, int32_t weight) {
    for (int lane = 0; lane < LANES; ++lane) sums[lane] += codes[lane] * weight;
  }
  static Best none() { return {start(std::numeric_limits<int32_t>::min()), {}}; }
  static void keep(Best& best, const Sums& sums, uint32_t centre) {
    for (int lane = 0; lane < LANES; ++lane)
      if (sums[lane] > best.sum[lane]) best.sum[lane] = sums[lane], best.centre[lane] = centre;
  }
  static void store(const Best& best, uint32_t* found) {
    for (int lane = 0; lane < LANES; ++lane) found[lane] = best.centre[lane];
  }
};

}  // namespace

const NearestKernel plain_nearest = nearest_kernel<Plain>("plain");

}  // namespace saccade
