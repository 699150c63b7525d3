"""GGUF files of `lcal export` in real llama.cpp: the same probabilities, the same greedy text.

All jobs run in one process of the client; what they should give comes from `lcal score` on the run
that was exported.
"""
import json
import math
import os
import pathlib
import shutil
import sys
import tempfile
import unittest

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).parent))
sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "tools"))
import llama_cpp  # noqa: E402
from lcal_tool import MODELS, TESTS, config, examples, run, succeed, write_jsonl  # noqa: E402

STORIES = TESTS.parent / "data" / "stories260K"
ARCHITECTURES = ("tiny-llama3", "tiny-qwen2", "tiny-stablelm2")
METHODS = {
    "output": {"method": "lc", "calibration__form": "output", "calibration__scale": 0.5},
    "broadcast": {"method": "lc", "calibration__form": "broadcast", "train__lr": 0.002},
    "lcpp": {"method": "lcpp", "calibration__scale": 2.0},
}
EXACT = 1e-4  # of log-probabilities, in F32
# The same of rounded weights: about three times what was measured. The models are random, so that
# nothing averages out, and llama.cpp rounds what goes into a product too.
ROUNDED = {"f16": 0.08, "bf16": 0.8, "q8_0": 2.0}
SMALL = math.log(1e-6)  # what is less likely is not compared
WORDS = ["Once upon a time, there's a fox who'd jumped 12345 times!", "caf\u00e9 \u2603\ufe0f  two   spaces\n\nand lines\r\n",
         "\u4f60\u597d \u043f\u0440\u0438\u0432\u0435\u0442 \U0001f642 I'M WE'LL", "\ttabs\t x=1;\n    return 3.14159", " leading", "trailing  "]


def log_softmax(logits):
    most = max(logits)
    shift = most + math.log(sum(math.exp(v - most) for v in logits))
    return [v - shift for v in logits]


class LlamaCpp(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.holder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.holder.cleanup)
        cls.folder = pathlib.Path(cls.holder.name)
        cls.data = write_jsonl(cls.folder / "train.jsonl", examples(24))
        cls.ids = [row["input_ids"] for row in examples(3, 24)]
        cls.rows = write_jsonl(cls.folder / "rows.jsonl",
                               [{"input_ids": ids, "labels": ids} for ids in cls.ids])
        cls.jobs, cls.checks = [], []
        for name in ARCHITECTURES:
            cls.prepare(name)
        cls.prepare_stories()
        cls.prepare_words()
        cls.results = llama_cpp.run(cls.jobs)

    # --- what is run -----------------------------------------------------------------------

    @classmethod
    def add(cls, name, expected, model, adapters=(), bound=EXACT):
        cls.jobs.append({"model": str(model), "ids": cls.ids,
                         "adapters": [{"filePath": str(path), "scale": scale} for path, scale in adapters]})
        cls.checks.append((name, expected, bound))

    @classmethod
    def export(cls, to, name, *arguments):
        out = cls.folder / name
        succeed("export", "--to", to, *arguments, out)
        return out

    @classmethod
    def expected(cls, *arguments):
        lines = succeed("score", "--logits", "all", *arguments, cls.rows).splitlines()
        return [[log_softmax(row) for row in json.loads(line)["logits"]] for line in lines]

    @classmethod
    def prepare(cls, name):
        """Every export of an architecture, beside its base."""
        model = cls.folder / name
        shutil.copytree(MODELS / name, model)
        shutil.copy(STORIES / "tok512.bin", model / "tokenizer.bin")
        lora = [model / "lora_a", model / "lora_b"]
        base = cls.export("gguf", f"{name}.gguf", "--model", model, "--dtype", "f32")
        cls.add(f"{name}: base", cls.expected("--model", model), base)
        both = ["--model", model, "--adapter", f"{lora[0]}:0.75", "--adapter", f"{lora[1]}:1.25"]
        plain = cls.expected(*both)
        single = [cls.export("gguf-lora", f"{name}-{path.name}.gguf", "--model", model, "--adapter", path)
                  for path in lora]
        cls.add(f"{name}: two adapters side by side", plain, base, [(single[0], 0.75), (single[1], 1.25)])
        concat = cls.export("gguf-lora", f"{name}-concat.gguf", *both)
        cls.add(f"{name}: adapters in one file", plain, base, [(concat, 1)])
        for dtype in ("f16", "bf16"):
            half = cls.export("gguf-lora", f"{name}-concat-{dtype}.gguf", *both, "--dtype", dtype)
            cls.add(f"{name}: adapters in one file, {dtype}", plain, base, [(half, 1)], ROUNDED[dtype])
        merged = cls.export("gguf", f"{name}-merged.gguf", *both, "--dtype", "f32")
        cls.add(f"{name}: merged adapters", plain, merged)
        for dtype, bound in ROUNDED.items():
            rounded = cls.export("gguf", f"{name}-{dtype}.gguf", *both, "--dtype", dtype)
            cls.add(f"{name}: merged adapters, {dtype}", plain, rounded, bound=bound)
        for method, keys in METHODS.items():
            cls.prepare_run(name, model, base, method, keys)

    @classmethod
    def prepare_run(cls, name, model, base, method, keys):
        out = cls.folder / f"{name}-{method}"
        succeed("train", config(cls.folder / f"{out.name}.yaml", out, cls.data, model=model,
                                adapters=[{"path": str(model / "lora_a"), "weight": 0.75},
                                          {"path": str(model / "lora_b"), "weight": 1.25}],
                                train__lr=0.03, train__steps=4, **{k: v for k, v in keys.items()
                                                                   if k != "train__lr"}))
        calibrated = cls.expected("--run", out)
        if method != "output":
            adapter = cls.export("gguf-lora", f"{out.name}-lora.gguf", out)
            cls.add(f"{name}: {method} as an adapter", calibrated, base, [(adapter, 1)])
            merged = cls.export("gguf", f"{out.name}.gguf", out, "--dtype", "f32")
            cls.add(f"{name}: {method} merged", calibrated, merged)
        elif name != "tiny-stablelm2":
            same = [] if name == "tiny-llama3" else ["--as", "llama"]
            merged = cls.export("gguf", f"{out.name}.gguf", out, "--dtype", "f32", *same)
            cls.add(f"{name}: {method} merged as llama", calibrated, merged)

    @classmethod
    def prepare_stories(cls):
        """A model that writes text: greedy continuations and tokens."""
        model = cls.folder / "stories"
        shutil.copytree(MODELS / "stories260K", model)
        shutil.copy(STORIES / "tok512.bin", model / "tokenizer.bin")
        cls.stories = ["--model", model, "--adapter", model / "lora_a"]
        merged = cls.export("gguf", "stories.gguf", *cls.stories, "--dtype", "f32")
        base = cls.export("gguf", "stories-base.gguf", "--model", model, "--dtype", "f32")
        adapter = cls.export("gguf-lora", "stories-lora.gguf", *cls.stories)
        cls.prompt = "Once upon a time"
        ids = json.loads("[" + succeed("tokenize", "--model", model, "--add-special",
                                       input=cls.prompt).strip().replace(" ", ",") + "]")
        cls.texts = ["Once upon a time, there was a <s> cat.", "caf\u00e9 \u2603  two  spaces", "", " x"]
        greedy = {"greedy": {"ids": ids, "count": 200}, "texts": cls.texts}
        cls.first_story = len(cls.jobs)
        cls.jobs.append({"model": str(merged), **greedy})
        cls.jobs.append({"model": str(base), "adapters": [{"filePath": str(adapter)}], **greedy})

    @classmethod
    def prepare_words(cls):
        """Byte-level BPE: tokenizers trained here by each cut into words, and a large one where it is at hand."""
        cls.first_words, cls.words = len(cls.jobs), []
        lines = [text * 3 for text in WORDS]
        (cls.folder / "text.txt").write_text("\n".join(lines), encoding="utf-8")
        for pattern, arch in (("llama3", "tiny-llama3"), ("qwen2", "tiny-qwen2"), ("qwen2", "tiny-stablelm2"),
                              ("gpt2", "tiny-llama3")):
            model = cls.folder / f"{arch}-{pattern}-words"
            shutil.copytree(MODELS / arch, model)
            succeed("tokenizer", "train", "--out", model, "--vocab", "400", "--pattern", pattern, "--add-bos",
                    "--template", "chatml", "--quiet", cls.folder / "text.txt")
            cls.add_words(model)
        root = os.environ.get("LCAL_TEST_DATA")
        if not root:
            print("LCAL_TEST_DATA is not set: no large tokenizer", file=sys.stderr)
            return
        model = cls.folder / "large"
        model.mkdir()
        for file in (pathlib.Path(root) / "tokenizers" / "llama3.1").glob("tokenizer*.json"):
            shutil.copy(file, model)
        facts = json.loads((MODELS / "tiny-llama3" / "config.json").read_text())
        (model / "config.json").write_text(json.dumps({**facts, "vocab_size": 128256}))
        succeed("train", config(cls.folder / "large.yaml", cls.folder / "large-run", cls.data, model=model,
                                method="base", adapters=[], train__steps=1))
        cls.add_words(model, cls.folder / "large-run")

    @classmethod
    def add_words(cls, model, trained=None):
        path = cls.export("gguf", f"{model.name}-words.gguf", *([trained] if trained else ["--model", model]),
                          "--dtype", "f16")
        cls.words.append(model)
        cls.jobs.append({"model": str(path), "texts": WORDS})

    # --- what it gives ---------------------------------------------------------------------

    def test_probabilities(self):
        for (name, expected, bound), result in zip(self.checks, self.results):
            with self.subTest(name):
                self.assertNotIn("error", result)
                most = max(abs(ours - theirs)
                           for row, found in zip(expected, result["logprobs"])
                           for position, other in zip(row, found)
                           for ours, theirs in zip(position, other) if max(ours, theirs) > SMALL)
                print(f"{name}: largest difference of log-probabilities {most:.2g}", file=sys.stderr)
                self.assertEqual([len(row) for row in result["logprobs"]], [len(ids) for ids in self.ids])
                self.assertLessEqual(most, bound)

    def test_greedy(self):
        answer = json.loads(succeed("generate", *self.stories, "--template", "raw", "--max-tokens", "200",
                                    "--json", "--prompt", self.prompt))
        for result in self.results[self.first_story:self.first_story + 2]:
            self.assertNotIn("error", result)
            self.assertGreaterEqual(len(result["greedy"]), 199)
            text = succeed("tokenize", "--model", self.stories[1], "--decode",
                           input=" ".join(map(str, result["greedy"])))
            self.assertEqual(text.strip(), answer["text"].strip())

    def test_tokens(self):
        ours = [[int(id) for id in succeed("tokenize", "--model", self.stories[1], "--json",
                                           input=json.dumps(text)).strip("[]\n").split(",") if id]
                for text in self.texts]
        self.assertEqual(self.results[self.first_story]["tokens"], ours)

    def test_words(self):
        for model, result in zip(self.words, self.results[self.first_words:]):
            with self.subTest(model.name):
                self.assertNotIn("error", result)
                ours = [json.loads(line) for line in
                        succeed("tokenize", "--model", model, "--json",
                                input="".join(json.dumps(text) + "\n" for text in WORDS)).splitlines()]
                self.assertEqual(result["tokens"], ours)
                template = json.loads((model / "tokenizer_config.json").read_text())["chat_template"]
                self.assertEqual(result["template"], template)

    def test_refused(self):
        for name, to, more, reason in (
                ("tiny-stablelm2", "gguf", [], "has no bias there"),
                ("tiny-qwen2", "gguf", [], "as llama"),
                ("tiny-llama3", "gguf-lora", [], "pairs of matrices only")):
            refused = run("export", self.folder / f"{name}-output", "--to", to, *more, self.folder / "refused")
            self.assertEqual(refused.returncode, 3)
            self.assertIn(reason, refused.stderr)
            self.assertFalse((self.folder / "refused").exists())


if __name__ == "__main__":
    if llama_cpp.missing():
        print(llama_cpp.missing())
        sys.exit(77)
    unittest.main()
