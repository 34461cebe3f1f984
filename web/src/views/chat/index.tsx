// The chat page: which models there are, the conversations of this browser, the session over both.
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useEffect, useState } from "react";
import { list_models, stream_chat } from "../../api/chat";
import { ApiError } from "../../api/client";
import { send_feedback } from "../../api/feedback";
import { t } from "../../messages";
import { ChatSession } from "../../state/chat_session";
import { open_chat_store, type ChatStore } from "../../state/chat_store";
import { sign_out_here, useSession } from "../../state/session";
import { toast_error } from "../../state/toasts";
import { Empty, Failed, Waiting } from "../../ui/pieces";
import { ChatScreen } from "./chat_screen";
import "../../ui/answer_card.css";
import "./chat.css";

export default function ChatPage({ id }: { id: string | null }) {
  const who = useSession(),
    owner = who.person.id + ":" + who.organisation.id;
  const queries = useQueryClient();
  const models = useQuery({ queryKey: ["models"], queryFn: list_models, staleTime: 30_000 });
  const [made, set_made] = useState<{ session: ChatSession; store: ChatStore } | null>(null);

  useEffect(() => {
    let gone = false,
      session: ChatSession | null = null;
    void open_chat_store().then((store) => {
      if (gone) return;
      session = new ChatSession(owner, {
        stream: stream_chat,
        feedback: send_feedback,
        store,
        now: () => performance.timeOrigin + performance.now(),
        frame: (then) => void (document.hidden ? setTimeout(then, 100) : requestAnimationFrame(then)),
        id: () => crypto.randomUUID(),
        lot: () => crypto.getRandomValues(new Uint8Array(1))[0]! < 128,
        signed_out: (error) => sign_out_here(queries, error),
      });
      session.on_failed(toast_error);
      set_made({ session, store });
    });
    return () => {
      gone = true;
      session?.close();
    };
  }, [owner, queries]);
  useEffect(() => {
    void made?.session.open(id);
  }, [made, id]);
  useEffect(() => {
    document.title = `${t.chat.title} · ${t.common.product}`;
  }, []);

  const absent =
    (models.error instanceof ApiError && models.error.status === 404) || models.data?.length === 0;
  if (absent)
    return (
      <div className="page">
        <Empty whole title={t.chat.no_model} text={t.chat.no_model_text}>
          <code className="mono command">{t.chat.no_model_command}</code>
          <p className="dim small">{t.chat.no_model_more}</p>
          <button type="button" className="btn primary" onClick={() => void models.refetch()}>
            {t.chat.look_again}
          </button>
        </Empty>
      </div>
    );
  if (models.error && !models.data)
    return (
      <div className="page">
        <h1>{t.chat.title}</h1>
        <Failed error={models.error} retry={() => void models.refetch()} />
      </div>
    );
  if (!models.data || !made)
    return (
      <div className="page">
        <h1>{t.chat.title}</h1>
        <Waiting />
      </div>
    );
  return (
    <ChatScreen
      session={made.session}
      models={models.data}
      owner={owner}
      durable={made.store.durable}
      address={id}
    />
  );
}
