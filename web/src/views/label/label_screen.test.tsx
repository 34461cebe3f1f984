// The labelling screen by role and key, over a small honest server in memory.
import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { MantineProvider } from "@mantine/core";
import { act, render, screen, waitFor, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { beforeEach, describe, expect, it, vi } from "vitest";
import type { Assignment, Session } from "../../api/types";
import type { Schema } from "../../pure/answer";
import { useKeys } from "../../actions/action";
import { kSessionKey } from "../../state/session";
import { LabelSession } from "../../state/label_session";
import { Toasts } from "../../ui/toasts";
import { LabelScreen } from "./label_screen";

vi.mock("./outbox_chip", () => ({ OutboxChip: () => null, useOutbox: () => null }));

const pairwise: Schema = {
  version: 1,
  task_type: "pairwise",
  questions: [{ name: "winner", kind: "comparison", title: "Which answer is better?" }],
  rationale: "optional",
  skip_reasons: ["No idea", "Broken"],
};

function make(schema: Schema, count = 5, responses = 2) {
  const tasks = Array.from({ length: count }, (_, i): Assignment => ({
    assignment_id: "asn_" + i,
    task_id: "tsk_" + i,
    project_id: "prj",
    lease_expires_at: "",
    guideline_version: 1,
    schema_version: 1,
    task: {
      prompt: `Question ${i}`,
      responses: Array.from({ length: responses }, (_, k) => ({
        response_id: `r${i}_${k}`,
        text: `Answer ${i} ${"ABCD"[k]} <script>alert(1)</script>`,
      })),
    },
  }));
  const sent: { kind: string; id: string; body: Record<string, unknown> }[] = [];
  const back: string[] = [];
  const drafts: unknown[] = [];
  const done = new Set<string>();
  const session = new LabelSession(
    "prj",
    {
      next_tasks: async (_, n) => {
        const list = tasks.filter((t) => !done.has(t.assignment_id)).slice(0, n);
        return { list, reason: list.length ? null : "all-yours-done" };
      },
      get_mine: async () => ({
        done: 0,
        done_today: 0,
        minutes_today: 0,
        available: count,
        guideline_version: 1,
        recent: [],
      }),
      get_schema: async () => schema,
      save_draft: async (_, d) => {
        drafts.push(d);
      },
      heartbeat: async () => undefined,
      release: async () => undefined,
      undo_now: async () => {
        throw new Error("not here");
      },
    },
    {
      add: (kind, ids, body) => {
        sent.push({ kind, id: ids.assignment_id, body: body as Record<string, unknown> });
        if (kind !== "flag") done.add(ids.assignment_id);
        return "e" + sent.length;
      },
      take_back: async (id, ids) => {
        back.push(id);
        done.delete(ids.assignment_id);
      },
      busy_assignments: () => new Set(),
    },
  );
  return { session, sent, back, drafts };
}

function Frame({ session }: { session: LabelSession }) {
  useKeys();
  return (
    <>
      <LabelScreen session={session} project_name="My project" back="/" />
      <Toasts />
    </>
  );
}
async function show(schema: Schema, count?: number, responses?: number) {
  const world = make(schema, count, responses);
  const client = new QueryClient();
  client.setQueryData(kSessionKey, {
    person: { id: "u", name: "A", locale: "en" },
    organisation: { id: "o", name: "O" },
  } as Session);
  render(
    <MantineProvider>
      <QueryClientProvider client={client}>
        <Frame session={world.session} />
      </QueryClientProvider>
    </MantineProvider>,
  );
  act(() => world.session.start());
  await screen.findByText("Question 0");
  return { ...world, user: userEvent.setup() };
}
beforeEach(() => {
  document.body.innerHTML = "";
  Element.prototype.scrollTo = () => {};
});

describe("comparing", () => {
  it("sends one answer for one key and shows the next task at once", async () => {
    const { user, sent } = await show(pairwise);
    await user.keyboard("b");
    expect(screen.getByText("Question 1")).toBeTruthy();
    expect(sent).toMatchObject([{ kind: "annotation", id: "asn_0", body: { answer: { winner: "r0_1" } } }]);
    await user.keyboard("{ArrowLeft}t2n");
    expect(sent.map((s) => (s.body.answer as { winner: string }).winner)).toEqual([
      "r0_1",
      "r1_0",
      "tie",
      "r3_1",
      "both_bad",
    ]);
    await screen.findByText("You have done all of yours");
  });
  it("offers the same answers as buttons with their keys", async () => {
    const { user, sent } = await show(pairwise);
    const button = screen.getByRole("button", { name: "A is better" });
    expect(button.getAttribute("aria-keyshortcuts")).toBe("A 1 ArrowLeft");
    await user.click(button);
    expect(sent[0]!.body.answer).toEqual({ winner: "r0_0" });
  });
  it("takes answers back in turn, with what was said", async () => {
    const { user, sent, back } = await show(pairwise);
    await user.keyboard("ab");
    await user.keyboard("u");
    expect(screen.getByText("Question 1")).toBeTruthy();
    expect(screen.getByText(/You took this answer back/)).toBeTruthy();
    await user.keyboard("u");
    expect(screen.getByText("Question 0")).toBeTruthy();
    expect(back).toEqual(["e2", "e1"]);
    await user.keyboard("t");
    expect(sent[2]).toMatchObject({ id: "asn_0", body: { answer: { winner: "tie" } } });
    expect(screen.getByText("Question 1")).toBeTruthy();
  });
  it("sends no key of somebody who writes", async () => {
    const { user, sent, drafts } = await show(pairwise);
    await user.keyboard("r");
    const field = await screen.findByLabelText("Why?");
    await waitFor(() => expect(document.activeElement).toBe(field));
    await user.keyboard("a better beat");
    expect(sent).toEqual([]);
    await waitFor(() => expect(drafts.length).toBe(1));
    await user.keyboard("{Escape}a");
    expect(sent[0]!.body).toMatchObject({ answer: { winner: "r0_0" }, rationale: "a better beat" });
  });
  it("skips by two keys, with the reason", async () => {
    const { user, sent } = await show(pairwise);
    await user.keyboard("s");
    await screen.findByText("Why skip this task?");
    await user.keyboard("2");
    expect(sent).toMatchObject([{ kind: "skip", id: "asn_0", body: { reason: "Broken" } }]);
    expect(screen.getByText("Question 1")).toBeTruthy();
  });
  it("shows what strangers wrote as text", async () => {
    await show(pairwise);
    expect(document.querySelector("script")).toBeNull();
    expect(screen.getAllByText(/<script>alert\(1\)<\/script>/).length).toBe(2);
  });
});

describe("more than one question", () => {
  const strong: Schema = {
    ...pairwise,
    questions: [
      {
        name: "winner",
        kind: "comparison",
        title: "Better?",
        strength: { title: "By how much?", labels: ["slightly", "far"], required: true },
      },
    ],
  };
  it("names what is missing on the button and sends nothing before", async () => {
    const { user, sent } = await show(strong);
    expect(screen.getByRole("button", { name: /Missing: Better\?/ })).toBeTruthy();
    await user.keyboard("{Enter}");
    expect(sent).toEqual([]);
    await user.keyboard("b");
    expect(screen.getByRole("button", { name: /Missing: By how much\?/ })).toBeTruthy();
    await user.keyboard("2");
    expect(screen.getByRole("button", { name: "Submit" })).toBeTruthy();
    await user.keyboard("{Enter}");
    expect(sent[0]!.body.answer).toEqual({ winner: "r0_1", winner_strength: 2 });
  });
  it("rates each answer by numbers alone", async () => {
    const { user, sent } = await show({
      ...pairwise,
      questions: [{ name: "clear", kind: "rating", title: "Clear", min: 1, max: 5, of: "response" }],
    });
    await user.keyboard("41{Enter}");
    expect(sent[0]!.body.answer).toEqual({ clear: { r0_0: 4, r0_1: 1 } });
  });
  it("orders by numbers, ties with =", async () => {
    const { user, sent } = await show(
      { ...pairwise, questions: [{ name: "order", kind: "ranking", title: "Order" }] },
      3,
      3,
    );
    await user.keyboard("312=");
    await user.keyboard("{Enter}");
    expect(sent[0]!.body.answer).toEqual({ order: [["r0_2"], ["r0_0", "r0_1"]] });
  });
  it("corrects text and sends it with Ctrl-Enter", async () => {
    const { user, sent } = await show(
      {
        ...pairwise,
        questions: [
          { name: "correction", kind: "text", title: "Correct it", of: "response", prefill: "response" },
        ],
      },
      3,
      1,
    );
    const field = screen.getByRole("textbox", { name: /Correct it/ });
    expect((field as HTMLTextAreaElement).value).toContain("Answer 0 A");
    await user.clear(field);
    await user.type(field, "Better now");
    await user.keyboard("{Control>}{Enter}{/Control}");
    expect(sent[0]!.body.answer).toEqual({ correction: { r0_0: "Better now" } });
  });
  it("marks the answer under the cursor for screen readers", async () => {
    await show({
      ...pairwise,
      questions: [
        { name: "flags", kind: "flags", title: "What is wrong?", options: [{ name: "harm", title: "Harm" }] },
      ],
    });
    const group = screen.getByRole("group", { name: /What is wrong/ });
    expect(within(group).getByRole("button", { name: "Nothing applies" }).getAttribute("aria-pressed")).toBe(
      "false",
    );
  });
});
