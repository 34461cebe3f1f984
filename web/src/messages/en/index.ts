// English. Plain sentences; functions where a number decides the words.
import * as chat from "./chat";
import * as feedback from "./feedback";
import * as common from "./common";
import * as entry from "./entry";
import * as models from "./models";
import * as label from "./label";
import * as project from "./project";
import * as results from "./results";
import * as administration from "./administration";

export const en = {
  ...chat,
  ...feedback,
  ...common,
  ...entry,
  ...label,
  ...models,
  ...project,
  ...results,
  ...administration,
};
