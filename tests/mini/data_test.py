#!/usr/bin/env python3
"""The files of data/mini: made by the generator, accepted by the oracle; sizes, splits, licence."""
import gzip
import json
import pathlib
import sys
import unittest

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).parent))
from mini_data import DATA, ROOT, read  # noqa: E402
from mini.facts import decode, split_of  # noqa: E402
from mini.generate import SPLITS, examples  # noqa: E402
from mini.knobs import DEFAULT  # noqa: E402
from mini.lexicon import lexicon  # noqa: E402
from mini.tasks import COMPOSED, TASKS, file_name, headers  # noqa: E402
from mini.tokens import words  # noqa: E402
from mini.verdict import judge  # noqa: E402
from mini.writer import lines  # noqa: E402

SEED = 1
HEAD = 100  # examples of every file that are made again; fewer are a prefix of more
WHOLE = ("reply+fr", "test")


class Data(unittest.TestCase):
    def test_every_file_as_the_generator_makes_it(self):
        for task in TASKS:
            for split in SPLITS:
                with gzip.open(DATA / file_name(task, split)) as file:
                    shipped = file.read()
                count = getattr(DEFAULT, split)
                self.assertEqual(shipped.count(b"\n"), count, (task, split))
                made = lines(examples(SEED, task, split,
                                      count if (task, split) == WHOLE else min(count, HEAD)))
                self.assertTrue(shipped.startswith(made), (task, split))
        self.assertEqual(json.loads((DATA / "prompts.json").read_text(encoding="utf-8")), headers())

    def test_counts_and_bytes(self):
        self.assertGreaterEqual(DEFAULT.train, 5000)
        self.assertGreaterEqual(DEFAULT.valid, 500)
        self.assertGreaterEqual(DEFAULT.test, 1000)
        files = sorted(DATA.glob("*.*.jsonl.gz"))
        self.assertEqual(len(files), len(TASKS) * len(SPLITS))
        self.assertLess(sum(path.stat().st_size for path in DATA.iterdir() if path.is_file()), 15e6)
        for path in files:
            self.assertEqual(path.read_bytes()[3:8], bytes(5), f"{path}: holds a name or a time")

    def test_whole_data(self):
        """Every gold answer is accepted; no split has a fact of another; the composed training
        data has no held-out word."""
        held = {name.text.lower() for name in lexicon().names.values() if name.held}
        held |= {word for thing in lexicon().things.values() if thing.held
                 for word in words(thing.noun["en"].text)}
        facts = {split: set() for split in SPLITS}
        for task in TASKS:
            for split in SPLITS:
                for row in read(DATA / file_name(task, split)):
                    verdict = judge(task, row["meta"], row["completion"])
                    self.assertTrue(verdict.both_ok, (verdict, row))
                    facts[split].update(row["meta"]["facts"])
                    facts[split].update(row["meta"].get("others", ()))
                    if task in COMPOSED and split == "train":
                        self.assertFalse(held & set(words(row["prompt"])), row["prompt"])
        for one, other in (("train", "valid"), ("train", "test"), ("valid", "test")):
            self.assertFalse(facts[one] & facts[other])
        for split in SPLITS:
            self.assertTrue(all(split_of(decode(code)) == split for code in facts[split]))

    def test_samples(self):
        page = (DATA / "README.md").read_text(encoding="utf-8")
        for task in TASKS:
            row = examples(SEED, task, "valid", 1)[0]
            self.assertIn(f"### {task}\n\n```text\n{row['prompt']}{row['completion']}\n```", page)

    def test_attribution(self):
        for name in ("NOTICE", "data/mini/README.md"):
            text = (ROOT / name).read_text(encoding="utf-8")
            self.assertIn("Tatoeba", text)
            self.assertIn("https://creativecommons.org/licenses/by/2.0/fr/", text)


if __name__ == "__main__":
    unittest.main()
