import { expect, it } from "vitest";
import { is_writing, key_name } from "./keys";

const press = (key: string, more = {}) =>
  key_name({ key, ctrlKey: false, metaKey: false, altKey: false, shiftKey: false, ...more });

it("names keys as they are printed", () => {
  expect(press("a")).toBe("a");
  expect(press("A", { shiftKey: true })).toBe("shift+a");
  expect(press("?", { shiftKey: true })).toBe("?");
  expect(press("ArrowLeft")).toBe("left");
  expect(press("k", { metaKey: true })).toBe("ctrl+k");
  expect(press("Enter", { ctrlKey: true })).toBe("ctrl+enter");
});
it("knows when letters belong to a text", () => {
  const area = document.createElement("textarea"),
    button = document.createElement("button"),
    box = document.createElement("input");
  expect(is_writing(area)).toBe(true);
  expect(is_writing(button)).toBe(false);
  expect(is_writing(box)).toBe(true);
  box.type = "checkbox";
  expect(is_writing(box)).toBe(false);
});
