"""Writes jinja_cases.jsonl: what Jinja2 3.1.6 makes of our cases in an environment equal to that in
which transformers renders chat templates. Run: python make_jinja_cases.py > jinja_cases.jsonl
One line a case: {"name", "template", "data", "text"} or {..., "error": true}."""
import datetime
import json
import sys

import jinja2
import jinja2.ext
import jinja2.nodes
import jinja2.sandbox

from jinja_cases import CASES, CHATS, CONVERSATIONS

NOW = 1764000000  # 2025-11-24 16:00:00 UTC


class Generation(jinja2.ext.Extension):
    tags = {"generation"}

    def parse(self, parser):
        line = next(parser.stream).lineno
        body = parser.parse_statements(["name:endgeneration"], drop_needle=True)
        return jinja2.nodes.CallBlock(self.call_method("_show"), [], [], body).set_lineno(line)

    def _show(self, caller):
        return caller()


def raise_exception(message):
    raise jinja2.exceptions.TemplateError(message)


def environment():
    env = jinja2.sandbox.ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[Generation, "jinja2.ext.loopcontrols"])
    env.filters["tojson"] = lambda x, ensure_ascii=False, indent=None, separators=None, sort_keys=False: json.dumps(
        x, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)
    env.globals["raise_exception"] = raise_exception
    env.globals["strftime_now"] = lambda form: datetime.datetime.fromtimestamp(
        NOW, datetime.timezone.utc).replace(tzinfo=None).strftime(form)
    return env


def answer(template, data):
    values = {"messages": [], "tools": None, "documents": None, "add_generation_prompt": False,
              "bos_token": "", "eos_token": "", **data}
    try:
        return {"text": environment().from_string(template).render(**values)}
    except Exception:
        return {"error": True}


def cases():
    for number, case in enumerate(CASES):
        template, data = case if isinstance(case, tuple) else (case, {})
        yield f"case {number}", template, data
    for chat, template in CHATS.items():
        for talk, data in CONVERSATIONS.items():
            for prompt in (False, True):
                yield (f"{chat}, {talk}" + (", with prompt" if prompt else ""), template,
                       {"bos_token": "<s>", "eos_token": "</s>", **data, "add_generation_prompt": prompt})


if __name__ == "__main__":
    for name, template, data in cases():
        line = {"name": name, "template": template, "data": {**data, "now": NOW}, **answer(template, data)}
        sys.stdout.write(json.dumps(line, ensure_ascii=False) + "\n")
