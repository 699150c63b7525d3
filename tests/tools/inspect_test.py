"""`lcal inspect` on every kind of thing: the facts agree with the files, read here a second time."""
import gzip
import json
import math
import pathlib
import shutil
import struct
import sys
import tempfile
import unittest

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).parent))
from lcal_tool import MODELS, config, examples, run, succeed, write_jsonl  # noqa: E402

MODEL = MODELS / "tiny-llama3"


def tensors(path):
    """Name -> (shape, values) of the F32 tensors of a safetensors file."""
    data = path.read_bytes()
    (length,) = struct.unpack("<Q", data[:8])
    header = json.loads(data[8:8 + length])
    found = {}
    for name, tensor in header.items():
        if name != "__metadata__":
            first, end = (at + 8 + length for at in tensor["data_offsets"])
            count = (end - first) // 4
            found[name] = (tensor["shape"], struct.unpack(f"<{count}f", data[first:end]))
    return found


class Inspect(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.holder = tempfile.TemporaryDirectory()
        cls.folder = pathlib.Path(cls.holder.name)
        cls.rows = write_jsonl(cls.folder / "rows.jsonl", examples(8))
        cls.config = config(cls.folder / "c.yaml", cls.folder / "run", cls.rows,
                            adapters=[{"path": str(MODEL / "lora_b"), "weight": 0.75}],
                            train__steps=4, calibration__dtype="f32")
        succeed("train", cls.config)

    @classmethod
    def tearDownClass(cls):
        cls.holder.cleanup()

    def facts(self, path):
        facts = json.loads(succeed("inspect", path, "--json"))
        self.assertEqual(facts["path"], str(path))
        text = succeed("inspect", path)
        self.assertIn(facts["kind"], text)
        for tensor in facts.get("tensors", []):
            self.assertIn(tensor["name"], text)
        return facts

    def compare(self, rows, expected):
        self.assertEqual({row["name"] for row in rows}, set(expected))
        for row in rows:
            shape, values = expected[row["name"]]
            self.assertEqual(row["shape"], shape)
            self.assertEqual(row["non_finite"], 0)
            self.assertAlmostEqual(row["min"], min(values), places=6)
            self.assertAlmostEqual(row["max"], max(values), places=6)
            rms = math.sqrt(sum(x * x for x in values) / len(values))
            self.assertAlmostEqual(row["rms"], rms, places=6)

    def test_model(self):
        facts = self.facts(MODEL)
        expected = tensors(MODEL / "model.safetensors")
        self.compare(facts["tensors"], expected)
        self.assertEqual(facts["parameters"], sum(len(values) for _, values in expected.values()))
        self.assertEqual(facts["bytes"], (MODEL / "model.safetensors").stat().st_size)
        self.assertEqual((facts["arch"], facts["layers"], facts["kv_heads"]), ("llama", 3, 2))

    def test_every_model(self):
        for path in sorted(MODELS.glob("*/config.json")):
            self.assertEqual(self.facts(path.parent)["non_finite"], 0)

    def test_adapter(self):
        facts = self.facts(MODEL / "lora_b")
        self.compare(facts["weights"]["tensors"], tensors(MODEL / "lora_b" / "adapter_model.safetensors"))
        self.assertEqual((facts["r"], facts["peft_type"]), (4, "LORA"))

    def test_single_file(self):
        path = MODEL / "lora_a" / "adapter_model.safetensors"
        self.compare(self.facts(path)["tensors"], tensors(path))

    def test_calibration(self):
        twin = tensors(self.folder / "run" / "calibration.safetensors")
        expected = {name.removeprefix("calib."): value for name, value in twin.items()}
        for name, kind in (("calibration.h5", "HDF5"), ("calibration.safetensors", "safetensors")):
            facts = self.facts(self.folder / "run" / name)
            self.assertEqual(facts["kind"], f"calibration ({kind})")
            self.compare(facts["tensors"], expected)
            self.assertEqual((facts["method"], facts["rank"], facts["step"]), ("lcpp", 4, 4))
            self.assertEqual(facts["adapters"][0]["name"], "lora_b")
            self.assertEqual(facts["adapters"][0]["weight"], 0.75)
            self.assertAlmostEqual(facts["bytes_per_parameter"],
                                   (self.folder / "run" / name).stat().st_size / facts["parameters"])

    def test_checkpoint(self):
        facts = self.facts(self.folder / "run" / "checkpoint.h5")
        names = {row["name"] for row in facts["tensors"]}
        for name in ("calib/q_proj/P1", "train/adam/m/q_proj/P1", "train/adam/v/down_proj/P2"):
            self.assertIn(name, names)
        self.assertEqual(facts["kind"], "checkpoint of training (HDF5)")

    def test_run(self):
        facts = self.facts(self.folder / "run")
        self.assertEqual(facts["metrics_rows"], 4)
        self.assertEqual(facts["last_metrics"]["step"], 4)
        self.assertEqual(facts["config"]["train"]["steps"], "4")
        self.assertEqual(facts["calibration"]["step"], 4)
        self.assertEqual(facts["checkpoint"]["step"], 4)
        young = self.folder / "young"
        young.mkdir()
        shutil.copy(self.folder / "run" / "config.resolved.yaml", young)
        self.assertNotIn("calibration", self.facts(young))

    def test_data(self):
        rows = examples(8)
        packed = self.folder / "rows.jsonl.gz"
        packed.write_bytes(gzip.compress(self.rows.read_bytes()))
        for path in (self.rows, packed):
            facts = self.facts(path)
            self.assertEqual(facts["examples"], 8)
            self.assertEqual(facts["tokens"], sum(len(row["input_ids"]) for row in rows))
            self.assertEqual(facts["labels"], sum(label != -100 for row in rows
                                                  for label in row["labels"]))
            self.assertEqual(facts["longest"], max(len(row["input_ids"]) for row in rows))
            self.assertEqual(facts["largest_id"], max(max(row["input_ids"]) for row in rows))

    def test_values_that_are_not_finite_are_counted(self):
        path = self.folder / "broken.safetensors"
        text = b'{"x":{"dtype":"F32","shape":[2,2],"data_offsets":[0,16]}}'
        path.write_bytes(struct.pack("<Q", len(text)) + text
                         + struct.pack("<4f", math.nan, -2.0, math.inf, 3.0))
        facts = self.facts(path)
        self.assertEqual(facts["non_finite"], 2)
        row = facts["tensors"][0]
        self.assertEqual((row["min"], row["max"], row["non_finite"]), (-2.0, 3.0, 2))

    def test_gguf(self):
        model, path = MODELS / "tiny-llama3", self.folder / "model.gguf"
        succeed("export", "--to", "gguf", "--dtype", "q8_0", "--model", model, path)
        facts = self.facts(path)
        self.assertEqual(facts["kind"], "model (GGUF)")
        self.assertEqual((facts["arch"], facts["layers"], facts["rope"]), ("llama", 3, "factors"))
        self.assertTrue(facts["computed_by_lcal"])
        self.assertEqual(facts["keys"]["llama.rope.freq_base"], 500000.0)
        rows = {row["name"]: row for row in facts["tensors"]}
        self.assertEqual(rows["blk.0.attn_k.weight"]["dtype"], "Q8_0")
        self.assertEqual(rows["blk.0.attn_k.weight"]["shape"], [32, 64])
        original = {row["name"]: row for row in self.facts(model)["tensors"]}
        same = original["model.layers.0.self_attn.k_proj.weight"]
        self.assertAlmostEqual(rows["blk.0.attn_k.weight"]["max"], same["max"], delta=0.01 * same["max"])
        self.assertIn("llama.rope.freq_base", succeed("inspect", path))
        adapter = self.folder / "adapter.gguf"
        succeed("export", "--to", "gguf-lora", "--model", model, "--adapter", model / "lora_a", adapter)
        self.assertEqual(self.facts(adapter)["kind"], "LoRA adapter (GGUF)")
        whole = path.read_bytes()
        path.write_bytes(whole.replace(b"llama", b"lLama"))
        facts = self.facts(path)
        self.assertFalse(facts["computed_by_lcal"])
        self.assertIn("lLama", facts["why_not"])
        path.write_bytes(whole[:-1000])
        self.assertEqual(run("inspect", path).returncode, 3)

    def test_unknown(self):
        for content, found in ((b"PK\x03\x04" + bytes(60), "zip"),
                               (b"hello\n", "something else"), (b"", "empty")):
            path = self.folder / "thing"
            path.write_bytes(content)
            done = run("inspect", path)
            self.assertEqual(done.returncode, 3)
            self.assertIn(found, done.stderr)
            self.assertIn("not recognised", done.stderr)

    def test_text_of_a_file_cannot_move_the_cursor(self):
        path = self.folder / "evil.safetensors"
        text = json.dumps({"a\x1b[2J\n": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}})
        path.write_bytes(struct.pack("<Q", len(text)) + text.encode() + bytes(4))
        self.assertNotIn("\x1b", succeed("inspect", path))


if __name__ == "__main__":
    unittest.main()
