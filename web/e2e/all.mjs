// One process, one sign-in: a link works once.
import "./labelling.test.mjs";
import "./lead.test.mjs";
import "./chat.test.mjs";
import "./feedback.test.mjs";
import "./feedback_page.test.mjs";
import "./runs.test.mjs";
import "./not_kept.test.mjs";
import "./models.test.mjs";
import "./accessibility.test.mjs";
