// Where the marks of an axis stand, and how many digits they need: round numbers, all of one step.

export interface Axis {
  low: number; // where the axis begins and ends
  high: number;
  ticks: number[];
  digits: number; // after the point
}

/** A step of 1, 2, 2.5 or 5 times a power of ten, of which about `count` fit into the span. */
function round_step(span: number, count: number): number {
  const size = 10 ** Math.floor(Math.log10(span / count));
  const times = span / count / size;
  return size * (times <= 1 ? 1 : times <= 2 ? 2 : times <= 2.5 ? 2.5 : times <= 5 ? 5 : 10);
}
/** Digits after the point that tell multiples of this step apart. */
function digits_of(step: number): number {
  const whole = Math.max(0, -Math.floor(Math.log10(step) + 1e-9));
  const rest = step * 10 ** whole;
  return Math.abs(rest - Math.round(rest)) > 1e-6 ? whole + 1 : whole;
}
/** The multiple of a step without the noise of binary fractions. */
const times = (n: number, step: number, digits: number) =>
  Number((n * step).toFixed(Math.min(20, digits))) + 0;

/** An axis from one round number below the values to one above them. */
export function value_axis(low: number, high: number, count = 4): Axis {
  if (!(high > low)) {
    const around = Math.abs(low) / 10 || 1;
    [low, high] = [low - around, low + around];
  }
  const step = round_step(high - low, count),
    digits = digits_of(step);
  const from = Math.floor(low / step + 1e-9),
    to = Math.ceil(high / step - 1e-9);
  const ticks = Array.from({ length: to - from + 1 }, (_, i) => times(from + i, step, digits));
  return { low: ticks[0]!, high: ticks.at(-1)!, ticks, digits };
}

/** Marks at whole numbers between the ends; the axis is as long as the values. */
export function count_axis(low: number, high: number, count = 6): Axis {
  const round = high > low ? round_step(high - low, count) : 1;
  const step = Math.max(1, round === 2.5 ? 2 : round);
  const first = Math.ceil(low / step - 1e-9),
    last = Math.floor(high / step + 1e-9);
  const ticks = Array.from({ length: Math.max(0, last - first + 1) }, (_, i) => (first + i) * step);
  return { low, high, ticks: ticks.length ? ticks : [low], digits: 0 };
}

/** Powers of ten; where fewer than two lie between the ends, 1, 2 and 5 times them. Both are above 0. */
export function log_axis(low: number, high: number): Axis {
  const marks = (factors: number[]) => {
    const found: number[] = [];
    for (let power = Math.floor(Math.log10(low)); power <= Math.ceil(Math.log10(high)); power++)
      for (const factor of factors) {
        const mark = Number(`${factor}e${power}`);
        if (mark >= low * 0.999999 && mark <= high * 1.000001) found.push(mark);
      }
    return found;
  };
  const many = Math.ceil(Math.log10(high / low) / 6) || 1;
  let ticks = marks([1]).filter((_, i) => i % many === 0);
  if (ticks.length < 2) ticks = marks([1, 2, 5]);
  if (ticks.length < 2) return value_axis(low, high);
  const smallest = Math.min(...ticks);
  return { low, high, ticks, digits: Math.max(0, -Math.floor(Math.log10(smallest) + 1e-9)) };
}

/** A mark in the digits that its axis needs; what would be too long in powers of ten. */
export function tick_text(value: number, axis: Axis): string {
  const largest = Math.max(Math.abs(axis.low), Math.abs(axis.high));
  if (value !== 0 && (axis.digits > 4 || largest >= 1e5))
    return value
      .toExponential(1)
      .replace(/\.0(?=e)/, "")
      .replace("e+", "e")
      .replace(/-/g, "−");
  return value.toFixed(axis.digits).replace("-", "−");
}
