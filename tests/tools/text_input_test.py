"""Text that cannot be trained on, one row each: the exit status, what the message must say, and that
an existing run is not touched."""
import json
import pathlib
import sys
import tempfile
import unittest

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).parent))
from lcal_tool import config, contents, run, succeed  # noqa: E402
from text_model import make_model, tokenizer  # noqa: E402

GOOD = '{"prompt":"a","completion":"b"}\n'


def messages(*items, **more):
    return json.dumps({"messages": list(items), **more}) + "\n"


USER = {"role": "user", "content": "q"}
ANSWER = {"role": "assistant", "content": "a"}

# (text of the data file, fragments of the message): status 3, the number of the line
ROWS = [
    ('{"prompt":"a"}\n', ["key completion", "a string", "nothing"]),
    ('{"completion":"a"}\n', ["key prompt", "nothing"]),
    ('{"prompt":1,"completion":"a"}\n', ["key prompt", "an integer"]),
    ('{"prompt":"a","completion":["b"]}\n', ["key completion", "a list"]),
    ('{"prompt":"a","completion":null}\n', ["key completion", "null"]),
    ('{"prompt":"a","completion":"b","messages":[]}\n', ["prompt", "messages", "two forms"]),
    ('{"input_ids":[1,2],"prompt":"a"}\n', ["input_ids", "prompt", "two forms"]),
    ('{"text":"a"}\n', ["none of these keys", "completion"]),
    ('{}\n', ["none of these keys"]),
    ('["a"]\n', ["a JSON object", "a list"]),
    ('{"messages":"a"}\n', ["key messages", "a string"]),
    ('{"messages":[]}\n', ["key messages", "empty"]),
    (messages("a"), ["messages[0]", "an object"]),
    (messages({"content": "a"}), ["messages[0].role", "nothing"]),
    (messages({"role": "bot", "content": "a"}), ["messages[0].role", '"bot"']),
    (messages(USER, {"role": "assistant"}), ["messages[1].content", "nothing"]),
    (messages({"role": "user", "content": [{"type": "text", "text": "a"}]}, ANSWER),
     ["messages[0].content", "a list"]),
    (messages(ANSWER, USER), ["messages[1].role", "assistant", "last"]),
    (messages({**ANSWER, "tool_calls": [1]}), ["messages[0].tool_calls"]),
    (messages(USER, ANSWER, tools=[1]), ["key tools"]),
    ('{"conversations":[{"from":"human","value":"a"}]}\n', ["conversations[0].from", "last"]),
    ('{"conversations":[{"from":"narrator","value":"a"}]}\n', ["conversations[0].from", "gpt"]),
    ('{"conversations":[{"value":"a"}]}\n', ["conversations[0].from", "nothing"]),
    ('{"instruction":"a","input":"b"}\n', ["key output", "nothing"]),
    ('{"instruction":"a","input":[1],"output":"b"}\n', ["key input", "a list"]),
    ('{"instruction":"a","output":"b","system":"c"}\n', ["key system", "messages"]),
    ('{"instruction":"a","output":"b","history":[["x","y"]]}\n', ["key history"]),
    ('{"prompt":"a","prompt":"b","completion":"c"}\n', ["prompt"]),
    ('{"prompt":"\\u0000","completion":"c"}\n', ["JSON"]),
    (b'{"prompt":"\xff","completion":"c"}\n', ["JSON"]),
]

# (key=value overrides, exit status, fragments)
CONFIG = [
    (["data.template=llama2"], 2, ["data.template", "llama3", "chatml", "zephyr", "raw"]),
    (["data.loss_on=prompt"], 2, ["data.loss_on", "completion", "assistant", "all"]),
    (["data.valid_fraction=0.6"], 2, ["data.valid_fraction", "0.5"]),
    (["data.valid_fraction=0.1", "data.valid=rows.jsonl"], 2, ["data.valid_fraction", "one of"]),
    (["data.valid_fraction=0.000001"], 2, ["data.valid_fraction", "none for validation"]),
    (["data.template=raw", "data.system=x"], 2, ["data.system", "raw"]),
    (["data.system=[a]"], 2, ["data.system", "a text"]),
    (["data.tokenizer=no-such-file"], 2, ["data.tokenizer", "no-such-file"]),
    (["data.tokenizer=empty"], 3, ["empty", "tokenizer"]),
    (["data.tokenizer=folder"], 3, ["rows.jsonl:1", "folder", "input_ids"]),
    (["data.tokenizer=large.json"], 3, ["rows.jsonl:1", "0..511", "tokenizer"]),
    (["data.tokenizer=poor.json", "data.template=chatml"], 3, ["<|im_start|>"]),
    (["data.tokenizer=poor.json", "data.template=llama3"], 3, ["<|start_header_id|>"]),
    (["data.tokenizer=poor.json", "data.template=raw"], 3, ["eos_token"]),
    (["data.overlong=error", "data.max_length=4", "data.template=raw",
      "data.train=long.jsonl"], 3, ["long.jsonl:1", "data.max_length"]),
    (["data.train=silent.jsonl"], 3, ["silent.jsonl", "at least one example", "nothing to learn"]),
]

# (tokenizer_config.json of the model, fragments): status 3
TEMPLATES = [
    ('{"chat_template": "[INST] {{ x }} [/INST]"}', ["tokenizer_config.json", "data.template"]),
    ('{"chat_template": 5}', ["tokenizer_config.json", "chat_template"]),
    ('{"chat_template": [{"name": "rag", "template": "x"}]}', ["default"]),
    ('{"eos_token": "<nothing>"}', ["eos_token", "<nothing>"]),
    ('{', ["tokenizer_config.json"]),
]


class TextInput(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.holder = tempfile.TemporaryDirectory()
        cls.folder = pathlib.Path(cls.holder.name)
        cls.model = make_model(cls.folder / "model")
        cls.rows = cls.folder / "rows.jsonl"
        cls.rows.write_text(GOOD, encoding="utf-8")
        cls.config = config(cls.folder / "c.yaml", cls.folder / "run", cls.rows, model=cls.model,
                            train__steps=2)
        (cls.folder / "empty").write_bytes(b"")
        (cls.folder / "folder").mkdir()
        (cls.folder / "long.jsonl").write_text(GOOD.replace('"a"', '"aaaaa"'), encoding="utf-8")
        (cls.folder / "silent.jsonl").write_text(GOOD.replace('"b"', '""'), encoding="utf-8")
        poor = tokenizer()
        poor["added_tokens"] = []
        (cls.folder / "poor.json").write_text(json.dumps(poor), encoding="utf-8")
        large = tokenizer()
        large["added_tokens"][4]["id"] = 512
        (cls.folder / "large.json").write_text(json.dumps(large), encoding="utf-8")
        succeed("train", cls.config)
        cls.before = contents(cls.folder / "run")

    @classmethod
    def tearDownClass(cls):
        cls.holder.cleanup()

    def check(self, arguments, status, fragments):
        done = run(*arguments, cwd=self.folder)
        self.assertEqual(done.returncode, status, done.stderr)
        for fragment in fragments:
            self.assertIn(fragment, done.stderr)
        self.assertEqual(done.stdout, "")
        self.assertEqual(contents(self.folder / "run"), self.before)

    def test_the_tables_are_large(self):
        self.assertGreaterEqual(len(ROWS) + len(CONFIG) + len(TEMPLATES), 50)

    def test_rows(self):
        try:
            for row, fragments in ROWS:
                with self.subTest(row=row):
                    row = row if isinstance(row, bytes) else row.encode()
                    self.rows.write_bytes(GOOD.encode() + b"\n" + row)
                    for command in (["train", self.config, "--overwrite"], ["preview", self.config],
                                    ["score", "--model", "model", "rows.jsonl"]):
                        self.check(command, 3, ["rows.jsonl:3: ", *fragments])
        finally:
            self.rows.write_text(GOOD, encoding="utf-8")

    def test_config(self):
        for overrides, status, fragments in CONFIG:
            with self.subTest(overrides=overrides):
                if any("large.json" in text for text in overrides):
                    overrides = [*overrides, "data.template=chatml"]
                self.check(["train", self.config, "--overwrite", *overrides], status, fragments)

    def test_templates(self):
        path = self.model / "tokenizer_config.json"
        original = path.read_bytes()
        try:
            for text, fragments in TEMPLATES:
                with self.subTest(text=text):
                    path.write_text(text, encoding="utf-8")
                    self.check(["train", self.config, "--overwrite"], 3, fragments)
                    self.check(["score", "--model", "model", "rows.jsonl"], 3, fragments)
        finally:
            path.write_bytes(original)

    def test_command_lines(self):
        self.check(["preview"], 2, ["CONFIG is missing"])
        self.check(["preview", self.config, "--count", "x"], 2, ["--count"])
        self.check(["preview", self.config, "--valid"], 2, ["data.valid"])
        self.check(["score", "--model", "model", "--template", "x", "rows.jsonl"], 2, ["llama3"])
        self.check(["score", "--model", "model", "--system", "x", "--template", "raw",
                    "rows.jsonl"], 2, ["system"])
        self.check(["score", "--model", "model", "--tokenizer", "no-such", "rows.jsonl"], 5,
                   ["no-such"])


if __name__ == "__main__":
    unittest.main()
