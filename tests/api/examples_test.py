"""The two examples of docs/examples: what one trains the other uses.

Arguments: the built examples train and compose, and the repository.
"""
import json
import pathlib
import random
import re
import subprocess
import sys
import tempfile
import unittest

TRAIN, COMPOSE, ROOT = sys.argv[1], sys.argv[2], pathlib.Path(sys.argv[3])
MODEL = ROOT / "data" / "stories260K"
GOLDEN = ROOT / "tests" / "golden" / "models" / "stories260K"
ADAPTERS = [str(GOLDEN / "lora_a"), str(GOLDEN / "lora_b")]


def run(*arguments):
    return subprocess.run([str(argument) for argument in arguments], text=True,
                          capture_output=True, timeout=120)


def write_examples(path, count, seed, stride=7):
    """Answers that count on from where the prompt ended, by a stride: easy to learn."""
    draw = random.Random(seed)
    with open(path, "w", encoding="utf-8") as file:
        for _ in range(count):
            start = draw.randrange(300)
            ids = [3 + (start + stride * t) % 400 for t in range(12)]
            file.write(json.dumps({"input_ids": ids, "labels": [-100] * 4 + ids[4:]}) + "\n")


def validations(text):
    """The losses that were printed after steps, and the one of the saved file."""
    steps = [float(found) for found in re.findall(r"^step \d+: .*validation (\S+)", text, re.M)]
    return steps, float(re.search(r"^\S+best\.\w+: validation (\S+)", text, re.M).group(1))


class Examples(unittest.TestCase):
    def setUp(self):
        holder = tempfile.TemporaryDirectory()
        self.addCleanup(holder.cleanup)
        self.folder = pathlib.Path(holder.name)
        self.valid = self.folder / "valid.jsonl"
        self.train_file = self.folder / "train.jsonl"
        write_examples(self.train_file, 60, 1)
        write_examples(self.valid, 12, 2)

    def train(self, result, *keys):
        return run(TRAIN, result, self.valid, f"model={MODEL}",
                   f"adapters=[{{path: {ADAPTERS[0]}}}, {{path: {ADAPTERS[1]}}}]",
                   f"data.train={self.train_file}", f"data.valid={self.valid}",
                   "data.max_length=16", "train.batch_tokens=128", "train.steps=40",
                   "train.eval_every=5", "train.lr=0.02", "train.threads=1",
                   "calibration.dtype=f32", *keys)

    def test_train_then_compose(self):
        result = self.folder / "best.h5"
        done = self.train(result)
        self.assertEqual(done.returncode, 0, done.stderr)
        losses, again = validations(done.stdout)
        self.assertGreater(len(losses), 2)
        self.assertLess(min(losses), losses[0])
        # Saved, loaded and scored again: the best one.
        self.assertAlmostEqual(again, min(losses), delta=2e-4)
        self.assertEqual(sorted(path.name for path in self.folder.iterdir()),
                         ["best.h5", "train.jsonl", "valid.jsonl"])
        spoken = run(COMPOSE, MODEL, *ADAPTERS, result, "Once upon a time")
        self.assertEqual(spoken.returncode, 0, spoken.stderr)
        perplexity, _, text = spoken.stdout.partition("\n")
        self.assertGreater(float(perplexity.split()[1]), 1.0)
        self.assertTrue(text.strip())
        # Without the adapters it was trained for it is refused.
        wrong = run(COMPOSE, MODEL, ADAPTERS[1], ADAPTERS[0], result, "Once")
        self.assertEqual(wrong.returncode, 1)
        self.assertIn("SHA-256", wrong.stderr)

    def test_stops_early(self):
        write_examples(self.valid, 12, 2, stride=31)  # what training makes worse
        done = self.train(self.folder / "best.safetensors", "train.lr=0.1", "train.eval_every=1",
                          "train.schedule=constant", "train.warmup=0", "train.steps=200")
        self.assertEqual(done.returncode, 0, done.stderr)
        losses, again = validations(done.stdout)
        self.assertLess(len(losses), 200)
        self.assertEqual(losses.index(min(losses)), len(losses) - 4)
        self.assertAlmostEqual(again, min(losses), delta=2e-4)

    def test_mistakes(self):
        self.assertEqual(run(TRAIN).returncode, 2)
        self.assertEqual(run(COMPOSE, "model").returncode, 2)
        done = self.train(self.folder / "best.txt", "train.steps=5")
        self.assertEqual(done.returncode, 1)
        self.assertIn(".safetensors", done.stderr)
        done = self.train(self.folder / "best.h5", "train.stps=5")
        self.assertEqual(done.returncode, 1)
        self.assertIn("train.steps", done.stderr)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
