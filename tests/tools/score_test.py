"""`lcal score` against the reference logits of every fixture model and adapter combination.

Computed in float64 and confirmed by llama.cpp (tests/golden/README.md). Also: how rows are packed,
in which order adapters are named and how much memory is saved must not change a row.
"""
import json
import pathlib
import sys
import tempfile
import unittest

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).parent))
from lcal_tool import MODELS, examples, run, succeed, write_jsonl  # noqa: E402

TOLERANCE = 2e-4


def combinations(model):
    """Adapter combination -> its reference rows."""
    found = {}
    with open(model / "reference_logits.jsonl", encoding="utf-8") as file:
        for row in map(json.loads, file):
            found.setdefault(json.dumps(row["adapters"]), []).append(row)
    return {tuple(map(tuple, json.loads(key))): rows for key, rows in found.items()}


def score(model, adapters, rows, folder, *more):
    data = write_jsonl(folder / "rows.jsonl", rows)
    named = [argument for name, weight in adapters
             for argument in ("--adapter", f"{model / name}:{weight}")]
    text = succeed("score", "--model", model, *named, *more, data)
    return [json.loads(line) for line in text.splitlines()]


class Score(unittest.TestCase):
    def setUp(self):
        holder = tempfile.TemporaryDirectory()
        self.addCleanup(holder.cleanup)
        self.folder = pathlib.Path(holder.name)

    def compare(self, found, expected):
        logits, reference = found["logits"], expected["logits_last"]
        self.assertEqual(len(logits), len(reference))
        spread = max(reference) - min(reference)
        worst = max(abs(a - b) for a, b in zip(logits, reference))
        self.assertLessEqual(worst, TOLERANCE * spread)
        self.assertEqual(logits.index(max(logits)), reference.index(max(reference)))
        nll = found["nll"]
        self.assertEqual(len(nll), len(expected["nll_per_token"]))
        for a, b in zip(nll, expected["nll_per_token"]):
            self.assertLessEqual(abs(a - b), TOLERANCE)
        self.assertAlmostEqual(found["loss"], sum(nll) / len(nll), places=5)

    def test_reference(self):
        models = sorted(path.parent for path in MODELS.glob("*/reference_logits.jsonl"))
        self.assertEqual(len(models), 4)
        for model in models:
            for adapters, references in combinations(model).items():
                rows = [{"input_ids": row["ids"], "labels": row["ids"]} for row in references]
                for memory in ("fast", "low"):
                    with self.subTest(model=model.name, adapters=adapters, memory=memory):
                        found = score(model, adapters, rows, self.folder, "--logits", "last",
                                      "--memory", memory)
                        self.assertEqual(len(found), len(references))
                        for row, reference in zip(found, references):
                            self.compare(row, reference)

    def test_logits_all_ends_in_logits_last(self):
        model = MODELS / "tiny-qwen2"
        rows = examples(5)
        last = score(model, [], rows, self.folder, "--logits", "last")
        every = score(model, [], rows, self.folder, "--logits", "all")
        plain = score(model, [], rows, self.folder)
        for row, a, b, c in zip(rows, last, every, plain):
            self.assertEqual(len(b["logits"]), len(row["input_ids"]))
            for x, y in zip(a["logits"], b["logits"][-1]):
                self.assertAlmostEqual(x, y, places=4)
            self.assertNotIn("logits", c)
            self.assertEqual(len(c["nll"]), sum(label != -100 for label in row["labels"]))
            for x, y, z in zip(a["nll"], b["nll"], c["nll"]):
                self.assertAlmostEqual(x, y, places=4)
                self.assertAlmostEqual(x, z, places=4)

    def test_row_without_labels(self):
        rows = [{"input_ids": [1, 5, 9], "labels": [-100, -100, -100]}, *examples(1),
                {"input_ids": [1], "labels": [1]}]
        found = score(MODELS / "tiny-llama3", [], rows, self.folder, "--logits", "last")
        self.assertEqual([row["nll"] for row in (found[0], found[2])], [[], []])
        self.assertIsNone(found[0]["loss"])
        self.assertEqual(len(found[2]["logits"]), 512)
        nothing = score(MODELS / "tiny-llama3", [], rows[:1], self.folder)
        self.assertEqual(nothing, [{"nll": [], "loss": None}])

    def test_threads_change_nothing(self):
        data = write_jsonl(self.folder / "rows.jsonl", examples(20))
        texts = {succeed("score", "--model", MODELS / "tiny-llama3", "--threads", threads,
                         "--logits", "last", data) for threads in (1, 2, 4)}
        self.assertEqual(len(texts), 1)

    def test_directory_with_a_colon(self):
        data = write_jsonl(self.folder / "rows.jsonl", examples(2))
        model = MODELS / "tiny-llama3"
        odd = self.folder / "lora:2"
        odd.symlink_to(model / "lora_a", target_is_directory=True)
        self.assertEqual(succeed("score", "--model", model, "--adapter", odd, data),
                         succeed("score", "--model", model, "--adapter", model / "lora_a", data))
        self.assertEqual(succeed("score", "--model", model, "--adapter", f"{odd}:0.5", data),
                         succeed("score", "--model", model, f"--adapter={model / 'lora_a'}:0.5", data))

    def test_summary_goes_to_standard_error(self):
        data = write_jsonl(self.folder / "rows.jsonl", examples(3))
        done = run("score", "--model", MODELS / "tiny-llama3", data)
        self.assertEqual(done.returncode, 0)
        self.assertIn("3 examples, ", done.stderr)
        self.assertEqual(len(done.stdout.splitlines()), 3)


if __name__ == "__main__":
    unittest.main()
