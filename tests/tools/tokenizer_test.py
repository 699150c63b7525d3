"""`lcal tokenizer`: what train learns against a naive trainer, the files it writes, what it refuses; info.

The naive trainer below has its own cut of text into words (Python's re) and counts all pairs anew for
every merge.
"""
import collections
import gzip
import json
import os
import pathlib
import random
import re
import sys
import tempfile
import unittest

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).parent))
from lcal_tool import QUICKSTART, TESTS, contents, run, succeed  # noqa: E402

STORIES = TESTS.parent / "data" / "stories260K"
VECTORS = os.environ.get("LCAL_TEST_DATA")
SPECIAL = ["<|begin_of_text|>", "<|end_of_text|>", "<|pad|>"]

# L: letters, D: digits, of the texts below.
CONTRACTIONS = "'s|'t|'re|'ve|'m|'ll|'d"
MODERN = (r"(?:(?i:%s))|[^\r\n\dL]?[L]+|DIGITS| ?[^\s\dL]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
          % CONTRACTIONS)
PATTERNS = {
    "llama3": MODERN.replace("DIGITS", r"\d{1,3}"),
    "qwen2": MODERN.replace("DIGITS", r"\d"),
    "gpt2": CONTRACTIONS + r"| ?[L]+| ?\d+| ?[^\s\dL]+|\s+(?!\S)|\s+",
}
LETTERS = "a-zA-Z\u00df-\u00f6\u0430-\u044f\u3041-\u3096"


def words_of(text, pattern):
    return re.findall(PATTERNS[pattern].replace("L", LETTERS), text)


def byte_letters():
    """How byte-level vocabularies spell the 256 bytes."""
    plain = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    rest = [byte for byte in range(256) if byte not in plain]
    return [chr(byte if byte in plain else 256 + rest.index(byte)) for byte in range(256)]


def spell(token):
    return "".join(byte_letters()[byte] for byte in token)


def naive_merges(texts, pattern, tokens, min_frequency):
    """The merges of a vocabulary of `tokens`, the 256 bytes included, as pairs of bytes."""
    counts = collections.Counter(word.encode() for text in texts for word in words_of(text, pattern))
    words = [([bytes([byte]) for byte in word], count) for word, count in counts.items()]
    vocab, merges = {bytes([byte]) for byte in range(256)}, []
    while len(vocab) < tokens:
        pairs = collections.Counter()
        for symbols, count in words:
            for pair in zip(symbols, symbols[1:]):
                pairs[pair] += count
        best = min(pairs, key=lambda pair: (-pairs[pair], pair), default=None)
        if best is None or pairs[best] < min_frequency:
            break
        merges.append(best)
        vocab.add(best[0] + best[1])
        for symbols, _ in words:
            at = 0
            while at + 1 < len(symbols):
                if (symbols[at], symbols[at + 1]) == best:
                    symbols[at:at + 2] = [best[0] + best[1]]
                at += 1
    return merges


def corpora():
    """Texts of different kinds, each below one piece of the trainer (64 KB)."""
    rng = random.Random(5)
    with gzip.open(QUICKSTART / "reply.valid.jsonl.gz", "rt", encoding="utf-8") as file:
        talk = [json.loads(line) for line in file]
    yield "talk", "".join(row["prompt"] + "\n" + row["completion"] + "\n" for row in talk[:150]
                          if (row["prompt"] + row["completion"]).isascii())
    yield "runs", "".join("a" * rng.randrange(40) + " " * rng.randrange(9) + "\n" * rng.randrange(3)
                          for _ in range(100)) + "\n"
    yield "few letters", " ".join("".join(rng.choice("abc") for _ in range(rng.randrange(12)))
                                  for _ in range(400)) + "\n"
    yield "mixed", "".join(rng.choice(["don't ", "WE'LL", " 12345", "x = [1, 2];\n", "\t", "\u00e9t\u00e9 ",
                                       "\u043f\u0440\u0438\u0432\u0435\u0442", "\u3042\u3044\u3042", " \U0001f600", "  "])
                           for _ in range(1500)) + "\n"


class Train(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def text(self, text, name="text.txt"):
        path = self.folder / name
        path.write_text(text, encoding="utf-8", newline="")
        return path

    def train(self, *arguments, out="out"):
        """The tokenizer.json of a run that must succeed."""
        succeed("tokenizer", "train", "--quiet", "--out", self.folder / out, *arguments)
        return json.loads((self.folder / out / "tokenizer.json").read_text(encoding="utf-8"))

    def test_merges_of_a_naive_trainer(self):
        compared = 0
        for name, text in corpora():
            for pattern, tokens, min_frequency in ("llama3", 360, 2), ("qwen2", 320, 1), ("gpt2", 340, 5):
                with self.subTest(corpus=name, pattern=pattern):
                    model = self.train("--vocab", tokens + 3, "--pattern", pattern, "--min-frequency",
                                       min_frequency, "--overwrite", self.text(text))["model"]
                    merges = naive_merges([text], pattern, tokens, min_frequency)
                    self.assertEqual(model["merges"], [f"{spell(a)} {spell(b)}" for a, b in merges])
                    learnt = list(dict.fromkeys(spell(a) + spell(b) for a, b in merges))
                    expected = SPECIAL + sorted(byte_letters()) + learnt
                    self.assertEqual(model["vocab"], {token: i for i, token in enumerate(expected)})
                    compared += len(merges)
        self.assertGreater(compared, 700)

    def test_same_bytes_for_any_threads_and_order(self):
        rng = random.Random(2)
        texts = ["".join(rng.choice(["lorem ", "ipsum\n", "dolor, ", "sit", " amet", "\n\n", "123 "])
                         for _ in range(30000)) + "\n" for _ in range(3)]
        paths = [self.text(text, f"{i}.txt") for i, text in enumerate(texts)]
        results = []
        for threads, order in (1, paths), (2, paths), (5, paths[::-1]):
            self.train("--vocab", 600, "--threads", threads, "--overwrite", *order)
            results.append(contents(self.folder / "out"))
        self.assertEqual(results[0], results[1])
        self.assertEqual(results[0], results[2])

    def test_forms_of_input(self):
        texts = ["hello hello hello", "h\u00e9llo \u00e9t\u00e9\n"]
        rows = "".join(json.dumps({"prompt": text, "other": "never zzzz zzzz zzzz"}) + "\n\n" for text in texts)
        plain = self.train("--vocab", 300, "--min-frequency", 1, "--field", "prompt", "--field", "completion",
                           self.text(rows), out="plain")
        merges = naive_merges(texts, "llama3", 297, 1)
        self.assertEqual(plain["model"]["merges"], [f"{spell(a)} {spell(b)}" for a, b in merges])
        packed = self.folder / "rows.gz"
        packed.write_bytes(gzip.compress(rows.encode()))
        self.assertEqual(self.train("--vocab", 300, "--min-frequency", 1, "--field", "prompt", packed), plain)

    def test_bytes_that_are_no_text(self):
        path = self.folder / "text"
        path.write_bytes(b"a\xff" * 50 + b"\n")
        merges = self.train("--vocab", 300, path)["model"]["merges"]
        self.assertEqual(merges[0], "{} {}".format(spell(b"\xbf"), spell(b"\xbd")))

    def test_nfc(self):
        path = self.text("e\u0301te\u0301 " * 20 + "\n")
        composed = self.train("--vocab", 262, "--nfc", path)
        self.assertEqual(composed["normalizer"], {"type": "NFC"})
        self.assertIn(spell("\u00e9t\u00e9".encode()), composed["model"]["vocab"])

    def test_special_tokens(self):
        text = self.text("<|x|> says <s> and <|pad|> " * 30 + "\n")
        root = self.train("--vocab", 400, "--bos", "<s>", "--special", "<|x|>", "--special", "\u0120says",
                          "--add-bos", text)
        expected = ["<s>", "<|end_of_text|>", "<|pad|>", "<|x|>", "\u0120says"]
        self.assertEqual([token["content"] for token in root["added_tokens"]], expected)
        self.assertEqual([token["id"] for token in root["added_tokens"]], list(range(5)))
        vocab = root["model"]["vocab"]
        self.assertEqual([vocab[token] for token in expected], list(range(5)))
        self.assertEqual(sorted(vocab.values()), list(range(len(vocab))))
        config = json.loads((self.folder / "out" / "tokenizer_config.json").read_text(encoding="utf-8"))
        self.assertEqual((config["bos_token"], config["eos_token"], config["pad_token"]),
                         ("<s>", "<|end_of_text|>", "<|pad|>"))
        ids = succeed("tokenize", "--model", self.folder / "out", "--add-special", "--parse-special",
                      input="<|x|> says\n").split()
        self.assertEqual(ids[:2], ["0", "3"])
        back = succeed("tokenize", "--model", self.folder / "out", "--decode", input=" ".join(ids[1:]) + "\n")
        self.assertEqual(back, "<|x|> says\n")
        info = json.loads(succeed("tokenizer", "info", "--json", self.folder / "out"))
        self.assertEqual(info["special"], [{"id": i, "text": text} for i, text in enumerate(expected)])
        self.assertEqual((info["bos"]["id"], info["eos"]["id"], info["ids"]), (0, 1, len(vocab)))

    def test_chat_templates(self):
        text = self.text("hello there\n" * 9)
        rows = self.text(json.dumps({"messages": [{"role": "user", "content": "hi"},
                                                  {"role": "assistant", "content": "there"}]}) + "\n", "chat.jsonl")
        for template, first in ("llama3", "<|start_header_id|>"), ("chatml", "<|im_start|>"), ("zephyr", "<|user|>"):
            with self.subTest(template=template):
                model = self.folder / template
                self.train("--vocab", 270, "--template", template, text, out=template)
                (model / "config.json").write_bytes((STORIES / "config.json").read_bytes())
                (model / "model.safetensors").write_bytes((STORIES / "model.safetensors").read_bytes())
                plan = self.folder / "config.yaml"
                plan.write_text(json.dumps({"model": str(model), "method": "lc", "out": str(self.folder / "run"),
                                            "data": {"train": str(rows)}}), encoding="utf-8")
                shown = succeed("preview", plan)
                self.assertIn(first, shown)

    def test_layout_of_real_ones(self):
        if not VECTORS:
            self.skipTest("LCAL_TEST_DATA is not set: no real tokenizer.json to compare with")
        ours = self.train("--vocab", 270, "--add-bos", self.text("some text, some text\n"))
        real = json.loads((pathlib.Path(VECTORS) / "tokenizers/llama3.1/tokenizer.json").read_text(encoding="utf-8"))

        def layout(value, path=()):
            """The tree of keys and types, without tables, ids and names of tokens."""
            if isinstance(value, dict) and path[-1:] != ("vocab",) and path[-1:] != ("special_tokens",):
                return {key: layout(part, (*path, key)) for key, part in value.items()}
            if isinstance(value, list) and path[-1:] not in (("merges",), ("added_tokens",)):
                return [layout(part, path) for part in value]
            if isinstance(value, list):
                return layout(value[0], (*path, "one"))
            return type(value).__name__
        self.assertEqual(layout(ours), layout(real))
        self.assertEqual(ours["pre_tokenizer"]["pretokenizers"][0], real["pre_tokenizer"]["pretokenizers"][0])

    def test_overwriting(self):
        text = self.text("some text, some text\n")
        for out in "out", "file.json":
            path = self.folder / out
            succeed("tokenizer", "train", "--out", path, "--vocab", 270, text)
            before = contents(self.folder)
            done = run("tokenizer", "train", "--out", path, "--vocab", 265, text)
            self.assertEqual(done.returncode, 2)
            self.assertIn("there already", done.stderr)
            self.assertEqual(contents(self.folder), before)
            succeed("tokenizer", "train", "--out", path, "--vocab", 265, "--overwrite", text)
            self.assertNotEqual(contents(self.folder), before)
            (self.folder / "tokenizer_config.json").unlink(missing_ok=True)
        self.assertTrue((self.folder / "file.json").is_file())

    def test_too_little_text(self):
        done = run("tokenizer", "train", "--json", "--out", self.folder / "out", "--vocab", 5000,
                   self.text("one two one two\n"))
        self.assertEqual(done.returncode, 0)
        self.assertIn("--min-frequency", done.stderr)
        said = json.loads(done.stdout)
        self.assertEqual(said["tokens"], 3 + 256 + said["merges"])
        self.assertLess(said["tokens"], 5000)

    def refused(self, status, *arguments, words=()):
        before = contents(self.folder)
        done = run("tokenizer", *arguments)
        self.assertEqual(done.returncode, status, done.stderr)
        self.assertEqual(done.stdout, "")
        for word in words:
            self.assertIn(word, done.stderr)
        self.assertEqual(contents(self.folder), before)

    def test_refused(self):
        text, out = self.text("some text\n"), ("--out", self.folder / "new")
        many = ["--special", "a b", "--special", "a c"]
        self.refused(2, words=["train"])
        self.refused(2, "trian", text, words=["trian"])
        self.refused(2, "train", *out, "--vocab", 300, words=["files"])
        self.refused(2, "train", "--vocab", 300, text, words=["--out"])
        self.refused(2, "train", *out, text, words=["--vocab"])
        self.refused(2, "train", *out, "--vocab", 256, text, words=["--vocab", "257"])
        self.refused(2, "train", *out, "--vocab", 258, text, words=["259"])
        self.refused(2, "train", *out, "--vocab", 260, *many, text, words=["261"])
        self.refused(2, "train", *out, "--vocab", 300, "--pattern", "bert", text, words=["llama3", "bert"])
        self.refused(2, "train", *out, "--vocab", 300, "--special", "a", text, words=['"a"', "byte"])
        self.refused(2, "train", *out, "--vocab", 300, "--template", "vicuna", text, words=["chatml"])
        self.refused(5, "train", *out, "--vocab", 300, "/nowhere", words=["/nowhere"])
        self.refused(3, "train", *out, "--vocab", 300, self.text("", "empty"), words=["no text"])
        self.refused(3, "train", *out, "--vocab", 300, "--field", "prompt", text, words=["text.txt", "line 1"])
        rows = self.text('{"prompt":"x"}\n{"completion":"y"}\n', "rows")
        self.refused(3, "train", *out, "--vocab", 300, "--field", "prompt", rows, words=["line 2", "prompt"])
        self.refused(3, "train", *out, "--vocab", 300, "--field", "prompt",
                     self.text('{"prompt":[1]}\n', "typed"), words=["line 1", "prompt", "string"])
        broken = self.folder / "broken.gz"
        broken.write_bytes(gzip.compress(b"text " * 1000)[:-9])
        self.refused(3, "train", *out, "--vocab", 300, broken, words=["broken.gz"])
        self.refused(5, "train", "--out", text / "below", "--vocab", 300, text, words=[str(text)])
        self.refused(2, "info", words=["info"])
        self.refused(5, "info", "/nowhere", words=["/nowhere"])

    def test_info_of_every_kind(self):
        info = succeed("tokenizer", "info", STORIES)
        self.assertIn("tokens: 512", info)
        self.assertIn('bos: 1 "\\u000a<s>\\u000a"', info)
        shown = json.loads(succeed("tokenizer", "info", "--json", STORIES / "tok512.bin"))
        self.assertEqual([token["id"] for token in shown["special"]], [0, 1, 2])


if __name__ == "__main__":
    unittest.main()
