"""The command line itself: help from the tables, near misses, JSON, lost output."""
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import unittest

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).parent))
from lcal_tool import MODELS, TESTS, TOOL, config, examples, run, succeed  # noqa: E402
from lcal_tool import write_jsonl  # noqa: E402

SOURCES = TESTS.parent / "tools"
COMMANDS = re.findall(r"^    X\((\w+)\)", (SOURCES / "commands.h").read_text(encoding="utf-8"), re.M)


class Help(unittest.TestCase):
    def test_every_command_and_option(self):
        overview, count = succeed("help"), 0
        for name in COMMANDS:
            self.assertRegex(overview, rf"(?m)^  {name} ")
            text = succeed("help", name)
            self.assertEqual(text, succeed(name, "--help"))
            self.assertEqual(text, succeed(name, "-h"))
            self.assertTrue(text.startswith(f"Usage: lcal {name} [options]"))
            source = (SOURCES / f"cmd_{name}.c").read_text(encoding="utf-8")
            options = re.findall(r'\{"([a-z-]+)",\s*CLI_', source)
            for option in [*options, "help"]:
                self.assertRegex(text, rf"(?m)^  --{option}\b", f"{name} --{option}")
            count += len(options)
        self.assertGreater(count, 40)
        self.assertEqual(overview, succeed("--help"))
        self.assertEqual(overview, succeed("-h"))

    def test_every_configuration_key(self):
        keys = re.findall(r'^[A-Z0-9]+\("([a-z0-9_.]+)"',
                          (TESTS.parent / "src/config/options.inc").read_text(encoding="utf-8"), re.M)
        self.assertGreater(len(keys), 40)
        for text in (succeed("help", "train"), succeed("help", "config")):
            for key in keys:
                self.assertRegex(text, rf"(?m)^  {re.escape(key)} \(", key)
        self.assertIn("train.lr (number; default 3.0e-3; ", text)

    def test_lines_fit_a_terminal(self):
        for name in COMMANDS:
            for line in succeed("help", name).splitlines():
                self.assertLessEqual(len(line), 100, line)


class Usage(unittest.TestCase):
    def check(self, arguments, status, *fragments):
        done = run(*arguments)
        self.assertEqual(done.returncode, status, f"{arguments}: {done.stderr}")
        for fragment in fragments:
            self.assertIn(fragment, done.stderr)
        self.assertEqual(done.stdout, "")

    def test_near_misses(self):
        self.check(["trian"], 2, 'unknown command "trian"', "lcal train")
        self.check(["help", "scroe"], 2, "score")
        self.check(["train", "x.yaml", "--overwrit"], 2, "--overwrit", "did you mean --overwrite?",
                   "lcal help train")
        self.check(["score", "--modle=x", "y"], 2, "did you mean --model?")
        self.check(["version", "-json"], 2, "did you mean --json?")

    def test_all_mistakes_at_once(self):
        self.check(["bench", "--shape", "huge", "--threads", "-1", "--stepz", "3", "--batch"], 2,
                   "mini, small", 'found "-1"', "did you mean --steps?", "--batch: expected B")

    def test_option_forms(self):
        for arguments in (["bench", "--shape=mini", "--shape", "small"], ["bench", "--json=yes"],
                          ["bench", "--threads="], ["bench", "--threads", "99999999999999999999"]):
            self.check(arguments, 2)
        self.check(["inspect", "--", "--json"], 5, "--json: cannot open")
        self.check(["bench", "--shape=mini", "--loss", "last0"], 2, "all or lastN")
        self.check(["bench", "--shape=mini", "--loss", "last65"], 2, "65")

    def test_nothing(self):
        self.check([], 2, "a command is missing")
        self.check(["train"], 2, "CONFIG is missing")
        self.check(["inspect"], 2, "FILE or DIR is missing")
        self.check(["bench", "x"], 2, 'unexpected argument "x"', "--shape NAME is missing")
        self.check(["score", "a"], 2, "--model DIR or --run RUN is missing", "lcal help score")


class Output(unittest.TestCase):
    def setUp(self):
        holder = tempfile.TemporaryDirectory()
        self.addCleanup(holder.cleanup)
        self.folder = pathlib.Path(holder.name)

    def test_json(self):
        train = write_jsonl(self.folder / "d.jsonl", examples())
        settings = config(self.folder / "c.yaml", self.folder / "run", train)
        version = json.loads(succeed("version", "--json"))
        self.assertRegex(version["version"], r"^\d+\.\d+\.\d+$")
        plan = json.loads(succeed("train", settings, "--dry-run", "--json"))
        parts = ("mapped_bytes", "weight_bytes", "state_bytes", "workspace_bytes", "data_bytes",
                 "other_bytes")
        self.assertEqual(plan["peak_bytes"], sum(plan[part] for part in parts))
        self.assertEqual(plan["train_examples"], 12)
        self.assertFalse((self.folder / "run").exists())
        result = json.loads(succeed("train", settings, "--json"))
        self.assertEqual((result["step"], result["interrupted"]), (6, False))
        self.assertIn("calibration.h5", result["files"])
        for path in (self.folder / "run", MODELS / "tiny-llama3", train):
            json.loads(succeed("inspect", path, "--json"))
        bench = json.loads(succeed("bench", "--shape", "mini", "--batch", "1", "--length", "8",
                                   "--steps", "1", "--json"))
        for key in ("tokens_per_s", "step_s", "gflops", "peak_rss"):
            self.assertGreater(bench[key], 0)
        last = succeed("bench", "--shape=mini", "--batch=1", "--length=8", "--steps=1",
                       "--method=lcpp", "--loss=last4", "--recompute=4").splitlines()[-1]
        self.assertEqual(json.loads(last)["loss_last"], 4)

    def test_full_disk(self):
        if not os.path.exists("/dev/full"):
            self.skipTest("no /dev/full here")
        rows = write_jsonl(self.folder / "d.jsonl", examples(400))
        for arguments in (["help"], ["inspect", MODELS / "tiny-llama3"],
                          ["score", "--model", MODELS / "tiny-llama3", rows]):
            with open("/dev/full", "w", encoding="utf-8") as full:
                done = subprocess.run([TOOL, *map(str, arguments)], stdout=full,
                                      stderr=subprocess.PIPE, text=True, check=False, timeout=60)
            self.assertEqual(done.returncode, 5, arguments)
            self.assertIn("standard output: cannot write", done.stderr)

    def test_closed_pipe(self):
        rows = write_jsonl(self.folder / "d.jsonl", examples(400))
        reader, writer = os.pipe()
        os.close(reader)
        with os.fdopen(writer, "w", encoding="utf-8") as closed:
            done = subprocess.run([TOOL, "score", "--model", str(MODELS / "tiny-llama3"), str(rows)],
                                  stdout=closed, stderr=subprocess.PIPE, text=True, check=False,
                                  timeout=60)
        self.assertEqual(done.returncode, 5)
        self.assertIn("Broken pipe", done.stderr)

    def test_no_colour_or_rewriting_off_a_terminal(self):
        train = write_jsonl(self.folder / "d.jsonl", examples())
        settings = config(self.folder / "c.yaml", self.folder / "run", train)
        done = run("train", settings, env={**os.environ, "TERM": "xterm-256color"})
        self.assertEqual(done.returncode, 0)
        self.assertNotRegex(done.stderr, "[\r\033]")
        self.assertRegex(done.stderr, r"(?m)^step 1/6  loss \d+\.\d+  lr .* tokens/s  ETA .* MiB")
        quiet = run("train", settings, "--overwrite", "--quiet")
        self.assertEqual((quiet.returncode, quiet.stderr), (0, ""))


class Terminal(unittest.TestCase):
    def watch(self, **environment):
        """Standard error of a short training on a pseudo terminal."""
        with tempfile.TemporaryDirectory() as folder:
            folder = pathlib.Path(folder)
            train = write_jsonl(folder / "d.jsonl", examples())
            settings = config(folder / "c.yaml", folder / "run", train)
            leader, follower = os.openpty()
            clean = {key: value for key, value in os.environ.items() if key != "NO_COLOR"}
            with subprocess.Popen([TOOL, "train", str(settings)], stdout=subprocess.DEVNULL,
                                  stderr=follower, env={**clean, **environment}) as process:
                os.close(follower)
                text = b""
                while True:
                    try:
                        piece = os.read(leader, 65536)
                    except OSError:  # the other end is closed
                        break
                    if not piece:
                        break
                    text += piece
                self.assertEqual(process.wait(60), 0)
            os.close(leader)
            return text

    def test_help_stands_out(self):
        for environment, bold in (({"TERM": "xterm"}, True), ({"TERM": "dumb"}, False),
                                  ({"TERM": "xterm", "NO_COLOR": "1"}, False),
                                  ({"TERM": "xterm", "NO_COLOR": ""}, True)):
            leader, follower = os.openpty()
            clean = {key: value for key, value in os.environ.items() if key != "NO_COLOR"}
            subprocess.run([TOOL, "help"], stdout=follower, check=True, timeout=60,
                           env={**clean, **environment})
            os.close(follower)
            text = os.read(leader, 65536)
            os.close(leader)
            self.assertEqual(b"\033[1mCommands:\033[0m" in text, bold, environment)
            self.assertEqual(b"\033" in text, bold)
        self.assertNotIn("\033", succeed("help", env={**os.environ, "TERM": "xterm"}))

    def test_one_line_is_rewritten(self):
        text = self.watch(TERM="xterm")
        self.assertIn(b"\rstep 6/6", text)
        self.assertIn(b"\033[K", text)

    def test_dumb_terminal(self):
        text = self.watch(TERM="dumb").replace(b"\r\n", b"\n")
        self.assertNotIn(b"\r", text)
        self.assertNotIn(b"\033", text)


if __name__ == "__main__":
    unittest.main()
