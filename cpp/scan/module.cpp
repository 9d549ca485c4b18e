// What Python sees. Shapes and ranges are checked here, so that no call can read outside of its arrays.
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include "arrays.hpp"

namespace nb = nanobind;
using namespace nb::literals;

namespace saccade {
namespace {

std::vector<std::string> names() {
  std::vector<std::string> found;
  for (const Kernel* kernel : kernels())
    if (kernel->usable()) found.emplace_back(kernel->name);
  return found;
}

Out<int32_t, 1> head_scores(const std::string& kernel, In<uint8_t, 1> packed, int64_t rows, int bits,
                            In<int8_t, 1> weights) {
  require(is_bits(bits), "bits must be 1, 2 or 4");
  const int64_t m = int64_t(weights.shape(0));
  require(m > 0 && m % (32 / bits) == 0, "the head's components must be a multiple of 32 / bits");
  const int groups = int(m / (32 / bits));
  require(rows >= 0 && int64_t(packed.shape(0)) == blocks_for(rows) * groups * GROUP_BYTES, "packed has the wrong length");
  std::vector<int32_t> scores(size_t(blocks_for(rows) * LANES));
  kernel_named(kernel).head(packed.data(), blocks_for(rows), packed_weights(weights.data(), bits, groups), scores.data());
  scores.resize(size_t(rows));
  const size_t shape[] = {scores.size()};
  return array<int32_t, 1>(std::move(scores), shape);
}

Out<int32_t, 1> row_scores(const std::string& kernel, In<uint8_t, 2> codes, In<int8_t, 1> weights) {
  require(weights.shape(0) == codes.shape(1), "one weight a component is needed");
  const Kernel& chosen = kernel_named(kernel);
  std::vector<int32_t> scores(codes.shape(0));
  for (size_t row = 0; row < scores.size(); ++row)
    scores[row] = chosen.row(codes.data() + row * codes.shape(1), weights.data(), int64_t(codes.shape(1)));
  const size_t shape[] = {scores.size()};
  return array<int32_t, 1>(std::move(scores), shape);
}

Out<float, 1> dots(const std::string& kernel, In<uint16_t, 2> half, In<float, 1> query) {
  require(query.shape(0) == half.shape(1), "the query must be as long as a row");
  const Kernel& chosen = kernel_named(kernel);
  std::vector<float> scores(half.shape(0));
  for (size_t row = 0; row < scores.size(); ++row)
    scores[row] = chosen.dot(half.data() + row * half.shape(1), query.data(), int64_t(half.shape(1)));
  const size_t shape[] = {scores.size()};
  return array<float, 1>(std::move(scores), shape);
}

}  // namespace
}  // namespace saccade

NB_MODULE(_kernel, m) {
  using namespace saccade;
  m.def("names", &names, "Names of the kernels that this processor can run, the fastest first.");
  bind_encode(m);
  m.def("head_scores", &head_scores, "kernel"_a, "packed"_a, "rows"_a, "bits"_a, "weights"_a);
  m.def("row_scores", &row_scores, "kernel"_a, "codes"_a, "weights"_a);
  m.def("dots", &dots, "kernel"_a, "half"_a, "query"_a);
  bind_cells(m);
  bind_find(m);
  bind_neighbours(m);
}
