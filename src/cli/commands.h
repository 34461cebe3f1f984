#pragma once
// Every command: a function from its arguments to an exit code. One file each.
//
// Exit codes (docs/cli.md): 0 done; 1 the work failed; 2 wrong usage or unreadable input; 3 the
// question was answered with no; 130 interrupted, everything saved. Failures are thrown as
// hone::Error and become 1 or 2 in main.cc.

#include <span>
#include <string>
#include <vector>

namespace hone::cli {

using Arguments = std::vector<std::string>;

struct Command {
  const char* name;
  const char* what;     // one line of hone --help
  const char* objects;  // words that may follow and have a --help of their own: "sft dpo"
  int (*run)(const Arguments&);
};
// All of them, in the order of hone --help; a name that is null begins a group.
std::span<const Command> commands();
std::string overview();  // hone --help

// One of the words that follow a command: hone train DPO.
struct Object {
  const char* name;
  const char* what;
  int (*run)(const Arguments&);
};
// Runs the object that arguments[0] names, with the rest; --help lists them. An unknown word is an
// error that names the nearest.
int run_object(const char* command, const char* what, std::span<const Object> objects,
               const Arguments& arguments);

int run_bench(const Arguments& arguments);
int run_chat(const Arguments& arguments);
int run_compare(const Arguments& arguments);
int run_data(const Arguments& arguments);  // data check
int run_eval(const Arguments& arguments);  // eval preferences | reward
int eval_reward(const Arguments& arguments);
int run_export_run(const Arguments& arguments);
int run_generate(const Arguments& arguments);
int run_model(const Arguments& arguments);    // model info | export | quantize | merge
int run_quality(const Arguments& arguments);  // quality aggregate | agreement | rank | simulate
int run_quickstart(const Arguments& arguments);
int run_up(const Arguments& arguments);
int run_serve(const Arguments& arguments);
int run_user(const Arguments& arguments);   // user add | list | link
int run_token(const Arguments& arguments);  // token create
// hone model add | list | …: of a data folder (admin_models.cc).
int run_registry(const std::string& object, const Arguments& arguments);
int run_project(const Arguments& arguments);   // project list | create | import | export
int run_feedback(const Arguments& arguments);  // feedback list | export | rules | rule
int run_backup(const Arguments& arguments);
int run_restore(const Arguments& arguments);
int run_bench_platform(const Arguments& arguments);
int run_job(const Arguments& arguments);   // job train | plan
int run_plan(const Arguments& arguments);  // plan train | serve
int run_replay(const Arguments& arguments);
int run_runs(const Arguments& arguments);  // runs list | show | diff
int run_score(const Arguments& arguments);
int run_selfcheck(const Arguments& arguments);
int run_template(const Arguments& arguments);
int run_tokenize(const Arguments& arguments);
int run_train(const Arguments& arguments);  // train sft | dpo | reward

}  // namespace hone::cli
