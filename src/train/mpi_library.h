#pragma once
// What libhone_mpi.so offers: the few calls of MPI that a run needs, in plain C, so that the program
// itself links no MPI (decisions 2.5). One process, one thread at a time.
//
// Calls return 0 or MPI's error code, for `describe`.

#include <cstddef>
#include <cstdint>

extern "C" {

struct HoneMpi {
  int version;  // kHoneMpiVersion
  int (*start)(int* rank, int* size);
  int (*sum)(int64_t* values, uint64_t count);              // over all ranks, in place
  int (*broadcast)(void* bytes, uint64_t count, int from);  // counts are equal everywhere
  int (*all_arrived)(int* yes);  // whether every rank has called it; does not wait
  int (*finish)();               // the last call, on every rank
  void (*abort)(int code);       // ends every rank; does not return
  void (*describe)(int error, char* text, size_t room);
};

const HoneMpi* hone_mpi();
}

inline constexpr int kHoneMpiVersion = 1;
