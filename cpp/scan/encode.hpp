// From vectors to codes, a row at a time. No loop has a branch, so that a compiler can take several values at once.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace saccade {

// values[i] = half[i] - mean[i], for d half floats; exact but for the one rounding of the difference.
void widen(const uint16_t* half, const float* mean, int64_t d, float* values);

// 1 / step of each component, and 0 where the step is 0.
std::vector<float> factors_of(const float* steps, std::size_t count);

// codes[i] = floor(values[i] * factors[i] + 2^bits / 2), cut to 0 ... 2^bits - 1; whether a value was out of that range.
bool quantise(const float* values, const float* factors, int64_t count, int bits, uint8_t* codes);

// One row's 32 / bits * groups codes into its lane of a block; `lane` is where the row's 4 bytes of group 0 stand.
void pack(const uint8_t* codes, int bits, int64_t groups, uint8_t* lane);

// Where the codes of `rows` rows go, from the start of a block. Block i belongs to the cell cell[i] of those whose
// centres (m components each) follow each other; a row that is not `filled` gets zeros.
struct Encoding {
  int64_t rows, d, m;
  int bits, groups;
  const float *components, *centres, *head_step, *full_step;
  const int64_t* cell;
  const bool* filled;
  uint8_t *head, *full, *outside;
};

void encode(const Encoding& wanted);

}  // namespace saccade
