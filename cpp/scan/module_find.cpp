// What Python sees of the search. Shapes and ranges are checked here, as in module.cpp.
#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>

#include <algorithm>
#include <cmath>
#include <optional>

#include "arrays.hpp"
#include "find.hpp"
#include "rounds.hpp"

namespace nb = nanobind;
using namespace nb::literals;

namespace saccade {
namespace {

using Offsets = nb::ndarray<const float, nb::ndim<2>, nb::c_contig, nb::device::cpu>;
using Ranges = nb::ndarray<const int64_t, nb::c_contig, nb::device::cpu>;

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

}  // namespace

void bind_find(nb::module_& m) {
  m.attr("NEAR") = NEAR;
  m.attr("DENSER") = DENSER;
  nb::class_<Finder>(m, "Finder")
      .def(nb::init<const std::string&, In<uint8_t, 1>, int, In<uint8_t, 2>, std::optional<In<uint16_t, 2>>,
                    In<float, 2>, In<float, 1>, In<float, 1>, In<uint32_t, 1>, std::optional<In<uint32_t, 1>>>(),
           "kernel"_a, "head"_a.noconvert(), "bits"_a, "full"_a.noconvert(), "truth"_a.none().noconvert(), "rotation"_a,
           "head_step"_a, "full_step"_a, "escaped"_a, "order"_a.none().noconvert() = nb::none())
      .def("find", &Finder::find, "queries"_a, "k"_a, "survivors"_a, "finalists"_a, "threads"_a = 1,
           "allowed"_a.none() = nb::none(), "ranges"_a.none() = nb::none(), "offsets"_a.none() = nb::none(), "reach"_a.none() = nb::none())
      .def("shortlist", &Finder::shortlist, "queries"_a, "k"_a, "survivors"_a, "finalists"_a, "threads"_a = 1,
           "allowed"_a.none() = nb::none(), "ranges"_a.none() = nb::none(), "offsets"_a.none() = nb::none(), "reach"_a.none() = nb::none());
}

}  // namespace saccade
