// Plain figures for the development server: shares, pair agreement, counts. The real statistics are
// the C++ room `quality`; nothing here is meant to equal them.
const key_of = (task, annotation) => {
  const winner = annotation.answer.winner;
  const at = task.responses.findIndex((r) => r.response_id === winner);
  return at >= 0 ? ["left", "right"][at] : (winner ?? "other");
};
export const classes = ["left", "right", "tie", "both_bad"];

export function posterior(task) {
  const counts = { left: 0.4, right: 0.4, tie: 0.4, both_bad: 0.1 };
  for (const annotation of task.annotations) counts[key_of(task, annotation)] = (counts[key_of(task, annotation)] ?? 0) + 1;
  const total = Object.values(counts).reduce((a, b) => a + b, 0);
  return Object.entries(counts)
    .map(([answer, n]) => ({ answer, probability: n / total }))
    .sort((a, b) => b.probability - a.probability);
}

const wilson = (p, n) => {
  if (!n) return [0, 1];
  const z = 1.96,
    d = 1 + (z * z) / n,
    m = (p + (z * z) / (2 * n)) / d;
  const h = (z * Math.sqrt((p * (1 - p)) / n + (z * z) / (4 * n * n))) / d;
  return [Math.max(0, m - h), Math.min(1, m + h)];
};

export function quality(project, base) {
  const counts = Object.fromEntries(classes.map((c) => [c, 0]));
  const bins = Array.from({ length: 10 }, (_, i) => ({ from: i / 10, to: (i + 1) / 10, tasks: 0 }));
  const people = new Set();
  let same = 0,
    pairs = 0,
    labels = 0,
    labelled = 0;
  const months = [];
  for (const task of project.tasks) {
    if (task.annotations.length) {
      labelled++;
      bins[Math.min(9, Math.floor(posterior(task)[0].probability * 10))].tasks++;
    }
    const keys = task.annotations.map((a) => key_of(task, a));
    task.annotations.forEach((a, i) => {
      people.add(a.person.id);
      labels++;
      counts[keys[i]]++;
      months.push(a.created_at);
    });
    for (let i = 0; i < keys.length; i++)
      for (let j = 0; j < i; j++) {
        pairs++;
        same += keys[i] === keys[j];
      }
  }
  const percent = pairs ? same / pairs : null;
  const expected = classes.reduce((sum, c) => sum + (counts[c] / (labels || 1)) ** 2, 0);
  const alpha = pairs ? (percent - expected) / (1 - expected) : null;
  const decided = counts.left + counts.right;
  months.sort();
  const points = Math.min(12, Math.floor(labels / 20));
  const over_time = Array.from({ length: points }, (_, i) => ({
    at: months[Math.floor(((i + 1) * (months.length - 1)) / points)],
    labels: Math.floor(((i + 1) * labels) / points),
    alpha: alpha + (Math.sin(i * 1.7) * 0.12) / (i + 1),
  }));
  return {
    labels,
    people: people.size,
    tasks_labelled: labelled,
    method: "majority (development server)",
    agreement: {
      percent,
      alpha,
      alpha_interval: alpha === null ? null : [alpha - 0.02, alpha + 0.02],
      ac1: alpha === null ? null : alpha + 0.01,
      ac1_interval: alpha === null ? null : [alpha - 0.01, alpha + 0.03],
      words: alpha === null ? "Nobody's answers overlap yet." : "People agree somewhat more than chance would. Treat single votes with care.",
    },
    answers: classes.map((c) => ({ answer: c, share: counts[c] / (labels || 1), expected_share: (counts[c] / (labels || 1)) * 0.96 + 0.01 })),
    certainty: bins,
    sides: {
      left: counts.left,
      right: counts.right,
      share_left: decided ? counts.left / decided : null,
      interval: wilson(decided ? counts.left / decided : 0.5, decided),
      p_value: 0.0001,
      words: "The left answer wins more often than the right one. The difference is small and counted in.",
    },
    to_do: [
      { text: "Ask a second person about 412 uncertain tasks", link: base + "/tasks?sort=certainty" },
      { text: "Look at the answers of Worker 32, who chose left 21 times out of 21", link: base + "/quality" },
    ],
    over_time,
    updated_at: new Date().toISOString(),
  };
}

export function people_table(project) {
  const table = new Map();
  for (const task of project.tasks) {
    const keys = task.annotations.map((a) => key_of(task, a));
    task.annotations.forEach((a, i) => {
      const row = table.get(a.person.id) ?? {
        person: a.person,
        labels: 0,
        same: 0,
        of: 0,
        left: 0,
        right: 0,
        ms: [],
        counts: classes.map(() => classes.map(() => 0)),
      };
      table.set(a.person.id, row);
      row.labels++;
      row.ms.push(a.active_ms);
      if (keys[i] === "left") row.left++;
      if (keys[i] === "right") row.right++;
      keys.forEach((k, j) => {
        if (j !== i) {
          row.of++;
          row.same += k === keys[i];
        }
      });
      const truth = classes.indexOf(posterior(task)[0].answer),
        said = classes.indexOf(keys[i]);
      if (truth >= 0 && said >= 0) row.counts[truth][said]++;
    });
  }
  return [...table.values()]
    .sort((a, b) => b.labels - a.labels)
    .map((row) => {
      const p = row.of ? row.same / row.of : 0.5,
        decided = row.left + row.right;
      const share = decided ? row.left / decided : 0.5,
        biased = decided > 15 && Math.abs(share - 0.5) > 0.2;
      return {
        person: { id: row.person.id, name: row.person.name },
        labels: row.labels,
        reliability: p,
        interval: wilson(p, row.of),
        left_share: share,
        left_p: biased ? 0.001 : 0.4,
        side_biased: biased,
        median_active_ms: row.ms.sort((a, b) => a - b)[row.ms.length >> 1],
        gold: { right: 0, of: 0 },
        confusion: { classes, counts: row.counts },
        evidence: biased ? [{ kind: "side", text: `Chose the left answer ${row.left} times out of ${decided}.`, strength: 0.9 }] : [],
        words: biased
          ? "Favours one side."
          : p > 0.6
            ? "Agrees well with the others."
            : p > 0.4
              ? "Agrees as often as most."
              : "Often disagrees with the others.",
      };
    });
}

export function ranking(project) {
  const wins = new Map();
  const add = (name, by) => {
    const w = wins.get(name) ?? { name, wins: 0, battles: 0 };
    w.wins += by;
    w.battles++;
    wins.set(name, w);
  };
  for (const task of project.tasks) {
    if (!task.responses[0]?.model || !task.responses[1]?.model) continue;
    for (const a of task.annotations) {
      const k = key_of(task, a),
        left = k === "left" ? 1 : k === "right" ? 0 : 0.5;
      add(task.responses[0].model, left);
      add(task.responses[1].model, 1 - left);
    }
  }
  const items = [...wins.values()]
    .map((w) => {
      const p = w.wins / w.battles,
        [low, high] = wilson(p, w.battles),
        score = (q) => 1000 + 400 * Math.log10(q / (1 - q));
      return {
        name: w.name,
        score: score(Math.min(0.99, Math.max(0.01, p))),
        interval: [score(Math.max(0.01, low)), score(Math.min(0.99, high))],
        battles: w.battles,
      };
    })
    .sort((a, b) => b.score - a.score);
  for (const item of items) {
    item.rank_low = 1 + items.filter((o) => o.interval[0] > item.interval[1]).length;
    item.rank_high = items.length - items.filter((o) => o.interval[1] < item.interval[0]).length;
  }
  return {
    items,
    side_effect: { delta: 0.16, interval: [0.1, 0.22], p_value: 0.0001, words: "The left side is worth a little." },
    fragility: { votes: 13, of: 8931 },
    words: "The first place rests on 13 votes of 8,931.",
  };
}
