import { ApiError, call, url_of, write_headers, type Page } from "./client";
import type { ImportPreview, ImportResult } from "./types";

export const kPreviewBytes = 1 << 20;
const kBackgroundBytes = 64 << 20;
export const preview_import = (project_id: string, file: File) =>
  call<ImportPreview>("POST", `/projects/${project_id}/import/preview`, {
    query: { name: file.name },
    raw: file.slice(0, kPreviewBytes),
    content_type: "application/octet-stream",
  });
export const list_imports = (project_id: string) =>
  call<Page<ImportResult>>("GET", `/projects/${project_id}/imports`);

/** Sends the file with progress. fetch has no upload progress, so this one call is an XMLHttpRequest. */
export function import_file(
  project_id: string,
  file: File,
  format: string,
  columns: Record<string, string>,
  progress: (share: number) => void,
): Promise<ImportResult> {
  // A big file is read by a process beside the server once its bytes are there.
  const background = file.size > kBackgroundBytes || undefined;
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open(
      "POST",
      url_of(`/projects/${project_id}/import`, {
        format,
        name: file.name,
        columns: JSON.stringify(columns),
        background,
      }),
    );
    request.setRequestHeader("Content-Type", "application/octet-stream");
    for (const [name, value] of write_headers()) request.setRequestHeader(name, value);
    request.upload.onprogress = (event) => {
      if (event.lengthComputable) progress(event.loaded / event.total);
    };
    request.onerror = () => reject(new ApiError(0, "away", "The server cannot be reached."));
    request.onload = () => {
      let data: Record<string, unknown> = {};
      try {
        data = JSON.parse(request.responseText) as Record<string, unknown>;
      } catch {
        /* the status says enough */
      }
      if (request.status < 300) resolve(data as unknown as ImportResult);
      else
        reject(
          new ApiError(
            request.status,
            String(data.code ?? "internal"),
            String(data.detail ?? `The server answered ${request.status}.`),
          ),
        );
    };
    request.send(file);
  });
}
