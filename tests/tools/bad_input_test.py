"""Broken inputs, one row each: what is broken, the exit status, what the message must say.

Everything is made from the fixtures by one small change. Where training is refused it was told to
overwrite an existing run, and not one byte of that run may have changed.
"""
import json
import pathlib
import shutil
import struct
import sys
import tempfile
import unittest

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).parent))
from lcal_tool import MODELS, config, contents, examples, run, succeed, write_jsonl  # noqa: E402

MODEL = "tiny-llama3"
GOOD = '{"input_ids":[1,5,6,7],"labels":[-100,-100,6,7]}\n'


# --- changes to a file ---------------------------------------------------------------------------

def replace(old, new):
    def change(data):
        old_bytes = old if isinstance(old, bytes) else old.encode()
        new_bytes = new if isinstance(new, bytes) else new.encode()
        assert old_bytes in data, old
        return data.replace(old_bytes, new_bytes, 1)
    return change


def cut(count):
    return lambda data: data[:len(data) - count]


def flip(at):
    return lambda data: data[:at] + bytes([data[at] ^ 0xFF]) + data[at + 1:]


def whole(text):
    return lambda data: text if isinstance(text, bytes) else text.encode()


def keys(**changes):
    """Sets members of a JSON object; None removes one."""
    def change(data):
        tree = json.loads(data)
        for key, value in changes.items():
            if value is None:
                tree.pop(key, None)
            else:
                tree[key] = value
        return json.dumps(tree).encode()
    return change


def header(edit):
    """Applies edit to the header of a safetensors file."""
    def change(data):
        (length,) = struct.unpack("<Q", data[:8])
        tree = json.loads(data[8:8 + length])
        edit(tree)
        text = json.dumps(tree, separators=(",", ":")).encode()
        return struct.pack("<Q", len(text)) + text + data[8 + length:]
    return change


def drop(name):
    """Removes a tensor with its data, so that what is left is a whole file."""
    def change(data):
        (length,) = struct.unpack("<Q", data[:8])
        tree, body = json.loads(data[8:8 + length]), data[8 + length:]
        first, end = tree.pop(name)["data_offsets"]
        for tensor in tree.values():
            if "data_offsets" in tensor and tensor["data_offsets"][0] >= end:
                tensor["data_offsets"] = [at - (end - first) for at in tensor["data_offsets"]]
        text = json.dumps(tree, separators=(",", ":")).encode()
        return struct.pack("<Q", len(text)) + text + body[:first] + body[end:]
    return change


def set_shape(name, shape):
    return header(lambda tree: tree[name].__setitem__("shape", shape))


def set_type(name, dtype):
    return header(lambda tree: tree[name].__setitem__("dtype", dtype))


def rename(old, new):
    return header(lambda tree: tree.__setitem__(new, tree.pop(old)))


Q0 = "model.layers.0.self_attn.q_proj.weight"
A0 = "base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight"

# (what, exit status, fragments of the message). Fragments must all be there.
COMMAND_LINE = [
    (["frain", "c.yaml"], 2, ["unknown command", "lcal train"]),
    (["train"], 2, ["CONFIG is missing"]),
    (["train", "c.yaml", "d.yaml"], 2, ['unexpected argument "d.yaml"']),
    (["train", "c.yaml", "--resum", "x"], 2, ["--resum", "--resume"]),
    (["train", "--resume", "no-such-run"], 2, ["no-such-run"]),
    (["train", "c.yaml", "--resume", "run"], 2, ["--resume", "CONFIG"]),
    (["score", "rows.jsonl"], 2, ["--model DIR or --run RUN is missing"]),
    (["score", "--run", "run", "--calibration", "c.h5", "rows.jsonl"], 2, ["--run brings its own"]),
    (["score", "--run", "no-such-run", "rows.jsonl"], 2, ["no-such-run", "no run of lcal"]),
    (["score", "--model", "no-such-model", "rows.jsonl"], 5, ["no-such-model", "no such directory"]),
    (["score", "--model", "model", "no-such-file.jsonl"], 5, ["no-such-file.jsonl"]),
    (["score", "--model", "model", "--adapter", "no-such:0.5", "rows.jsonl"], 5, ["no-such"]),
    (["score", "--model", "model", "--logits", "some", "rows.jsonl"], 2, ["none, last, all"]),
    (["bench", "--shape", "7b"], 2, ["mini", "7b"]),
    (["inspect", "no-such-thing"], 5, ["no-such-thing", "No such file"]),
    (["inspect", "empty"], 3, ["empty", "not recognised"]),
    (["inspect", "folder"], 3, ["folder", "config.json"]),
]

# (key=value overrides, exit status, fragments)
CONFIG = [
    (["train.learning_rate=1"], 2, ["train.learning_rate", "override 1"]),
    (["train.stepz=5"], 2, ["train.stepz", "did you mean", "train.steps"]),
    (["train.lr=-1"], 2, ["train.lr", "-1"]),
    (["train.lr=fast"], 2, ["train.lr", "fast"]),
    (["train.steps=0"], 2, ["train.steps"]),
    (["train.steps=1.5"], 2, ["train.steps", "1.5"]),
    (["method=magic"], 2, ["method", "lcpp", "magic"]),
    (["train.precision=fp64"], 2, ["train.precision", "f32"]),
    (["calibration.targets=[q_proj, x_proj]"], 2, ["calibration.targets", "x_proj"]),
    (["model=no-such-model"], 2, ["model", "no-such-model"]),
    (["data.train=no-such-file"], 2, ["data.train", "no-such-file"]),
    (["adapters=[{path: no-such-adapter}]"], 2, ["adapters", "no-such-adapter"]),
    (["train.lr=", "train.seed=x", "train.nope=1"], 2, ["train.seed", "train.nope"]),
    (["calibration.init=empty"], 3, ["empty"]),
]

# (text of the file, exit status, fragments)
CONFIG_TEXT = [
    ("model: [\n", 2, ["bad.yaml:"]),
    ("model: a\nmodel: b\n", 2, ["bad.yaml:2:1", "model"]),
    ("method: lc\nmetod: lc\n", 2, ["bad.yaml:2:1", "metod", "method"]),
    ("a: &x 1\nb: *x\n", 2, ["bad.yaml:1:"]),
    ("train: 5\n", 2, ["bad.yaml:1:", "train"]),
    ("\x00", 2, ["bad.yaml"]),
    ("", 2, ["model", "data.train", "out"]),
]

# (file of the model, change, exit status, fragments)
MODEL_FILES = [
    ("config.json", whole("{"), 3, ["config.json"]),
    ("config.json", whole("[]"), 3, ["config.json", "object"]),
    ("config.json", whole('{"model_type":"llama","model_type":"llama"}'), 3, ["model_type"]),
    ("config.json", keys(model_type="gpt2"), 3, ["gpt2", "llama"]),
    ("config.json", keys(hidden_size="64"), 3, ["hidden_size", "a string"]),
    ("config.json", keys(hidden_size=None), 3, ["hidden_size"]),
    ("config.json", keys(num_attention_heads=0), 3, ["num_attention_heads", "0"]),
    ("config.json", keys(num_key_value_heads=3), 3, ["num_key_value_heads"]),
    ("config.json", keys(num_hidden_layers=4), 3, ["model.layers.3"]),
    ("config.json", keys(vocab_size=1000), 3, ["1000", "512"]),
    ("config.json", keys(hidden_act="gelu"), 3, ["hidden_act", "gelu"]),
    ("config.json", keys(rope_scaling={"rope_type": "yarn", "factor": 2.0}), 3, ["yarn"]),
    ("model.safetensors", whole(b""), 3, ["model.safetensors"]),
    ("model.safetensors", whole(b"\xff" * 16), 3, ["model.safetensors", "header"]),
    ("model.safetensors", cut(1), 3, ["model.safetensors"]),
    ("model.safetensors", lambda data: data + b"\0", 3, ["model.safetensors"]),
    ("model.safetensors", drop(Q0), 3, [Q0, "missing"]),
    ("model.safetensors", set_shape(Q0, [32, 128]), 3, [Q0, "64", "128"]),
    ("model.safetensors", set_shape(Q0, [64, 65]), 3, [Q0]),
    ("model.safetensors", set_shape(Q0, [2 ** 40, 2 ** 40]), 3, [Q0]),
    ("model.safetensors", set_type(Q0, "F8_E4M3"), 3, [Q0, "F8_E4M3"]),
    ("model.safetensors", rename(Q0, Q0 + "x"), 3, [Q0]),
]

# (file of the adapter, change, exit status, fragments)
ADAPTER_FILES = [
    ("adapter_config.json", whole("null"), 3, ["adapter_config.json", "object"]),
    ("adapter_config.json", keys(peft_type="IA3"), 3, ["IA3"]),
    ("adapter_config.json", keys(use_dora=True), 3, ["use_dora"]),
    ("adapter_config.json", keys(bias="all"), 3, ["bias"]),
    ("adapter_config.json", keys(fan_in_fan_out=True), 3, ["fan_in_fan_out"]),
    ("adapter_config.json", keys(r=0), 3, ["r"]),
    ("adapter_config.json", keys(r=8), 3, ["lora_A", "8"]),
    ("adapter_config.json", keys(lora_alpha="x"), 3, ["lora_alpha"]),
    ("adapter_model.safetensors", cut(4), 3, ["adapter_model.safetensors"]),
    ("adapter_model.safetensors", drop(A0), 3, ["lora_A", "q_proj"]),
    ("adapter_model.safetensors", rename(A0, A0.replace("layers.0", "layers.9")), 3, ["layers.9"]),
    ("adapter_model.safetensors", rename(A0, "base_model.model.lm_head.weight"), 3,
     ["lm_head", "modules_to_save"]),
    ("adapter_model.safetensors", set_shape(A0, [8, 32]), 3, [A0]),
]

# (text of the data file, exit status, fragments)
DATA = [
    ("", 3, ["rows.jsonl", "example"]),
    ("not json\n", 3, ["rows.jsonl:1"]),
    (GOOD + '{"input_ids":[1,2\n', 3, ["rows.jsonl:2"]),
    (GOOD + "[1,2]\n", 3, ["rows.jsonl:2", "object"]),
    ('{"labels":[1]}\n', 3, ["input_ids"]),
    ('{"prompt":"a","completion":"b"}\n', 3, ["rows.jsonl:1", "tokenizer", "input_ids"]),
    ('{"input_ids":[],"labels":[]}\n', 3, ["input_ids"]),
    ('{"input_ids":[1,2],"labels":[1]}\n', 3, ["labels", "2", "1"]),
    ('{"input_ids":[1,512],"labels":[1,1]}\n', 3, ["512", "511"]),
    ('{"input_ids":[1,-1],"labels":[1,1]}\n', 3, ["-1"]),
    ('{"input_ids":[1,2],"labels":[1,-5]}\n', 3, ["-5"]),
    ('{"input_ids":[1,2.5],"labels":[1,1]}\n', 3, ["input_ids", "real"]),
    ('{"input_ids":[1,2],"input_ids":[1,2],"labels":[1,1]}\n', 3, ["input_ids"]),
    (b"\x1f\x8b\x08\x00", 3, ["rows.jsonl"]),
]

# (file of the run, change, exit status, fragments), read by `score --calibration` and `inspect`
CALIBRATION = [
    ("calibration.h5", whole(b""), 3, ["calibration.h5"]),
    ("calibration.h5", cut(100), 3, ["calibration.h5"]),
    ("calibration.h5", flip(700), 3, ["calibration.h5"]),
    ("calibration.h5", flip(5000), 3, ["calibration.h5"]),
    ("calibration.h5", replace(b"lcal-calibration", b"lcal-calibratiox"), 3, ["calibration.h5"]),
    ("calibration.safetensors", cut(2), 3, ["calibration.safetensors"]),
    ("calibration.safetensors", drop("calib.q_proj.P1"), 3, ["q_proj.P1"]),
    ("calibration.safetensors", set_shape("calib.q_proj.P1", [64, 4]), 3, ["q_proj.P1", "64"]),
    ("calibration.safetensors", lambda data: data[:-2] + b"\x00\x7c", 3, ["finite"]),
]


class BadInput(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.holder = tempfile.TemporaryDirectory()
        cls.folder = pathlib.Path(cls.holder.name)
        shutil.copytree(MODELS / MODEL, cls.folder / "model")
        (cls.folder / "empty").write_bytes(b"")
        (cls.folder / "folder").mkdir()
        cls.rows = write_jsonl(cls.folder / "rows.jsonl", examples(6))
        cls.config = config(cls.folder / "c.yaml", cls.folder / "run", cls.rows,
                            model=cls.folder / "model", train__steps=2,
                            adapters=[{"path": str(cls.folder / "model" / "lora_a")}])
        succeed("train", cls.config)
        cls.before = contents(cls.folder / "run")

    @classmethod
    def tearDownClass(cls):
        cls.holder.cleanup()

    def check(self, arguments, status, fragments):
        done = run(*arguments, cwd=self.folder)
        after = contents(self.folder / "run")
        changed = [name for name in {**after, **self.before}
                   if after.get(name) != self.before.get(name)]
        for name in changed:  # one broken promise must not hide the others
            (self.folder / "run" / name).write_bytes(self.before.get(name, b""))
        self.assertEqual(done.returncode, status, done.stderr)
        for fragment in fragments:
            self.assertIn(fragment, done.stderr)
        self.assertEqual(done.stdout, "")
        self.assertEqual(changed, [], "the existing run was touched")

    def test_the_table_is_large(self):
        tables = (COMMAND_LINE, CONFIG, CONFIG_TEXT, MODEL_FILES, ADAPTER_FILES, DATA, CALIBRATION)
        self.assertGreaterEqual(sum(map(len, tables)), 90)

    def test_command_line(self):
        for arguments, status, fragments in COMMAND_LINE:
            with self.subTest(arguments=arguments):
                self.check(arguments, status, fragments)

    def test_config(self):
        for overrides, status, fragments in CONFIG:
            with self.subTest(overrides=overrides):
                self.check(["train", self.config, "--overwrite", *overrides], status, fragments)

    def test_config_text(self):
        bad = self.folder / "bad.yaml"
        for text, status, fragments in CONFIG_TEXT:
            with self.subTest(text=text):
                bad.write_text(text, encoding="utf-8")
                self.check(["train", bad, "--overwrite"], status, fragments)

    def files(self, folder, table):
        for name, change, status, fragments in table:
            with self.subTest(name=name, fragments=fragments):
                path = folder / name
                original = path.read_bytes()
                path.write_bytes(change(original))
                try:
                    for command in (["train", self.config, "--overwrite"],
                                    ["train", self.config, "--dry-run"],
                                    ["score", "--model", "model", "--adapter", "model/lora_a",
                                     "rows.jsonl"]):
                        self.check(command, status, fragments)
                finally:
                    path.write_bytes(original)

    def test_model(self):
        self.files(self.folder / "model", MODEL_FILES)

    def test_adapter(self):
        self.files(self.folder / "model" / "lora_a", ADAPTER_FILES)

    def test_data(self):
        self.files(self.folder, [("rows.jsonl", whole(text), *rest) for text, *rest in DATA])

    def test_calibration(self):
        for name, change, status, fragments in CALIBRATION:
            with self.subTest(name=name, fragments=fragments):
                bad = self.folder / name
                bad.write_bytes(change((self.folder / "run" / name).read_bytes()))
                self.check(["score", "--model", "model", "--adapter", "model/lora_a",
                            "--calibration", bad, "rows.jsonl"], status, fragments)
                self.check(["inspect", bad], status, [name])

    def test_calibration_of_another_model(self):
        good = self.folder / "run" / "calibration.h5"
        self.check(["score", "--model", MODELS / "tiny-qwen2", "--calibration", good, "rows.jsonl"],
                   3, ["calibration.h5", "llama"])
        self.check(["score", "--model", "model", "--calibration", good, "rows.jsonl"], 2,
                   ["adapters"])
        self.check(["score", "--model", "model", "--adapter", "model/lora_b", "--calibration", good,
                    "rows.jsonl"], 2, ["adapter 1", "SHA-256"])

    def test_checkpoint(self):
        for change in (cut(100), flip(900), flip(3000), whole(b""), whole(b"\x89HDF\r\n\x1a\n")):
            copy = self.folder / "copy"
            shutil.copytree(self.folder / "run", copy)
            try:
                path = copy / "checkpoint.h5"
                path.write_bytes(change(path.read_bytes()))
                before = contents(copy)
                done = run("train", "--resume", copy, "train.steps=4")
                self.assertEqual(done.returncode, 3, done.stderr)
                self.assertIn("checkpoint.h5", done.stderr)
                self.assertEqual(contents(copy), before)
                self.check(["inspect", path], 3, ["checkpoint.h5"])
            finally:
                shutil.rmtree(copy)

    def test_weights_that_are_not_finite(self):
        """Exit status 4: the numbers are wrong, not the file's form."""
        path = self.folder / "model" / "model.safetensors"
        original = path.read_bytes()
        (length,) = struct.unpack("<Q", original[:8])
        first = json.loads(original[8:8 + length])[Q0]["data_offsets"][0] + 8 + length
        path.write_bytes(original[:first] + struct.pack("<f", float("nan")) + original[first + 4:])
        try:
            self.check(["score", "--model", "model", "rows.jsonl"], 4, ["finite"])
            done = run("train", self.config, f"out={self.folder / 'nan'}")
            self.assertEqual(done.returncode, 4, done.stderr)
        finally:
            path.write_bytes(original)


if __name__ == "__main__":
    unittest.main()
