// Under which keys what the registry said is kept.
export const kRegistry = ["registry"];
export const registry_key = (...rest: string[]) => [...kRegistry, ...rest];
