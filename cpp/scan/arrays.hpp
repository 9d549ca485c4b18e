// Arrays as Python hands them in and gets them back, for the files that bind functions.
#pragma once

#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>

#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "kernels.hpp"

namespace saccade {

template <class T, int N>
using In = nanobind::ndarray<const T, nanobind::ndim<N>, nanobind::c_contig, nanobind::device::cpu>;
template <class T, int N>
using Out = nanobind::ndarray<nanobind::numpy, T, nanobind::ndim<N>>;

inline void require(bool holds, const char* what) {
  if (!holds) throw std::invalid_argument(what);
}

template <class T, int N>
Out<T, N> array(std::vector<T>&& values, const size_t (&shape)[N]) {
  auto* kept = new std::vector<T>(std::move(values));
  nanobind::capsule owner(kept, [](void* p) noexcept { delete static_cast<std::vector<T>*>(p); });
  return Out<T, N>(kept->data(), N, shape, owner);
}

inline bool is_bits(int bits) { return bits == 1 || bits == 2 || bits == 4; }

inline int64_t blocks_for(int64_t rows) { return (rows + LANES - 1) / LANES; }

// The kernel that Python asks for; invalid_argument where this processor cannot run it.
inline const Kernel& kernel_named(const std::string& name) {
  for (const Kernel* kernel : kernels())
    if (kernel->name == name && kernel->usable()) return *kernel;
  throw std::invalid_argument("this processor has no kernel of that name");
}

// What the other files of the module add to it.
void bind_encode(nanobind::module_& m);
void bind_cells(nanobind::module_& m);
void bind_find(nanobind::module_& m);
void bind_neighbours(nanobind::module_& m);

}  // namespace saccade
