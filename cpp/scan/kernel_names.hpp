#pragma once

#include <string_view>

namespace saccade {

// The kernel whose loops serve where the one of this name has none of its own.
inline std::string_view shared_kernel(std::string_view name) {
  return name == "avx512vbmi" ? "avx512" : name;
}

}  // namespace saccade
