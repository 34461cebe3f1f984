// The questions of a schema as groups of buttons: one component per kind, each showing its keys while
// the cursor stands on it.
import { letter_of, value_of, type Question, type Slot, type TaskBody, type Answer } from "../../pure/answer";
import { t } from "../../messages";
import { Kbd } from "../../ui/kbd";

export interface QuestionProps {
  slot: Slot;
  answer: Answer;
  task: TaskBody;
  here: boolean;
  missing: boolean;
  onSet: (slot: Slot, value: unknown, done?: boolean) => void;
  onHere: (slot: Slot) => void;
}

export function QuestionView(props: QuestionProps) {
  const { slot, here, onHere, missing } = props;
  const short =
    slot.question.kind === "rating" || slot.question.kind === "checklist" || slot.part === "strength";
  const title =
    slot.part === "strength" ? slot.question.strength!.title : (slot.item?.title ?? slot.question.title);
  const id = "q-" + slot.id.replace(/[^\w-]/g, "_");
  return (
    <div
      className={"question" + (here ? " here" : "") + (short ? " inline" : "")}
      data-slot={slot.id}
      onFocus={() => onHere(slot)}
    >
      <div className="ask" id={id}>
        {title}
        {!slot.required && <small>{t.common.optional}</small>}
        {missing && <span className="visually-hidden">{t.label.not_said}</span>}
      </div>
      <Control {...props} label={id} />
    </div>
  );
}

function Control(props: QuestionProps & { label: string }) {
  const { slot } = props;
  if (slot.part === "strength") return <Numbers {...props} from={1} names={slot.question.strength!.labels} />;
  switch (slot.question.kind) {
    case "rating":
      return <Rating {...props} />;
    case "choice":
      return <Choice {...props} />;
    case "flags":
      return <Flags {...props} />;
    case "checklist":
      return <YesNo {...props} />;
    case "text":
      return <Words {...props} />;
    case "ranking":
      return <Order {...props} />;
    default:
      return null;
  }
}

type ControlProps = QuestionProps & { label: string };

function Numbers({
  slot,
  answer,
  here,
  onSet,
  label,
  from,
  names,
}: ControlProps & { from: number; names: string[] }) {
  const value = value_of(answer, slot);
  return (
    <div className="choices" role="radiogroup" aria-labelledby={label}>
      {names.map((name, at) => (
        <button
          key={name}
          type="button"
          role="radio"
          aria-checked={value === from + at}
          className="choice"
          onClick={() => onSet(slot, from + at, true)}
        >
          {name}
          {here && <Kbd of={String(from + at)} />}
        </button>
      ))}
    </div>
  );
}
function Rating({ slot, answer, onSet, label }: ControlProps) {
  const { min = 1, max = 5, labels } = slot.question as Question;
  const value = value_of(answer, slot);
  return (
    <div className="choices" role="radiogroup" aria-labelledby={label}>
      {Array.from({ length: max - min + 1 }, (_, at) => at + min).map((n) => (
        <button
          key={n}
          type="button"
          role="radio"
          aria-checked={value === n}
          className="choice num"
          title={labels?.[String(n)]}
          onClick={() => onSet(slot, n, true)}
        >
          {n}
          {labels?.[String(n)] && <span className="small">{labels[String(n)]}</span>}
        </button>
      ))}
    </div>
  );
}
function Choice({ slot, answer, here, onSet, label }: ControlProps) {
  const value = value_of(answer, slot);
  return (
    <div className="choices" role="radiogroup" aria-labelledby={label}>
      {(slot.question.options ?? []).map((o, at) => (
        <button
          key={o.name}
          type="button"
          role="radio"
          aria-checked={value === o.name}
          className="choice"
          onClick={() => onSet(slot, o.name, true)}
        >
          {o.title}
          {here && at < 9 && <Kbd of={o.key ?? String(at + 1)} />}
        </button>
      ))}
    </div>
  );
}
function Flags({ slot, answer, here, onSet, label }: ControlProps) {
  const value = value_of(answer, slot) as string[] | undefined;
  const toggle = (name: string) =>
    onSet(slot, value?.includes(name) ? value.filter((n) => n !== name) : [...(value ?? []), name]);
  return (
    <div className="choices" role="group" aria-labelledby={label}>
      {(slot.question.options ?? []).map((o, at) => (
        <button
          key={o.name}
          type="button"
          aria-pressed={value?.includes(o.name) ?? false}
          className="choice"
          onClick={() => toggle(o.name)}
        >
          {o.title}
          {here && at < 9 && <Kbd of={o.key ?? String(at + 1)} />}
        </button>
      ))}
      <button
        type="button"
        aria-pressed={value?.length === 0}
        className="choice"
        onClick={() => onSet(slot, [], true)}
      >
        {t.label.none_apply}
        {here && <Kbd of="0" />}
      </button>
    </div>
  );
}
function YesNo({ slot, answer, here, onSet, label }: ControlProps) {
  const value = value_of(answer, slot);
  return (
    <div className="choices" role="radiogroup" aria-labelledby={label}>
      <button
        type="button"
        role="radio"
        aria-checked={value === true}
        className="choice"
        onClick={() => onSet(slot, true, true)}
      >
        {t.label.yes}
        {here && <Kbd of="y" />}
      </button>
      <button
        type="button"
        role="radio"
        aria-checked={value === false}
        className="choice"
        onClick={() => onSet(slot, false, true)}
      >
        {t.label.no}
        {here && <Kbd of="n" />}
      </button>
    </div>
  );
}
function Words({ slot, answer, task, onSet, label }: ControlProps) {
  const value = (value_of(answer, slot) as string | undefined) ?? "";
  const most = slot.question.max_chars ?? 20000;
  const original =
    slot.question.prefill === "response" ? task.responses[slot.response_at ?? 0]?.text : undefined;
  return (
    <div className="stack tight">
      <textarea
        aria-labelledby={label}
        data-slot-text={slot.id}
        value={value}
        maxLength={most}
        rows={Math.min(18, Math.max(5, Math.ceil(value.length / 70) + value.split("\n").length))}
        placeholder={t.label.write_here}
        onChange={(event) => onSet(slot, event.target.value === "" ? undefined : event.target.value)}
      />
      <div className="row between small dim">
        <span>{t.label.characters(value.length, most)}</span>
        {original !== undefined && value !== original && (
          <button type="button" className="btn quiet slim" onClick={() => onSet(slot, original)}>
            {t.label.reset_text}
          </button>
        )}
      </div>
    </div>
  );
}
function Order({ slot, answer, task, onSet, label }: ControlProps) {
  const order = (value_of(answer, slot) as string[][] | undefined) ?? [];
  const letter = (id: string) => letter_of(task.responses.findIndex((r) => r.response_id === id));
  const rest = task.responses.filter((r) => !order.flat().includes(r.response_id));
  return (
    <div className="stack tight">
      <ol className="order-list" aria-labelledby={label}>
        {order.map((group, at) => (
          <li key={at}>
            <span className="dim small">{at + 1}.</span>
            <span className="group">{group.map(letter).join(" = ")}</span>
          </li>
        ))}
        {rest.map((r) => (
          <li key={r.response_id}>
            <button type="button" className="choice" onClick={() => onSet(slot, [...order, [r.response_id]])}>
              {letter(r.response_id)}
              <Kbd of={String(task.responses.indexOf(r) + 1)} />
            </button>
          </li>
        ))}
        {order.length > 0 && (
          <li>
            <button type="button" className="btn quiet slim" onClick={() => onSet(slot, undefined)}>
              {t.label.clear}
            </button>
          </li>
        )}
      </ol>
      <p className="small dim">{t.label.order_hint}</p>
    </div>
  );
}
