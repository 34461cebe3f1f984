#pragma once
// The handlers of routes_*.cc, one file a resource: each reads what was asked, calls a function of the
// label room and answers. What every one of them may rely on is said in dispatch.cc.

#include <string>
#include <string_view>

#include "api/call.h"
#include "http/router.h"

namespace hone::api {

inline constexpr std::string_view kSessionCookie = "hone_session";

// session_handlers.cc
http::Response read_session(Call& call);
http::Response sign_in(Call& call);
http::Response sign_in_by_link(Call& call);
http::Response choose_organisation(Call& call);
http::Response change_password(Call& call);
http::Response sign_out(Call& call);
http::Response preview_invitation(Call& call);
http::Response accept_invitation(Call& call);

// people_handlers.cc
http::Response list_people(Call& call);
http::Response add_person(Call& call);
http::Response import_people(Call& call);
http::Response change_person(Call& call);
http::Response remove_person(Call& call);
http::Response make_person_link(Call& call);

// organisation_handlers.cc
http::Response list_invitations(Call& call);
http::Response make_invitation(Call& call);
http::Response withdraw_invitation(Call& call);
http::Response read_organisation(Call& call);
http::Response change_organisation(Call& call);
http::Response list_organisations(Call& call);
http::Response make_organisation(Call& call);

// token_handlers.cc
http::Response list_tokens(Call& call);
http::Response make_token(Call& call);
http::Response change_token(Call& call);
http::Response revoke_token(Call& call);
http::Response read_usage(Call& call);

// project_handlers.cc
http::Response list_projects(Call& call);
http::Response make_project(Call& call);
http::Response read_project(Call& call);
http::Response change_project(Call& call);
http::Response read_guideline(Call& call);
http::Response change_guideline(Call& call);
http::Response read_schema(Call& call);
http::Response change_schema(Call& call);
http::Response validate_schema(Call& call);
http::Response list_schemas(Call& call);
http::Response read_project_people(Call& call);
http::Response change_project_people(Call& call);

// labelling_handlers.cc
http::Response next_tasks(Call& call);
http::Response read_assignment(Call& call);
http::Response submit_annotation(Call& call);
http::Response save_draft(Call& call);
http::Response heartbeat(Call& call);
http::Response skip_assignment(Call& call);
http::Response flag_assignment(Call& call);
http::Response undo_annotation(Call& call);
http::Response release_assignment(Call& call);
http::Response read_my_work(Call& call);

// task_handlers.cc
http::Response list_tasks(Call& call);
http::Response read_task(Call& call);
http::Response change_task(Call& call);
http::Response set_gold(Call& call);
http::Response clear_gold(Call& call);
http::Response resolve_flag(Call& call);

// quality_handlers.cc
http::Response read_quality(Call& call);
http::Response list_quality_people(Call& call);
http::Response read_ranking(Call& call);
http::Response read_quality_next(Call& call);

// dataset_handlers.cc
http::Response preview_import(Call& call);
http::Response import_tasks(Call& call);
http::Response list_imports(Call& call);
http::Response read_import(Call& call);
http::Response freeze_split(Call& call);
http::Response export_project(Call& call);
http::Response make_snapshot(Call& call);
http::Response list_snapshots(Call& call);
http::Response read_snapshot(Call& call);
http::Response read_snapshot_file(Call& call);

// run_handlers.cc
http::Response list_bases(Call& call);
http::Response plan_run(Call& call);
http::Response start_run(Call& call);
http::Response list_runs(Call& call);
http::Response read_run(Call& call);
http::Response cancel_run(Call& call);
http::Response read_run_metrics(Call& call);
http::Response read_run_answers(Call& call);
http::Response read_run_items(Call& call);
http::Response read_run_completions(Call& call);
http::Response read_run_labels(Call& call);
http::Response read_run_people(Call& call);
http::Response compare_run(Call& call);

// feedback_handlers.cc
http::Response give_feedback(Call& call);
http::Response list_feedback(Call& call);
http::Response count_feedback(Call& call);
http::Response read_feedback(Call& call);
http::Response withdraw_feedback(Call& call);
http::Response export_feedback(Call& call);

// live_handlers.cc
http::Response read_live(Call& call);
http::Response change_live(Call& call);
http::Response ask_live(Call& call);

// sampling_handlers.cc
http::Response list_sampling_rules(Call& call);
http::Response make_sampling_rule(Call& call);
http::Response change_sampling_rule(Call& call);
http::Response remove_sampling_rule(Call& call);

// model_handlers.cc
http::Response list_models(Call& call);
http::Response read_model(Call& call);
http::Response add_model(Call& call);
http::Response remove_model(Call& call);

// alias_handlers.cc
http::Response list_aliases(Call& call);
http::Response read_alias(Call& call);
http::Response promote_alias(Call& call);
http::Response split_alias(Call& call);
http::Response roll_back_alias(Call& call);
http::Response list_alias_versions(Call& call);
http::Response list_decisions(Call& call);
http::Response set_gate(Call& call);
http::Response remove_gate(Call& call);
http::Response list_heldout_sets(Call& call);

// job_handlers.cc
http::Response list_jobs(Call& call);
http::Response read_job(Call& call);
http::Response cancel_job(Call& call);

// audit_handlers.cc
http::Response list_audit(Call& call);
http::Response verify_audit(Call& call);

// service_handlers.cc
http::Response read_openapi(Call& call);
http::Response listen_to_events(Call& call);

// web_files.cc: /health, /metrics and the web page, which are no part of /api/v1.
void add_plain_routes(Platform& platform, http::Router& router);

// ---- Shared by handler files.
// "https://host/sign-in#token=…" as whoever asked reaches this server.
std::string page_link(const http::Request& request, std::string_view page, std::string_view token);

}  // namespace hone::api
