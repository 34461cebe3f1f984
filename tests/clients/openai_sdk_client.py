"""The official openai package against hone serve, unmodified: $HONE_URL."""
import base64
import json
import os
import struct
import sys
import threading
import unittest

import openai

URL = os.environ["HONE_URL"]
client = openai.OpenAI(base_url=URL + "/v1", api_key="unused", max_retries=0)
MODEL = client.models.list().data[0].id
ASK = [{"role": "user", "content": "Name three colours."}]


class Chat(unittest.TestCase):
    def test_a_chat_is_answered(self):
        answer = client.chat.completions.create(
            model=MODEL, messages=ASK, max_completion_tokens=24, temperature=0, seed=1)
        self.assertEqual(answer.object, "chat.completion")
        self.assertTrue(answer.choices[0].message.content)
        self.assertIn(answer.choices[0].finish_reason, ("stop", "length"))
        self.assertEqual(answer.usage.total_tokens,
                         answer.usage.prompt_tokens + answer.usage.completion_tokens)
        self.assertEqual(len(answer.system_fingerprint), 64)

    def test_a_stream_is_the_same_answer(self):
        settings = dict(model=MODEL, messages=ASK, max_tokens=32, temperature=0.8, seed=7)
        whole = client.chat.completions.create(**settings)
        text, roles, usage, ids, reasons = "", [], None, set(), []
        for chunk in client.chat.completions.create(
                **settings, stream=True, stream_options={"include_usage": True}):
            ids.add(chunk.id)
            if chunk.usage:
                usage = chunk.usage
                self.assertEqual(chunk.choices, [])
                continue
            if chunk.choices[0].delta.role:
                roles.append(chunk.choices[0].delta.role)
            text += chunk.choices[0].delta.content or ""
            if chunk.choices[0].finish_reason:
                reasons.append(chunk.choices[0].finish_reason)
        self.assertEqual(text, whole.choices[0].message.content)
        self.assertEqual(roles, ["assistant"])
        self.assertEqual(reasons, [whole.choices[0].finish_reason])
        self.assertEqual(usage.completion_tokens, whole.usage.completion_tokens)
        self.assertEqual(len(ids), 1)

    def test_many_at_once_get_what_each_gets_alone(self):
        def ask(i):
            return client.chat.completions.create(
                model=MODEL, messages=[{"role": "user", "content": f"Count to {i}."}],
                max_tokens=12, temperature=1, seed=i).choices[0].message.content
        alone = [ask(i) for i in range(8)]
        together = [None] * 8

        def keep(i):
            together[i] = ask(i)
        threads = [threading.Thread(target=keep, args=(i,)) for i in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(together, alone)

    def test_log_probabilities(self):
        answer = client.chat.completions.create(
            model=MODEL, messages=ASK, max_tokens=6, temperature=0, logprobs=True, top_logprobs=5)
        content = answer.choices[0].logprobs.content
        self.assertEqual(len(content), answer.usage.completion_tokens)
        for entry in content:
            self.assertEqual(len(entry.top_logprobs), 5)
            self.assertEqual(entry.logprob, entry.top_logprobs[0].logprob)
            self.assertLessEqual(entry.logprob, 0)
        whole = b"".join(bytes(entry.bytes) for entry in content).decode()
        self.assertTrue(whole.startswith(answer.choices[0].message.content[:4]))

    def test_several_choices_and_a_stop(self):
        answer = client.chat.completions.create(
            model=MODEL, messages=ASK, max_tokens=16, n=3, temperature=1, seed=3)
        self.assertEqual([choice.index for choice in answer.choices], [0, 1, 2])
        text = client.completions.create(
            model=MODEL, prompt="one, two, three, four,", max_tokens=24, temperature=0, stop=[" five"])
        self.assertNotIn(" five", text.choices[0].text)

    def test_bias_forces_a_token(self):
        forced = client.chat.completions.create(
            model=MODEL, messages=ASK, max_tokens=3, temperature=0, logit_bias={"31": 100},
            extra_body={"return_token_ids": True})
        self.assertEqual(forced.choices[0].token_ids, [31, 31, 31])


class Structured(unittest.TestCase):
    def test_json_schema_is_kept(self):
        schema = {"type": "object", "additionalProperties": False,
                  "required": ["colour", "count"],
                  "properties": {"colour": {"enum": ["red", "green"]},
                                 "count": {"type": "integer", "minimum": 0, "maximum": 99}}}
        answer = client.chat.completions.create(
            model=MODEL, messages=ASK, max_tokens=120, temperature=1, seed=2,
            response_format={"type": "json_schema",
                             "json_schema": {"name": "one", "strict": True, "schema": schema}})
        read = json.loads(answer.choices[0].message.content)
        self.assertIn(read["colour"], ("red", "green"))
        self.assertEqual(set(read), {"colour", "count"})
        self.assertTrue(0 <= read["count"] <= 99)

    def test_a_tool_is_called(self):
        tools = [{"type": "function", "function": {
            "name": "get_weather", "description": "The weather of a city.",
            "parameters": {"type": "object", "required": ["city"], "additionalProperties": False,
                           "properties": {"city": {"enum": ["Paris", "Rome"]}}}}}]
        messages = [{"role": "user", "content": "What is the weather in Rome?"}]
        answer = client.chat.completions.create(
            model=MODEL, messages=messages, tools=tools, tool_choice="required",
            parallel_tool_calls=False, max_tokens=100,
            temperature=0)
        self.assertEqual(answer.choices[0].finish_reason, "tool_calls")
        call = answer.choices[0].message.tool_calls[0]
        self.assertEqual(call.function.name, "get_weather")
        self.assertIn(json.loads(call.function.arguments)["city"], ("Paris", "Rome"))
        messages += [answer.choices[0].message,
                     {"role": "tool", "tool_call_id": call.id, "content": "18 degrees"}]
        after = client.chat.completions.create(
            model=MODEL, messages=messages, tools=tools, tool_choice="none", max_tokens=8)
        self.assertFalse(after.choices[0].message.tool_calls)

    def test_a_grammar_is_kept(self):
        answer = client.chat.completions.create(
            model=MODEL, messages=ASK, max_tokens=20, temperature=1, seed=5,
            extra_body={"grammar": 'root ::= ("yes" | "no") "!"'})
        self.assertIn(answer.choices[0].message.content, ("yes!", "no!"))

    def test_what_cannot_be_kept_is_refused(self):
        with self.assertRaises(openai.BadRequestError):
            client.chat.completions.create(model=MODEL, messages=ASK,
                                           extra_body={"grammar": "root ::= missing"})
        with self.assertRaises(openai.BadRequestError):
            client.chat.completions.create(
                model=MODEL, messages=ASK, response_format={
                    "type": "json_schema",
                    "json_schema": {"name": "a", "schema": {"type": "no such type"}}})


class Texts(unittest.TestCase):
    def test_echo_has_the_prompts_log_probabilities(self):
        answer = client.completions.create(
            model=MODEL, prompt=["The sky is blue.", "Water is wet."], max_tokens=1, echo=True,
            logprobs=1, temperature=0)
        for choice in answer.choices:
            log_probs = choice.logprobs
            self.assertIsNone(log_probs.token_logprobs[0])
            self.assertEqual("".join(log_probs.tokens[:-1]) + log_probs.tokens[-1],
                             "".join(log_probs.tokens))
            for token, number, top in list(zip(log_probs.tokens, log_probs.token_logprobs,
                                               log_probs.top_logprobs))[1:]:
                self.assertIn(token, top)
                self.assertLessEqual(number, max(top.values()))
        self.assertTrue(answer.choices[1].text.startswith("Water is wet."))

    def test_embeddings_in_both_forms(self):
        floats = client.embeddings.create(model=MODEL, input=["a", "b"], encoding_format="float")
        packed = client.embeddings.create(model=MODEL, input=["a", "b"], encoding_format="base64")
        for one, other in zip(floats.data, packed.data):
            raw = base64.b64decode(other.embedding)
            self.assertEqual(list(struct.unpack(f"<{len(raw) // 4}f", raw)),
                             [struct.unpack("<f", struct.pack("<f", x))[0] for x in one.embedding])
            self.assertAlmostEqual(sum(x * x for x in one.embedding), 1, places=5)


class Errors(unittest.TestCase):
    def test_they_are_the_sdks_exceptions(self):
        with self.assertRaises(openai.NotFoundError) as caught:
            client.chat.completions.create(model="no-such-model", messages=ASK)
        self.assertEqual(caught.exception.code, "model_not_found")
        with self.assertRaises(openai.BadRequestError) as caught:
            client.chat.completions.create(model=MODEL, messages=ASK, temperature=9)
        self.assertEqual(caught.exception.param, "temperature")
        with self.assertRaises(openai.BadRequestError) as caught:
            client.chat.completions.create(model=MODEL, messages=ASK, extra_body={"temprature": 1})
        self.assertEqual(caught.exception.param, "temprature")
        with self.assertRaises(openai.BadRequestError) as caught:
            client.completions.create(model=MODEL, prompt="word " * 20000)
        self.assertEqual(caught.exception.code, "context_length_exceeded")


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1], verbosity=2)
