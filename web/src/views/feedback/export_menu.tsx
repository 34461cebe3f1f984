// What was said with consent, as rows for training.
import { feedback_export_url } from "../../api/feedback";
import { t } from "../../messages";
import { Menu } from "../../ui/forms";

export const ExportMenu = () => (
  <Menu position="bottom-end" shadow="md">
    <Menu.Target>
      <button type="button" className="btn">
        {t.feedback.export}
      </button>
    </Menu.Target>
    <Menu.Dropdown>
      {Object.entries(t.feedback.formats).map(([format, name]) => (
        <Menu.Item key={format} component="a" href={feedback_export_url(format)} download>
          {name}
        </Menu.Item>
      ))}
    </Menu.Dropdown>
  </Menu>
);
