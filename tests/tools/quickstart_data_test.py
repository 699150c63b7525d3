#!/usr/bin/env python3
"""data/quickstart holds what tools/data makes; the reference tokeniser keeps llama2.c's rules."""
import gzip
import json
import os
import subprocess
import sys
import tempfile
import unittest

ROOT = os.path.normpath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", ".."))
sys.path.insert(0, os.path.join(ROOT, "tests", "golden"))
from llama2c_tokenize import Vocabulary, example  # noqa: E402 (after the path is known)

TOK512 = os.path.join(ROOT, "data", "stories260K", "tok512.bin")


class QuickstartData(unittest.TestCase):
    def setUp(self):
        self.vocabulary = Vocabulary(TOK512)

    def test_tasks_are_made_of_the_replies(self):
        folder = os.path.join(ROOT, "data", "quickstart")
        with tempfile.TemporaryDirectory() as temporary:
            subprocess.run([sys.executable, os.path.join(ROOT, "tools/data/capitals.py"), folder, "--out", temporary],
                           check=True)
            for task in ("capitals", "both"):
                for part in ("train", "valid"):
                    name = f"{task}.{part}.jsonl.gz"
                    with gzip.open(os.path.join(temporary, name)) as made, \
                            gzip.open(os.path.join(folder, name)) as shipped:
                        self.assertTrue(made.read() == shipped.read(), name)

    def test_vectors_are_reproduced(self):
        folder = os.path.join(ROOT, "tests", "golden")
        with tempfile.TemporaryDirectory() as temporary:
            made = os.path.join(temporary, "made.jsonl")
            subprocess.run([sys.executable, os.path.join(folder, "llama2c_tokenize.py"), "--check", TOK512,
                            os.path.join(folder, "vectors", "llama2c.text.jsonl.gz"), made],
                           check=True, stderr=subprocess.DEVNULL)
            with open(made, "rb") as ours, gzip.open(
                    os.path.join(folder, "vectors", "llama2c.ids.jsonl.gz")) as shipped:
                self.assertTrue(ours.read() == shipped.read())

    def test_ids_of_the_models_reference(self):
        # The first row of reference_logits.jsonl was tokenised by others.
        logits = os.path.join(ROOT, "tests", "golden", "models", "stories260K", "reference_logits.jsonl")
        with open(logits, encoding="ascii") as file:
            ids = json.loads(file.readline())["ids"][1:]
        text = "Once upon a time, there was a little girl named Lily. She"
        self.assertEqual(self.vocabulary.encode(text), ids)

    def test_characters_out_of_vocabulary_are_bytes(self):
        self.assertEqual(self.vocabulary.encode("日")[1:], [0xE6 + 3, 0x97 + 3, 0xA5 + 3])
        for text in ("", "a", "Héllo ñ 日本", "two  spaces ", "line\nline"):
            self.assertEqual(self.vocabulary.decode(self.vocabulary.encode(text)), text)

    def test_only_the_completion_counts(self):
        row = example(self.vocabulary, "Hi!", "Hello.")
        ids, labels = row["input_ids"], row["labels"]
        newline = ids.index(13)
        self.assertEqual(len(ids), len(labels))
        self.assertEqual((ids[0], ids[-1]), (1, 2))
        self.assertEqual(labels[:newline + 1], [-100] * (newline + 1))
        self.assertEqual(labels[newline + 1:], ids[newline + 1:])
        self.assertEqual(self.vocabulary.decode(ids[1:newline]), "Hi!")


if __name__ == "__main__":
    unittest.main()
