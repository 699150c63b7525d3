"""`lcal convert llama2c`: the shipped stories260K by way of llama2.c's format, types, what it refuses."""
import json
import math
import pathlib
import struct
import sys
import tempfile
import unittest

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).parent))
from lcal_tool import QUICKSTART, TESTS, contents, run, succeed  # noqa: E402

STORIES = TESTS.parent / "data" / "stories260K"
LAYERS, HEADS, HEAD = 5, 8, 8


def tensors(path):
    """Name -> bytes, of a safetensors file."""
    data = path.read_bytes()
    size = struct.unpack_from("<Q", data)[0]
    header = json.loads(data[8:8 + size])
    return {name: data[8 + size + entry["data_offsets"][0]:8 + size + entry["data_offsets"][1]]
            for name, entry in header.items() if name != "__metadata__"}


def interleave(rows):
    """Rows of q or k as llama2.c has them: pairs of a head side by side."""
    row = 64 * 4
    lines = [rows[i:i + row] for i in range(0, len(rows), row)]
    heads = [lines[i:i + HEAD] for i in range(0, len(lines), HEAD)]
    return b"".join(head[half * HEAD // 2 + i] for head in heads for i in range(HEAD // 2) for half in (0, 1))


def llama2c(header=(64, 172, 5, 8, 4, 512, 512)):
    """The shipped model in llama2.c's format."""
    t = tensors(STORIES / "model.safetensors")

    def stack(name, change=bytes):
        return b"".join(change(t[f"model.layers.{i}.{name}.weight"]) for i in range(LAYERS))
    angles = [p / 10000 ** (2 * i / HEAD) for p in range(512) for i in range(HEAD // 2)]
    return b"".join([
        struct.pack("<7i", *header), t["model.embed_tokens.weight"], stack("input_layernorm"),
        stack("self_attn.q_proj", interleave), stack("self_attn.k_proj", interleave), stack("self_attn.v_proj"),
        stack("self_attn.o_proj"), stack("post_attention_layernorm"), stack("mlp.gate_proj"), stack("mlp.down_proj"),
        stack("mlp.up_proj"), t["model.norm.weight"], struct.pack("<2048f", *map(math.cos, angles)),
        struct.pack("<2048f", *map(math.sin, angles))])


class Convert(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.model = self.folder / "stories.bin"
        self.model.write_bytes(llama2c())
        self.out = self.folder / "out"

    def convert(self, *arguments):
        return succeed("convert", "llama2c", self.model, self.out, *arguments)

    def test_there_and_back(self):
        self.assertEqual(self.convert("--tokenizer", STORIES / "tok512.bin"), "")
        self.assertEqual(sorted(contents(self.out)), ["config.json", "model.safetensors", "tokenizer.bin"])
        self.assertEqual(tensors(self.out / "model.safetensors"), tensors(STORIES / "model.safetensors"))
        config = json.loads((self.out / "config.json").read_text(encoding="utf-8"))
        for key, value in json.loads((STORIES / "config.json").read_text(encoding="utf-8")).items():
            self.assertEqual(config[key], value, key)
        scores = [succeed("score", "--model", model, "--threads", 1, QUICKSTART / "reply.valid.jsonl.gz")
                  for model in (self.out, STORIES)]
        self.assertEqual(scores[0], scores[1])
        ids = succeed("tokenize", "--model", self.out, "--add-special", input="Once upon a time\n")
        self.assertEqual(ids, "1 403 407 261 378\n")

    def test_types(self):
        for dtype, code in ("f16", "F16"), ("bf16", "BF16"):
            self.convert("--dtype", dtype, "--overwrite")
            head = (self.out / "model.safetensors").read_bytes()[:4000].decode("utf-8", "ignore")
            self.assertIn(f'"{code}"', head)
            shown = json.loads(succeed("inspect", "--json", self.out))
            self.assertTrue(shown)

    def refused(self, status, *arguments, words=()):
        before = contents(self.folder)
        done = run("convert", *arguments)
        self.assertEqual(done.returncode, status, done.stderr)
        for word in words:
            self.assertIn(word, done.stderr)
        self.assertEqual(contents(self.folder), before)

    def test_refused(self):
        self.refused(2, "llama2c", self.model, words=["OUT"])
        self.refused(2, "gguf", self.model, self.out, words=["llama2c", "gguf"])
        self.refused(2, "llama2c", self.model, self.out, "--dtype", "f64", words=["bf16"])
        self.refused(5, "llama2c", "/nowhere", self.out, words=["/nowhere"])
        self.refused(5, "llama2c", self.model, self.out, "--tokenizer", "/nowhere", words=["/nowhere"])
        self.refused(3, "llama2c", STORIES / "tok512.bin", self.out, words=["tok512.bin"])
        self.refused(3, "llama2c", STORIES / "config.json", self.out, words=["config.json"])
        self.refused(3, "llama2c", self.model, self.out, "--tokenizer", self.model, words=["stories.bin"])
        whole = self.model.read_bytes()
        for name, content, word in (("cut", whole[:-4], "more"), ("longer", whole + bytes(4), "fewer"),
                                    ("odd", whole + b"x", "4 bytes"), ("empty", b"", "header"),
                                    ("new", b"24ka\2\0\0\0" + whole[8:], "--version 0")):
            path = self.folder / name
            path.write_bytes(content)
            self.refused(3, "llama2c", path, self.out, words=[name, word])

    def test_another_models_tokenizer(self):
        few = self.folder / "few.bin"
        data = tensors(STORIES / "model.safetensors")
        cut = len(data["model.embed_tokens.weight"]) // 512 * 500
        few.write_bytes(struct.pack("<7i", 64, 172, 5, 8, 4, 500, 512) + self.model.read_bytes()[28:28 + cut]
                        + self.model.read_bytes()[28 + len(data["model.embed_tokens.weight"]):])
        self.refused(3, "llama2c", few, self.out, "--tokenizer", STORIES / "tok512.bin", words=["512", "500"])

    def test_overwriting(self):
        self.convert()
        self.refused(2, "llama2c", self.model, self.out, words=["config.json", "overwrite"])
        self.convert("--overwrite")
        (self.out / "model.safetensors.index.json").write_text("{}", encoding="utf-8")
        self.refused(2, "llama2c", self.model, self.out, "--overwrite", words=["index"])


if __name__ == "__main__":
    unittest.main()
