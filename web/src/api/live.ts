// Live labelling: whoever labels writes, two models answer side by side, without names.
import { call, stream_events } from "./client";
import { read_live_event, type LiveEvent } from "../pure/live_stream";

export interface LiveSide {
  model: string;
  temperature: number;
  top_p: number;
  max_tokens: number;
  system: string;
}
export interface Live {
  sides: [LiveSide, LiveSide] | null; // null: off
}

export const get_live = (project_id: string) => call<Live>("GET", `/projects/${project_id}/live`);
export const change_live = (project_id: string, sides: Live["sides"]) =>
  call<Live>("PUT", `/projects/${project_id}/live`, { body: { sides } });

/** Resolves when the stream has ended. Throws ApiError. */
export const ask_live = (
  project_id: string,
  prompt: string,
  signal: AbortSignal,
  on: (event: LiveEvent) => void,
): Promise<void> =>
  stream_events(
    `/projects/${project_id}/live/answers`,
    { prompt },
    signal,
    ({ data }) => on(read_live_event(data)),
    "/api/v1",
  );
