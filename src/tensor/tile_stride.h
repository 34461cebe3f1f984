#pragma once
// How far apart rows should lie that products read or write in tiles.

#include <cstddef>

namespace hone::tensor {

// Columns to allocate for rows of `cols` floats: an odd number of cache lines from row to row. With
// a round number the rows of a tile fall into the same few sets of the first cache and push one
// another out (3072 columns: a fifth of the speed of dX).
constexpr size_t tile_stride(size_t cols) { return cols == 0 ? 0 : (((cols + 15) / 16) | 1) * 16; }

}  // namespace hone::tensor
