// Any text as the file of --config: every option keeps its value or takes the file's, or one
// hone::Error says why not.

#include <cstdint>
#include <string>
#include <vector>

#include "base/check.h"
#include "base/error.h"
#include "cli/options.h"
#include "cli/train_options.h"
#include "train/config.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  hone::cli::TrainFlags flags;
  hone::train::SftConfig config;
  hone::cli::Options options("train sft", "", "");
  flags.add_to(options, config);
  options.parse({"--lora-r", "3"});
  try {
    options.read_config(std::string(reinterpret_cast<const char*>(data), size), "fuzz");
  } catch (const hone::Error& error) {
    HONE_CHECK(!error.message().empty());
  }
  HONE_CHECK(config.lora_r == 3);  // the command line wins
  return 0;
}
