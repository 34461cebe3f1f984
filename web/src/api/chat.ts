// The models that this server runs, and a streamed answer of one of them: OpenAI's routes.
import { read_event, type Chunk } from "../pure/chat_stream";
import type { Message } from "../pure/conversation";
import { ApiError, call, stream_events } from "./client";

export interface Model {
  id: string;
  owned_by?: string;
  root?: string | null; // the base that it runs on
  parent?: string | null; // of an adapter: what it was trained from
  alias_of?: string | null; // of an alias: what it stands for now
  digest?: string;
  fingerprint?: string;
  max_model_len?: number;
}

/** A program without these routes says 404, or gives the page itself: both are 404 here. */
export const list_models = async (): Promise<Model[]> => {
  const answer = await call<{ data?: Model[] } | undefined>("GET", "/models", { root: "/v1" }).catch(
    (error: unknown) => {
      throw error instanceof SyntaxError ? new ApiError(404, "not_found", error.message) : error;
    },
  );
  return Array.isArray(answer?.data) ? answer.data.filter((m) => typeof m?.id === "string") : [];
};

export interface ChatRequest {
  model: string;
  messages: Message[];
  logprobs?: boolean;
  top_logprobs?: number;
  [setting: string]: unknown;
}

/** Resolves when the answer is whole. Throws ApiError, also for an error in the middle of the stream. */
export async function stream_chat(
  request: ChatRequest,
  signal: AbortSignal,
  on: (chunk: Chunk) => void,
): Promise<void> {
  let done = false,
    finished = false;
  await stream_events(
    "/chat/completions",
    { ...request, stream: true, stream_options: { include_usage: true } },
    signal,
    ({ data, type }) => {
      if (done) return;
      const event = read_event(data, type);
      if (event.kind === "done") done = true;
      else if (event.kind === "problem")
        throw new ApiError(500, event.code, event.message || "The server sent something that is no answer.");
      else {
        if (event.finish !== null) finished = true;
        on(event);
      }
    },
  );
  if (!done && !finished)
    throw new ApiError(0, "cut_off", "The connection ended in the middle of the answer.");
}
