"""`lcal export`: every format of every method and architecture answers as the run it was made from.

Logits before and after; the bytes of safetensors by a strict reader of its own; what a format cannot
hold, what is in the way and what is broken; sizes.
"""
import json
import math
import pathlib
import re
import struct
import subprocess
import sys
import tempfile
import time
import unittest

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).parent))
from lcal_tool import MODELS, TOOL, config, contents, examples, run, succeed, write_jsonl  # noqa: E402
from safetensors_strict import read_safetensors  # noqa: E402

TOLERANCE = 2e-5  # of the spread of the logits
ARCHITECTURES = ("tiny-llama3", "tiny-qwen2", "tiny-stablelm2")
METHODS = {
    "output": {"method": "lc", "calibration__form": "output", "calibration__scale": 0.5},
    "broadcast": {"method": "lc", "calibration__form": "broadcast", "train__lr": 0.002},
    "lcpp": {"method": "lcpp", "calibration__scale": 2.0},
    "unshared": {"method": "lcpp", "calibration__share": "none", "calibration__targets": ["q_proj", "down_proj"]},
    "lora": {"method": "lora", "lora__rank": 3, "lora__alpha": 6},
    "columns": {"method": "columns"},
}


def scores(rows, *arguments):
    found = [json.loads(line) for line in
             succeed("score", *arguments, "--logits", "last", rows).splitlines()]
    return [row["logits"] for row in found]


def difference(a, b):
    """Largest difference of logits over their spread."""
    return max(max(abs(x - y) for x, y in zip(p, q)) / (max(p) - min(p)) for p, q in zip(a, b))


def matrix(tensor):
    """Rows of floats of a tensor; a vector is one row."""
    dtype, shape, data = tensor
    code = {"F32": "f", "F16": "e"}[dtype]
    values = struct.unpack(f"<{len(data) // struct.calcsize(code)}{code}", data)
    return [values[i:i + shape[-1]] for i in range(0, len(values), shape[-1])]


def times(rows, x):
    return [sum(a * b for a, b in zip(row, x)) for row in rows]


def peft_update(directory, module, x):
    """What PEFT adds to the module's output, by its rules (LoraConfig, lora.Linear.forward), 0 where it is left alone."""
    tensors, _ = read_safetensors(directory / "adapter_model.safetensors")
    facts = json.loads((directory / "adapter_config.json").read_text())
    name = f"base_model.model.{module}."
    if name + "lora_A.weight" not in tensors:
        return None

    def patterned(key, fallback):
        found = [value for pattern, value in (facts.get(key) or {}).items()
                 if re.match(rf"(.*\.)?({pattern})$", module)]
        return found[0] if found else fallback
    rank, alpha = patterned("rank_pattern", facts["r"]), patterned("alpha_pattern", facts["lora_alpha"])
    a, b = matrix(tensors[name + "lora_A.weight"]), matrix(tensors[name + "lora_B.weight"])
    assert len(a) == rank and len(b[0]) == rank
    y = times(b, times(a, x))
    if facts.get("lora_bias"):
        y = [p + q for p, q in zip(y, matrix(tensors[name + "lora_B.bias"])[0])]
    scale = alpha / (math.sqrt(rank) if facts.get("use_rslora") else rank)
    return [scale * value for value in y]


def adapter_rank(directory):
    tensors, _ = read_safetensors(directory / "adapter_model.safetensors")
    return {name[len("base_model.model."):-len(".lora_A.weight")]: shape[0]
            for name, (_, shape, _) in tensors.items() if name.endswith("lora_A.weight")}


class Export(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.holder = tempfile.TemporaryDirectory()
        cls.folder = pathlib.Path(cls.holder.name)
        cls.data = write_jsonl(cls.folder / "train.jsonl", examples(24))
        cls.rows = write_jsonl(cls.folder / "rows.jsonl", examples(4, 20))
        cls.runs = {}

    @classmethod
    def tearDownClass(cls):
        cls.holder.cleanup()

    def trained(self, model, method, **more):
        """A run directory; each is trained once."""
        key = f"{model}-{method}" + "".join(f"-{name}" for name in more)
        if key not in self.runs:
            settings = {"model": MODELS / model, "train__lr": 0.03, "train__steps": 4,
                        "adapters": [{"path": str(MODELS / model / "lora_a"), "weight": 0.75},
                                     {"path": str(MODELS / model / "lora_b"), "weight": 1.25}],
                        **METHODS[method], **more}
            path = config(self.folder / f"{key}.yaml", self.folder / key, self.data, **settings)
            succeed("train", path)
            self.runs[key] = self.folder / key
        return self.runs[key]

    def new(self, name):
        holder = tempfile.TemporaryDirectory(dir=self.folder)
        self.addCleanup(holder.cleanup)
        return pathlib.Path(holder.name) / name

    def equal(self, a, b, tolerance=TOLERANCE):
        self.assertLessEqual(difference(a, b), tolerance)

    # --- equal answers ---------------------------------------------------------------------

    def test_peft(self):
        for model in ARCHITECTURES:
            for method in METHODS:
                with self.subTest(model=model, method=method):
                    source, out = self.trained(model, method), self.new("peft")
                    expected = scores(self.rows, "--run", source)
                    merged = scores(self.rows, "--model", MODELS / model,
                                    "--adapter", f"{MODELS / model / 'lora_a'}:0.75",
                                    "--adapter", f"{MODELS / model / 'lora_b'}:1.25")
                    self.assertGreater(difference(expected, merged), 100 * TOLERANCE)
                    succeed("export", source, "--to", "peft", out)
                    self.assertEqual(sorted(contents(out)), ["adapter_config.json", "adapter_model.safetensors"])
                    for memory in ("fast", "low"):
                        self.equal(expected, scores(self.rows, "--model", MODELS / model,
                                                    "--adapter", out, "--memory", memory))

    def test_hf(self):
        for model in ARCHITECTURES:
            for method in METHODS:
                if method == "output" and model != "tiny-llama3":
                    continue
                with self.subTest(model=model, method=method):
                    source, out = self.trained(model, method), self.new("hf")
                    expected = scores(self.rows, "--run", source)
                    text = succeed("export", source, "--to", "hf", "--dtype", "f32", out)
                    self.assertIn("F32", text)
                    self.equal(expected, scores(self.rows, "--model", out))

    def test_base(self):
        path = config(self.folder / "base.yaml", self.folder / "base", self.data, method="base")
        succeed("train", path)
        out = self.new("hf")
        succeed("export", self.folder / "base", "--to", "hf", out)
        self.equal(scores(self.rows, "--run", self.folder / "base"), scores(self.rows, "--model", out), 0.0)
        refused = run("export", self.folder / "base", "--to", "peft", self.new("peft"))
        self.assertEqual(refused.returncode, 3)
        self.assertIn("nothing is added to the base", refused.stderr)

    def test_compact(self):
        for method in ("output", "broadcast", "lcpp", "unshared", "columns"):
            model = MODELS / "tiny-llama3"
            source = self.trained("tiny-llama3", method)
            expected = scores(self.rows, "--run", source)
            for form in ("calibration", "safetensors"):
                for dtype, tolerance in (("f32", 0.0), ("f16", 2e-3), ("bf16", 2e-2)):
                    with self.subTest(method=method, form=form, dtype=dtype):
                        out = self.new("file")
                        succeed("export", source, "--to", form, "--dtype", dtype, out)
                        self.equal(expected, scores(
                            self.rows, "--model", model, "--adapter", f"{model / 'lora_a'}:0.75",
                            "--adapter", f"{model / 'lora_b'}:1.25", "--calibration", out), tolerance)
        self.assertEqual(run("export", self.trained("tiny-llama3", "lora"), "--to", "calibration",
                             self.new("file")).returncode, 3)

    def test_merge_alone(self):
        model = MODELS / "tiny-qwen2"
        named = ["--model", model, "--adapter", f"{model / 'lora_a'}:0.5", "--adapter", model / "lora_b"]
        for rule in ("concat", "slerp:t=0.3", "svd:rank=4", "ties:density=0.4", "dare-ties:density=0.5,seed=3",
                     "peft-linear"):
            with self.subTest(rule=rule):
                expected = scores(self.rows, *named, "--merge", rule)
                dense, out = rule.split(":")[0] in ("ties", "dare-ties"), self.new("out")
                succeed("export", *named, "--merge", rule, "--to", "hf", out)
                self.equal(expected, scores(self.rows, "--model", out))
                out = self.new("out")
                done = run("export", *named, "--merge", rule, "--to", "peft", out)
                self.assertEqual(done.returncode, 3 if dense else 0, done.stderr)
                if dense:
                    self.assertIn("full rank", done.stderr)
                    self.assertFalse(out.exists())
                    succeed("export", *named, "--merge", rule, "--rank", 1 << 14, "--to", "peft", out)
                self.equal(expected, scores(self.rows, "--model", model, "--adapter", out))

    def test_qwen2_as_llama(self):
        source, out = self.trained("tiny-qwen2", "output"), self.new("hf")
        refused = run("export", source, "--to", "hf", out)
        self.assertEqual(refused.returncode, 3)
        self.assertIn("as llama", refused.stderr)
        self.assertFalse(out.exists())
        succeed("export", source, "--to", "hf", "--as", "llama", "--dtype", "f32", out)
        facts = json.loads((out / "config.json").read_text())
        self.assertEqual((facts["model_type"], facts["attention_bias"], facts["mlp_bias"]), ("llama", True, True))
        self.assertEqual(facts["architectures"], ["LlamaForCausalLM"])
        self.equal(scores(self.rows, "--run", source), scores(self.rows, "--model", out))

    def test_biases_where_the_class_has_them(self):
        targets = {"calibration__targets": ["q_proj", "v_proj"]}
        for model, key in (("tiny-qwen2", None), ("tiny-stablelm2", "use_qkv_bias")):
            source, out = self.trained(model, "output", **targets), self.new("hf")
            succeed("export", source, "--to", "hf", "--dtype", "f32", out)
            if key:
                self.assertTrue(json.loads((out / "config.json").read_text())[key])
            self.equal(scores(self.rows, "--run", source), scores(self.rows, "--model", out))
        refused = run("export", self.trained("tiny-stablelm2", "output"), "--to", "hf", self.new("hf"))
        self.assertEqual(refused.returncode, 3)
        self.assertIn("stablelm has no bias", refused.stderr)

    def test_verify(self):
        data = {"data__valid": self.rows}
        source = self.trained("tiny-llama3", "output", **data)
        for form, kind in (("peft", "adapter"), ("hf", "model"), ("gguf", "model"), ("calibration", "calibration")):
            out = self.new(f"out.{form}")
            succeed("export", source, "--to", form, "--dtype", "f32", out)
            found = json.loads(succeed("verify", out, "--against", source, "--json", "--tolerance", TOLERANCE))
            self.assertEqual((found["kind"], found["data"], found["examples"]), (kind, "validation", 4))
            self.assertEqual(found["positions"], sum(len(row["input_ids"]) for row in examples(4, 20)))
            self.assertEqual(found["same_choice"], found["positions"])
            self.assertLessEqual(found["log_probability"], 1e-4)
            self.assertAlmostEqual(found["run_loss"], found["export_loss"], places=5)
        other = self.trained("tiny-llama3", "lcpp")
        text = succeed("verify", other / "calibration.h5", "--against", other)
        self.assertIn("training examples", text)
        out = self.new("out.gguf")
        succeed("export", other, "--to", "gguf-lora", out)
        found = json.loads(succeed("verify", out, "--against", other, "--json", "--tolerance", TOLERANCE))
        self.assertEqual(found["kind"], "adapter")
        out = self.new("peft")
        succeed("export", other, "--to", "peft", out)
        failed = run("verify", out, "--against", source, "--tolerance", 1e-3, "--limit", 2, "--json")
        self.assertEqual(failed.returncode, 4)
        found = json.loads(failed.stdout)
        self.assertEqual(found["examples"], 2)
        self.check_largest(found, source, out)
        for path, status in ((self.folder / "nothing", 5), (self.rows, 3)):
            self.assertEqual(run("verify", path, "--against", source).returncode, status, path)
        self.assertEqual(run("verify", out, "--against", self.folder).returncode, 2)

    def check_largest(self, found, source, out):
        """The same number from logits that `lcal score` prints."""
        rows = write_jsonl(self.folder / "two.jsonl", examples(2, 20))
        both = [[json.loads(line)["logits"] for line in
                 succeed("score", *named, "--logits", "all", rows).splitlines()]
                for named in (["--run", source], ["--model", MODELS / "tiny-llama3", "--adapter", out])]
        largest = max((abs(x - y), e, t, v) for e, (p, q) in enumerate(zip(*both))
                      for t, (a, b) in enumerate(zip(p, q)) for v, (x, y) in enumerate(zip(a, b)))
        self.assertAlmostEqual(found["logit"], largest[0], places=4)
        self.assertEqual((found["example"], found["position"], found["token"]), largest[1:])

    def test_report(self):
        source, out = self.trained("tiny-qwen2", "output"), self.new("page.txt")
        self.assertTrue(succeed("export", source, "--to", "report", out).endswith("in 1 file\n"))
        page = out.read_text()
        for words in ("qwen2, 3 layers", "lora_a", "weight 0.75", "weight 1.25", "merge        concat", "lc: y += scale p",
                      "hf           no: ", "gguf-lora    no: ", "peft         about", "calibration  about"):
            self.assertIn(words, page)
        self.assertEqual(run("export", source, "--to", "report", "--dtype", "f16", self.new("page")).returncode, 2)

    # --- the files -------------------------------------------------------------------------

    def test_peft_layout(self):
        for method in METHODS:
            out = self.new("peft")
            succeed("export", self.trained("tiny-llama3", method), "--to", "peft", "--dtype", "bf16",
                    "--base-name", "org/base", out)
            tensors, metadata = read_safetensors(out / "adapter_model.safetensors")
            self.assertEqual(metadata["format"], "pt")
            made = json.loads(metadata["lcal"])
            self.assertEqual([a["weight"] for a in made["adapters"]], [0.75, 1.25])
            self.assertEqual(json.loads(succeed("inspect", out, "--json"))["weights"]["made_from"], made)
            facts = json.loads((out / "adapter_config.json").read_text())
            self.assertEqual(facts["base_model_name_or_path"], "org/base")
            self.assertEqual((facts["peft_type"], facts["task_type"]), ("LORA", "CAUSAL_LM"))
            self.assertEqual(facts["lora_alpha"], facts["r"])
            self.assertEqual(facts.get("rank_pattern"), facts.get("alpha_pattern"))
            self.assertEqual(facts.get("lora_bias", False), method == "output")
            for module, rank in adapter_rank(out).items():
                pattern = facts.get("rank_pattern", {})
                named = [key for key in pattern if module == key or module.endswith("." + key)]
                self.assertEqual(pattern[named[0]] if named else facts["r"], rank)
                d_out, columns = tensors[f"base_model.model.{module}.lora_B.weight"][1]
                self.assertEqual(columns, rank)
                if method == "output":
                    self.assertEqual(tensors[f"base_model.model.{module}.lora_B.bias"][1], [d_out])
                short = module.split(".")[-1]
                self.assertTrue(module in facts["target_modules"] or short in facts["target_modules"])
            self.assertEqual({dtype for dtype, _, _ in tensors.values()}, {"BF16"})
            self.assertEqual(len(tensors), len(adapter_rank(out)) * (3 if method == "output" else 2))

    def test_peft_by_hand(self):
        """The adapter's update, by PEFT's rules, is the sum of its parts, each by its formula."""
        model = MODELS / "tiny-llama3"
        for method in ("output", "broadcast", "lcpp"):
            source, out = self.trained("tiny-llama3", method), self.new("peft")
            succeed("export", source, "--to", "peft", out)
            trained, _ = read_safetensors(source / "calibration.safetensors")
            for module in ("model.layers.0.self_attn.q_proj", "model.layers.2.mlp.down_proj", "model.layers.1.mlp.up_proj"):
                calib = f"calib.{module.rsplit('.', 1)[1]}."
                d_in = len(matrix(read_safetensors(model / "lora_b" / "adapter_model.safetensors")[0]
                                  [f"base_model.model.{module}.lora_A.weight"])[0])
                x = [math.sin(3.7 * i + 1) for i in range(d_in)]
                parts = [[weight * value for value in y] for name, weight in (("lora_a", 0.75), ("lora_b", 1.25))
                         if (y := peft_update(model / name, module, x)) is not None]
                if method == "lcpp":
                    y = times(matrix(trained[calib + "P2"]), times(matrix(trained[calib + "P1"]), x))
                    parts.append([2.0 * value for value in y])
                else:
                    factor = 0.5 if method == "output" else sum(x)
                    parts.append([factor * value for value in matrix(trained[calib + "p"])[0]])
                found = peft_update(out, module, x)
                size = max(map(abs, found))
                for value, terms in zip(found, zip(*parts)):
                    self.assertAlmostEqual(value / size, sum(terms) / size, places=5)

    def test_rank(self):
        source = self.trained("tiny-llama3", "lcpp")
        expected = scores(self.rows, "--run", source)
        errors = []
        for rank in (2, 6, 1000):
            out = self.new("peft")
            report = json.loads(succeed("export", source, "--to", "peft", "--rank", rank, "--json", out))
            self.assertTrue(all(size <= rank for size in adapter_rank(out).values()))
            self.assertEqual(len(report["modules"]), len(adapter_rank(out)))
            self.assertEqual({m["name"]: m["rank"] for m in report["modules"]}, adapter_rank(out))
            errors.append(max(m["truncation"] for m in report["modules"]))
            found = scores(self.rows, "--model", MODELS / "tiny-llama3", "--adapter", out)
            self.equal(expected, found, TOLERANCE if rank == 1000 else 1.0)
        self.assertGreater(errors[0], errors[1])
        self.assertGreater(errors[1], 0.0)
        self.assertEqual(errors[2], 0.0)

    def test_shards(self):
        source, one, several = self.trained("tiny-llama3", "output"), self.new("one"), self.new("several")
        succeed("export", source, "--to", "hf", one)
        report = json.loads(succeed("export", source, "--to", "hf", "--shard-size", "300KB", "--json", several))
        index = json.loads((several / "model.safetensors.index.json").read_text())
        files = sorted(path.name for path in several.glob("*.safetensors"))
        self.assertEqual(report["files"], len(list(several.iterdir())))
        self.assertEqual(sorted(set(index["weight_map"].values())), files)
        whole, _ = read_safetensors(one / "model.safetensors")
        parts = {}
        for name in files:
            tensors, _ = read_safetensors(several / name)
            self.assertTrue(all(index["weight_map"][tensor] == name for tensor in tensors))
            parts.update(tensors)
        self.assertEqual(parts, whole)
        self.assertEqual(index["metadata"]["total_size"], sum(len(data) for _, _, data in whole.values()))
        self.equal(scores(self.rows, "--model", one), scores(self.rows, "--model", several), 0.0)

    def test_what_goes_along(self):
        """Tokenizer, template and terms of use as they are; of config.json all that the export does not change."""
        base, out = self.new("base"), self.new("hf")
        base.mkdir()
        for name, data in contents(MODELS / "tiny-llama3").items():
            if name in ("config.json", "model.safetensors"):
                (base / name).write_bytes(data)
        facts = json.loads((base / "config.json").read_text())
        (base / "config.json").write_text(json.dumps({**facts, "_name_or_path": "org/base", "pad_token_id": 7}))
        for name in ("chat_template.jinja", "LICENSE.txt", "generation_config.json", "notes.txt", "tok512.bin"):
            (base / name).write_text(f"{{}} {name}")
        succeed("export", "--model", base, "--to", "hf", "--dtype", "f16", out)
        self.assertEqual(sorted(contents(out)), ["LICENSE.txt", "chat_template.jinja", "config.json",
                                                 "generation_config.json", "model.safetensors", "tok512.bin"])
        self.assertEqual((out / "LICENSE.txt").read_text(), "{} LICENSE.txt")
        written = json.loads((out / "config.json").read_text())
        self.assertEqual(written.pop("torch_dtype"), "float16")
        facts.pop("torch_dtype", None)
        self.assertEqual(written, {**facts, "_name_or_path": "org/base", "pad_token_id": 7})

    def test_rounding_is_reported(self):
        source = self.trained("tiny-llama3", "broadcast", train__lr=1e-6)
        done = run("export", source, "--to", "hf", "--dtype", "bf16", "--json", self.new("hf"))
        report = json.loads(done.stdout)
        self.assertEqual(report["type"], "BF16")
        self.assertGreater(min(m["rounding_mean"] for m in report["modules"]), 0.0)
        self.assertGreater(max(m["calibration_noise"] for m in report["modules"]), 0.5)
        self.assertIn("rounding to BF16 takes most of the calibration", done.stderr)
        quiet = run("export", source, "--to", "hf", "--dtype", "f32", "--json", self.new("hf"))
        self.assertLess(max(m["rounding_mean"] for m in json.loads(quiet.stdout)["modules"]), 1e-3)

    def test_same_bytes(self):
        for form in ("peft", "hf"):
            found = []
            for threads in (1, 3):
                out = self.new("out")
                succeed("export", self.trained("tiny-qwen2", "lcpp"), "--to", form, "--threads", threads, out)
                found.append(contents(out))
            self.assertEqual(*found)

    # --- what is refused -------------------------------------------------------------------

    def test_what_is_in_the_way(self):
        source, out = self.trained("tiny-llama3", "lcpp"), self.new("out")
        succeed("export", source, "--to", "peft", out)
        before = contents(out)
        for form in ("peft", "hf", "calibration"):
            refused = run("export", source, "--to", form, out)
            self.assertEqual(refused.returncode, 2, form)
            self.assertEqual(contents(out), before)
        (out / "README.md").write_text("mine")
        succeed("export", source, "--to", "peft", "--dtype", "f16", "--overwrite", out)
        self.assertEqual(sorted(contents(out)), sorted(before))
        self.assertNotEqual(contents(out), before)
        (out / "deep").mkdir()
        kept = contents(out)
        self.assertEqual(run("export", source, "--to", "peft", "--overwrite", out).returncode, 5)
        self.assertEqual(contents(out), kept)
        for form, path in (("peft", out), ("hf", out.parent / "." / "out"), ("peft", f"{out}/")):
            own = run("export", "--model", MODELS / "tiny-llama3", "--adapter", out, "--to", form, "--overwrite", path)
            self.assertEqual(own.returncode, 2)
            self.assertIn("is made from it", own.stderr)
        other = self.new("other")
        other.mkdir()
        (other / "thesis.txt").write_text("mine")
        self.assertEqual(run("export", source, "--to", "hf", "--overwrite", other).returncode, 2)
        self.assertEqual(contents(other), {"thesis.txt": b"mine"})
        self.assertEqual(sorted(path.name for path in out.parent.iterdir()), ["out"])

    def test_full_disk(self):
        """Files may not grow beyond a limit: the old export stays, nothing is left beside it."""
        source, out = self.trained("tiny-llama3", "lcpp"), self.new("out")
        succeed("export", source, "--to", "hf", out)
        before = contents(out)

        def limit():
            import resource  # pylint: disable=import-outside-toplevel
            import signal  # pylint: disable=import-outside-toplevel
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (100000, 100000))
        for form in ("hf", "peft", "calibration"):
            target = out if form == "hf" else out.parent / form
            failed = run("export", source, "--to", form, "--dtype", "f32", "--overwrite", target,
                         preexec_fn=limit)
            if form != "calibration":
                self.assertEqual(failed.returncode, 5, failed.stderr)
                self.assertIn("cannot write", failed.stderr)
        self.assertEqual(contents(out), before)
        self.assertEqual(sorted(path.name for path in out.parent.iterdir()), ["calibration", "out"])
        self.assertEqual(run("export", source, "--to", "calibration", "/dev/full").returncode, 2)

    def test_kill(self):
        """Killed at any moment, there is the old export or the new one, whole."""
        source, out = self.trained("tiny-llama3", "lcpp"), self.new("out")
        versions = []
        for dtype in ("f16", "f32"):
            succeed("export", source, "--to", "hf", "--dtype", dtype, "--overwrite", out)
            versions.append(contents(out))
        for step in range(12):
            dtype = ("f16", "f32")[step % 2]
            process = subprocess.Popen([TOOL, "export", source, "--to", "hf", "--dtype", dtype, "--overwrite", out],
                                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            time.sleep(0.004 * step)
            process.kill()
            process.wait()
            self.assertIn(contents(out), versions)
        succeed("export", source, "--to", "hf", "--dtype", "f16", "--overwrite", out)
        self.assertEqual(contents(out), versions[0])

    def test_biases_merge_by_sums_only(self):
        source, out = self.trained("tiny-llama3", "output"), self.new("peft")
        succeed("export", source, "--to", "peft", out)
        model = MODELS / "tiny-llama3"
        named = ["--model", model, "--adapter", f"{out}:0.5", "--adapter", f"{out}:0.5"]
        for rule in ("ties", "svd", "slerp", "peft-linear"):
            refused = run("merge", *named, "--merge", rule, "--rank", 4, self.new("merged"))
            self.assertEqual(refused.returncode, 2, rule)
            self.assertIn("has biases (lora_bias)", refused.stderr)
        merged = self.new("merged")
        succeed("merge", *named, merged)
        self.equal(scores(self.rows, "--run", source), scores(self.rows, "--model", model, "--adapter", merged))

    def test_training_on_biases(self):
        """An adapter with biases is one to train on: columns scale its input, never its bias."""
        out = self.new("peft")
        succeed("export", self.trained("tiny-qwen2", "output"), "--to", "peft", out)
        adapters = [{"path": str(out), "weight": 0.5}, {"path": str(MODELS / "tiny-qwen2" / "lora_b")}]
        for method in ("columns", "lcpp"):
            source, again = self.trained("tiny-qwen2", method, adapters=adapters), self.new("peft")
            succeed("export", source, "--to", "peft", again)
            succeed("verify", again, "--against", source, "--tolerance", TOLERANCE, "--limit", 4)

    def test_broken_inputs(self):
        model = MODELS / "tiny-llama3"
        calibration = self.trained("tiny-llama3", "lcpp") / "calibration.h5"
        other = run("export", calibration, "--model", MODELS / "tiny-qwen2", "--to", "peft", self.new("out"))
        self.assertEqual(other.returncode, 3)
        none = run("export", calibration, "--model", model, "--to", "peft", self.new("out"))
        self.assertEqual(none.returncode, 2)
        self.assertIn("adapters", none.stderr)
        self.assertEqual(run("export", calibration, "--to", "peft", self.new("out")).returncode, 2)
        self.assertEqual(run("export", self.folder / "nothing", "--model", model, "--to", "peft",
                             self.new("out")).returncode, 5)
        for options in (("--to", "peft", "--dtype", "q8_0"), ("--to", "hf", "--rank", 4), ("--to", "peft", "--as", "llama"),
                        ("--to", "peft", "--shard-size", 3), ("--to", "hf", "--base-name", "x"), ("--to", "exe"), ("--to", "hf", "--shard-size", "2XB"),
                        ("--to", "hf", "--shard-size", "0"), ()):
            self.assertEqual(run("export", "--run", self.trained("tiny-llama3", "lcpp"), *options,
                                 self.new("out")).returncode, 2, options)

    def test_numbers_that_do_not_fit(self):
        base, out = self.new("base"), self.new("out")
        base.mkdir()
        for name, data in contents(MODELS / "tiny-llama3").items():
            if name in ("config.json", "model.safetensors"):
                (base / name).write_bytes(data)
        data = bytearray((base / "model.safetensors").read_bytes())
        start = 8 + struct.unpack_from("<Q", data)[0]
        header = json.loads(data[8:start])
        entry = header["model.layers.0.mlp.up_proj.weight"]
        kind, code = {"F32": ("<f", 1e5), "F16": ("<e", math.inf), "BF16": ("<H", 0x7F80)}[entry["dtype"]]
        struct.pack_into(kind, data, start + entry["data_offsets"][0], code)
        (base / "model.safetensors").write_bytes(data)
        failed = run("export", "--model", base, "--to", "hf", "--dtype", "f16", out)
        self.assertEqual(failed.returncode, 4, failed.stderr)
        self.assertIn("model.layers.0.mlp.up_proj.weight", failed.stderr)
        self.assertFalse(out.exists())


if __name__ == "__main__":
    unittest.main()
