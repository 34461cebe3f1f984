// What people type into a field, read strictly: a number or nothing; a name as the server takes it.

/** The number that a text is; null for nothing and for anything else. */
export function number_of(text: string): number | null {
  const trimmed = text.trim();
  const value = Number(trimmed);
  return trimmed !== "" && Number.isFinite(value) ? value : null;
}

/** Whether the registry takes it as a name (src/registry/models.cc, check_name). */
export const is_model_name = (text: string): boolean =>
  /^[A-Za-z0-9._:/-]{1,100}$/.test(text) && !/^\.+$/.test(text) && !text.startsWith("mdl_");
