// Live labelling: whoever labels asks, two models answer side by side, and the answers become a task
// (docs/api.md, "Live labelling"). What is sent while they write says the place, never the model.
#include <atomic>
#include <mutex>

#include "api/handlers.h"
#include "api/model_answers.h"
#include "api/project_view.h"
#include "label/live.h"

namespace hone::api {
namespace {

using store::Connection;
using store::Durability;
using store::Transaction;

// Both answers of one question, and the end of its stream.
class LiveAnswers : public std::enable_shared_from_this<LiveAnswers> {
 public:
  LiveAnswers(Platform& platform, label::Organisation& organisation, label::Actor actor,
              label::LiveRound round, std::string prompt)
      : platform_(platform),
        organisation_(organisation),
        actor_(std::move(actor)),
        round_(std::move(round)),
        prompt_(std::move(prompt)),
        stream_(
            std::make_shared<http::EventStream>(http::EventStreamOptions{.outlives_stop = true})) {}

  const std::shared_ptr<http::EventStream>& stream() const { return stream_; }

  void start(ModelAnswers& models, const std::string& organisation_id) {
    stream_->on_drop([weak = weak_from_this()] {
      if (const auto self = weak.lock()) self->cancel();
    });
    for (size_t place = 0; place < 2; ++place) {
      const label::LiveSide& side = round_.shown(place);
      ModelQuestion question;
      question.organisation = organisation_id;
      question.caller = actor_.id;
      question.model = side.model;
      question.messages = messages_of(side);
      question.temperature = side.temperature;
      question.top_p = side.top_p;
      question.max_tokens = side.max_tokens;
      try {
        add_cancel(models.ask(question, std::make_shared<Side>(shared_from_this(), place)));
      } catch (const Error& error) {
        over_.store(true);
        cancel();
        throw blind(error);
      }
    }
  }

 private:
  class Side : public AnswerListener {
   public:
    Side(std::shared_ptr<LiveAnswers> owner, size_t place)
        : owner_(std::move(owner)), place_(place) {}
    void on_text(std::string_view text) override {
      Json event = Json::object();
      event["place"] = uint64_t{place_};
      event["text"] = text;
      owner_->stream_->send_data(event.dump());
    }
    void on_answer(feedback::Answer answer) override {
      Json event = Json::object();
      event["place"] = uint64_t{place_};
      event["done"] = true;
      owner_->stream_->send_data(event.dump());
      owner_->take(place_, std::move(answer));
    }
    void on_failed(const Error* error) override {
      if (error != nullptr) owner_->fail(*error);
    }

   private:
    const std::shared_ptr<LiveAnswers> owner_;
    const size_t place_;
  };

  // Messages of errors may name the model: whoever labels reads only what kind of trouble it is.
  static Error blind(const Error& error) {
    switch (error.code()) {
      case ErrorCode::kBusy:
        return {ErrorCode::kBusy, "the models are busy; ask again in a moment", error.message()};
      case ErrorCode::kInvalidInput:
      case ErrorCode::kTooLarge:
        return {ErrorCode::kInvalidInput, "this is too long for one of the two models; shorten it",
                error.message()};
      default:
        return {ErrorCode::kUnavailable,
                "one of the two models cannot answer now; tell the project's lead",
                error.message()};
    }
  }

  Json messages_of(const label::LiveSide& side) const {
    Json messages = Json::array();
    const auto add = [&](const char* role, const std::string& content) {
      Json message = Json::object();
      message["role"] = role;
      message["content"] = content;
      messages.push_back(std::move(message));
    };
    if (!side.system.empty()) add("system", side.system);
    add("user", prompt_);
    return messages;
  }

  void add_cancel(std::function<void()> cancel) {
    const std::lock_guard lock(mutex_);
    cancels_.push_back(std::move(cancel));
    if (cancelled_) cancels_.back()();
  }

  void cancel() {
    std::vector<std::function<void()>> cancels;
    {
      const std::lock_guard lock(mutex_);
      cancelled_ = true;
      cancels.swap(cancels_);
    }
    over_.store(true);
    for (const auto& each : cancels) each();
  }

  void take(size_t place, feedback::Answer answer) {
    {
      const std::lock_guard lock(mutex_);
      answers_[place] = std::move(answer);
      if (++answered_ < 2) return;
    }
    if (over_.exchange(true)) return;
    // The disk is not waited for on the engine's thread.
    const bool posted =
        platform_.background().try_post([self = shared_from_this()] { self->finish(); });
    if (!posted) end_with(Error(ErrorCode::kBusy, "the server is busy; ask again in a moment"));
  }

  void finish() {
    try {
      const label::Lease lease = organisation_.write(Durability::kDisk, [&](Transaction& tx) {
        return label::finish_live_round(organisation_, tx, actor_, round_, prompt_, answers_);
      });
      Json event = Json::object();
      event["assignment"] = organisation_.read(
          [&](Connection& db) { return label::assignment_json(organisation_, db, lease); });
      stream_->send_data(event.dump());
      stream_->close();
    } catch (const Error& error) {
      end_with(error);
    }
  }

  void fail(const Error& error) {
    if (over_.exchange(true)) return;
    end_with(blind(error));
    cancel();
  }

  void end_with(const Error& error) {
    const bool ours = error.code() == ErrorCode::kInternal;
    Json event = Json::object();
    event["error"]["code"] = error_code_name(error.code());
    event["error"]["message"] = ours ? "the server failed; its log says why" : error.message();
    stream_->send_data(event.dump());
    stream_->close();
  }

  Platform& platform_;
  label::Organisation& organisation_;
  const label::Actor actor_;
  const label::LiveRound round_;
  const std::string prompt_;
  const std::shared_ptr<http::EventStream> stream_;
  std::atomic<bool> over_{false};
  std::mutex mutex_;
  // Guarded by mutex_.
  std::array<feedback::Answer, 2> answers_;
  size_t answered_ = 0;
  std::vector<std::function<void()>> cancels_;
  bool cancelled_ = false;
};

Json live_json(const std::optional<label::LiveSettings>& settings) {
  Json body = Json::object();
  body["sides"] = settings ? settings->to_json().at("sides") : Json();
  return body;
}

}  // namespace

http::Response read_live(Call& call) {
  return call.organisation().read([&](Connection& db) {
    const label::Project project = label::get_project(db, call.id("project_id"));
    return json_response(200, live_json(label::get_live(db, project.id)));
  });
}

http::Response change_live(Call& call) {
  const label::Actor actor = call.actor();
  // Whether there is such a project comes before what this server could do for it.
  call.organisation().read(
      [&](Connection& db) { return label::get_project(db, call.id("project_id")).id; });
  std::optional<label::LiveSettings> settings;
  if (call.has("sides")) {
    settings = label::LiveSettings::from_json(call.body);
    for (size_t i = 0; i < 2; ++i) {
      try {
        call.platform.model_answers().check_model(call.who().organisation_id,
                                                  settings->sides[i].model);
      } catch (const Error& error) {
        if (error.code() != ErrorCode::kNotFound) throw;
        throw bad_field("/sides/" + std::to_string(i) + "/model",
                        "this server has no model of that name; GET /v1/models lists those it has");
      }
    }
  }
  return write_here(call, Durability::kDisk, [&](Transaction& tx) -> Answer {
    label::set_live(call.organisation(), tx, actor, call.id("project_id"),
                    settings ? &*settings : nullptr);
    return {.status = 200, .body = live_json(settings)};
  });
}

http::Response ask_live(Call& call) {
  const label::Actor actor = call.actor();
  label::Organisation& organisation = call.organisation();
  std::string prompt = call.text("prompt");
  label::LiveRound round = organisation.write(Durability::kProcess, [&](Transaction& tx) {
    return label::begin_live_round(organisation, tx, actor, call.id("project_id"));
  });
  const auto answers = std::make_shared<LiveAnswers>(call.platform, organisation, actor,
                                                     std::move(round), std::move(prompt));
  answers->start(call.platform.model_answers(), call.who().organisation_id);
  return http::Response::event_stream(answers->stream());
}

}  // namespace hone::api
