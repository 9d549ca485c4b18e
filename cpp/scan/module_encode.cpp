// What Python sees of the making of codes. Shapes and ranges are checked here, as in module.cpp.
#include <algorithm>

#include "arrays.hpp"
#include "encode.hpp"
#include "survivors.hpp"

namespace nb = nanobind;
using namespace nb::literals;

namespace saccade {
namespace {

template <int N>
using Writable = nb::ndarray<uint8_t, nb::ndim<N>, nb::c_contig, nb::device::cpu>;

constexpr size_t AHEAD_ROWS = 8;  // that are called for while one is read

Out<uint8_t, 1> packed(In<uint8_t, 2> codes, int bits) {
  require(is_bits(bits), "bits must be 1, 2 or 4");
  const int64_t rows = int64_t(codes.shape(0)), m = int64_t(codes.shape(1)), per_group = 32 / bits;
  require(m > 0 && m % per_group == 0, "the head's components must be a multiple of 32 / bits");
  const int64_t groups = m / per_group;
  std::vector<uint8_t> found(size_t(blocks_for(rows) * groups * GROUP_BYTES));
  {
    nb::gil_scoped_release release;
    for (int64_t row = 0; row < rows; ++row) {
      uint8_t* block = found.data() + row / LANES * groups * GROUP_BYTES;
      pack(codes.data() + row * m, bits, groups, block + row % LANES * (GROUP_BYTES / LANES));
    }
  }
  const size_t shape[] = {found.size()};
  return array<uint8_t, 1>(std::move(found), shape);
}

nb::tuple quantised(In<float, 2> values, In<float, 1> steps, int bits) {
  require(is_bits(bits) || bits == 8, "bits must be 1, 2, 4 or 8");
  require(steps.shape(0) == values.shape(1), "one step a component is needed");
  const size_t rows = values.shape(0), d = values.shape(1);
  std::vector<uint8_t> codes(rows * d), outside(rows);
  {
    nb::gil_scoped_release release;
    const auto factors = factors_of(steps.data(), d);
    for (size_t row = 0; row < rows; ++row)
      outside[row] = quantise(values.data() + row * d, factors.data(), int64_t(d), bits, codes.data() + row * d);
  }
  const size_t both[] = {rows, d}, one[] = {rows};
  return nb::make_tuple(array<uint8_t, 2>(std::move(codes), both), array<uint8_t, 1>(std::move(outside), one));
}

Out<float, 2> centred(In<uint16_t, 2> half, In<float, 1> mean, In<int64_t, 1> order) {
  const size_t d = half.shape(1), count = order.shape(0);
  require(mean.shape(0) == d, "the mean must be as long as a row");
  for (size_t i = 0; i < count; ++i)
    require(order.data()[i] < int64_t(half.shape(0)), "order names a row that is not there");
  std::vector<float> values(count * d);
  {
    nb::gil_scoped_release release;
    const auto at = [&](size_t i) { return half.data() + size_t(std::max<int64_t>(0, order.data()[i])) * d; };
    for (size_t i = 0; i < count; ++i) {
      if (i + AHEAD_ROWS < count) prefetch(at(i + AHEAD_ROWS), int64_t(2 * d));
      if (order.data()[i] >= 0) widen(at(i), mean.data(), int64_t(d), values.data() + i * d);
    }
  }
  const size_t shape[] = {count, d};
  return array<float, 2>(std::move(values), shape);
}

Out<uint8_t, 1> encoded(In<float, 2> components, In<bool, 1> filled, In<float, 2> centres, In<int64_t, 1> cell,
                        In<float, 1> head_step, int bits, In<float, 1> full_step, Writable<1> head, Writable<2> full) {
  require(is_bits(bits), "bits must be 1, 2 or 4");
  const int64_t rows = int64_t(components.shape(0)), d = int64_t(components.shape(1)), m = int64_t(head_step.shape(0));
  const int64_t per_group = 32 / bits, groups = (m + per_group - 1) / per_group, blocks = blocks_for(rows);
  require(m >= 1 && m <= d, "the head must cover 1 to d components");
  require(int64_t(full_step.shape(0)) == d, "one step a component is needed");
  require(int64_t(filled.shape(0)) == rows, "filled must tell of every row");
  require(int64_t(centres.shape(1)) == m, "centres must have the head's components");
  require(int64_t(cell.shape(0)) == blocks, "every block needs a cell");
  for (int64_t i = 0; i < blocks; ++i)
    require(cell.data()[i] >= 0 && cell.data()[i] < int64_t(centres.shape(0)), "a block's cell has no centre");
  require(int64_t(head.shape(0)) == blocks * groups * GROUP_BYTES, "head has the wrong length");
  require(int64_t(full.shape(0)) == rows && int64_t(full.shape(1)) == d, "full must be as large as components");
  std::vector<uint8_t> outside(static_cast<size_t>(rows));
  {
    nb::gil_scoped_release release;
    encode({rows, d, m, bits, int(groups), components.data(), centres.data(), head_step.data(), full_step.data(),
            cell.data(), filled.data(), head.data(), full.data(), outside.data()});
  }
  const size_t shape[] = {outside.size()};
  return array<uint8_t, 1>(std::move(outside), shape);
}

}  // namespace

void bind_encode(nb::module_& m) {
  m.def("pack", &packed, "codes"_a, "bits"_a);
  m.def("quantise", &quantised, "values"_a, "steps"_a, "bits"_a);
  m.def("centred", &centred, "half"_a.noconvert(), "mean"_a, "order"_a);
  m.def("encode", &encoded, "components"_a, "filled"_a, "centres"_a, "cell"_a, "head_step"_a, "bits"_a, "full_step"_a,
        "head"_a.noconvert(), "full"_a.noconvert());
}

}  // namespace saccade
