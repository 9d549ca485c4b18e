// Which cells a query looks at: those whose outer rows may be most similar to it.
#pragma once

#include "kernels.hpp"

namespace saccade {

// Of c cells. A centre's 8-bit code times the step, by component, is the centre but for a constant.
struct CellTable {
  int64_t cells, d;
  const uint8_t* codes;   // c x d
  const float* steps;     // d
  const float* centres;   // c x d
  const float* outwards;  // how much further than its centre the outer rows of a cell may reach
  const int64_t* blocks;  // c x 2: the first block, and that behind the last
};

// Writes the blocks (probes x 2) of the likeliest cells, in rising order, and the products of their centres with the
// query's components. Cells are ranked by whole numbers, of equal ones the lower first. `probes`: 1 to c.
void likely_cells(const CellTable& table, const Kernel& kernel, const float* components, int64_t probes, int64_t* blocks,
                  float* products);

}  // namespace saccade
