// hone tokenize and hone template: the model's words without its weights.

#include <cstdio>

#include "base/env.h"
#include "base/error.h"
#include "cli/commands.h"
#include "cli/common.h"
#include "llm/chat_template.h"
#include "llm/text_codec.h"

namespace hone::cli {

namespace {

constexpr uint64_t kMaxTemplateBytes = 8 << 20;

Json token_row(const llm::Tokenizer& tokenizer, size_t index, const std::vector<int32_t>& ids) {
  Json row = Json::object();
  row["index"] = uint64_t{index};
  Json token_ids = Json::array(), pieces = Json::array();
  for (int32_t id : ids) {
    token_ids.push_back(int64_t{id});
    pieces.push_back(tokenizer.piece(id));
  }
  row["token_ids"] = std::move(token_ids);
  row["pieces"] = std::move(pieces);
  return row;
}

// Messages of a row: {"messages"}, {"prompt"}, or the list itself.
const Json& messages_of(const Json& row) {
  if (const Json* messages = row.find("messages")) return *messages;
  if (const Json* prompt = row.find("prompt")) return *prompt;
  return row;
}

// "2026-11-23" or "2026-11-23T10:30:00" in UTC, as seconds since 1970.
int64_t parse_time(const std::string& text) {
  int year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0;
  const int fields =
      std::sscanf(text.c_str(), "%d-%d-%dT%d:%d:%d", &year, &month, &day, &hour, &minute, &second);
  const bool good = (fields == 3 || fields >= 5) && year >= 1970 && year < 10000 && month >= 1 &&
                    month <= 12 && day >= 1 && day <= 31 && hour >= 0 && hour < 24 && minute >= 0 &&
                    minute < 60 && second >= 0 && second < 61;
  if (!good) {
    throw invalid_input("--now \"" + text + "\" is not a time: write 2026-11-23T10:30:00 (UTC)");
  }
  // Days since 1970 by the civil calendar (Hinnant, "chrono-compatible low-level date algorithms").
  const int y = month <= 2 ? year - 1 : year;
  const int era = y / 400, of_era = y - era * 400;
  const int of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
  const int day_of_era = of_era * 365 + of_era / 4 - of_era / 100 + of_year;
  const int64_t days = int64_t{era} * 146097 + day_of_era - 719468;
  return days * 86400 + hour * 3600 + minute * 60 + second;
}

}  // namespace

int run_tokenize(const Arguments& arguments) {
  std::string model, data_path, chat;
  CommonOptions common;
  bool no_special = false;
  Options options("tokenize", "text to token ids and pieces.", "--model M [TEXT]");
  options.example("hone tokenize --model m.gguf \"Hello there\"", "ids and pieces of one text");
  options.example("hone tokenize --model m.gguf --data texts.jsonl",
                  "rows {\"text\"} in, {index, token_ids, pieces} out");
  options.example("hone tokenize --model m.gguf --chat messages.json",
                  "what the chat template makes of messages");
  options.text("model", &model, "MODEL", "a .gguf file (a vocabulary is enough) or a HF directory");
  options.text("data", &data_path, "FILE.jsonl", "rows {\"text\"}; one line out per row");
  options.text("chat", &chat, "FILE", "messages (JSON) through the chat template");
  options.flag("no-special", &no_special, "no BOS or EOS, and special tokens in the text are text");
  common.add_to(options);
  const std::vector<std::string> words = options.parse(arguments);
  if (options.show_help()) return 0;
  options.require("model", model);
  if (!real_env().exists(model)) throw not_found("--model " + model + ": there is no such file");
  const std::optional<llm::TextCodec> codec = llm::load_text_codec(model);
  if (!codec) throw invalid_input(model + " has no tokenizer");
  const llm::Tokenizer& tokenizer = codec->tokenizer();
  const llm::EncodeOptions encode{!no_special, !no_special};
  if (!chat.empty()) {
    const Result<Json> document = Json::parse(real_env().read_file(chat, kMaxTemplateBytes));
    if (!document) throw invalid_input(chat + ": " + document.error().message());
    const llm::ChatTokens tokens = codec->encode_chat(messages_of(*document), true);
    Json row = token_row(tokenizer, 0, tokens.ids);
    row["text"] = tokens.text;
    std::printf("%s\n", row.dump().c_str());
    return 0;
  }
  if (!data_path.empty()) {
    const std::vector<Json> rows = read_json_lines(data_path);
    for (size_t i = 0; i < rows.size(); ++i) {
      const std::string where = data_path + ": row " + std::to_string(i + 1);
      const Json* text = rows[i].find("text");
      if (text == nullptr || !text->is_string()) throw invalid_input(where + ": needs \"text\"");
      std::printf(
          "%s\n",
          token_row(tokenizer, i, tokenizer.encode(text->as_string(), encode)).dump().c_str());
    }
    return 0;
  }
  if (words.size() != 1) {
    throw invalid_input("hone tokenize needs one TEXT, --data FILE or --chat FILE");
  }
  const std::vector<int32_t> ids = tokenizer.encode(words[0], encode);
  if (common.json) {
    std::printf("%s\n", token_row(tokenizer, 0, ids).dump().c_str());
    return 0;
  }
  for (int32_t id : ids) {
    std::printf("%8d  %s\n", id, std::string(tokenizer.piece(id)).c_str());
  }
  return 0;
}

int run_template(const Arguments& arguments) {
  std::string data_path, now;
  CommonOptions common;
  Options options("template", "renders a chat template as transformers does, line by line.",
                  "FILE.jinja --data C.jsonl");
  options.example(
      "hone template chat.jinja --data chats.jsonl",
      "rows {messages, tools, documents, add_generation_prompt, ...} in, {\"text\"} out");
  options.example("hone template chat.jinja --data chats.jsonl --now 2026-11-23T10:00:00",
                  "with the time that strftime_now sees");
  options.text("data", &data_path, "FILE.jsonl", "one rendering a line");
  options.text("now", &now, "TIME", "UTC time for strftime_now; empty = 1970-01-01");
  common.add_to(options);
  const std::vector<std::string> words = options.parse(arguments);
  if (options.show_help()) return 0;
  if (words.size() != 1) throw invalid_input("hone template needs one FILE.jinja");
  options.require("data", data_path);
  const std::string source = real_env().read_file(words[0], kMaxTemplateBytes);
  const int64_t now_s = now.empty() ? 0 : parse_time(now);
  for (const Json& row : read_json_lines(data_path)) {
    Json out = Json::object();
    try {
      llm::ChatTemplateOptions tokens;
      Json variables = Json::object();
      llm::RenderOptions render;
      render.now_s = now_s;
      Json messages = Json::array();
      if (row.is_array()) messages = row;
      for (const auto& [key, value] : row.is_object() ? row.as_object() : Json::Object{}) {
        if (key == "messages") {
          messages = value;
        } else if (key == "tools") {
          render.tools = value.is_null() ? nullptr : row.find("tools");
        } else if (key == "documents") {
          render.documents = value.is_null() ? nullptr : row.find("documents");
        } else if (key == "add_generation_prompt") {
          render.add_generation_prompt = value.as_bool();
        } else if (key == "bos_token") {
          tokens.bos_token = value.is_null() ? "" : value.as_string();
        } else if (key == "eos_token") {
          tokens.eos_token = value.is_null() ? "" : value.as_string();
        } else {
          variables[key] = value;
        }
      }
      render.variables = &variables;
      const llm::ChatTemplate chat = llm::ChatTemplate::parse(source, tokens).value();
      out["text"] = chat.render(messages, render).text;
    } catch (const Error& error) {
      out["error"] = error.message();
    }
    std::printf("%s\n", out.dump().c_str());
  }
  return 0;
}

}  // namespace hone::cli
