// What was said of answers and the sampling rules, for the stand-in: kept in memory, texts only with
// consent, filtered as the program does it.
import { new_id } from "./data.mjs";
import { Problem, not_found } from "./rules.mjs";

const kDayMs = 86_400_000;
const questions = [
  "How do I cancel a train ticket that I bought with a voucher?",
  "Write a short poem about the sea in November.",
  "What is the difference between a list and a tuple in Python?",
  "My sourdough does not rise. What should I check first?",
  "Explain compound interest to a ten-year-old.",
  "Translate 'see you on Thursday' into Portuguese.",
];
const answers = [
  "You can cancel it in the app. The money goes back to the voucher within **5 days**, not to your card.",
  "Grey gulls, a grey shore,\nthe tide counts its stones again.\nNovember listens.",
  "A list can change, a tuple can not. Use a tuple for things that belong together and stay as they are:\n\n```python\npoint = (3, 4)\n```",
  "Check the starter first: it should double within six hours. Then the temperature: below 20 degrees everything takes twice as long.",
];
const reasons = ["wrong", "harmful", "broken", "unhelpful", "style"];
const chance = (n) => {
  const x = Math.sin(n * 12.9898) * 43758.5453;
  return x - Math.floor(x);
};

const answer = (n, model, text) => ({
  completion: `chatcmpl-${String(n).padStart(6, "0")}`,
  choice: 0,
  asked: "assistant",
  model,
  model_digest: "7c".repeat(32),
  system_fingerprint: "c3d4e5f6".repeat(8),
  settings: { temperature: 0.7, top_p: 1, top_k: 0, seed: 4711 + n, max_tokens: 512 },
  messages: [{ role: "user", content: questions[n % questions.length] }],
  text,
  finish_reason: "stop",
});

/** Some weeks of it: two models, most of it thumbs. */
export function demo_feedback(world, now_ms) {
  const models = ["helpful-v3", "SmolLM2-135M-Instruct"];
  for (let n = 0; n < 260; n++) {
    const model = models[chance(n) < 0.6 ? 0 : 1],
      luck = chance(n + 0.37),
      consent = chance(n + 0.71) < 0.7,
      kind = luck < 0.78 ? "thumbs" : luck < 0.9 ? "comparison" : luck < 0.96 ? "edit" : "report",
      text = answers[n % answers.length],
      up = chance(n + 0.13) < (model === models[0] ? 0.78 : 0.55);
    const pair =
      kind === "comparison" ? [answer(n, models[0], text), answer(n + 5000, models[1], answers[(n + 1) % answers.length])] : [answer(n, model, text)];
    keep(world, {
      kind,
      verdict:
        kind === "thumbs"
          ? up
            ? "up"
            : "down"
          : kind === "edit"
            ? "edited"
            : kind === "report"
              ? "reported"
              : ["left", "left", "right", "tie", "both_bad"][n % 5],
      reason: kind === "report" || (kind === "thumbs" && !up && n % 2) ? reasons[n % reasons.length] : "",
      comment: kind === "report" ? "It says the money goes back to the card in the second answer, and not in the first." : "",
      text: kind === "edit" ? text.replace("5 days", "14 days").replace("You can", "You may").replace("six hours", "eight hours") : "",
      consent,
      answers: pair,
      person: { id: `usr_${(n % 7) + 1}`, name: ["Ada", "Ben", "Chidi", "Dana", "Emil", "Farah", "Goro"][n % 7] },
      at_ms: now_ms - Math.floor((1 - n / 260) ** 1.4 * 28.5 * kDayMs) - (260 - n) * 1000,
    });
  }
}

function keep(world, said) {
  const [first, second] = said.answers;
  const item = {
    id: new_id("fbk"),
    kind: said.kind,
    verdict: said.verdict,
    reason: said.reason ?? "",
    completion: first?.completion ?? said.completion ?? "",
    choice: 0,
    other: said.kind === "comparison" ? (second?.completion ?? "") : null,
    other_choice: said.kind === "comparison" ? 0 : null,
    person: said.person,
    consent: said.consent,
    comment: said.comment ?? "",
    text: said.text ?? "",
    excerpt: said.consent && first ? first.messages.at(-1).content : "",
    models: said.consent ? said.answers.map((a) => a.model) : [],
    created_at: new Date(said.at_ms).toISOString(),
  };
  world.said.unshift({ item, answers: said.consent ? said.answers : [] });
  return item;
}

const matches = (item, query) => {
  const day = item.created_at.slice(0, 10);
  const is = (name, value) => !query.get(name) || query.get(name) === String(value);
  return (
    is("kind", item.kind) &&
    is("verdict", item.verdict) &&
    is("completion", item.completion) &&
    is("consent", item.consent) &&
    (!query.get("model") || item.models.includes(query.get("model"))) &&
    (!query.get("from") || day >= query.get("from")) &&
    (!query.get("to") || day <= query.get("to"))
  );
};
function days(world, query, now_ms) {
  const first = new Date(now_ms - (Number(query.get("days") ?? 30) - 1) * kDayMs).toISOString().slice(0, 10);
  const rows = new Map();
  for (const { item } of world.said) {
    const day = item.created_at.slice(0, 10);
    if (day < first) continue;
    const of = (model) => {
      const key = day + model;
      if (!rows.has(key)) rows.set(key, { day, model, up: 0, down: 0, won: 0, lost: 0, undecided: 0, edited: 0, reported: 0 });
      return rows.get(key);
    };
    const [left = "", right = left] = item.models;
    if (item.kind !== "comparison") of(left)[item.verdict]++;
    else if (left === right || !["left", "right"].includes(item.verdict)) for (const m of new Set([left, right])) of(m).undecided++;
    else {
      of(item.verdict === "left" ? left : right).won++;
      of(item.verdict === "left" ? right : left).lost++;
    }
  }
  return [...rows.values()].sort((a, b) => (a.day + a.model).localeCompare(b.day + b.model));
}
const paged = (list, query) => {
  const limit = Number(query.get("limit") ?? 50),
    after = Number(query.get("after") ?? 0);
  return { items: list.slice(after, after + limit), next: after + limit < list.length ? String(after + limit) : null };
};
const verdict_of = (body) =>
  body.winner ?? (body.kind === "thumbs" ? (body.value > 0 ? "up" : "down") : body.kind === "edit" ? "edited" : "reported");

export const feedback_routes = ({ world, now, project_of }) => {
  const rule_of = (id) =>
    world.rules.find((r) => r.id === id) ??
    (() => {
      throw not_found("rule");
    })();
  const checked = (rule) => {
    const type = project_of(rule.project_id).task_type;
    if (["pairwise", "ranking"].includes(type) && !["compared", "edited", "judged"].includes(rule.source))
      throw new Problem(
        400,
        "invalid",
        `a ${type} project needs two answers: take what was compared, edited or judged, or a project that asks about one answer`,
        "/source",
      );
    return rule;
  };
  return [
    [
      "POST",
      "/feedback",
      null,
      ({ who, body }) => {
        world.serving.feedback.push({ ...body, at: now(), person: who.id });
        const item = keep(world, {
          ...body,
          verdict: verdict_of(body),
          completion: body.completion ?? body.completions[0],
          answers: [],
          person: { id: who.id, name: who.name },
          at_ms: Date.now(),
        });
        return [201, { id: item.id, consent: body.consent, repeated: false, tasks: [] }];
      },
    ],
    [
      "GET",
      "/feedback",
      "feedback.view",
      ({ query }) =>
        paged(
          world.said.map((s) => s.item).filter((i) => matches(i, query)),
          query,
        ),
    ],
    ["GET", "/feedback/days", "feedback.view", ({ query }) => paged(days(world, query, Date.now()), query)],
    [
      "GET",
      "/feedback/:id",
      "feedback.view",
      ({ ids }) => {
        const found = world.said.find((s) => s.item.id === ids[0]);
        if (!found) throw not_found("feedback");
        return { feedback: found.item, answers: found.answers };
      },
    ],
    [
      "DELETE",
      "/feedback/:id",
      "feedback.give",
      ({ ids }) => {
        world.said = world.said.filter((s) => s.item.id !== ids[0]);
        return [204];
      },
    ],
    ["GET", "/sampling-rules", "feedback.manage", ({ query }) => paged(world.rules, query)],
    [
      "POST",
      "/sampling-rules",
      "feedback.manage",
      ({ who, body }) => {
        const rule = checked({
          id: new_id("rul"),
          model: "",
          share: 1,
          daily_cap: 100,
          on: true,
          ...body,
          taken: 0,
          taken_today: 0,
          created_by: { id: who.id, name: who.name },
          created_at: now(),
        });
        world.rules.push(rule);
        return [201, rule];
      },
    ],
    ["PATCH", "/sampling-rules/:id", "feedback.manage", ({ ids, body }) => Object.assign(rule_of(ids[0]), checked({ ...rule_of(ids[0]), ...body }))],
    [
      "DELETE",
      "/sampling-rules/:id",
      "feedback.manage",
      ({ ids }) => {
        rule_of(ids[0]);
        world.rules = world.rules.filter((r) => r.id !== ids[0]);
        return [204];
      },
    ],
  ];
};
