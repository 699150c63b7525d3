"""GGUF files of `lcal export`: their bytes by a reader of its own, and read back by lcal.

What real llama.cpp makes of them is in tests/clients.
"""
import json
import math
import pathlib
import resource
import shutil
import signal
import struct
import sys
import tempfile
import unittest

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).parent))
from gguf_strict import decode, read_gguf  # noqa: E402
from lcal_tool import MODELS, TESTS, config, examples, run, succeed, write_jsonl  # noqa: E402
from safetensors_strict import read_safetensors  # noqa: E402

TOK512 = TESTS.parent / "data" / "stories260K" / "tok512.bin"
NAMES = {"self_attn.q_proj": "attn_q", "self_attn.k_proj": "attn_k", "self_attn.v_proj": "attn_v",
         "self_attn.o_proj": "attn_output", "mlp.gate_proj": "ffn_gate", "mlp.up_proj": "ffn_up",
         "mlp.down_proj": "ffn_down", "input_layernorm": "attn_norm", "post_attention_layernorm": "ffn_norm",
         "model.embed_tokens": "token_embd", "model.norm": "output_norm", "lm_head": "output"}
EXACT = 2e-5  # of the spread of the logits


def gguf_name(name):
    module, leaf = name.rsplit(".", 1)
    if module.startswith("model.layers."):
        layer, module = module[len("model.layers."):].split(".", 1)
        return f"blk.{layer}.{NAMES[module]}.{leaf}"
    return f"{NAMES[module]}.{leaf}"


def interleaved(values, heads, width):
    """Rows of [heads, 2, half] as [heads, half, 2]; width: numbers of a row."""
    rows = [values[at:at + width] for at in range(0, len(values), width)]
    half = len(rows) // heads // 2
    return [value for head in range(heads) for i in range(half) for j in range(2)
            for value in rows[(head * 2 + j) * half + i]]


def q8(values):
    """What Q8_0 keeps, by its definition, and how far a rounded scale may move it."""
    kept = []
    for at in range(0, len(values), 32):
        block = values[at:at + 32]
        scale = max(map(abs, block)) / 127
        levels = [math.floor(abs(v) / scale + 0.5) * (1 if v > 0 else -1) if scale else 0 for v in block]
        half, = struct.unpack("<e", struct.pack("<e", scale))
        kept += [half * level for level in levels]
    return kept


def scores(rows, *arguments):
    lines = succeed("score", "--logits", "last", *arguments, rows).splitlines()
    return [json.loads(line)["logits"] for line in lines]


def difference(a, b):
    return max(max(abs(x - y) for x, y in zip(p, q)) / (max(p) - min(p)) for p, q in zip(a, b))


class Gguf(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.holder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.holder.cleanup)
        cls.folder = pathlib.Path(cls.holder.name)
        cls.data = write_jsonl(cls.folder / "train.jsonl", examples(24))
        cls.rows = write_jsonl(cls.folder / "rows.jsonl", examples(4, 20))

    def export(self, to, name, *arguments):
        out = self.folder / name
        succeed("export", "--overwrite", "--to", to, *arguments, out)
        return out

    def test_bytes_of_a_model(self):
        for name in ("stories260K", "tiny-llama3", "tiny-qwen2", "tiny-stablelm2"):
            model = MODELS / name
            facts = json.loads((model / "config.json").read_text())
            arch = facts["model_type"]
            original, _ = read_safetensors(model / "model.safetensors")
            keys, tensors = read_gguf(self.export("gguf", "m.gguf", "--model", model, "--dtype", "f32").read_bytes())
            self.assertEqual((keys["general.architecture"], keys["general.type"]), (arch, "model"))
            self.assertEqual(keys[f"{arch}.block_count"], facts["num_hidden_layers"])
            self.assertEqual(keys[f"{arch}.attention.head_count_kv"], facts["num_key_value_heads"])
            self.assertEqual(keys[f"{arch}.vocab_size"], facts["vocab_size"])
            extra = {"rope_freqs.weight"} if "rope_scaling" in facts else set()
            self.assertEqual(set(tensors), {gguf_name(tensor) for tensor in original} | extra)
            for tensor, (dtype, shape, content) in original.items():
                with self.subTest(model=name, tensor=tensor):
                    values = list(struct.unpack(f"<{len(content) // 4}f", content))
                    heads = {"q_proj": "num_attention_heads", "k_proj": "num_key_value_heads"}.get(tensor.split(".")[-2])
                    if heads and arch == "llama":
                        values = interleaved(values, facts[heads], len(values) // shape[0])
                    label, found_shape, found = tensors[gguf_name(tensor)]
                    self.assertEqual((dtype, label, list(found_shape)), ("F32", "F32", list(shape)))
                    self.assertEqual(values, decode("F32", found))

    def test_rounded_types(self):
        model = MODELS / "tiny-qwen2"
        _, exact = read_gguf(self.export("gguf", "m.gguf", "--model", model, "--dtype", "f32").read_bytes())
        for dtype, label in (("f16", "F16"), ("bf16", "BF16"), ("q8_0", "Q8_0")):
            done = run("export", "--overwrite", "--to", "gguf", "--model", model, "--dtype", dtype,
                       self.folder / "m.gguf")
            self.assertEqual(done.returncode, 0)
            uneven = [name for name, (_, shape, _) in exact.items() if len(shape) == 2 and shape[1] % 32]
            self.assertTrue(uneven)  # rows of 176
            self.assertEqual("are F16, not Q8_0" in done.stderr, dtype == "q8_0")
            keys, tensors = read_gguf((self.folder / "m.gguf").read_bytes())
            self.assertEqual(keys["general.file_type"], {"f16": 1, "bf16": 32, "q8_0": 7}[dtype])
            for name, (kind, shape, content) in tensors.items():
                values, (_, _, original) = decode(kind, content), exact[name]
                original = decode("F32", original)
                if len(shape) == 1:
                    self.assertEqual((kind, values), ("F32", original))
                elif dtype == "q8_0" and name not in uneven:
                    self.assertEqual(kind, "Q8_0")
                    spread = max(map(abs, original))
                    for ours, theirs in zip(values, q8(original)):  # a tie may fall either way
                        self.assertLessEqual(abs(ours - theirs), spread / 127)
                    self.assertGreater(sum(a == b for a, b in zip(values, q8(original))), 0.999 * len(values))
                else:
                    self.assertEqual(kind, "F16" if dtype == "q8_0" else label)
                    step = 2.0 ** -11 if kind == "F16" else 2.0 ** -8
                    for ours, theirs in zip(values, original):
                        self.assertLessEqual(abs(ours - theirs), step * abs(theirs) + 2.0 ** -25)

    def test_bytes_of_an_adapter(self):
        model = MODELS / "tiny-llama3"
        original, _ = read_safetensors(model / "lora_a" / "adapter_model.safetensors")
        facts = json.loads((model / "lora_a" / "adapter_config.json").read_text())
        keys, tensors = read_gguf(self.export("gguf-lora", "a.gguf", "--model", model,
                                              "--adapter", model / "lora_a").read_bytes())
        self.assertEqual((keys["general.type"], keys["adapter.type"]), ("adapter", "lora"))
        self.assertEqual(keys["adapter.lora.alpha"], facts["r"])
        scale = facts["lora_alpha"] / facts["r"]
        self.assertEqual(len(tensors), len(original))
        for name, (_, shape, content) in original.items():
            module, half = name[len("base_model.model."):].rsplit(".lora_", 1)
            values = list(struct.unpack(f"<{len(content) // 4}f", content))
            _, found_shape, found = tensors[gguf_name(module + ".weight") + (".lora_a" if half[0] == "A" else ".lora_b")]
            if half[0] == "B" and module.endswith("q_proj"):
                values = interleaved(values, 4, shape[1])
            elif half[0] == "A":
                values = [scale * value for value in values]
            self.assertEqual(list(found_shape), list(shape))
            self.assertEqual(decode("F32", found), values)

    def test_read_back(self):
        """Adapters, merged models and every type answer as the composition they are of."""
        for name in ("tiny-llama3", "tiny-qwen2", "tiny-stablelm2"):
            model = MODELS / name
            both = ["--model", model, "--adapter", f"{model / 'lora_a'}:0.75", "--adapter", f"{model / 'lora_b'}:1.25"]
            expected = scores(self.rows, *both)
            base = self.export("gguf", "base.gguf", "--model", model, "--dtype", "f32")
            adapter = self.export("gguf-lora", "adapter.gguf", *both)
            for where in (base, model):
                self.assertLessEqual(
                    difference(expected, scores(self.rows, "--model", where, "--adapter", adapter)), EXACT)
            for dtype, bound in (("f32", EXACT), ("f16", 2e-3), ("bf16", 2e-2), ("q8_0", 5e-2)):
                merged = self.export("gguf", "merged.gguf", *both, "--dtype", dtype)
                for memory in ("fast", "low"):
                    with self.subTest(model=name, dtype=dtype, memory=memory):
                        found = scores(self.rows, "--model", merged, "--memory", memory)
                        self.assertLessEqual(difference(expected, found), bound)

    def test_runs(self):
        """Calibrations of every kind, dense merges and ranks; what a format cannot hold is told."""
        model = MODELS / "tiny-qwen2"
        methods = {"output": {"method": "lc", "calibration__form": "output"},
                   "columns": {"method": "columns"}, "lora": {"method": "lora", "lora__rank": 3}}
        for method, keys in methods.items():
            source = self.folder / method
            succeed("train", config(self.folder / f"{method}.yaml", source, self.data, model=model, train__lr=0.03,
                                    adapters=[str(model / "lora_a"), str(model / "lora_b")], **keys))
            expected = scores(self.rows, "--run", source)
            as_llama = ["--as", "llama"] if method == "output" else []
            merged = self.export("gguf", "run.gguf", source, "--dtype", "f32", *as_llama)
            self.assertLessEqual(difference(expected, scores(self.rows, "--model", merged)), EXACT)
            out = self.folder / "refused.gguf"
            if method == "output":
                for to, reason in (("gguf", "as llama"), ("gguf-lora", "pairs of matrices only")):
                    done = run("export", source, "--to", to, out)
                    self.assertEqual(done.returncode, 3)
                    self.assertIn(reason, done.stderr)
                    self.assertFalse(out.exists())
            else:
                adapter = self.export("gguf-lora", "run-lora.gguf", source)
                self.assertLessEqual(
                    difference(expected, scores(self.rows, "--model", model, "--adapter", adapter)), EXACT)
        dense = ["--model", model, "--adapter", model / "lora_a", "--adapter", model / "lora_b", "--merge",
                 "ties:density=0.5"]
        done = run("export", *dense, "--to", "gguf-lora", self.folder / "dense.gguf")
        self.assertEqual(done.returncode, 3)
        self.assertIn("full rank", done.stderr)
        _, tensors = read_gguf(self.export("gguf-lora", "cut.gguf", *dense, "--rank", "5").read_bytes())
        self.assertEqual(tensors["blk.0.attn_q.weight.lora_a"][1], [5, 64])

    def test_text(self):
        """Tokenizer and template travel: text in, the same text out, without the directory."""
        model = self.folder / "stories"
        shutil.copytree(MODELS / "stories260K", model)
        shutil.copy(TOK512, model / "tokenizer.bin")
        template = "{% for m in messages %}<|im_start|>{{ m.role }}<|im_end|>{% endfor %}"
        (model / "tokenizer_config.json").write_text(json.dumps({"chat_template": template}))
        path = self.export("gguf", "stories.gguf", "--model", model, "--dtype", "f32")
        keys, _ = read_gguf(path.read_bytes())
        self.assertEqual(keys["tokenizer.chat_template"], template)
        self.assertEqual((keys["tokenizer.ggml.bos_token_id"], keys["tokenizer.ggml.eos_token_id"]), (1, 2))
        self.assertEqual(len(keys["tokenizer.ggml.tokens"]), 512)
        text = "Once upon a time, caf\u00e9 <s>  x"
        self.assertEqual(*(succeed("tokenize", "--model", where, "--add-special", input=text) for where in (model, path)))
        answers = [succeed("generate", "--model", where, "--template", "raw", "--prompt", "Once upon a time",
                           "--max-tokens", "60") for where in (model, path)]
        self.assertEqual(*answers)
        back = self.export("hf", "hf", "--model", path)
        self.assertEqual(sorted(item.name for item in back.iterdir()),
                         ["config.json", "model.safetensors", "tokenizer.gguf"])
        self.assertLess((back / "tokenizer.gguf").stat().st_size, 50000)
        self.assertEqual(answers[0], succeed("generate", "--model", back, "--template", "raw", "--prompt",
                                             "Once upon a time", "--max-tokens", "60"))

    def test_without_a_tokenizer(self):
        """Models for programs that bring their own ids: said so, and written again all the same."""
        first, again = self.folder / "first.gguf", self.folder / "again.gguf"
        done = run("export", "--to", "gguf", "--model", MODELS / "tiny-llama3", first)
        self.assertEqual(done.returncode, 0)
        self.assertIn("no tokenizer", done.stderr)
        succeed("export", "--to", "gguf", "--model", first, again)
        _, tensors = read_gguf(first.read_bytes())
        self.assertEqual(tensors, read_gguf(again.read_bytes())[1])

    def test_full_disk(self):
        def limit():
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # a failed write in place of a signal
            resource.setrlimit(resource.RLIMIT_FSIZE, (100000, 100000))

        out = self.folder / "limited.gguf"
        limited = run("export", "--to", "gguf", "--model", MODELS / "tiny-llama3", out, preexec_fn=limit)
        self.assertEqual(limited.returncode, 5)
        self.assertIn("limited.gguf", limited.stderr)
        self.assertEqual(list(self.folder.glob("limited*")) + list(self.folder.glob(".limited*")), [])

    def test_bad_files(self):
        model = MODELS / "tiny-llama3"
        whole = self.export("gguf", "m.gguf", "--model", model, "--dtype", "f32").read_bytes()
        adapter = self.export("gguf-lora", "a.gguf", "--model", model, "--adapter", model / "lora_a")
        broken = self.folder / "broken.gguf"
        cases = {"cut": whole[:len(whole) // 2], "empty": b"", "text": b"hello\n",
                 "another version": whole[:4] + b"\x02" + whole[5:],
                 "a renamed tensor": whole.replace(b"blk.1.ffn_up.weight", b"blk.1.ffn_uq.weight")}
        for what, content in cases.items():
            with self.subTest(what):
                broken.write_bytes(content)
                done = run("score", "--model", broken, self.rows)
                self.assertEqual((done.returncode, done.stdout), (3, ""))
                self.assertIn("broken.gguf", done.stderr)
        other = run("score", "--model", MODELS / "tiny-qwen2", "--adapter", adapter, self.rows)
        self.assertNotEqual(other.returncode, 0)
        self.assertIn("made for a llama model", other.stderr)
        swapped = run("score", "--model", adapter, self.rows)
        self.assertIn("give it with --adapter", swapped.stderr)
        self.assertEqual(run("score", "--model", self.folder / "nothing.gguf", self.rows).returncode, 5)


if __name__ == "__main__":
    unittest.main()
