// libhone_mpi.so: the only file that knows MPI, opened by mpi_ranks.cc under mpirun and never else.
#include "train/mpi_library.h"

#include <mpi.h>

#include <algorithm>
#include <cstdio>

namespace {

constexpr uint64_t kValuesAtOnce = uint64_t{1} << 20;  // what MPI copies beside the sums: 8 MB
constexpr uint64_t kBytesAtOnce = uint64_t{64} << 20;  // MPI counts in int

MPI_Comm arrivals = MPI_COMM_NULL;  // of its own, so that it meets no other call
MPI_Request arrival = MPI_REQUEST_NULL;
bool has_arrived = false;

int start(int* rank, int* size) {
  int provided = 0;
  int error = MPI_Init_thread(nullptr, nullptr, MPI_THREAD_SERIALIZED, &provided);
  if (error != MPI_SUCCESS) return error;
  // A lost rank is told to the caller, who knows what to say of it.
  MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN);
  error = MPI_Comm_dup(MPI_COMM_WORLD, &arrivals);
  if (error != MPI_SUCCESS) return error;
  error = MPI_Comm_rank(MPI_COMM_WORLD, rank);
  return error != MPI_SUCCESS ? error : MPI_Comm_size(MPI_COMM_WORLD, size);
}

int sum(int64_t* values, uint64_t count) {
  for (uint64_t done = 0; done < count;) {
    const uint64_t some = std::min(count - done, kValuesAtOnce);
    const int error = MPI_Allreduce(MPI_IN_PLACE, values + done, static_cast<int>(some),
                                    MPI_INT64_T, MPI_SUM, MPI_COMM_WORLD);
    if (error != MPI_SUCCESS) return error;
    done += some;
  }
  return 0;
}

int broadcast(void* bytes, uint64_t count, int from) {
  char* at = static_cast<char*>(bytes);
  for (uint64_t done = 0; done < count;) {
    const uint64_t some = std::min(count - done, kBytesAtOnce);
    const int error = MPI_Bcast(at + done, static_cast<int>(some), MPI_BYTE, from, MPI_COMM_WORLD);
    if (error != MPI_SUCCESS) return error;
    done += some;
  }
  return 0;
}

int all_arrived(int* yes) {
  if (!has_arrived) {
    has_arrived = true;
    const int error = MPI_Ibarrier(arrivals, &arrival);
    if (error != MPI_SUCCESS) return error;
  }
  return MPI_Test(&arrival, yes, MPI_STATUS_IGNORE);
}

int finish() { return MPI_Finalize(); }

void abort_all(int code) { MPI_Abort(MPI_COMM_WORLD, code); }

void describe(int error, char* text, size_t room) {
  char words[MPI_MAX_ERROR_STRING] = {};
  int length = 0;
  if (MPI_Error_string(error, words, &length) != MPI_SUCCESS) length = 0;
  std::snprintf(text, room, "%.*s", length, words);
}

constexpr HoneMpi kTable = {kHoneMpiVersion, start,  sum,       broadcast,
                            all_arrived,     finish, abort_all, describe};

}  // namespace

extern "C" const HoneMpi* hone_mpi() { return &kTable; }
