// The small signs on the buttons of an answer. Drawn here, in the colour of the text.
import type { ReactNode } from "react";

const paths = {
  copy: "M9 9h10v11H9zM5 15V4h10",
  retry: "M20 12a8 8 0 1 1-2.5-5.8M20 3v4.5h-4.5",
  edit: "M4 20l1-4L16.5 4.5l3 3L8 19z",
  up: "M7 11v9H4v-9zM7 11l4-8c1.6 0 2.5 1 2.2 2.6L12.7 9H19c1 0 1.7.9 1.4 1.9l-1.9 7.6c-.2.9-1 1.5-1.9 1.5H7",
  down: "M17 13V4h3v9zM17 13l-4 8c-1.6 0-2.5-1-2.2-2.6l.5-3.4H5c-1 0-1.7-.9-1.4-1.9l1.9-7.6C5.700 4.600 6.500 4 7.400 4H17",
  flag: "M5 21V4M5 5h12l-2 4 2 4H5",
  tokens: "M4 6h5M12 6h8M4 12h9M16 12h4M4 18h3M10 18h10",
  info: "M12 21a9 9 0 1 0 0-18 9 9 0 0 0 0 18zM12 11v5M12 7.600v.8",
  list: "M4 6h16M4 12h16M4 18h10",
  panel: "M4 7h9M17 7h3M4 17h3M11 17h9M15 5v4M9 15v4",
  compare: "M4 5h7v14H4zM13 5h7v14h-7z",
  plus: "M12 5v14M5 12h14",
  left: "M14 6l-6 6 6 6",
  right: "M10 6l6 6-6 6",
  down_arrow: "M12 5v14M6 13l6 6 6-6",
  send: "M12 19V5M6 11l6-6 6 6",
  stop: "M7 7h10v10H7z",
  more: "M6 12h.01M12 12h.01M18 12h.01",
};
export type IconName = keyof typeof paths;

export const Icon = ({ of }: { of: IconName }) => (
  <svg
    className={"icon-" + of}
    width="17"
    height="17"
    viewBox="0 0 24 24"
    fill={of === "stop" ? "currentColor" : "none"}
    stroke="currentColor"
    strokeWidth={of === "more" ? 3 : 1.8}
    strokeLinecap="round"
    strokeLinejoin="round"
    aria-hidden="true"
  >
    <path d={paths[of]} />
  </svg>
);

export function IconButton({
  icon,
  label,
  run,
  pressed,
  disabled,
  why,
  expanded,
  children,
}: {
  icon: IconName;
  label: string;
  run: () => void;
  pressed?: boolean | undefined;
  disabled?: boolean;
  why?: string | undefined;
  expanded?: boolean;
  children?: ReactNode;
}) {
  return (
    <button
      type="button"
      className={"btn quiet slim" + (children ? "" : " icon")}
      aria-label={label}
      aria-pressed={pressed}
      aria-expanded={expanded}
      aria-disabled={disabled}
      title={why ?? label}
      onClick={() => {
        if (!disabled) run();
      }}
    >
      <Icon of={icon} />
      {children}
    </button>
  );
}
