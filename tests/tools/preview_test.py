"""`lcal preview`, and that training on text is training on the tokens it shows, byte for byte."""
import gzip
import hashlib
import json
import pathlib
import struct
import sys
import tempfile
import unittest

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).parent))
from lcal_tool import MODELS, config, examples, run, succeed, write_jsonl  # noqa: E402
from text_model import ids, make_model  # noqa: E402

ROWS = [
    {"prompt": "Summarise: hello\nthere", "completion": "Hola, <|im_end|> \u00e9\u00f1 \U0001F600"},
    {"messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "q"},
                  {"role": "assistant", "content": "a1"}, {"role": "user", "content": "Q"},
                  {"role": "assistant", "content": "answer two"}]},
    {"instruction": "Translate", "input": "one", "output": "uno"},
    {"conversations": [{"from": "human", "value": "hi"}, {"from": "gpt", "value": "ciao"}]},
    {"prompt": "nothing to say", "completion": ""},
    {"prompt": "long " * 40, "completion": "x"},
    {"input_ids": [1, 2, 3, 4], "labels": [-100, -100, 3, 4]},
] + [{"prompt": f"number {i}", "completion": f"is {i * i}"} for i in range(20)]


class Preview(unittest.TestCase):
    def setUp(self):
        holder = tempfile.TemporaryDirectory()
        self.addCleanup(holder.cleanup)
        self.folder = pathlib.Path(holder.name)
        self.model = make_model(self.folder / "model")
        self.rows = write_jsonl(self.folder / "rows.jsonl", ROWS)

    def config(self, name, rows=None, **keys):
        keys.setdefault("model", self.model)
        return config(self.folder / f"{name}.yaml", self.folder / name, rows or self.rows,
                      data__max_length=120, train__batch_tokens=128, **keys)

    def shown(self, *arguments):
        text = succeed("preview", "--json", "--count", 0, *arguments)
        return [json.loads(line) for line in text.splitlines()]

    def test_hand_written(self):
        first, second = self.shown(self.config("c"))[:2]
        prompt = ids("<|im_start|>", "user\nSummarise: hello\nthere", "<|im_end|>", "\n",
                     "<|im_start|>", "assistant\n")
        answer = [*"Hola, <|im_end|> \u00e9\u00f1 \U0001F600".encode(), *ids("<|im_end|>")]
        end = ids("\n")
        self.assertEqual([t["id"] for t in first["tokens"]], prompt + answer + end)
        self.assertEqual([t["loss"] for t in first["tokens"]],
                         [False] * len(prompt) + [True] * len(answer) + [False])
        self.assertEqual("".join(t["text"] for t in first["tokens"]),
                         "<|im_start|>user\nSummarise: hello\nthere<|im_end|>\n<|im_start|>"
                         "assistant\nHola, <|im_end|> \u00e9\u00f1 \U0001F600<|im_end|>\n")
        learnt = "".join(t["text"] for t in second["tokens"] if t["loss"])
        self.assertEqual(learnt, "answer two<|im_end|>")
        learnt = "".join(t["text"] for t in self.shown(self.config("c"), "data.loss_on=assistant")[1]
                         ["tokens"] if t["loss"])
        self.assertEqual(learnt, "a1<|im_end|>answer two<|im_end|>")

    def test_training_sees_the_same(self):
        """The examples in a checkpoint's hash are those shown; pre-tokenised, they give the same
        bytes; `lcal score` labels as many tokens."""
        for keys in ({}, {"data__loss_on": "all", "data__overlong": "truncate"},
                     {"data__template": "llama3", "data__loss_on": "assistant",
                      "data__system": "Be: kind"},
                     {"data__template": "zephyr", "data__valid_fraction": 0.3},
                     {"data__template": "raw", "data__limit": 9}):
            with self.subTest(keys=keys):
                settings = self.config("text", **keys)
                shown = self.shown(settings)
                plain = [{"input_ids": [t["id"] for t in row["tokens"]],
                          "labels": [t["id"] if t["loss"] else -100 for t in row["tokens"]]}
                         for row in shown]
                digest = hashlib.sha256()
                for row in plain:
                    count = len(row["input_ids"])
                    digest.update(struct.pack(f"<Q{count}i{count}i", count, *row["input_ids"],
                                              *row["labels"]))
                succeed("train", settings, "--overwrite")
                run_directory = self.folder / "text"
                self.assertIn(digest.hexdigest().encode(),
                              (run_directory / "checkpoint.h5").read_bytes())
                ready = write_jsonl(self.folder / "plain.jsonl", plain)
                more = {}
                if "data__valid_fraction" in keys:
                    held = self.shown(settings, "--valid")
                    more["data__valid"] = write_jsonl(self.folder / "held.jsonl", [
                        {"input_ids": [t["id"] for t in row["tokens"]],
                         "labels": [t["id"] if t["loss"] else -100 for t in row["tokens"]]}
                        for row in held])
                succeed("train", self.config("ids", ready, **more), "--overwrite")
                self.assertEqual((run_directory / "calibration.h5").read_bytes(),
                                 (self.folder / "ids" / "calibration.h5").read_bytes())

    def test_score_labels_the_same(self):
        rows = [row for i, row in enumerate(ROWS) if i not in (4, 5)]
        data = write_jsonl(self.folder / "kept.jsonl", rows)
        for loss_on in ("completion", "assistant", "all"):
            shown = self.shown(self.config("c", data), f"data.loss_on={loss_on}",
                               "data.system='S'")
            scored = [json.loads(line) for line in
                      succeed("score", "--model", self.model, "--loss-on", loss_on, "--system", "S",
                              data).splitlines()]
            self.assertEqual([sum(t["loss"] for t in row["tokens"]) for row in shown],
                             [len(row["nll"]) for row in scored])

    def test_split(self):
        settings = self.config("c", data__valid_fraction=0.3)
        trained, held = self.shown(settings), self.shown(settings, "--valid")
        kept = [row["index"] for row in self.shown(self.config("d"))]
        self.assertEqual(kept, [0, 1, 2, 3, 6, *range(7, 27)])
        numbers = [{row["index"] for row in part} for part in (trained, held)]
        self.assertEqual(numbers[0] | numbers[1], set(kept))
        self.assertFalse(numbers[0] & numbers[1])
        self.assertTrue(numbers[1])
        again = {row["index"] for row in self.shown(settings, "--valid", "data.overlong=truncate")}
        self.assertTrue(numbers[1] <= again)
        other = {row["index"] for row in self.shown(settings, "--valid", "data.split_seed=2")}
        self.assertNotEqual(numbers[1], other)
        few = [row["index"] for row in self.shown(settings, "--valid", "data.valid_limit=1")]
        self.assertEqual(few, [min(numbers[1])])
        plan = json.loads(succeed("train", settings, "--dry-run", "--json"))
        self.assertEqual((plan["train_examples"], plan["valid_examples"]),
                         (len(trained), len(held)))
        succeed("train", settings)
        log = (self.folder / "c" / "log.txt").read_text(encoding="utf-8")
        self.assertIn(f"{len(trained)} examples to train on, {len(held)} for validation", log)
        metrics = (self.folder / "c" / "metrics.jsonl").read_text(encoding="utf-8")
        self.assertIn("val_loss", metrics)

    def test_resume_refuses_another_reading(self):
        settings = self.config("c", data__valid_fraction=0.3)
        succeed("train", settings)
        for change in ("data.split_seed=2", "data.valid_fraction=0.2", "data.template=raw",
                       "data.system=x", "data.loss_on=all", "data.limit=5", "data.valid_limit=1",
                       f"data.tokenizer={self.model}"):
            done = run("train", "--resume", self.folder / "c", change, "train.steps=8")
            self.assertEqual(done.returncode, 2, change)
            self.assertIn(change.split("=")[0], done.stderr)
        (self.model / "tokenizer_config.json").write_text('{"eos_token": "<|endoftext|>"}',
                                                          encoding="utf-8")
        done = run("train", "--resume", self.folder / "c", "train.steps=8")
        self.assertNotEqual(done.returncode, 0)  # another template, other tokens

    def test_for_people(self):
        settings = self.config("c")
        text = succeed("preview", settings, "--from", 3, "--count", 1)
        head, *lines, _, counts, parts = text.splitlines()
        self.assertEqual(head, "example 3: 27 tokens, 5 with loss")
        self.assertEqual(lines[0], '     260   "<|im_start|>"')
        self.assertEqual(sum(line.split(maxsplit=1)[1].startswith("[\"") for line in lines), 5)
        self.assertEqual(len(lines), 27)
        self.assertEqual(counts, "27 examples read, 25 used: 1 dropped as too long, 1 dropped with "
                                 "nothing to learn, 0 cut")
        self.assertTrue(parts.startswith("25 examples to train on, 0 for validation; those to train"))
        text = succeed("preview", settings, "--from", 3, "--count", 1, "--text")
        self.assertIn("assistant\n[[ciao<|im_end|>]]\n", text)
        nothing = run("preview", settings, "--from", 99)
        self.assertEqual(nothing.returncode, 0)
        self.assertIn("no example", nothing.stderr)

    def test_without_a_tokenizer(self):
        data = write_jsonl(self.folder / "ids.jsonl", examples(2))
        settings = self.config("c", data, model=MODELS / "tiny-llama3")
        shown = self.shown(settings)
        self.assertEqual([[t["id"] for t in row["tokens"]] for row in shown],
                         [row["input_ids"] for row in examples(2)])
        self.assertIsNone(shown[0]["tokens"][0]["text"])
        # The same rows with a tokenizer that lies elsewhere.
        shown = self.shown(settings, f"data.tokenizer={self.model / 'tokenizer.json'}")
        self.assertIsNotNone(shown[0]["tokens"][0]["text"])

    def test_gzip(self):
        packed = self.folder / "rows.jsonl.gz"
        packed.write_bytes(gzip.compress(self.rows.read_bytes()))
        self.assertEqual(self.shown(self.config("c", packed)), self.shown(self.config("d")))

    def test_no_run_directory_is_needed(self):
        done = succeed("preview", f"model={self.model}", f"data.train={self.rows}")
        self.assertIn("example 0", done)


if __name__ == "__main__":
    unittest.main()
