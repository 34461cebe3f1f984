// What can be done with the conversation as a whole: the same commands as in the palette.
import type { Bound } from "../../actions/action";
import { t } from "../../messages";
import { Menu } from "../../ui/forms";
import { Icon } from "./icons";

export function ConversationMenu({ act }: { act: (id: string) => Bound | undefined }) {
  return (
    <Menu position="bottom-end" transitionProps={{ duration: 0 }} shadow="md">
      <Menu.Target>
        <button type="button" className="btn quiet slim icon" aria-label={t.chat.menu} title={t.chat.menu}>
          <Icon of="more" />
        </button>
      </Menu.Target>
      <Menu.Dropdown>
        {["new", "rename", "export", "remove", "", "export_all", "clear"].map((id) => {
          const action = act(id);
          if (!action) return <Menu.Divider key="divider" />;
          const ends = id === "remove" || id === "clear";
          return (
            <Menu.Item
              key={id}
              disabled={!action.enabled}
              {...(ends ? { className: "danger-item" } : {})}
              onClick={() => action.run()}
            >
              {id === "remove" ? t.chat.remove : id === "rename" ? t.chat.rename : action.title}
            </Menu.Item>
          );
        })}
      </Menu.Dropdown>
    </Menu>
  );
}
