// What every screen says.
import { s } from "./words";

export const common = {
  close: "Close",
  cancel: "Cancel",
  save: "Save",
  saved: "Saved",
  retry: "Try again",
  loading: "Loading",
  copy: "Copy",
  copied: "Copied",
  remove: "Remove",
  more: "Show more",
  search: "Search",
  away: "The server cannot be reached. What you see may be old.",
  none: "None",
  yes: "Yes",
  no: "No",
  name: "Name",
  created: "Created",
  by: "by",
  optional: "optional",
  of: "of",
  all: "All",
  back: "Back",
  edit: "Edit",
  once: "Copy it now: it is shown only this once.",
  not_found: "There is no such page",
  not_found_text: "It may have been removed, or it belongs to another organisation.",
  go_home: "Go to the start page",
  no_organisation: "You belong to no organisation",
  no_organisation_text: "Ask for an invitation to one.",
  forbidden: "Your role does not show this page",
  forbidden_text: "Ask an owner or manager of your organisation if you need it.",
  skip_to_content: "Skip to the content",
  failed: "Something went wrong on this page",
  failed_text: "Nothing you did is lost. Load the page again.",
  reload: "Load again",
  menu: "Menu",
  required: "required",
  product: "Hone",
  rows: (count: number) => s(count, "row"),
};

export const roles = {
  owner: "Owner",
  manager: "Manager",
  reviewer: "Reviewer",
  annotator: "Annotator",
  viewer: "Viewer",
} as Record<string, string>;

export const task_types = {
  pairwise: "Compare two answers",
  ranking: "Order several answers",
  rating: "Rate answers",
  text: "Write or correct",
  safety: "Safety flags",
  rubric: "Checklist",
  conversation: "Conversation, turn by turn",
} as Record<string, string>;

export const task_type_text = {
  pairwise: "A, B, tie or both bad. Trains a model by preference.",
  ranking: "Two to ten answers, best first, ties allowed.",
  rating: "Numbers for helpfulness, accuracy, clarity.",
  text: "A better answer in the person's own words.",
  safety: "Any of some flags, or none.",
  rubric: "Yes or no for each item.",
  conversation: "Each turn, and the whole.",
} as Record<string, string>;

export const states = {
  open: "Open",
  paused: "Paused",
  finished: "Finished",
  archived: "Archived",
  done: "Done",
  undecided: "Undecided",
  cancelled: "Cancelled",
  leased: "At work",
  running: "Running",
  queued: "Waiting",
  failed: "Failed",
  ready: "Ready",
  making: "Being made",
} as Record<string, string>;

export const answers = {
  first: "First",
  second: "Second",
  left: "First",
  right: "Second",
  tie: "Tie",
  both_bad: "Both bad",
  other: "Other",
} as Record<string, string>;

export const nav = {
  home: "Home",
  projects: "Projects",
  new_project: "New project",
  people: "People",
  audit: "Audit",
  settings: "Settings",
  overview: "Overview",
  label: "Label",
  tasks: "Tasks",
  quality: "Quality",
  snapshots: "Snapshots",
  runs: "Runs",
  main: "Main navigation",
  project: "Pages of this project",
  find: "Find or do",
  admin: "Organisation",
};

export const actions = {
  palette: "Find or do anything",
  keys: "Show the keys",
  home: "Go to home",
  new_project: "New project",
  people: "Go to people",
  audit: "Go to audit",
  settings: "Go to settings",
  theme: "Light or dark",
  sign_out: "Sign out",
  placeholder: "What do you want to do?",
  nothing: "Nothing has that name.",
  groups: { label: "Labelling", go: "Go to", page: "Page", project: "Projects" } as Record<string, string>,
  keys_title: "Keys of this page",
  keys_note: "Single keys wait while you write. Esc leaves a text field.",
};
