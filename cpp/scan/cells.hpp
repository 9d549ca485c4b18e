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
  const float* radii;     // c: how far a cell's rows lie from its centre, in one direction
  const int64_t* blocks;  // c x 2: the first block, and that behind the last
};

constexpr float OUTER_RADII = 2;  // from a centre to its outer rows

// Where the cells that a query looks at are written, `probes` of each (1 to c), in rising order.
struct Likely {
  int64_t probes;
  int64_t* blocks;  // probes x 2
  float* products;  // of the centres with the query's components
  float* reach;     // those, `margin` radii further
  float margin;
};

// The likeliest cells: ranked by whole numbers, of equal ones the lower first.
void likely_cells(const CellTable& table, const Kernel& kernel, const float* components, Likely found);

}  // namespace saccade
