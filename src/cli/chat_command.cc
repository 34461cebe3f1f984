// hone chat: a conversation in the terminal, with one model or with two beside each other.

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <filesystem>

#include "base/env.h"
#include "base/error.h"
#include "base/utf8.h"
#include "cli/columns.h"
#include "cli/commands.h"
#include "cli/common.h"
#include "cli/terminal.h"

namespace hone::cli {

namespace {

constexpr size_t kColumnsFrom = 100;  // characters of a terminal
constexpr size_t kMaxLineBytes = 1 << 20;
constexpr const char* kHelp =
    "/reset         forget the conversation\n"
    "/system TEXT   a new system message, and forget\n"
    "/help, /quit   this; leave (also Ctrl-D)\n"
    "Ctrl-C         stops an answer\n";

volatile std::sig_atomic_t ctrl_c = 0;
void on_ctrl_c(int) { ctrl_c = 1; }

// Ctrl-C ends an answer, or a wait for a line; never the program at once.
void catch_ctrl_c() {
  struct sigaction action = {};
  action.sa_handler = on_ctrl_c;  // no SA_RESTART: a read in progress ends
  sigaction(SIGINT, &action, nullptr);
}

struct Stopped {};  // thrown out of the generator

struct ChatFlags {
  CommonOptions common;
  ModelOptions model;
  SamplingFlags flags;
  std::string compare, system;
  size_t context = 4096;  // tokens of the conversation that are kept; 0 = all the model's context
  bool has_compare = false;

  size_t context_of(const LoadedModel& speaker) const {
    const size_t most = speaker.model.config.context_length;
    return context == 0 ? most : std::min(context, most);
  }
  // Tokens that a prompt may have, so that an answer fits behind it.
  size_t prompt_room(const LoadedModel& speaker) const {
    const size_t all = context_of(speaker);
    return all - std::min(all / 2, flags.max_tokens);
  }
};

// One who answers: a model with its view of the conversation.
struct Speaker {
  std::string name;
  const LoadedModel* loaded = nullptr;
  const llm::LoraAdapter* adapter = nullptr;
  Json messages = Json::array();
};

Json message(const char* role, const std::string& content) {
  Json json = Json::object();
  json["role"] = role;
  json["content"] = content;
  return json;
}

class Chat {
 public:
  Chat(tensor::Compute& compute, const ChatFlags& flags, std::vector<Speaker> speakers)
      : compute_(compute), flags_(flags), speakers_(std::move(speakers)), system_(flags.system) {
    reset();
  }

  int run() {
    const bool terminal = stdin_is_terminal();
    catch_ctrl_c();
    if (terminal && !flags_.common.quiet) std::fputs(kHelp, stderr);
    std::string line;
    while (true) {
      if (terminal) {
        std::fputs(flags_.common.quiet ? "" : "\n> ", stderr);
        std::fflush(stderr);
      }
      ctrl_c = 0;
      if (!read_line(line)) break;
      if (line.find_first_not_of(" \t\r") == std::string::npos) continue;
      if (line[0] == '/') {
        if (!command(line)) return 0;
        continue;
      }
      if (find_invalid_utf8(line)) {
        std::fputs("hone: that line is not UTF-8: set the terminal to UTF-8\n", stderr);
        continue;
      }
      ask(line);
    }
    if (terminal) std::fputc('\n', stderr);
    return ctrl_c != 0 ? 130 : 0;
  }

 private:
  bool read_line(std::string& line) {
    line.clear();
    while (true) {
      const int c = std::fgetc(stdin);
      if (c == EOF) {
        if (ctrl_c != 0 || line.empty()) return false;
        return true;  // a last line without its end
      }
      if (c == '\n') return true;
      line.push_back(static_cast<char>(c));
      if (line.size() > kMaxLineBytes) {
        throw Error(ErrorCode::kTooLarge, "a line of more than 1 MiB is too long for a chat");
      }
    }
  }

  void reset() {
    turn_ = 0;
    for (Speaker& speaker : speakers_) {
      speaker.messages = Json::array();
      if (!system_.empty()) speaker.messages.push_back(message("system", system_));
    }
  }

  // False ends the chat.
  bool command(const std::string& line) {
    const size_t space = line.find(' ');
    const std::string word = line.substr(0, space);
    if (word == "/quit" || word == "/exit") return false;
    if (word == "/reset") {
      reset();
      std::fputs("forgotten\n", stderr);
    } else if (word == "/system") {
      system_ = space == std::string::npos ? "" : line.substr(space + 1);
      reset();
      std::fputs(system_.empty() ? "no system message; the model's own, if it has one\n"
                                 : "system message set\n",
                 stderr);
    } else {
      if (word != "/help") std::fprintf(stderr, "%s is not a command:\n", word.c_str());
      std::fputs(kHelp, stderr);
    }
    return true;
  }

  void ask(const std::string& question) {
    const size_t width = terminal_width(STDOUT_FILENO);
    const bool columns = speakers_.size() == 2 && width >= kColumnsFrom && !flags_.common.json;
    Json answers = Json::array();
    std::vector<std::string> texts;
    for (Speaker& speaker : speakers_) {
      if (columns) note("%s ...", speaker.name);
      if (!columns && !flags_.common.json && speakers_.size() == 2) heading(speaker.name);
      const std::string text = answer(speaker, question, !columns && !flags_.common.json);
      if (columns) std::fputs("\r\033[K", stderr);
      texts.push_back(text);
      Json row = Json::object();
      row["model"] = speaker.name;
      row["text"] = text;
      answers.push_back(std::move(row));
      if (ctrl_c != 0) break;
    }
    ++turn_;
    if (columns) {
      texts.resize(2);
      std::printf(
          "\n%s",
          side_by_side(speakers_[0].name, texts[0], speakers_[1].name, texts[1], width).c_str());
    }
    if (flags_.common.json) {
      Json row = Json::object();
      row["question"] = question;
      row["answers"] = std::move(answers);
      std::printf("%s\n", row.dump().c_str());
    }
    std::fflush(stdout);
  }

  void note(const char* format, const std::string& text) const {
    if (flags_.common.quiet) return;
    std::fprintf(stderr, format, text.c_str());
    std::fflush(stderr);
  }

  static void heading(const std::string& name) {
    std::printf("\n%s\n", stdout_has_colour() ? bold(name).c_str() : (name + ":").c_str());
  }

  // The prompt's ids; the oldest turns are left out where the context does not hold them all.
  std::vector<int32_t> prompt_of(Speaker& speaker) const {
    const size_t room = flags_.prompt_room(*speaker.loaded);
    std::vector<int32_t> ids = speaker.loaded->text().encode_chat(speaker.messages, true).ids;
    const size_t first = system_.empty() ? 0 : 1;
    while (ids.size() > room && speaker.messages.size() > first + 2) {
      Json::Array& turns = speaker.messages.as_array();
      const auto begin = turns.begin() + static_cast<std::ptrdiff_t>(first);
      turns.erase(begin, begin + 2);
      ids = speaker.loaded->text().encode_chat(speaker.messages, true).ids;
      std::fputs(
          "note: the conversation is longer than the context; its oldest turn was left out\n",
          stderr);
    }
    return ids;
  }

  static void put(const std::string& text) {
    std::fputs(text.c_str(), stdout);
    std::fflush(stdout);
  }

  std::string answer(Speaker& speaker, const std::string& question, bool stream) {
    WordWrap wrapping(terminal_width(STDOUT_FILENO));
    speaker.messages.push_back(message("user", question));
    std::string text;
    try {
      llm::GenerationRequest request;
      request.prompt = prompt_of(speaker);
      request.index = turn_;
      const size_t context = flags_.context_of(*speaker.loaded);
      request.max_tokens =
          std::min(flags_.flags.max_tokens, context - std::min(context - 1, request.prompt.size()));
      request.sampling = flags_.flags.sampling;
      request.stop = flags_.flags.stop;
      llm::GeneratorOptions options;
      options.batch_size = 1;
      options.seed = flags_.common.seed;
      llm::Generator generator(compute_, speaker.loaded->model, speaker.adapter,
                               &speaker.loaded->text().tokenizer(),
                               speaker.loaded->end_of_generation, options);
      generator.on_text = [&](uint64_t, uint64_t, std::string_view piece) {
        text += piece;
        if (stream) put(wrapping.push(piece));
        if (ctrl_c != 0) throw Stopped{};
      };
      std::vector<llm::GenerationRequest> requests;
      requests.push_back(std::move(request));
      generator.run(std::move(requests), [](const llm::GeneratedSample&) {});
    } catch (const Stopped&) {
      note("%s", " [stopped]");
    } catch (const Error&) {
      speaker.messages.as_array().pop_back();  // the question was never answered
      throw;
    }
    if (stream) put(wrapping.flush() + "\n");
    speaker.messages.push_back(message("assistant", text));
    return text;
  }

  tensor::Compute& compute_;
  const ChatFlags& flags_;
  std::vector<Speaker> speakers_;
  std::string system_;
  uint64_t turn_ = 0;
};

// Of the longest conversation that is kept; an answer's memory is given back after it.
uint64_t conversation_bytes(const ChatFlags& flags, const LoadedModel& model) {
  llm::GenerationRequest longest;
  longest.prompt.resize(flags.prompt_room(model));
  longest.max_tokens = flags.context_of(model) - longest.prompt.size();
  llm::GeneratorOptions options;
  options.batch_size = 1;
  return llm::generation_bytes(model.model.config, model.lora_rank(), {&longest, 1}, options);
}

// --compare may stand alone: then it means the model without the adapter.
Arguments with_compare_value(const Arguments& arguments) {
  Arguments out;
  for (size_t i = 0; i < arguments.size(); ++i) {
    out.push_back(arguments[i]);
    if (arguments[i] != "--compare") continue;
    const bool alone = i + 1 == arguments.size() || arguments[i + 1].compare(0, 2, "--") == 0;
    if (alone) out.emplace_back();
  }
  return out;
}

std::string short_name(const std::string& path) {
  const std::filesystem::path p(path);
  return p.has_filename() ? p.filename().string() : p.parent_path().filename().string();
}

std::vector<Speaker> speakers_of(const ChatFlags& flags, const LoadedModel& loaded,
                                 const std::optional<LoadedModel>& other) {
  const std::string name = short_name(flags.model.model);
  const Speaker main = {loaded.adapter ? name + " + " + flags.model.adapter : name, &loaded,
                        loaded.adapter_or_null(), Json::array()};
  if (!flags.has_compare) return {main};
  if (other) return {{short_name(flags.compare), &*other, nullptr, Json::array()}, main};
  return {{name + " without adapter", &loaded, nullptr, Json::array()}, main};
}

}  // namespace

int run_chat(const Arguments& arguments) {
  ChatFlags chat;
  chat.flags.max_tokens = 512;
  chat.flags.sampling.temperature = 0.7;
  chat.flags.sampling.top_p = 0.95;
  Options options("chat", "a conversation in the terminal; reads lines when stdin is a file.",
                  "--model M [--adapter A] [--compare [BASE]]");
  options.example("hone chat --model m.gguf", "talk to a model");
  options.example("hone chat --model m.gguf --adapter run/final --compare",
                  "every question is answered without and with the adapter");
  options.example("echo 'What is rye?' | hone chat --model m.gguf --temperature 0 --quiet",
                  "one answer, nothing else");
  chat.model.add_to(options);
  options.text("compare", &chat.compare, "BASE",
               "answer each question with this model too; without a value: the model without its "
               "adapter");
  options.text("system", &chat.system, "TEXT", "a system message");
  options.count(
      "context", &chat.context,
      "tokens of the conversation that are kept, the oldest turns are left out first; 0 = "
      "all that the model can read");
  chat.flags.add_to(options);
  chat.common.add_to(options);
  const auto words = options.parse(with_compare_value(arguments));
  if (options.show_help()) return 0;
  if (!words.empty()) throw invalid_input("hone chat takes no word \"" + words[0] + "\"");
  options.require("model", chat.model.model);
  chat.has_compare = options.was_given("compare");
  if (chat.has_compare && chat.compare.empty() && chat.model.adapter.empty()) {
    throw invalid_input("--compare without --adapter has nothing to compare with: name a model");
  }
  llm::validate(chat.flags.sampling);

  LoadedModel loaded = open_model(chat.model);
  std::optional<LoadedModel> other;
  if (!chat.compare.empty()) other = open_model({chat.compare, ""});
  for (const LoadedModel* model : {&loaded, other ? &*other : &loaded}) {
    if (model->text().has_chat_template()) continue;
    throw invalid_input("this model has no chat template: hone generate continues plain text");
  }
  MemoryPlan plan;
  plan.add_model(loaded);
  if (other) plan.add_model(*other);
  plan.add("keys, values and activations",
           std::max(conversation_bytes(chat, loaded),
                    conversation_bytes(chat, other ? *other : loaded)));
  check_memory(chat.common, plan, "hone chat", "use a smaller --context");
  tensor::Compute compute(chat.common.threads);
  load_weights(compute, loaded);
  if (other) load_weights(compute, *other);
  return Chat(compute, chat, speakers_of(chat, loaded, other)).run();
}

}  // namespace hone::cli
