import { expect, test } from "vitest";
import {
  curves_of,
  first_metrics,
  metric_names,
  raw_of,
  setting_rows,
  short_number,
  type Line,
} from "./run_metrics";

const grpo: Line[] = [
  {
    step: 1,
    epoch: 0.1,
    loss: 0.5,
    grad_norm: 1,
    kl: 0,
    reward: 0.2,
    "rewards/numeric/mean": 0.2,
    num_tokens: 9,
  },
  { step: 2, epoch: 0.2, loss: 0.4, grad_norm: 2, kl: 0.1, reward: 0.4, "grad_norm/embed": 3, entropy: 1.5 },
  { step: 2, eval_loss: 0.7 },
];

test("what says most comes first, whatever the method; counters are no curves", () => {
  const names = metric_names(grpo);
  expect(names.slice(0, 4)).toEqual(["loss", "reward", "kl", "entropy"]);
  expect(names).not.toContain("num_tokens");
  expect(names.at(-1)).toBe("grad_norm/embed");
  expect(first_metrics(names)).toEqual(["loss", "reward", "kl", "entropy", "eval_loss"]);
  expect(first_metrics(metric_names([{ step: 1, "objective/kl": 1, "rewards/margins": 2 }]))).toEqual([
    "rewards/margins",
    "objective/kl",
  ]);
  expect(first_metrics([])).toEqual([]);
});

test("two runs lie over each other by their steps", () => {
  const { rows, ends } = curves_of(
    [
      { id: "a", lines: grpo },
      {
        id: "b",
        lines: [
          { step: 2, loss: 9 },
          { step: 4, loss: 7 },
        ],
      },
    ],
    "loss",
    0,
    false,
  );
  expect(rows.map((r) => [r.step, r.a ?? null, r.b ?? null])).toEqual([
    [1, 0.5, null],
    [2, 0.4, 9],
    [4, null, 7],
  ]);
  expect(ends.b).toEqual({ first: 9, last: 7 });
});

test("smoothing keeps the steps as they were beside it, and a log axis leaves out what it cannot show", () => {
  const lines = [
    { step: 1, kl: 0 },
    { step: 2, kl: 1 },
  ];
  const { rows } = curves_of([{ id: "a", lines }], "kl", 0.5, false);
  expect(rows[1]![raw_of("a")]).toBe(1);
  expect(rows[1]!.a).toBeCloseTo(2 / 3, 12);
  const log = curves_of([{ id: "a", lines }], "kl", 0, true);
  expect(log.rows[0]!.a).toBeNull();
  expect(log.dropped).toBe(2); // the point and its smoothed one
});

test("settings that are not the same in all runs are told apart, also those that one has not", () => {
  const rows = setting_rows([
    { id: "a", settings: { beta: 0.1, lora_r: 16, loss_type: ["sigmoid"] } },
    { id: "b", settings: { beta: 0.2, loss_type: ["sigmoid"] } },
  ]);
  expect(rows).toEqual([
    { name: "beta", values: ["0.1", "0.2"], differs: true },
    { name: "lora_r", values: ["16", "–"], differs: true },
    { name: "loss_type", values: ['["sigmoid"]', '["sigmoid"]'], differs: false },
  ]);
});

test("numbers of every size are short", () => {
  expect([0, 0.00002, 0.1234, -1.234, 12.34, 1234, 1e7].map(short_number)).toEqual([
    "0",
    "2.0e−5",
    "0.123",
    "−1.23",
    "12.3",
    "1234",
    "1.0e7",
  ]);
});
