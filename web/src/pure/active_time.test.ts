import { expect, it } from "vitest";
import { ActiveTime } from "./active_time";

it("counts while there is input, and a minute after the last one", () => {
  const time = new ActiveTime(0);
  time.input(30_000);
  expect(time.total_ms(40_000)).toBe(40_000);
  expect(time.total_ms(500_000)).toBe(90_000);
  time.input(600_000);
  expect(time.total_ms(610_000)).toBe(100_000);
});
it("does not count while the page is hidden", () => {
  const time = new ActiveTime(0);
  time.hide(5_000);
  expect(time.total_ms(20_000)).toBe(5_000);
  time.show(30_000);
  expect(time.total_ms(32_000)).toBe(7_000);
  expect(time.active(32_000)).toBe(true);
  expect(time.active(95_000)).toBe(false);
});
it("never counts backwards when the clock is set back", () => {
  const time = new ActiveTime(100_000);
  time.input(110_000);
  expect(time.total_ms(50_000)).toBe(10_000);
  expect(time.total_ms(115_000)).toBe(15_000);
});
