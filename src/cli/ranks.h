#pragma once
// This process as one of several that mpirun started: hone train alone runs so. Opened once, by main.
//
// What an end means: when every rank comes to an error, rank 0 says it and all go; when one does and
// the others wait for it, it says so itself and takes them along. SIGTERM is how mpirun ends the ranks
// that a dead one has left; SIGUSR1, which mpirun hands on, asks to save and stop (as Ctrl-C does to a
// single process: mpirun gives its ranks no time for that).

#include <string>

#include "base/env.h"
#include "cli/common.h"
#include "train/communicator.h"

namespace hone::cli {

// Of this process: one_rank() where mpirun did not start it.
train::Communicator& ranks();
// The files of a run: real_env(), on several ranks rank 0's.
Env& run_env();

// Joins the other ranks if mpirun started this for that command. Throws invalid_input for a command
// that runs in one process, and when there is no MPI.
void join_ranks(const std::string& command);
// The end of the process: says `error` (may be empty) where it belongs; returns the exit code. May end
// the process, and all ranks with it.
int leave_ranks(int code, const std::string& error);

// Only rank 0 speaks; ranks of one machine share its cores.
void adapt_to_ranks(CommonOptions& common);
// Ranks that share this machine's memory.
size_t ranks_here();

}  // namespace hone::cli
