// Numbers and plurals of English.
export const n = (count: number): string => count.toLocaleString("en");
export const s = (count: number, one: string, many = one + "s"): string =>
  `${n(count)} ${count === 1 ? one : many}`;
