// hone up and hone serve: the labelling platform with its page, on one data folder, and with a model
// OpenAI's API over it (docs/serving.md).

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <mutex>
#include <thread>

#include "api/platform.h"
#include "api/routes.h"
#include "api/setup.h"
#include "base/env.h"
#include "base/error.h"
#include "cli/admin.h"
#include "cli/commands.h"
#include "cli/common.h"
#include "cli/control_socket.h"
#include "cli/data_folder.h"
#include "cli/demo_project.h"
#include "cli/options.h"
#include "cli/served_model.h"
#include "cli/served_registry.h"
#include "cli/server_jobs.h"
#include "http/server.h"
#include "label/members.h"
#include "llm/formats/model_file.h"
#include "openai/errors.h"
#include "openai/routes.h"

namespace hone::cli {

namespace {

constexpr const char* kUsualListen = "127.0.0.1:8642";
constexpr int kStopMs = 10'000;
constexpr size_t kMostModels = 20;
constexpr size_t kMostThreads = 4096;  // ThreadPool's
// What training takes beside the weights in memory, roughly, for the word fits | tight | too_big.
constexpr double kTrainingFactor = 6;

struct ServerFlags {
  CommonOptions common;
  std::vector<std::string> models;
  std::string data_dir, listen = kUsualListen;
  std::string tls_certificate, tls_key, log, max_import = "20G";
  std::vector<std::string> hosts;
  bool insecure_listen = false, demo = true;
  ServingFlags serving;

  void add_to(Options& options) {
    options.list("model", &models, "MODEL,..",
                 "the first answers on /v1, runs may train all: .gguf files or Hugging Face "
                 "directories; empty = runs may train HONE_MODEL or models/*.gguf");
    options.text("data-dir", &data_dir, "DIR",
                 "empty = $HONE_HOME, ./.hone if it exists, else ~/.local/share/hone");
    options.text("listen", &listen, "ADDRESS:PORT", "port 0 = any that is free");
    options.list("allowed-host", &hosts, "NAME,..",
                 "names under which people reach the server, beside the address itself");
    options.text("tls-certificate", &tls_certificate, "FILE", "PEM; with --tls-key");
    options.text("tls-key", &tls_key, "FILE", "PEM");
    options.flag("insecure-listen", &insecure_listen,
                 "listen beyond this machine without TLS (behind a proxy that has it)");
    options.text("max-import-bytes", &max_import, "SIZE", "largest file of tasks");
    options.text("log", &log, "FILE", "one line of JSON a request; - = stderr, empty = none");
    serving.add_to(options);
    common.add_to(options);
  }
};

struct Address {
  std::string host;
  uint16_t port = 0;
};
Address parse_listen(const std::string& text) {
  const size_t colon = text.rfind(':');
  Address address;
  if (colon != std::string::npos) {
    char* end = nullptr;
    const unsigned long port = std::strtoul(text.c_str() + colon + 1, &end, 10);
    address.host = text.substr(0, colon);
    if (address.host.size() > 2 && address.host.front() == '[') {
      address.host = address.host.substr(1, address.host.size() - 2);
    }
    if (*end == '\0' && end != text.c_str() + colon + 1 && port <= 65535 && !address.host.empty()) {
      address.port = static_cast<uint16_t>(port);
      return address;
    }
  }
  throw invalid_input("--listen " + text + " is no address with a port, such as " +
                      std::string(kUsualListen));
}

// What the runs take over is looked at now, not when the first of them fails.
void check_flags(const ServerFlags& flags) {
  if (!flags.common.memory_limit.empty()) parse_size(flags.common.memory_limit, "memory-limit");
  if (flags.common.threads > kMostThreads) {
    throw invalid_input("--threads " + std::to_string(flags.common.threads) +
                        " is more than the bound of " + std::to_string(kMostThreads) +
                        "; 0 takes every core there is");
  }
  for (const std::string& host : flags.hosts) {
    if (host.empty() || host.find_first_of(" /@,\t") != host.npos) {
      throw invalid_input("--allowed-host \"" + host +
                          "\" is no name of a host, such as labels.example.org");
    }
  }
  if (!flags.log.empty() && flags.log != "-" && real_env().is_directory(flags.log)) {
    throw invalid_input("--log " + flags.log + " is a folder: name a file, or - for stderr");
  }
}

bool is_loopback(const std::string& host) {
  return host == "localhost" || host == "::1" || host.rfind("127.", 0) == 0;
}

http::ServerOptions server_options_of(const ServerFlags& flags) {
  const Address address = parse_listen(flags.listen);
  if (flags.tls_certificate.empty() != flags.tls_key.empty()) {
    throw invalid_input("--tls-certificate and --tls-key go together");
  }
  if (!is_loopback(address.host) && flags.tls_key.empty() && !flags.insecure_listen) {
    throw invalid_input("--listen " + flags.listen +
                        " is open to other machines: give --tls-certificate and --tls-key, or say "
                        "--insecure-listen when a proxy in front has TLS");
  }
  http::ServerOptions options;
  options.address = address.host;
  options.port = address.port;
  options.tls_certificate_file = flags.tls_certificate;
  options.tls_key_file = flags.tls_key;
  options.allowed_hosts = flags.hosts;
  if (flags.serving.no_auth && !is_loopback(address.host)) {
    throw invalid_input(
        "--no-auth answers whoever asks, so it goes with a loopback address only: "
        "--listen 127.0.0.1:PORT; for others make keys with hone token create");
  }
  options = api::server_options(std::move(options));
  options.render_error = [render = options.render_error](const http::ErrorInfo& error,
                                                         const http::Request* request) {
    const bool is_ours = request != nullptr && openai::is_our_path(request->target);
    return is_ours ? openai::render_server_error(error) : render(error, request);
  };
  return options;
}

// Models by the name of their file, which must differ.
std::vector<std::string> model_paths(const ServerFlags& flags) {
  std::vector<std::string> paths = flags.models;
  if (paths.empty()) {
    if (const char* model = std::getenv("HONE_MODEL"); model != nullptr && *model != '\0') {
      paths.emplace_back(model);
    } else if (real_env().is_directory("models")) {
      for (const std::string& name : real_env().list_directory("models")) {
        if (std::filesystem::path(name).extension() == ".gguf") paths.push_back("models/" + name);
      }
    }
  }
  if (paths.size() > kMostModels) paths.resize(kMostModels);
  return paths;
}

std::vector<api::OfferedModel> offered_models(const ServerFlags& flags) {
  std::vector<api::OfferedModel> models;
  for (const std::string& path : model_paths(flags)) {
    const std::unique_ptr<llm::ModelFile> file = llm::ModelFile::open(path);
    api::OfferedModel model;
    model.path = absolute_path(path);
    std::filesystem::path name(model.path);
    if (name.filename().empty()) name = name.parent_path();
    model.file = name.filename().string();
    model.name = name.extension() == ".gguf" ? name.stem().string() : model.file;
    for (const llm::StoredTensor& tensor : file->tensors()) {
      model.parameters += static_cast<int64_t>(tensor.rows * tensor.cols);
    }
    const double need = static_cast<double>(model.parameters) * kTrainingFactor;
    const auto have = static_cast<double>(available_memory());
    model.fits = need < 0.6 * have ? "fits" : need < 0.9 * have ? "tight" : "too_big";
    for (const api::OfferedModel& other : models) {
      if (other.name == model.name) {
        throw invalid_input("two models are called " + model.name + ": rename one of the files");
      }
    }
    models.push_back(std::move(model));
  }
  return models;
}

// What /v1 answers from, when there is something: opened, measured, not yet loaded. hone up finds a
// model by itself and goes on without one that is too large; one that was named must fit.
std::unique_ptr<ServedModelFiles> open_served_model(const ServerFlags& flags, bool is_up) {
  const bool is_named = !flags.models.empty();
  const std::vector<std::string> paths = model_paths(flags);
  if (paths.empty() || (!is_named && !is_up)) {
    if (flags.serving.plan || !flags.serving.adapters.empty()) {
      throw invalid_input("there is no model to serve: give --model FILE");
    }
    return nullptr;
  }
  auto served = std::make_unique<ServedModelFiles>(paths[0], flags.serving, flags.common);
  if (flags.serving.plan) return served;
  try {
    check_memory(flags.common, served->plan(), is_up ? "hone up" : "hone serve",
                 "lower --context-tokens or --parallel");
  } catch (const Error& error) {
    if (is_named) throw;
    if (!flags.common.quiet) {
      std::fprintf(stderr, "no answers from %s: %s\n", paths[0].c_str(), error.message().c_str());
    }
    return nullptr;
  }
  return served;
}

int print_plan(const ServerFlags& flags, const ServedModelFiles& served) {
  if (flags.common.json) {
    std::printf("%s\n", served.plan().to_json().dump().c_str());
  } else {
    std::printf("serving takes at most %s\n", served.plan().to_text().c_str());
    std::printf(
        "when nobody asks it keeps at most %s: --kept-tokens says how much is found again\n",
        bytes_text(served.plan().lasting_bytes()).c_str());
  }
  return 0;
}

// One line of JSON a request.
class AccessLogFile {
 public:
  AccessLogFile(Env& env, const std::string& path) {
    if (!path.empty() && path != "-") file_ = env.append_file(path);
  }
  void write(const http::AccessRecord& record) {
    Json line = Json::object();
    line["at_ms"] = record.started_at_ms;
    line["method"] = record.method;
    line["route"] = record.route_name;
    line["status"] = record.status;
    line["us"] = record.duration_us;
    line["in"] = record.request_bytes;
    line["out"] = record.response_bytes;
    line["peer"] = record.peer_address;
    if (record.outcome != "ok") line["outcome"] = record.outcome;
    if (!record.detail.empty()) line["detail"] = record.detail;
    const std::string text = line.dump() + "\n";
    const std::lock_guard lock(mutex_);
    try {
      if (file_) {
        file_->append(text);
      } else {
        std::fputs(text.c_str(), stderr);
      }
    } catch (const Error&) {
      file_.reset();  // a full disk: requests matter more than their log
    }
  }

 private:
  std::mutex mutex_;
  std::unique_ptr<WritableFile> file_;  // guarded by mutex_; none = stderr
};

// What a new data folder starts with.
struct FirstStart {
  bool is_new = false;
  std::string link_token;
};

FirstStart first_start(ShiftedEnv& env, api::Platform& platform, const ServerFlags& flags) {
  label::Identity& identity = platform.identity();
  const bool empty =
      identity.read([&](store::Connection& db) { return identity.organisations(db, 0, 1); })
          .empty();
  FirstStart first;
  if (!empty) return first;
  api::NewOrganisation wanted;
  wanted.name = "My team";
  wanted.owner_name = "Administrator";
  wanted.owner_is_operator = true;
  const api::MadeOrganisation made = api::add_organisation(platform, wanted, "system");
  first = {true, made.link_token};
  if (!flags.demo) return first;
  label::Organisation& organisation = platform.organisation(made.organisation.id);
  const label::Member member = *organisation.read(
      [&](store::Connection& db) { return label::find_member(db, made.owner.id); });
  const DemoProject demo = make_demo_project(env, platform, made.organisation.id,
                                             {made.owner.id, member.id, label::Role::kOwner});
  write_file_atomically(env, platform.options().data_dir + "/demo.json",
                        "{\"organisation\":\"" + made.organisation.id + "\",\"project\":\"" +
                            demo.project_id + "\"}\n");
  return first;
}

void name_demo(Env& env, api::Platform& platform) {
  constexpr uint64_t kMaxBytes = 4096;
  const std::string path = platform.options().data_dir + "/demo.json";
  if (!env.exists(path)) return;
  const Result<Json> demo = Json::parse(env.read_file(path, kMaxBytes));
  if (!demo || !demo->is_object()) return;
  const Json *organisation = demo->find("organisation"), *project = demo->find("project");
  if (organisation == nullptr || project == nullptr) return;
  if (!organisation->is_string() || !project->is_string()) return;
  platform.set_demo_project(organisation->as_string(), project->as_string());
}

// One organisation is opened now: what is wrong with its files is said here and not to whoever labels.
// Several open when somebody asks, since what is wrong with one must not stop the others.
void open_the_only_one(api::Platform& platform) {
  label::Identity& identity = platform.identity();
  const auto organisations =
      identity.read([&](store::Connection& db) { return identity.organisations(db, 0, 2); });
  if (organisations.size() == 1) platform.organisation(organisations[0].id);
}

// A link for the owner of the first organisation: whoever can start the server may sign in.
std::string owner_link(api::Platform& platform) {
  label::Identity& identity = platform.identity();
  const auto organisations =
      identity.read([&](store::Connection& db) { return identity.organisations(db, 0, 1); });
  const auto people = identity.read(
      [&](store::Connection& db) { return identity.people(db, organisations[0].key, "", 0, 200); });
  for (const label::PersonRecord& person : people) {
    if (person.role == label::Role::kOwner) {
      return api::make_operator_link(platform, organisations[0], person.key);
    }
  }
  throw not_found("the organisation has no owner: hone user add NAME --role owner makes one");
}

// All routes; and /metrics tells of the model too.
http::Router build_router(api::Platform& platform, ServedModelFiles* served) {
  http::Router router = api::build_router(platform);
  if (served == nullptr) {
    openai::add_absent_routes(router);
  } else {
    openai::add_routes(router, served->service());
    platform.set_more_metrics([served] { return served->service().metrics_text(); });
  }
  return router;
}

void say_what_runs(const ServerFlags& flags, const std::string& folder, bool has_demo,
                   size_t models, ServedModelFiles* served) {
  if (flags.common.quiet) return;
  std::fprintf(stderr, "data in %s%s; %zu model%s to train; Ctrl-C stops\n", folder.c_str(),
               has_demo ? ", with a demo project" : "", models, models == 1 ? "" : "s");
  if (served == nullptr) return;
  std::fprintf(stderr, "/v1 answers from %s; memory at most about %s%s\n",
               served->service().models().base()->name.c_str(), served->plan().to_text().c_str(),
               flags.serving.no_auth ? "; no key needed" : "");
}

int run_server(ServerFlags& flags, bool is_up) {
  interrupted();  // sets the handlers
  umask(077);
  check_flags(flags);
  http::ServerOptions server_options = server_options_of(flags);
  std::unique_ptr<ServedModelFiles> opened = open_served_model(flags, is_up);
  if (flags.serving.plan) return print_plan(flags, *opened);
  ShiftedEnv env(real_env());
  const std::string folder = data_folder(env, flags.data_dir);
  const DataLock lock(env, folder);
  api::PlatformOptions options;
  options.data_dir = folder;
  options.version = program_version();
  options.max_import_bytes = parse_size(flags.max_import, "max-import-bytes");
  options.models = offered_models(flags);
  const size_t models = options.models.size();
  const auto platform = api::Platform::open(env, std::move(options));
  const FirstStart first = first_start(env, *platform, flags);
  name_demo(env, *platform);
  open_the_only_one(*platform);
  const std::unique_ptr<ServedModelFiles> served = std::move(opened);  // ends before the platform
  if (served != nullptr) {
    served->load(env, *platform, folder);
    for (const std::string& note : serve_registry(env, *platform, served->service(), folder)) {
      std::fprintf(stderr, "hone: note: %s\n", note.c_str());
    }
  }

  AccessLogFile log(env, flags.log);
  if (!flags.log.empty()) {
    server_options.access_log = [&](const http::AccessRecord& record) { log.write(record); };
  }
  http::Server server(env, server_options, build_router(*platform, served.get()));
  platform->set_server_metrics([&] { return server.metrics(); });
  server.start();
  const std::string url = server.url();
  const ControlSocket socket(folder, [&](const Arguments& words, const std::string& from) {
    ControlAnswer answer = run_admin(*platform, url, words, from);
    if (served != nullptr && !words.empty() && words[0] == "model") {
      for (const std::string& note : serve_registry(env, *platform, served->service(), folder)) {
        answer.out += "note: " + note + "\n";
      }
    }
    return answer;
  });
  auto jobs = std::make_unique<ServerJobs>(
      env, *platform, ServerJobsOptions{flags.common.threads, flags.common.memory_limit});
  platform->set_job_runner(jobs.get());

  std::printf("listening on %s\n", url.c_str());
  if (is_up) {
    const std::string token = first.is_new ? first.link_token : owner_link(*platform);
    std::printf("sign in (once, within 15 minutes): %s/sign-in#token=%s\n", url.c_str(),
                token.c_str());
  }
  std::fflush(stdout);
  say_what_runs(flags, folder, first.is_new && flags.demo, models, served.get());
  while (!interrupted()) {
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
  }
  if (!flags.common.quiet) std::fprintf(stderr, "stopping: requests finish, a run is saved\n");
  platform->set_stopping();
  server.stop(kStopMs);
  if (served != nullptr) served->service().stop(0);
  platform->set_job_runner(nullptr);
  jobs.reset();
  return 0;
}

}  // namespace

int run_up(const Arguments& arguments) {
  ServerFlags flags;
  bool no_demo = false;
  Options options("up", "everything with defaults: a page to label on, and to train from.", "");
  options.example("hone up", "prints the address and a link that signs you in once");
  options.example("hone up --data-dir ./.hone --model models/m.gguf",
                  "data beside the project; runs may train this model");
  options.flag("no-demo", &no_demo, "a new data folder starts empty");
  flags.add_to(options);
  const bool has_words = !options.parse(arguments).empty();
  if (options.show_help()) return 0;
  if (has_words) throw invalid_input("hone up takes options only (hone up --help lists them)");
  flags.demo = !no_demo;
  return run_server(flags, true);
}

int run_serve(const Arguments& arguments) {
  ServerFlags flags;
  flags.demo = false;
  Options options("serve", "the server with explicit choices; for machines.", "");
  options.example(
      "hone serve --data-dir /srv/hone --listen 0.0.0.0:443 --tls-certificate c.pem "
      "--tls-key k.pem --allowed-host labels.example.org",
      "one line on stdout when it listens; hone user add makes people");
  options.example("hone serve --data-dir d --listen 127.0.0.1:0 --log access.jsonl",
                  "any free port, a log of requests");
  options.example("hone serve --model m.gguf --adapter tone=runs/tone/final --no-auth",
                  "OpenAI's API on this machine: http://127.0.0.1:8642/v1");
  flags.add_to(options);
  const bool has_words = !options.parse(arguments).empty();
  if (options.show_help()) return 0;
  if (has_words) {
    throw invalid_input("hone serve takes options only (hone serve --help lists them)");
  }
  return run_server(flags, false);
}

}  // namespace hone::cli
