// Roles, problems and the reading of rows.
export const rights = {
  owner: [
    "organisation.manage",
    "people.manage",
    "people.view",
    "project.create",
    "project.manage",
    "project.view",
    "task.import",
    "task.view",
    "task.manage",
    "label",
    "quality.view",
    "export",
    "snapshot.create",
    "run.start",
    "run.view",
    "model.manage",
    "model.view",
    "audit.view",
    "token.create",
    "token.manage",
    "feedback.give",
    "feedback.view",
    "feedback.manage",
  ],
  reviewer: [
    "feedback.give",
    "feedback.view",
    "people.view",
    "project.view",
    "task.view",
    "task.manage",
    "label",
    "quality.view",
    "run.view",
    "model.view",
    "token.create",
  ],
  annotator: ["feedback.give", "project.view", "label", "token.create"],
  viewer: ["feedback.give", "project.view", "task.view", "quality.view", "export", "run.view", "model.view", "token.create"],
};
rights.manager = rights.owner.filter((r) => r !== "organisation.manage");

export class Problem extends Error {
  constructor(status, code, detail, field) {
    super(detail);
    Object.assign(this, { status, code, field });
  }
}
export const not_found = (what) => new Problem(404, "not_found", `There is no such ${what}.`);

export function parse_rows(text, format, most) {
  const lines = text.split("\n").filter((line) => line.trim());
  if (format === "csv") {
    const names = lines[0].split(",");
    return lines.slice(1, most + 1).map((line, at) => {
      const cells = line.split(",");
      return cells.length === names.length
        ? { line: at + 2, row: Object.fromEntries(names.map((n, i) => [n, cells[i]])) }
        : { line: at + 2, reason: `has ${cells.length} cells, the header has ${names.length}` };
    });
  }
  return lines.slice(0, most).map((line, at) => {
    try {
      return { line: at + 1, row: JSON.parse(line) };
    } catch {
      return { line: at + 1, reason: "is not JSON" };
    }
  });
}
