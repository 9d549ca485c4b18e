// What Python sees of cells: which of them a query looks at, and which is nearest to a row. Shapes and ranges are checked
// here, as in module.cpp.
#include <nanobind/stl/string.h>

#include <cmath>

#include "arrays.hpp"
#include "cells.hpp"
#include "nearest.hpp"

namespace nb = nanobind;
using namespace nb::literals;

namespace saccade {
namespace {

// The cells of a gallery, with the arrays that they point into.
class Chooser {
 public:
  Chooser(const std::string& kernel, In<uint8_t, 2> codes, In<float, 1> steps, In<float, 2> centres, In<float, 1> radii,
          In<int64_t, 2> blocks)
      : kernel_(kernel_named(kernel)), codes_(codes), steps_(steps), centres_(centres), radii_(radii), blocks_(blocks) {
    const int64_t cells = int64_t(codes.shape(0)), d = int64_t(codes.shape(1));
    require(cells >= 1 && cells < int64_t(0xffffffff), "there must be a cell, and fewer than 2^32 - 1");
    require(d >= 1 && d <= 4096, "centres must have 1 to 4096 components");
    require(int64_t(steps.shape(0)) == d, "one step a component is needed");
    require(int64_t(centres.shape(0)) == cells && int64_t(centres.shape(1)) == d, "centres must be as their codes");
    require(int64_t(radii.shape(0)) == cells && int64_t(blocks.shape(0)) == cells && blocks.shape(1) == 2,
            "radii and blocks must have a row a cell");
    for (int64_t i = 0; i < cells; ++i) require(std::isfinite(radii.data()[i]) && radii.data()[i] >= 0, "radii must be finite and not negative");
    table_ = {cells, d, codes.data(), steps.data(), centres.data(), radii.data(), blocks.data()};
  }

  nb::tuple choose(In<float, 2> components, int64_t probes, float margin) const {
    require(int64_t(components.shape(1)) == table_.d, "queries must be as long as the centres");
    for (size_t i = 0; i < components.size(); ++i) require(std::isfinite(components.data()[i]), "queries must be finite");
    require(probes >= 1 && probes <= table_.cells, "probes must be 1 to the number of cells");
    require(std::isfinite(margin), "the margin must be finite");
    const size_t count = components.shape(0), width = size_t(probes);
    std::vector<int64_t> blocks(count * width * 2);
    std::vector<float> products(count * width), reach(count * width);
    {
      nb::gil_scoped_release release;
      for (size_t i = 0; i < count; ++i)
        likely_cells(table_, kernel_, components.data() + int64_t(i) * table_.d,
                     {probes, blocks.data() + i * width * 2, products.data() + i * width, reach.data() + i * width, margin});
    }
    const size_t three[] = {count, width, 2}, two[] = {count, width};
    return nb::make_tuple(array<int64_t, 3>(std::move(blocks), three), array<float, 2>(std::move(products), two),
                          array<float, 2>(std::move(reach), two));
  }

 private:
  const Kernel& kernel_;
  In<uint8_t, 2> codes_;
  In<float, 1> steps_;
  In<float, 2> centres_;
  In<float, 1> radii_;
  In<int64_t, 2> blocks_;
  CellTable table_{};
};

Out<uint32_t, 1> nearest_centres(const std::string& kernel, In<uint8_t, 2> rows, In<int8_t, 2> centres,
                                 In<int32_t, 1> bias, int threads) {
  const Assignment wanted{int64_t(rows.shape(0)), int64_t(centres.shape(0)), int64_t(rows.shape(1)),
                          rows.data(), centres.data(), bias.data()};
  require(wanted.d >= 1 && wanted.d <= 4096, "rows must have 1 to 4096 components");
  require(int64_t(centres.shape(1)) == wanted.d, "centres must have as many components as the rows");
  require(wanted.c >= 1 && wanted.c < int64_t(0xffffffff), "there must be a centre, and fewer than 2^32 - 1");
  require(int64_t(bias.shape(0)) == wanted.c, "one bias a centre is needed");
  for (int64_t i = 0; i < wanted.c; ++i)
    require(bias.data()[i] >= -(1 << 30) && bias.data()[i] <= 1 << 30, "a bias must lie between -2^30 and 2^30");
  require(threads >= 1 && threads <= 1024, "threads must be 1 to 1024");
  const char* name = kernel_named(kernel).name;
  std::vector<uint32_t> found(rows.shape(0));
  {
    nb::gil_scoped_release release;
    nearest(name, wanted, threads, found.data());
  }
  const size_t shape[] = {found.size()};
  return array<uint32_t, 1>(std::move(found), shape);
}

}  // namespace

void bind_cells(nb::module_& m) {
  m.attr("OUTER_RADII") = OUTER_RADII;
  nb::class_<Chooser>(m, "Chooser")
      .def(nb::init<const std::string&, In<uint8_t, 2>, In<float, 1>, In<float, 2>, In<float, 1>, In<int64_t, 2>>(),
           "kernel"_a, "codes"_a, "steps"_a, "centres"_a, "radii"_a, "blocks"_a)
      .def("choose", &Chooser::choose, "components"_a, "probes"_a, "margin"_a);
  m.def("nearest", &nearest_centres, "kernel"_a, "rows"_a, "centres"_a, "bias"_a, "threads"_a = 1);
}

}  // namespace saccade
