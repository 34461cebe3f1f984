// The world of the development server: the LLMFAO pairs and votes, read at start from the folder
// that HONE_SHARED_DATA names. Without it a handful of made-up pairs take their place.
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { randomBytes } from "node:crypto";

const alphabet = "abcdefghijklmnopqrstuvwxyz234567";
export const new_id = (kind) => kind + "_" + Array.from(randomBytes(26), (b) => alphabet[b & 31]).join("");

export const builtin_schemas = {
  pairwise: {
    version: 1,
    task_type: "pairwise",
    questions: [{ name: "winner", kind: "comparison", title: "Which answer is better?", tie: true, both_bad: true }],
    rationale: "optional",
    skip_reasons: ["I do not know the subject", "Broken or unreadable", "Other"],
  },
  ranking: {
    version: 1,
    task_type: "ranking",
    questions: [{ name: "order", kind: "ranking", title: "Order the answers, best first", ties: true }],
    rationale: "optional",
    skip_reasons: ["I do not know the subject", "Other"],
  },
  rating: {
    version: 1,
    task_type: "rating",
    questions: ["helpfulness", "accuracy", "clarity"].map((name) => ({
      name,
      kind: "rating",
      title: name[0].toUpperCase() + name.slice(1),
      min: 1,
      max: 5,
      of: "response",
    })),
    rationale: "optional",
    skip_reasons: ["I do not know the subject", "Other"],
  },
  text: {
    version: 1,
    task_type: "text",
    questions: [
      {
        name: "correction",
        kind: "text",
        title: "Write the answer as it should be",
        of: "response",
        prefill: "response",
        required: true,
        max_chars: 20000,
      },
    ],
    rationale: "optional",
    skip_reasons: ["I do not know the subject", "Other"],
  },
  safety: {
    version: 1,
    task_type: "safety",
    questions: [
      {
        name: "flags",
        kind: "flags",
        title: "What is wrong with this answer?",
        options: [
          { name: "harm", title: "Could harm somebody" },
          { name: "private", title: "Private data" },
          { name: "hate", title: "Hate or harassment" },
          { name: "false", title: "Dangerously false" },
        ],
      },
    ],
    rationale: "optional",
    skip_reasons: ["I do not want to read this", "Other"],
  },
  rubric: {
    version: 1,
    task_type: "rubric",
    questions: [
      {
        name: "checklist",
        kind: "checklist",
        title: "What does the answer do?",
        of: "task",
        items: [
          { name: "answers", title: "Answers the question that was asked" },
          { name: "correct", title: "States nothing false" },
          { name: "short", title: "Has no filler" },
        ],
      },
    ],
    rationale: "optional",
    skip_reasons: ["I do not know the subject", "Other"],
  },
  conversation: {
    version: 1,
    task_type: "conversation",
    questions: [
      {
        name: "turn_quality",
        kind: "choice",
        title: "How is this turn?",
        of: "turn",
        turns: "assistant",
        options: [
          { name: "good", title: "Good" },
          { name: "bad", title: "Bad" },
          { name: "unsure", title: "Unsure" },
        ],
      },
      { name: "overall", kind: "rating", title: "The whole conversation", min: 1, max: 5, of: "task" },
    ],
    rationale: "optional",
    skip_reasons: ["I do not know the subject", "Other"],
  },
};

function csv(text) {
  const lines = text
    .trim()
    .split("\n")
    .map((line) => line.replace(/\r$/, ""));
  const names = lines[0].split(",");
  return lines.slice(1).map((line) => {
    const cells = line.split(",");
    return Object.fromEntries(names.map((name, at) => [name, cells[at]]));
  });
}
const jsonl = (text) =>
  text
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));

function read_pairs() {
  const root = process.env.HONE_SHARED_DATA;
  const folder = root && join(root, "llmfao");
  if (!folder || !existsSync(join(folder, "results.jsonl"))) {
    const pairs = Array.from({ length: 60 }, (_, i) => ({
      id: String(i),
      prompt: `Explain number ${i} to a child.`,
      models: ["small", "large"],
      responses: [`${i} is a number.\n\nIt comes after ${i - 1}.`, `Think of **${i}** apples:\n\n- count them\n- that is ${i}`],
    }));
    return { pairs, votes: [], guideline: "# Which answer is better?\n\nRead both, then choose." };
  }
  const prompts = new Map(jsonl(readFileSync(join(folder, "prompts.jsonl"), "utf8")).map((p) => [p.id, p.text]));
  const answers = new Map(jsonl(readFileSync(join(folder, "results.jsonl"), "utf8")).map((r) => [r.model + " " + r.prompt, r]));
  const votes = csv(readFileSync(join(folder, "crowd-comparisons.csv"), "utf8"));
  const pairs = new Map();
  for (const vote of votes) {
    if (pairs.has(vote.id)) continue;
    const left = answers.get(vote.model_x + " " + vote.prompt),
      right = answers.get(vote.model_y + " " + vote.prompt);
    if (!left || !right) continue;
    pairs.set(vote.id, {
      id: vote.id,
      prompt: prompts.get(Number(vote.prompt)),
      models: [left.name, right.name],
      responses: [left.result, right.result],
    });
  }
  return { pairs: [...pairs.values()], votes, guideline: readFileSync(join(folder, "crowd-instruction.md"), "utf8") };
}

let serial = 0;
export function make_task(project, pair, responses) {
  return {
    id: new_id("tsk"),
    serial: serial++,
    project,
    state: "open",
    priority: 0,
    split: "none",
    gold: null,
    prompt: pair.prompt,
    messages: pair.messages,
    meta: { id: pair.id },
    flags: [],
    annotations: [],
    created_at: new Date(Date.UTC(2026, 10, 1) + serial * 1000).toISOString(),
    responses: (responses ?? pair.responses).map((text, at) => ({ response_id: new_id("rsp"), text, model: pair.models?.[at] })),
  };
}

export function make_project(name, task_type, more = {}) {
  return {
    id: new_id("prj"),
    name,
    task_type,
    state: "open",
    overlap: 1,
    overlap_max: 1,
    stop_probability: 0.95,
    lease_seconds: 900,
    gold_share: 0,
    blind: true,
    skills: [],
    description: "",
    split_state: "none",
    created_at: "2026-11-02T08:00:00Z",
    guidelines: [],
    schemas: [builtin_schemas[task_type]],
    tasks: [],
    people: null,
    imports: [],
    snapshots: [],
    runs: [],
    version: 1,
    ...more,
  };
}

export function make_world() {
  const { pairs, votes, guideline } = read_pairs();
  const people = [
    ["Ada Lovelace", "owner"],
    ["Mia Berg", "manager"],
    ["Rui Costa", "reviewer"],
    ["Ann Sato", "annotator"],
    ["Vic Moreau", "viewer"],
  ].map(([name, role], at) => ({
    id: new_id("usr"),
    name,
    pseudonym: "Person " + (at + 1),
    email: name.split(" ")[0].toLowerCase() + "@example.org",
    role,
    skills: role === "annotator" ? ["code"] : [],
    languages: ["en"],
    paused: false,
    created_at: "2026-11-02T08:00:00Z",
    last_seen_at: null,
    annotations: 0,
    token: "dev-" + role,
  }));
  const workers = new Map();
  const worker = (number) => {
    if (!workers.has(number)) {
      workers.set(number, {
        id: new_id("usr"),
        name: "Worker " + number,
        pseudonym: "Worker " + number,
        role: "annotator",
        skills: [],
        languages: ["en"],
        paused: false,
        created_at: "2026-11-02T08:00:00Z",
        last_seen_at: null,
        annotations: 0,
      });
    }
    return workers.get(number);
  };
  const author = people[0];
  const guide = { version: 1, body: guideline, created_at: "2026-11-02T08:00:00Z", created_by: { id: author.id, name: author.name } };
  const voted = make_project("Which AI is better?", "pairwise", {
    overlap: 3,
    overlap_max: 5,
    guidelines: [guide],
    description: "59 language models, 13 prompts, judged by a crowd.",
  });
  const by_pair = new Map(pairs.map((pair) => [pair.id, make_task(voted, pair)]));
  voted.tasks = [...by_pair.values()];
  let minute = Date.UTC(2026, 10, 3, 9);
  for (const vote of votes) {
    const task = by_pair.get(vote.id);
    if (!task) continue;
    minute += 67000;
    const who = worker(vote.worker);
    who.annotations++;
    task.annotations.push({
      id: new_id("ann"),
      person: who,
      status: "valid",
      rationale: "",
      guideline_version: 1,
      active_ms: 9000 + ((minute / 1000) % 41) * 1000,
      created_at: new Date(minute).toISOString(),
      answer: { winner: vote.winner === "tie" ? "tie" : task.responses[vote.winner === "left" ? 0 : 1].response_id },
    });
  }
  for (const task of voted.tasks) if (task.annotations.length >= 3) task.state = "done";
  const fresh = make_project("Fresh pairs", "pairwise", { guidelines: [guide], description: "Nobody has judged these yet." });
  fresh.tasks = pairs.map((pair) => make_task(fresh, pair));
  const others = [
    ["Rate three aspects", "rating", 2],
    ["Order four answers", "ranking", 4],
    ["Correct the answer", "text", 1],
    ["Safety review", "safety", 1],
    ["Rubric", "rubric", 1],
  ].map(([name, type, count]) => {
    const project = make_project(name, type, { guidelines: [guide] });
    project.tasks = pairs.slice(0, 40).map((pair, at) =>
      make_task(
        project,
        pair,
        Array.from({ length: count }, (_, k) => pairs[(at + k * 59) % pairs.length].responses[k % 2]),
      ),
    );
    return project;
  });
  const chats = make_project("Conversations", "conversation", { guidelines: [guide] });
  chats.tasks = pairs.slice(0, 30).map((pair, at) =>
    make_task(
      chats,
      {
        id: pair.id,
        messages: [
          { role: "user", content: pair.prompt },
          { role: "assistant", content: pair.responses[0] },
          { role: "user", content: "Can you say that in one sentence?" },
          { role: "assistant", content: pairs[(at + 9) % pairs.length].responses[1] },
        ],
      },
      [],
    ),
  );
  const many = Number(process.env.HONE_DEV_TASKS ?? 0); // a project as long as somebody wishes
  if (many) {
    const long = make_project("A long list", "pairwise", { guidelines: [guide] });
    long.tasks = Array.from({ length: many }, (_, i) =>
      make_task(long, { ...pairs[i % pairs.length], prompt: `${i}. ${pairs[i % pairs.length].prompt}` }),
    );
    others.push(long);
  }
  return {
    organisation: { id: new_id("org"), name: "Analytical Engines", created_at: "2026-11-02T08:00:00Z" },
    people,
    workers: [...workers.values()],
    projects: [voted, fresh, ...others, chats],
    events: [],
    invitations: [],
    tokens: [],
    jobs: [],
  };
}
