#pragma once
// Digests of large files, kept in the data folder (digests.json) by device, inode, size and time of
// change (decisions 2.4): a server that starts does not read a model twice. A broken file of digests
// counts as none; a file changed within the last seconds is not kept, since its time could stand
// still while it changes again.

#include <string>

#include "base/env.h"

namespace hone::cli {

// The digest of a model: of a .gguf file, or of a folder as an artefact (docs/formats/digest.md).
// Throws not_found and unavailable.
std::string cached_digest(Env& env, const std::string& data_folder, const std::string& path);

}  // namespace hone::cli
