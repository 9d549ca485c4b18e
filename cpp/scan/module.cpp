// What Python sees. Shapes and ranges are checked here, so that no call can read outside of its arrays.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <algorithm>
#include <cmath>
#include <optional>
#include <stdexcept>

#include "arrays.hpp"
#include "cells.hpp"
#include "find.hpp"
#include "nearest.hpp"
#include "rounds.hpp"

namespace nb = nanobind;
using namespace nb::literals;

namespace saccade {
namespace {

using Offsets = nb::ndarray<const float, nb::ndim<2>, nb::c_contig, nb::device::cpu>;
using Ranges = nb::ndarray<const int64_t, nb::c_contig, nb::device::cpu>;

const Kernel& kernel_named(const std::string& name) {
  for (const Kernel* kernel : kernels())
    if (kernel->name == name && kernel->usable()) return *kernel;
  throw std::invalid_argument("this processor has no kernel of that name");
}

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

// Codes of a gallery, with the arrays that they point into.
class Finder {
 public:
  Finder(const std::string& kernel, In<uint8_t, 1> head, int bits, In<uint8_t, 2> full,
         std::optional<In<uint16_t, 2>> truth, In<float, 2> rotation, In<float, 1> head_step, In<float, 1> full_step, In<uint32_t, 1> escaped,
         std::optional<In<uint32_t, 1>> order)
      : kernel_(kernel_named(kernel)), head_(head), full_(full), truth_(truth), rotation_(rotation),
        head_step_(head_step), full_step_(full_step), escaped_(escaped), order_(order) {
    require(is_bits(bits), "bits must be 1, 2 or 4");
    const int64_t rows = int64_t(full.shape(0)), d = int64_t(full.shape(1)), per_group = 32 / bits;
    require(d >= 1 && d <= 4096, "vectors must have 1 to 4096 components");
    require(rows < int64_t(0xffffffff), "a gallery holds fewer than 2^32 - 1 rows");
    const int64_t m = int64_t(head_step.shape(0)), groups = (m + per_group - 1) / per_group;
    require(m >= 1 && m <= d, "the head must cover 1 to d components");
    require(int64_t(head.shape(0)) == blocks_for(rows) * groups * GROUP_BYTES, "head has the wrong length");
    require(int64_t(rotation.shape(0)) == d && int64_t(rotation.shape(1)) == d, "rotation must be d x d");
    require(int64_t(full_step.shape(0)) == d && (!truth || int64_t(truth->shape(1)) == d), "all levels need d components");
    require(truth || !order, "an order needs the truth");
    require(!truth || order || int64_t(truth->shape(0)) >= rows, "truth must hold every row");
    require(!order || int64_t(order->shape(0)) == rows, "order must name every row");
    for (int64_t i = 0; order && i < rows; ++i)
      require(order->data()[i] < truth->shape(0), "order names a row that truth does not hold");
    for (size_t i = 0; i < escaped.shape(0); ++i) require(escaped.data()[i] < rows, "escaped names a row that is not there");
    codes_ = {rows, d, m, bits, int(groups), head.data(), full.data(), truth ? truth->data() : nullptr, order ? order->data() : nullptr,
              rotation.data(), head_step.data(), full_step.data(), {escaped.data(), escaped.shape(0)}};
  }

  nb::tuple find(In<float, 2> queries, int64_t k, int64_t survivors, int64_t finalists, int threads,
                 std::optional<In<uint8_t, 1>> allowed, std::optional<Ranges> ranges,
                 std::optional<Offsets> offsets, std::optional<Offsets> reach) const {
    require(codes_.truth, "find needs the truth; this finder has none: use shortlist");
    require(k >= 1, "k must be 1 or more");
    const Effort effort = checked(queries, survivors, finalists, threads, allowed);
    const auto asked = queries_of(queries, ranges, offsets, reach);
    const size_t count = queries.shape(0);
    k = std::min(k, codes_.rows);
    std::vector<float> scores(count * size_t(k), -INFINITY);
    std::vector<int64_t> rows(count * size_t(k), -1);
    if (k > 0) {
      nb::gil_scoped_release release;
      const auto found = saccade::find(codes_, kernel_, asked.queries, k, effort, allowed ? allowed->data() : nullptr);
      for (size_t i = 0; i < count; ++i)
        for (size_t j = 0; j < found[i].size(); ++j) {
          scores[i * size_t(k) + j] = found[i][j].score;
          rows[i * size_t(k) + j] = found[i][j].row;
        }
    }
    const size_t shape[] = {count, size_t(k)};
    return nb::make_tuple(array<float, 2>(std::move(scores), shape), array<int64_t, 2>(std::move(rows), shape));
  }

  Out<int64_t, 2> shortlist(In<float, 2> queries, int64_t k, int64_t survivors, int64_t finalists, int threads,
                            std::optional<In<uint8_t, 1>> allowed, std::optional<Ranges> ranges,
                            std::optional<Offsets> offsets, std::optional<Offsets> reach) const {
    require(k >= 1, "k must be 1 or more");
    const Effort effort = checked(queries, survivors, finalists, threads, allowed);
    const auto asked = queries_of(queries, ranges, offsets, reach);
    const size_t count = queries.shape(0);
    size_t longest = 0;
    std::vector<int64_t> positions;
    if (codes_.rows > 0) {
      nb::gil_scoped_release release;
      const auto found = shortlists(codes_, kernel_, asked.queries, k, effort, allowed ? allowed->data() : nullptr);
      for (const auto& list : found) longest = std::max(longest, list.size());
      positions.resize(count * longest, -1);
      for (size_t i = 0; i < count; ++i) std::copy(found[i].begin(), found[i].end(), positions.begin() + int64_t(i * longest));
    }
    const size_t shape[] = {count, longest};
    return array<int64_t, 2>(std::move(positions), shape);
  }

 private:
  // Queries, with the ranges that they point into.
  struct Asked {
    std::vector<Range> ranges;
    std::vector<Query> queries;
  };

  Effort checked(const In<float, 2>& queries, int64_t survivors, int64_t finalists, int threads,
                 const std::optional<In<uint8_t, 1>>& allowed) const {
    require(int64_t(queries.shape(1)) == codes_.d, "queries must be as long as the rows");
    for (size_t i = 0; i < queries.size(); ++i) require(std::isfinite(queries.data()[i]), "queries must be finite");
    require(survivors >= 1 && finalists >= 1, "survivors and finalists must be 1 or more");
    require(threads >= 1 && threads <= 1024, "threads must be 1 to 1024");
    require(!allowed || int64_t(allowed->shape(0)) == 2 * blocks_for(codes_.rows), "allowed must have a bit a row, in blocks of 16");
    return {std::min(survivors, std::max<int64_t>(1, codes_.rows)), std::min(finalists, std::max<int64_t>(1, codes_.rows)), threads};
  }

  // Ranges (r, 2) are every query's, ranges (q, r, 2) each its own.
  Asked queries_of(const In<float, 2>& queries, const std::optional<Ranges>& ranges,
                   const std::optional<Offsets>& offsets, const std::optional<Offsets>& reach) const {
    const size_t count = queries.shape(0);
    const bool own = ranges && ranges->ndim() == 3;
    Asked asked;
    if (ranges) {
      require((ranges->ndim() == 2 || own) && ranges->shape(ranges->ndim() - 1) == 2, "ranges must be (r, 2) or (q, r, 2)");
      require(!own || ranges->shape(0) == count, "ranges (q, r, 2) need as many q as there are queries");
      for (size_t i = 0; i < ranges->size(); i += 2) asked.ranges.push_back({ranges->data()[i], ranges->data()[i + 1]});
    } else {
      asked.ranges = {{0, blocks_for(codes_.rows)}};
    }
    const size_t length = own ? ranges->shape(1) : asked.ranges.size();
    for (size_t i = 0; i < (own ? count : 1); ++i) check_rising({asked.ranges.data() + i * length, length});
    for (size_t i = 0; i < count; ++i)
      asked.queries.push_back({queries.data() + int64_t(i) * codes_.d,
                               {asked.ranges.data() + (own ? i * length : 0), length},
                               row_of(offsets, i, count, length), row_of(reach, i, count, length)});
    return asked;
  }

  // Numbers of query number i, one a range.
  std::span<const float> row_of(const std::optional<Offsets>& numbers, size_t i, size_t count, size_t length) const {
    if (!numbers) return {};
    require(numbers->shape(0) == count && numbers->shape(1) == length, "offsets and reach must be (q, r), one a range");
    const std::span<const float> mine(numbers->data() + i * length, length);
    for (const float number : mine) require(std::isfinite(number), "offsets and reach must be finite");
    return mine;
  }

  void check_rising(std::span<const Range> ranges) const {
    int64_t reached = 0;
    for (const auto& range : ranges) {
      require(range.first >= reached && range.last >= range.first && range.last <= blocks_for(codes_.rows),
              "ranges must rise and lie inside the codes");
      reached = range.last;
    }
  }

  const Kernel& kernel_;
  In<uint8_t, 1> head_;
  In<uint8_t, 2> full_;
  std::optional<In<uint16_t, 2>> truth_;
  In<float, 2> rotation_;
  In<float, 1> head_step_, full_step_;
  In<uint32_t, 1> escaped_;
  std::optional<In<uint32_t, 1>> order_;
  Codes codes_{};
};

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
}  // namespace saccade

NB_MODULE(_kernel, m) {
  using namespace saccade;
  m.attr("NEAR") = NEAR;
  m.attr("DENSER") = DENSER;
  m.attr("OUTER_RADII") = OUTER_RADII;
  m.def("names", &names, "Names of the kernels that this processor can run, the fastest first.");
  bind_encode(m);
  m.def("head_scores", &head_scores, "kernel"_a, "packed"_a, "rows"_a, "bits"_a, "weights"_a);
  m.def("row_scores", &row_scores, "kernel"_a, "codes"_a, "weights"_a);
  m.def("dots", &dots, "kernel"_a, "half"_a, "query"_a);
  nb::class_<Finder>(m, "Finder")
      .def(nb::init<const std::string&, In<uint8_t, 1>, int, In<uint8_t, 2>, std::optional<In<uint16_t, 2>>,
                    In<float, 2>, In<float, 1>, In<float, 1>, In<uint32_t, 1>, std::optional<In<uint32_t, 1>>>(),
           "kernel"_a, "head"_a.noconvert(), "bits"_a, "full"_a.noconvert(), "truth"_a.none().noconvert(), "rotation"_a,
           "head_step"_a, "full_step"_a, "escaped"_a, "order"_a.none().noconvert() = nb::none())
      .def("find", &Finder::find, "queries"_a, "k"_a, "survivors"_a, "finalists"_a, "threads"_a = 1,
           "allowed"_a.none() = nb::none(), "ranges"_a.none() = nb::none(), "offsets"_a.none() = nb::none(), "reach"_a.none() = nb::none())
      .def("shortlist", &Finder::shortlist, "queries"_a, "k"_a, "survivors"_a, "finalists"_a, "threads"_a = 1,
           "allowed"_a.none() = nb::none(), "ranges"_a.none() = nb::none(), "offsets"_a.none() = nb::none(), "reach"_a.none() = nb::none());
  nb::class_<Chooser>(m, "Chooser")
      .def(nb::init<const std::string&, In<uint8_t, 2>, In<float, 1>, In<float, 2>, In<float, 1>, In<int64_t, 2>>(),
           "kernel"_a, "codes"_a, "steps"_a, "centres"_a, "radii"_a, "blocks"_a)
      .def("choose", &Chooser::choose, "components"_a, "probes"_a, "margin"_a);
  m.def("nearest", &nearest_centres, "kernel"_a, "rows"_a, "centres"_a, "bias"_a, "threads"_a = 1);
}
