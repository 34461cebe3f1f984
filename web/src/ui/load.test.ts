import { expect, it, vi } from "vitest";
import { patiently } from "./load";

it("asks again when the connection hiccups", async () => {
  const fetch_code = vi.fn().mockRejectedValueOnce(new Error("away")).mockResolvedValue("code");
  expect(await patiently(fetch_code, 1)).toBe("code");
  expect(fetch_code).toHaveBeenCalledTimes(2);
});
it("gives up after three tries, and loads the page again once only", async () => {
  const reload = vi.fn();
  vi.stubGlobal("location", { reload });
  const fetch_code = vi.fn().mockRejectedValue(new Error("gone"));
  await expect(patiently(fetch_code, 1)).rejects.toThrow("gone");
  expect(fetch_code).toHaveBeenCalledTimes(3);
  await expect(patiently(fetch_code, 1)).rejects.toThrow("gone");
  expect(reload).toHaveBeenCalledTimes(1);
  vi.unstubAllGlobals();
});
