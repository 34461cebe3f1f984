#pragma once
// Live labelling: in a pairwise project with live settings whoever labels writes the prompt himself,
// two models answer, and the two answers become a task that is his to judge at once. From there on
// it is a task like any other: overlap, quality, ranking and exports see no difference.
//
// Which model answers on which side is drawn anew each time and stands in the assignment as its
// shown order; nobody who labels learns of it.
//
// Errors: not_found, conflict, forbidden, FieldError.

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/json.h"
#include "feedback/answer.h"
#include "label/queue.h"

namespace hone::label {

class Organisation;

inline constexpr size_t kLivePromptBytes = size_t{32} << 10;
inline constexpr int64_t kLiveTokensMax = 4096;

struct LiveSide {
  std::string model;  // as /v1 knows it: a model, an adapter or an alias
  double temperature = 0.7, top_p = 1;
  int64_t max_tokens = 512;
  std::string system;  // stands before the prompt
};
struct LiveSettings {
  std::array<LiveSide, 2> sides;

  Json to_json() const;  // {"sides": [{model, temperature, top_p, max_tokens, system}, …]}
  static LiveSettings from_json(const Json& json);
};
// Null switches it off. Refused for another task type than pairwise.
void set_live(Organisation& organisation, store::Transaction& tx, const Actor& actor,
              std::string_view project, const LiveSettings* settings);
std::optional<LiveSettings> get_live(store::Connection& db, int64_t project);

// One question on its way: who answers it on which side.
struct LiveRound {
  int64_t project = 0;
  std::string project_id;
  LiveSettings settings;
  std::array<uint32_t, 2> order{0, 1};  // the side shown first is settings.sides[order[0]]

  const LiveSide& shown(size_t place) const { return settings.sides[order[place]]; }
};
// Inside a write: whether this person may label here now; draws the sides. Conflict while the person
// holds kLeasesMax tasks of the project unanswered.
LiveRound begin_live_round(Organisation& organisation, store::Transaction& tx, const Actor& actor,
                           std::string_view project);
// Inside a write of Durability::kDisk: the task, leased to who asked. answers: in the order shown.
Lease finish_live_round(Organisation& organisation, store::Transaction& tx, const Actor& actor,
                        const LiveRound& round, std::string_view prompt,
                        const std::array<feedback::Answer, 2>& answers);

}  // namespace hone::label
