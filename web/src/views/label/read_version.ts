// Which version of a guideline this person has read here last.
const key = (project_id: string): string => "hone.guideline." + project_id;
export function remember_read(project_id: string, version: number): void {
  try {
    localStorage.setItem(key(project_id), String(version));
  } catch {
    /* storage may be off */
  }
}
/** Whether there is a newer one than was read; false for somebody who has never opened it. */
export function is_newer(project_id: string, version: number): boolean {
  try {
    const read = Number(localStorage.getItem(key(project_id)) ?? version);
    return version > read;
  } catch {
    return false;
  }
}
