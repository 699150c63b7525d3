"""`lcal merge`: adapters in, an adapter out that acts as the rule does; what --explain says, computed apart."""
import json
import math
import pathlib
import struct
import sys
import tempfile
import unittest

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).parent))
from lcal_tool import MODELS, contents, examples, run, succeed, write_jsonl  # noqa: E402
from safetensors_strict import read_safetensors  # noqa: E402

MODEL = MODELS / "tiny-llama3"
TOLERANCE = 2e-5


def floats(tensor):
    dtype, shape, data = tensor
    code = {"F32": "f", "F16": "e"}[dtype]
    values = struct.unpack(f"<{len(data) // struct.calcsize(code)}{code}", data)
    return [values[i:i + shape[1]] for i in range(0, len(values), shape[1])]


def update(directory, module):
    """s B A as rows, by hand; None where the adapter has none."""
    tensors, _ = read_safetensors(directory / "adapter_model.safetensors")
    facts = json.loads((directory / "adapter_config.json").read_text())
    name = f"base_model.model.{module}.lora_"
    if name + "A.weight" not in tensors:
        return None
    a, b = floats(tensors[name + "A.weight"]), floats(tensors[name + "B.weight"])
    assert not facts.get("rank_pattern") and not facts.get("alpha_pattern")
    rank = len(a)
    scale = facts["lora_alpha"] / (math.sqrt(rank) if facts.get("use_rslora") else rank)
    columns = list(zip(*a))
    return [[scale * sum(x * y for x, y in zip(row, column)) for column in columns] for row in b]


def dot(p, q):
    return sum(x * y for a, b in zip(p, q) for x, y in zip(a, b))


class Merge(unittest.TestCase):
    def setUp(self):
        holder = tempfile.TemporaryDirectory()
        self.addCleanup(holder.cleanup)
        self.folder = pathlib.Path(holder.name)
        self.rows = write_jsonl(self.folder / "rows.jsonl", examples(3, 16))

    def named(self, *adapters):
        return ["--model", MODEL, *(word for adapter in adapters for word in ("--adapter", f"{MODEL}/{adapter}"))]

    def logits(self, *arguments):
        return [json.loads(line)["logits"] for line in
                succeed("score", *arguments, "--logits", "last", self.rows).splitlines()]

    def equal(self, a, b):
        for p, q in zip(a, b):
            self.assertLessEqual(max(abs(x - y) for x, y in zip(p, q)), TOLERANCE * (max(p) - min(p)))

    def test_acts_as_the_rule(self):
        rules = [("concat", ("lora_a:0.5", "lora_b"), ()), ("slerp:t=0.25", ("lora_a", "lora_b"), ()),
                 ("svd:rank=3", ("lora_a", "lora_b"), ()), ("peft-linear", ("lora_b:0.5", "lora_b:1.5"), ()),
                 ("peft-ties:density=0.5", ("lora_b", "lora_b:2"), ()), ("linear", ("lora_b",), ()),
                 ("ties:density=0.5", ("lora_a", "lora_b"), ("--rank", 4096)),
                 ("dare-linear:density=0.5,seed=9", ("lora_a", "lora_b:0.7"), ("--rank", 4096)),
                 ("magnitude-prune", ("lora_a", "lora_b"), ("--rank", 4096))]
        for index, (rule, adapters, more) in enumerate(rules):
            with self.subTest(rule=rule):
                out = self.folder / f"out{index}"
                succeed("merge", *self.named(*adapters), "--merge", rule, *more, out)
                self.equal(self.logits(*self.named(*adapters), "--merge", rule),
                           self.logits("--model", MODEL, "--adapter", out))
                _, metadata = read_safetensors(out / "adapter_model.safetensors")
                made = json.loads(metadata["lcal"])
                self.assertEqual(made["merge"]["method"], rule.split(":")[0])
                self.assertEqual([a["name"] for a in made["adapters"]], [a.split(":")[0] for a in adapters])
                self.assertTrue(all(len(a["sha256"]) == 64 for a in made["adapters"]))
                if "seed" in rule:
                    self.assertEqual(made["merge"]["seed"], 9)

    def test_dense_rules_need_a_rank(self):
        out = self.folder / "out"
        refused = run("merge", *self.named("lora_a", "lora_b"), "--merge", "ties", out)
        self.assertEqual(refused.returncode, 3)
        self.assertIn("full rank", refused.stderr)
        self.assertFalse(out.exists())
        for rank in (2, 8):
            cut = json.loads(succeed("merge", *self.named("lora_a", "lora_b"), "--merge", "ties", "--rank", rank,
                                     "--json", self.folder / f"out{rank}"))
            self.assertGreater(cut["truncation"], 0.05)
            self.assertLess(cut["truncation"], 1.0)

    def test_explain_cross_terms(self):
        """The same adapter twice, weights 1/2 and 3/2: cross terms are sqrt(3)/2 of the sum."""
        found = json.loads(succeed("merge", *self.named("lora_b:0.5", "lora_b:1.5"), "--merge", "peft-linear",
                                   "--explain", "--json"))
        self.assertIn("cross terms", found["formula"])
        for facts in [found["all"], *found["modules"]]:
            self.assertAlmostEqual(facts["apart"], math.sqrt(0.75), places=5)
            self.assertAlmostEqual(facts["norm"] / facts["sum_norm"], 1 + math.sqrt(0.75), places=5)
            self.assertAlmostEqual(facts["cosine"], 1.0, places=6)

    def test_explain_by_hand(self):
        found = json.loads(succeed("merge", *self.named("lora_a:0.5", "lora_b"), "--explain", "--json"))
        modules = [m for m in found["modules"] if m["adapters"] == 2]
        self.assertTrue(modules)
        facts = modules[0]
        p, q = update(MODEL / "lora_a", facts["name"]), update(MODEL / "lora_b", facts["name"])
        norm = math.sqrt(0.25 * dot(p, p) + dot(p, q) + dot(q, q))
        self.assertAlmostEqual(facts["norm"] / norm, 1.0, places=5)
        self.assertAlmostEqual(facts["cosine"], dot(p, q) / math.sqrt(dot(p, p) * dot(q, q)), places=5)
        self.assertLess(facts["apart"], 1e-6)
        self.assertAlmostEqual(found["all"]["norm"], math.sqrt(sum(m["norm"] ** 2 for m in found["modules"])), places=4)
        text = succeed("merge", *self.named("lora_a:0.5", "lora_b"), "--merge", "svd:rank=2", "--explain")
        self.assertIn("cut off by the rule's rank", text)

    def test_explain_truncation(self):
        """What svd cuts off is what it is apart from the sum."""
        found = json.loads(succeed("merge", *self.named("lora_a", "lora_b"), "--merge", "svd:rank=2", "--explain",
                                   "--json", self.folder / "out"))
        for facts in [found["all"], *found["modules"]]:
            self.assertAlmostEqual(facts["truncation"], facts["apart"], places=5)
        self.assertGreater(found["all"]["apart"], 0.01)

    def test_usage(self):
        out = self.folder / "out"
        for arguments in ((out,), ("--model", MODEL, out), self.named("lora_a"), [*self.named("lora_a"), "--rank", 0, out]):
            self.assertEqual(run("merge", *arguments).returncode, 2, arguments)
        self.assertEqual(run("merge", *self.named("lora_a"), "--merge", "slerp", out).returncode, 2)
        succeed("merge", *self.named("lora_a"), out)
        before = contents(out)
        self.assertEqual(run("merge", *self.named("lora_b"), out).returncode, 2)
        self.assertEqual(contents(out), before)
        succeed("merge", *self.named("lora_b"), "--overwrite", "--dtype", "f16", out)
        self.assertNotEqual(contents(out), before)


if __name__ == "__main__":
    unittest.main()
