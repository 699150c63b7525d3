"""`lcal generate`: prompts of every kind, answers in order, chats, and what it refuses."""
import fcntl
import gzip
import json
import os
import pathlib
import pty
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import termios
import time
import unittest

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).parent))
from lcal_tool import MODELS, TESTS, TOOL, config, run, succeed, write_jsonl, examples  # noqa: E402

STORIES = TESTS.parent / "data" / "stories260K"
TOKENIZER = STORIES / "tok512.bin"
VECTORS = os.environ.get("LCAL_TEST_DATA")
DOG = "Once upon a time, there was a dog"


def generate(*arguments, **keywords):
    return succeed("generate", "--model", STORIES, *arguments, **keywords)


def rows(*arguments, **keywords):
    """The JSON objects of a run."""
    return [json.loads(line) for line in generate("--json", *arguments, **keywords).splitlines()]


def waiting(pipe):
    """Bytes in a pipe."""
    return struct.unpack("i", fcntl.ioctl(pipe, termios.FIONREAD, b"\0" * 4))[0]


class Generate(unittest.TestCase):
    def setUp(self):
        holder = tempfile.TemporaryDirectory()
        self.addCleanup(holder.cleanup)
        self.folder = pathlib.Path(holder.name)

    def test_one_prompt(self):
        done = run("generate", "--model", STORIES, "--prompt", DOG, "--max-tokens", 20)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertTrue(done.stdout.startswith(" named Max. Max loved to"), done.stdout)
        self.assertTrue(done.stdout.endswith("\n"))
        self.assertIn("1 prompt of 11 tokens, 20 tokens generated", done.stderr)
        self.assertIn("tokens/s", done.stderr)

    @unittest.skipUnless(VECTORS, "LCAL_TEST_DATA is not set: no text of llama2.c to compare with")
    def test_text_of_llama2c(self):
        path = pathlib.Path(VECTORS) / "models" / "stories260K" / "greedy.llama2c.jsonl"
        for row in map(json.loads, path.read_text(encoding="utf-8").splitlines()):
            ids = succeed("tokenize", "--model", STORIES, "--json", input=json.dumps(row["prompt"]) + "\n")
            count = row["steps"] - len(json.loads(ids))
            (found,) = rows("--prompt", row["prompt"], "--max-tokens", count)
            self.assertEqual((row["prompt"] + found["text"]).rstrip("\n"), row["greedy_text"])
            self.assertEqual((found["tokens"], found["finish"]), (count, "length"))

    def test_sources_agree(self):
        texts = ["Once upon a time", "Tom and Sue went to", "The cat"]
        flags = ["--max-tokens", 15]
        expected = rows(*[a for text in texts for a in ("--prompt", text)], *flags)
        self.assertEqual([row["prompt"] for row in expected], texts)
        plain = self.folder / "plain.txt"
        plain.write_text("\n".join(["", *texts, ""]), encoding="utf-8")
        self.assertEqual(rows(*flags, plain), expected)
        jsonl = write_jsonl(self.folder / "p.jsonl", [{"prompt": t, "completion": "x"} for t in texts])
        self.assertEqual(rows(*flags, jsonl), expected)
        packed = self.folder / "p.jsonl.gz"
        packed.write_bytes(gzip.compress(jsonl.read_bytes()))
        self.assertEqual(rows(*flags, packed), expected)
        for arguments in ([], ["-"]):
            self.assertEqual(rows(*flags, *arguments, input="\n".join(texts)), expected)

    def test_messages(self):
        talk = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": " dog"},
                {"role": "user", "content": " and"}]
        path = write_jsonl(self.folder / "m.jsonl", [
            {"messages": [*talk, {"role": "assistant", "content": "the answer"}]}, {"messages": talk}])
        first, second = rows("--max-tokens", 12, path)
        self.assertEqual(first, second)
        self.assertEqual(first["messages"], talk)
        (joined,) = rows("--max-tokens", 12, "--prompt", "Hi dog and")
        self.assertEqual(set(joined), {"prompt", "text", "tokens", "finish"})

    def test_text_of_many_in_order(self):
        texts = ["Once", "Lily and her dog ran to the big park. They", "Tom", "A"]
        arguments = [a for text in texts for a in ("--prompt", text)]
        stops = ["--stop", ".", "--max-tokens", 40]
        answers = [row["text"] for row in rows(*arguments, *stops)]
        for batch in 1, 2, 16:
            self.assertEqual(generate(*arguments, *stops, "--batch", batch), "\n\n".join(answers) + "\n")

    def test_neither_batch_nor_threads_nor_memory_matter(self):
        path = self.folder / "p.txt"
        path.write_text("".join(f"{'Once upon a time ' * (i % 5)}{i}\n" for i in range(13)), encoding="utf-8")
        flags = ["--temperature", 0.9, "--top-p", 0.95, "--seed", 7, "--max-tokens", 20, path,
                 "--repetition-penalty", 1.1]
        found = [rows(*flags, *more) for more in (
            ["--batch", 1], ["--batch", 3, "--threads", 1], ["--batch", 16, "--threads", 2])]
        self.assertEqual(found[0], found[1])
        self.assertEqual(found[0], found[2])
        self.assertNotEqual(found[0], rows(*flags[:5], 8, *flags[6:]))

    def test_ends(self):
        (whole,) = rows("--prompt", DOG, "--max-tokens", 40)
        (cut,) = rows("--prompt", DOG, "--max-tokens", 40, "--stop", "to play", "--stop", "zzz")
        self.assertEqual(cut["finish"], "stop")
        self.assertEqual(cut["text"], whole["text"][:whole["text"].index("to play")])
        flags = ["--prompt", "The end.", "--temperature", 1, "--seed", 1, "--max-tokens", 500]
        (ended,) = rows(*flags)
        (going,) = rows(*flags, "--ignore-eos")
        self.assertEqual(going["finish"], "length")
        self.assertLess(ended["tokens"], going["tokens"])
        self.assertEqual(ended["finish"], "end")
        self.assertTrue(going["text"].startswith(ended["text"]))

    def test_a_run_brings_its_template_and_system_message(self):
        text = write_jsonl(self.folder / "train.jsonl", [
            {"prompt": f"Count from {i} to {i + 2}", "completion": f"{i} {i + 1} {i + 2}"} for i in range(20)])
        tokens = self.folder / "tok"
        succeed("tokenizer", "train", "--out", tokens, "--vocab", 300, "--template", "chatml", "--field", "prompt", text)
        succeed("train", config(self.folder / "c.yaml", self.folder / "run", text, data__tokenizer=tokens,
                                data__system="Be brief.", data__loss_on="all", train__batch_tokens=128))
        words = ["--template", "chatml", "--system", "Be brief."]
        ask = ["generate", "--run", self.folder / "run", "--prompt", "Count", "--max-tokens", 8, "--ignore-eos"]
        self.assertEqual(succeed(*ask), succeed(*ask, *words))
        self.assertNotEqual(succeed(*ask), succeed(*ask, "--template", "raw"))
        self.assertNotEqual(succeed(*ask), succeed(*ask, "--system", ""))
        score = ["score", "--run", self.folder / "run", text]
        self.assertEqual(succeed(*score), succeed(*score, *words, "--loss-on", "all"))
        for other in (["--loss-on", "completion"], ["--template", "raw"], ["--system", "Be long."]):
            self.assertNotEqual(succeed(*score), succeed(*score, *other), other)

    def test_adapters_and_runs(self):
        flags = ["--prompt", DOG, "--max-tokens", 12, "--json"]
        model = MODELS / "tiny-llama3"
        lora = ["--adapter", f"{model / 'lora_a'}:0.5", "--adapter", model / "lora_b"]
        base = succeed("generate", "--model", model, "--tokenizer", TOKENIZER, *flags)
        both = succeed("generate", "--model", model, *lora, "--tokenizer", STORIES, *flags)
        low = succeed("generate", "--model", model, *lora, "--memory", "low", "--tokenizer", TOKENIZER, *flags)
        self.assertNotEqual(base, both)
        self.assertEqual(json.loads(low)["tokens"], json.loads(both)["tokens"])
        path = config(self.folder / "c.yaml", self.folder / "run",
                      write_jsonl(self.folder / "train.jsonl", examples(20)), train__lr=0.5)
        succeed("train", path)
        trained = succeed("generate", "--run", self.folder / "run", "--tokenizer", TOKENIZER, *flags)
        calibrated = succeed("generate", "--model", model, "--tokenizer", TOKENIZER, *flags,
                             "--calibration", self.folder / "run" / "calibration.h5")
        self.assertEqual(trained, calibrated)
        self.assertNotEqual(trained, base)

    # --- chats -------------------------------------------------------------------------------

    def test_chat(self):
        lines = ["Once upon a time", "", " and then", "/reset", "Once upon a time", "/exit", "never said"]
        flags = ["--chat", "--max-tokens", 15]
        done = run("generate", "--model", STORIES, *flags, "--json", input="\n".join(lines))
        self.assertEqual(done.returncode, 0, done.stderr)
        found = [json.loads(line) for line in done.stdout.splitlines()]
        self.assertEqual([row["prompt"] for row in found], [lines[0], lines[2], lines[0]])
        self.assertEqual(found[0], found[2])
        path = write_jsonl(self.folder / "m.jsonl", [{"messages": [
            {"role": "user", "content": lines[0]}, {"role": "assistant", "content": found[0]["text"]},
            {"role": "user", "content": lines[2]}]}])
        self.assertEqual(rows("--max-tokens", 15, path)[0]["text"], found[1]["text"])
        text = generate(*flags, input="\n".join(lines))
        self.assertEqual(text, "".join(row["text"] + "\n" for row in found))
        unknown = run("generate", "--model", STORIES, *flags, input="/quit\n")
        self.assertEqual((unknown.returncode, unknown.stdout), (0, ""))
        self.assertIn("/quit is no command; /reset begins anew, /exit ends", unknown.stderr)

    def test_chat_on_a_terminal(self):
        """Ctrl-C ends an answer and not the chat. The answer is held up in a pipe that is full."""
        master, slave = pty.openpty()
        read, write = os.pipe()
        size = fcntl.fcntl(write, 1031, 4096)  # F_SETPIPE_SZ
        os.write(write, b"." * (size - 100))
        process = subprocess.Popen(
            [TOOL, "generate", "--model", STORIES, "--ignore-eos", "--max-tokens", "400"],
            stdin=slave, stdout=write, stderr=subprocess.PIPE)
        os.close(slave)
        os.close(write)
        try:
            os.write(master, b"Once upon a time\n")
            self.wait_for(lambda: waiting(read) > size - 16)
            process.send_signal(signal.SIGINT)
            time.sleep(0.1)
            os.write(master, b"/exit\n")
            with os.fdopen(read, "rb") as pipe:
                out = pipe.read()[size - 100:]
            errors = process.communicate(timeout=60)[1]
        finally:
            process.kill()
            process.wait()
            os.close(master)
        self.assertEqual(process.returncode, 0, errors)
        self.assertIn(b"/reset begins anew", errors)
        self.assertTrue(out.startswith(b", there was"), out)
        self.assertTrue(out.endswith(b"\n"))
        self.assertLess(len(out), 200)

    def test_interrupt_where_a_chat_waits(self):
        master, slave = pty.openpty()
        process = subprocess.Popen([TOOL, "generate", "--model", STORIES], stdin=slave,
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        os.close(slave)
        try:
            self.wait_for(lambda: waiting(process.stderr.fileno()) > 50)  # the prompt stands there
            time.sleep(0.2)
            process.send_signal(signal.SIGINT)
            process.communicate(timeout=60)
        finally:
            process.kill()
            process.wait()
            os.close(master)
        self.assertEqual(process.returncode, 130)

    def wait_for(self, condition):
        until = time.monotonic() + 60
        while not condition():
            self.assertLess(time.monotonic(), until)
            time.sleep(0.01)

    # --- interruptions -----------------------------------------------------------------------

    def test_interrupted(self):
        path = self.folder / "p.txt"
        path.write_text("Once upon a time\n" * 2000, encoding="utf-8")
        process = subprocess.Popen([TOOL, "generate", "--model", STORIES, "--ignore-eos", path],
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.assertTrue(process.stdout.read(5))
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=60)
        self.assertEqual(process.returncode, 130)
        self.assertTrue(out.endswith(b"\n"))

    def test_closed_output(self):
        process = subprocess.Popen([TOOL, "generate", "--model", STORIES, "--prompt", "x", "--ignore-eos",
                                    "--max-tokens", "300"], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        process.stdout.close()
        _, errors = process.communicate(timeout=60)
        self.assertEqual(process.returncode, 5, errors)
        self.assertIn(b"standard output: cannot write", errors)

    # --- what is refused ---------------------------------------------------------------------

    def check(self, arguments, status, *words, **keywords):
        keywords.setdefault("input", "")
        done = run("generate", *arguments, **keywords)
        self.assertEqual(done.returncode, status, (arguments, done.stderr))
        self.assertEqual(done.stdout, "")
        for word in words:
            self.assertIn(str(word), done.stderr)

    def write(self, name, data):
        path = self.folder / name
        path.write_bytes(data)
        return path

    def test_refused_options(self):
        model = ["--model", STORIES]
        hello = [*model, "--prompt", "Hello"]
        for arguments, words in (
                (["--prompt", "x"], ["--model DIR or --run RUN is missing"]),
                ([*model, "--run", "x", "--prompt", "x"], ["--run brings its own"]),
                ([*hello, "file"], ["either by --prompt or in a file"]),
                ([*hello, "--chat"], ["--chat reads standard input"]),
                ([*hello, "--template", "llama4"], ["--template: expected one of auto, raw, llama3"]),
                ([*hello, "--max-tokens", "0"], ["--max-tokens: expected a whole number from 1"]),
                ([*hello, "--temperature", "-1"], ["--temperature: expected a number from 0 to 100"]),
                ([*hello, "--temperature", "nan"], ["--temperature"]),
                ([*hello, "--temperature", "1", "--top-p", "1.5"], ["--top-p: expected a number from 0 to 1"]),
                ([*hello, "--top-p", "0.5"], ["give --temperature above 0"]),
                ([*hello, "--top-k", "5"], ["give --temperature above 0"]),
                ([*hello, "--min-p", "0.1"], ["give --temperature above 0"]),
                ([*hello, "--seed", "x"], ["--seed"]),
                ([*hello, "--stop", ""], ["--stop"]),
                ([*hello, "--maxtokens", "5"], ["did you mean --max-tokens?"]),
                ([*hello, "a", "b"], ["unexpected argument"]),
                ([*hello, "--system", "Be short."], ["system: the template is raw"]),
                ([*model, "--prompt", "Once " * 600], ["prompt 1: ", "expected at most the model's 512"])):
            with self.subTest(arguments=arguments[2:]):
                self.check(arguments, 2, *words)

    def test_refused_bytes(self):
        for flags in (["--prompt", b"\xff"], ["--prompt", "x", "--stop", b"a\xc3"],
                      ["--prompt", "x", "--template", "zephyr", "--system", b"\x80"]):
            done = subprocess.run([TOOL, "generate", "--model", STORIES, *flags], capture_output=True,
                                  timeout=60, check=False)
            self.assertEqual(done.returncode, 2, done.stderr)
            self.assertIn(b"UTF-8", done.stderr)

    def test_refused_files(self):
        for name, data, status, words in (
                ("empty", b"", 3, ["empty: expected a prompt a line, found none"]),
                ("blank", b"\n \r\n", 3, ["found none"]),
                ("latin1", b"good\ncaf\xe9\n", 3, ["latin1:2: ", "UTF-8"]),
                ("zero", b"a\0b\n", 3, ["zero:1: ", "zero byte"]),
                ("number", b'{"prompt": 1}', 3, ["number:1: ", "key prompt: expected a string, found an integer"]),
                ("keys", b'{"text": "x"}', 3, ["keys:1: ", "found none of these keys"]),
                ("broken", b'{"prompt": "x"}\n{"prompt"\n', 3, ["broken:2: ", "not valid JSON"]),
                ("roles", b'{"messages": [{"role": "tool", "content": "x"}]}', 3, ["roles:1: ", "role"]),
                ("cut.gz", gzip.compress(b"Once\n" * 99)[:-9], 3, ["cut.gz"]),
                ("long", b"Once\n" + b"Once " * 600, 2, ["prompt 2: ", "at most the model's 512"])):
            with self.subTest(name=name):
                self.check(["--model", STORIES, self.write(name, data)], status, *words)
        self.check(["--model", STORIES, "/nowhere"], 5, "/nowhere")
        self.check(["--model", STORIES, self.folder], 5, self.folder)
        self.check(["--model", STORIES, "-"], 3, "standard input: expected a prompt")

    def test_refused_models(self):
        hello = ["--prompt", "Hello"]
        self.check(["--model", "/nowhere", *hello], 5, "/nowhere")
        self.check(["--run", self.folder, *hello], 2, self.folder)
        self.check(["--model", MODELS / "tiny-llama3", *hello], 5, "tiny-llama3", "tokenizer")
        self.check(["--model", STORIES, "--tokenizer", "/nowhere", *hello], 5, "/nowhere")
        self.check(["--model", STORIES, "--tokenizer", STORIES / "config.json", *hello], 3, "config.json")
        self.check(["--model", STORIES, "--adapter", MODELS / "tiny-llama3" / "lora_a", *hello], 3, "lora_a")
        self.check(["--model", STORIES, "--template", "llama3", *hello], 3, "<|start_header_id|>")

    def test_refused_template_of_the_model(self):
        model = self.folder / "model"
        shutil.copytree(STORIES, model)
        (model / "tokenizer_config.json").write_text('{"chat_template": "{{ other }}"}', encoding="utf-8")
        self.check(["--model", model, "--prompt", "Hello"], 3, "chat template", "raw, llama3, chatml, zephyr")
        self.assertTrue(succeed("generate", "--model", model, "--template", "raw", "--prompt", "Hello"))

    def test_weights_that_are_no_numbers(self):
        model = self.folder / "model"
        shutil.copytree(STORIES, model)
        path = model / "model.safetensors"
        path.chmod(0o644)
        data = bytearray(path.read_bytes())
        (length,) = struct.unpack("<Q", data[:8])
        first, end = json.loads(data[8:8 + length])["model.norm.weight"]["data_offsets"]
        data[8 + length + first:8 + length + end] = struct.pack("<f", float("nan")) * ((end - first) // 4)
        path.write_bytes(data)
        self.check(["--model", model, "--prompt", "Hello"], 4, "prompt 1: token 1 of the answer", "nan")


if __name__ == "__main__":
    unittest.main()
