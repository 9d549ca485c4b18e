// What Python sees of nearest neighbours among bytes. Shapes and ranges are checked here, as in module.cpp.
#include <nanobind/stl/string.h>

#include "arrays.hpp"
#include "neighbours.hpp"

namespace nb = nanobind;
using namespace nb::literals;

namespace saccade {
namespace {

nb::tuple found(const std::string& kernel, In<uint8_t, 2> rows, In<uint8_t, 2> queries, int64_t k,
                const std::string& distance, int threads) {
  const int64_t n = int64_t(rows.shape(0)), q = int64_t(queries.shape(0)), d = int64_t(rows.shape(1));
  require(int64_t(queries.shape(1)) == d, "queries must be as long as the rows");
  require(d >= 1 && d <= MOST_NUMBERS, "rows must have 1 to 32768 numbers");
  require(n < int64_t(0xffffffff), "there must be fewer than 2^32 - 1 rows");
  require(k >= 1 && k <= n, "k must be 1 to the number of rows");
  require(distance == "l1" || distance == "l2", "the distance must be l1 or l2");
  require(threads >= 1 && threads <= 1024, "threads must be 1 to 1024");
  const Kernel& usable = kernel_named(kernel);
  std::vector<uint32_t> distances(size_t(q * k)), numbers(size_t(q * k));
  {
    nb::gil_scoped_release release;
    const Neighbourhood wanted{n, q, d, k, rows.data(), queries.data(), distance == "l2"};
    neighbours(usable.name, wanted, threads, distances.data(), numbers.data());
  }
  const size_t shape[] = {size_t(q), size_t(k)};
  return nb::make_tuple(array<uint32_t, 2>(std::move(distances), shape), array<uint32_t, 2>(std::move(numbers), shape));
}

}  // namespace

void bind_neighbours(nb::module_& m) {
  m.def("neighbours", &found, "kernel"_a, "rows"_a, "queries"_a, "k"_a, "distance"_a, "threads"_a = 1);
}

}  // namespace saccade
