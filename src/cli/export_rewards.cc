// Rewards that hone train --reward names, as Python functions of the same value.

#include <algorithm>

#include "base/env.h"
#include "base/error.h"
#include "cli/export_run.h"
#include "reward/builtin.h"
#include "reward/spec.h"

namespace hone::cli {

namespace {

// What the generated functions call; docs/training.md says what each is worth.
constexpr char kHead[] =
    R"py("""Rewards of `hone train --reward`, written by hone export-run: the same values."""
import re


def _numbers(text):
    """In reading order; 1,000 is one; a minus behind a digit, a letter or ) is no sign."""
    found, at = [], 0

    def digit(place):
        return place < len(text) and "0" <= text[place] <= "9"

    while at < len(text):
        if not digit(at) and not (text[at] == "." and digit(at + 1)):
            at += 1
            continue
        digits = ""
        if at > 0 and text[at - 1] == "-":
            before = text[at - 2] if at > 1 else " "
            if not (before == ")" or (before.isascii() and before.isalnum())):
                digits = "-"
        begin, fraction = at, False
        while at < len(text):
            if digit(at):
                digits += text[at]
            elif text[at] == "." and not fraction and digit(at + 1):
                fraction = True
                digits += "."
            else:
                thousands = text[at] == "," and not fraction and at > begin
                if not (thousands and all(map(digit, range(at + 1, at + 4))) and not digit(at + 4)):
                    break
            at += 1
        found.append(float(digits))
    return found


def _lower(text):
    return "".join(chr(ord(c) + 32) if "A" <= c <= "Z" else c for c in text)


def _exact(text, ids, wanted, case):
    a, b = text.strip(" \t\r\n"), wanted.strip(" \t\r\n")
    return float(_lower(a) == _lower(b) if case == "ignore" else a == b)


def _numeric(text, ids, wanted, take, tolerance):
    right, said = _numbers(wanted), _numbers(text)
    if not right:
        return None
    if not said or (take == "only" and len(said) != 1):
        return 0.0
    return float(abs((said[0] if take == "first" else said[-1]) - right[-1]) <= tolerance)


def _prefix(text, ids, wanted):
    a, b = text.strip(" \t\r\n").encode(), wanted.strip(" \t\r\n").encode()
    if not b:
        return None
    same = 0
    while same < min(len(a), len(b)) and a[same] == b[same]:
        same += 1
    return same / len(b)


def _regex(text, ids, wanted, pattern, match, case):
    flags = re.DOTALL | (re.IGNORECASE if case == "ignore" else 0)
    find = re.fullmatch if match == "full" else re.search
    return float(find(pattern, text, flags) is not None)


def _length(text, ids, wanted, target, scale, unit):
    length = len(ids) if unit == "tokens" else len(text.split()) if unit == "words" else len(text)
    return max(0.0, 1 - abs(length - target) / scale)


def _overlong(text, ids, wanted, max, cache):
    length = len(ids)
    if length <= max - cache:
        return 0.0
    return (max - cache - length) / cache if length <= max else -1.0


def _format(text, ids, wanted, open, close):
    once = text.startswith(open) and text.find(open, len(open)) < 0
    return float(once and text.find(close, len(open)) >= 0)


def _each(one, completions, completion_ids, columns, column=None, **keys):
    texts = [c if isinstance(c, str) else c[0]["content"] for c in completions]
    wanted = [str(w) for w in columns[column]] if column else [None] * len(texts)
    ids = completion_ids if completion_ids is not None else [None] * len(texts)
    return [one(t, i, w, **keys) for t, i, w in zip(texts, ids, wanted)]
)py";

std::string quoted(const std::string& text) {  // a JSON string is a Python one, with ASCII and \u
  std::string out;
  append_json_string(out, text);
  return out;
}

// The keys of a kind, with the fallbacks of src/reward.
struct Key {
  const char* name;
  const char* fallback;  // null: needed; "=KEY": the value of that key
  bool number;
};
struct Kind {
  const char* name;
  std::vector<Key> keys;
  bool always_tokens = false;
};

const std::vector<Kind>& kinds() {
  static const std::vector<Kind> kKinds = {
      {"exact", {{"column", "answer", false}, {"case", "exact", false}}},
      {"numeric", {{"column", "answer", false}, {"take", "last", false}, {"tolerance", "0", true}}},
      {"prefix", {{"column", "answer", false}}},
      {"regex",
       {{"pattern", nullptr, false}, {"match", "search", false}, {"case", "exact", false}}},
      {"length",
       {{"target", nullptr, true}, {"scale", "=target", true}, {"unit", "tokens", false}}},
      {"overlong", {{"max", nullptr, true}, {"cache", "0", true}}, true},
      {"format", {{"open", "<think>", false}, {"close", "</think>", false}}},
  };
  return kKinds;
}

std::string identifier(const std::string& name) {
  std::string out = "reward_";
  for (const char c : name) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    out += plain ? c : '_';
  }
  return out;
}

std::string function_of(const Kind& kind, reward::Spec& spec, bool tokens) {
  const auto value = [&](const Key& key) {
    if (key.fallback == nullptr) return spec.needed(key.name);
    const std::string fallback =
        key.fallback[0] == '=' ? spec.needed(key.fallback + 1) : std::string(key.fallback);
    return spec.text_of(key.name, fallback);
  };
  std::string keys;
  bool needs_tokens = kind.always_tokens;
  for (const Key& key : kind.keys) {
    const std::string text = value(key);
    needs_tokens |= std::string_view(key.name) == "unit" && text == "tokens";
    keys += std::string(", ") + key.name + "=" + (key.number ? text : quoted(text));
  }
  if (needs_tokens && !tokens) {
    throw invalid_input("--reward \"" + spec.text() +
                        "\" counts tokens, which the other program does not show a reward: use "
                        "unit=words, or --to trl");
  }
  return "\n\ndef " + identifier(spec.name()) +
         "(completions, completion_ids=None, **columns):\n    return _each(_" + kind.name +
         ", completions, completion_ids, columns" + keys + ")\n";
}

}  // namespace

ExportedRewards export_rewards(const ExportSource& source, bool tokens) {
  ExportedRewards out;
  std::vector<double> given, of_functions;
  for (const Json& weight : source.setting("reward_weights").as_array()) {
    given.push_back(weight.as_double());
  }
  const Json::Array& specs = source.setting("rewards").as_array();
  if (specs.empty()) throw invalid_input("no --reward is named: there is nothing to learn from");
  out.python = kHead;
  for (size_t i = 0; i < specs.size(); ++i) {
    reward::Spec spec = reward::Spec::parse(specs[i].as_string());
    const double weight = i < given.size() ? given[i] : 1;
    if (spec.kind() == "model") {
      ++out.models;
      out.weights.push_back(weight);
      continue;
    }
    const auto kind = std::find_if(kinds().begin(), kinds().end(),
                                   [&](const Kind& k) { return spec.kind() == k.name; });
    if (kind == kinds().end()) {
      throw invalid_input("--reward \"" + spec.text() +
                          "\" has no form that another trainer could call: leave it out, or use "
                          "exact, numeric, prefix, regex, length, overlong, format or model");
    }
    reward::make_reward(real_env(), spec.text());  // throws for what hone train would refuse
    out.python += function_of(*kind, spec, tokens);
    out.functions.push_back(identifier(spec.name()));
    if (std::count(out.functions.begin(), out.functions.end(), out.functions.back()) > 1) {
      throw invalid_input("two rewards are called " + spec.name() + ": name one with as=OTHER");
    }
    of_functions.push_back(weight);
  }
  out.weights.insert(out.weights.end(), of_functions.begin(), of_functions.end());
  if (given.empty()) out.weights.clear();
  return out;
}

}  // namespace hone::cli
