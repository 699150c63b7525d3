"""`lcal tokenize`: both directions, both forms of lines, and what it refuses."""
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).parent))
from lcal_tool import TESTS, TOOL, run, succeed  # noqa: E402

STORIES = TESTS.parent / "data" / "stories260K"
VECTORS = os.environ.get("LCAL_TEST_DATA")


def tokenize(*arguments, lines):
    """Standard output of a run on these lines of input."""
    return succeed("tokenize", *arguments, input=lines)


class Tokenize(unittest.TestCase):
    def test_text_lines(self):
        ids = tokenize("--model", STORIES, "--add-special", lines="Once upon a time\n\nOnce").split("\n")
        self.assertEqual(ids, ["1 403 407 261 378", "1", "1 403", ""])
        plain = tokenize("--tokenizer", STORIES / "tok512.bin", lines="Once upon a time\n")
        self.assertEqual(plain, "403 407 261 378\n")

    def test_round_trip_of_json(self):
        texts = ["Once upon a time", "", "two\nlines\r\n", "\0 zero", "caf\u00e9 \U0001f600 \"\\/", "\ud83d half"]
        lines = "".join(json.dumps(text) + "\n" for text in texts)
        ids = tokenize("--model", STORIES, "--json", lines=lines)
        self.assertTrue(all(isinstance(i, int) for line in ids.splitlines() for i in json.loads(line)))
        back = tokenize("--model", STORIES, "--json", "--decode", lines=ids)
        expected = [text.replace("\ud83d", "\ufffd") for text in texts]
        self.assertEqual([json.loads(line) for line in back.splitlines()], expected)

    def test_special_tokens(self):
        for flags, special in ([], False), (["--parse-special"], True):
            ids = json.loads(tokenize("--model", STORIES, "--json", *flags, lines='"\\n<s>\\n"\n'))
            self.assertEqual(ids == [1], special)

    def test_bytes_that_are_no_text(self):
        done = subprocess.run([TOOL, "tokenize", "--model", STORIES], input=b"a\xff\xe2\x82b\n",
                              capture_output=True, check=True)
        good = subprocess.run([TOOL, "tokenize", "--model", STORIES], input="a\ufffd\ufffdb\n".encode(),
                              capture_output=True, check=True)
        self.assertEqual(done.stdout, good.stdout)
        euro = subprocess.run([TOOL, "tokenize", "--model", STORIES, "--decode"], input=b"229 133 175\n",
                              capture_output=True, check=True)
        self.assertEqual(euro.stdout, b"\xe2\x82\xac\n")
        cut = tokenize("--model", STORIES, "--decode", "--json", lines="[229,133]\n")
        self.assertEqual(set(json.loads(cut)), {"\ufffd"})

    def test_file_as_input(self):
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "text"
            path.write_text("Once upon a time", encoding="utf-8")
            self.assertEqual(succeed("tokenize", "--model", STORIES, path), "403 407 261 378\n")

    def check(self, arguments, lines, status, *words):
        done = run("tokenize", *arguments, input=lines)
        self.assertEqual(done.returncode, status, done.stderr)
        self.assertEqual(done.stdout, "")
        for word in words:
            self.assertIn(word, done.stderr)

    def test_refused(self):
        self.check([], "", 2, "--model", "--tokenizer")
        self.check(["--model", STORIES, "--tokenizer", STORIES], "", 2, "--model")
        self.check(["--model", "/nowhere"], "", 5, "/nowhere")
        self.check(["--model", TESTS], "", 5, str(TESTS), "tokenizer.json")
        self.check(["--tokenizer", STORIES / "config.json"], "", 3, "config.json", "model")
        self.check(["--tokenizer", STORIES / "model.safetensors"], "", 3, "model.safetensors")
        self.check(["--model", STORIES, "/nowhere"], "", 5, "/nowhere")
        for line in ('', 'word', '"open', '"a" b', '"\\x"', '"\\u12"', '"tab\there"', '[1]'):
            self.check(["--model", STORIES, "--json"], line + "\n", 3, "line 1", "JSON string")
        for line in "x", "1 -2", "1.5", "[1,2}":
            self.check(["--model", STORIES, "--decode"], line + "\n", 3, "line 1", "ids")
        for line in "512", "99999999999999999999":
            self.check(["--model", STORIES, "--decode"], line + "\n", 3, "line 1", "0..511")

    @unittest.skipUnless(VECTORS, "LCAL_TEST_DATA is not set: no vectors to compare with")
    def test_vectors(self):
        folder = pathlib.Path(VECTORS) / "tokenizers" / "llama3.1"
        rows = [json.loads(line) for line in (folder / "vectors.hf_rust.jsonl").open(encoding="utf-8")]
        lines = "".join(json.dumps(row["text"]) + "\n" for row in rows)
        for key, flags in ("ids", []), ("ids_with_special", ["--add-special"]):
            out = tokenize("--model", folder, "--json", "--parse-special", *flags, lines=lines)
            self.assertEqual([json.loads(line) for line in out.splitlines()], [row[key] for row in rows])


if __name__ == "__main__":
    unittest.main()
