"""Completion in bash, without a terminal: COMP_WORDS in, COMPREPLY out; and what help is made of."""
import json
import pathlib
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import unittest

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).parent))
from lcal_tool import run, succeed  # noqa: E402

BASH = shutil.which("bash")
BREAKS = " \t\n\"'><=;|&(:"  # bash's own COMP_WORDBREAKS


@unittest.skipUnless(BASH, "bash is not installed")
class Completion(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        holder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(holder.cleanup)
        cls.folder = pathlib.Path(holder.name)
        (cls.folder / "lcal.bash").write_text(succeed("completion", "bash"), encoding="utf-8")
        (cls.folder / "here").mkdir()
        (cls.folder / "here" / "runs").mkdir()
        (cls.folder / "here" / "my file.yaml").touch()
        cls.tables = json.loads(succeed("help", "--json"))

    def complete_all(self, lines, breaks=BREAKS):
        """What is offered at the end of each line, which is broken into words as bash does."""
        script = ["source ./lcal.bash; cd here", f"COMP_WORDBREAKS={shlex.quote(breaks)}",
                  'offer() { COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _lcal; '
                  'printf "%s\\n" "${COMPREPLY[@]}" --end--; }']
        for line in lines:
            words = []
            for part in line.split(" "):
                words += [w for w in (re.split("(=)", part) if "=" in breaks else [part]) if w] or [""]
            script.append("offer " + " ".join(map(shlex.quote, words)))
        done = subprocess.run([BASH, "--norc", "-c", "\n".join(script)], cwd=self.folder,
                              capture_output=True, text=True, check=True, timeout=60)
        self.assertEqual(done.stderr, "")
        return [[word for word in part.split("\n") if word]
                for part in done.stdout.split("--end--\n")[:-1]]

    def complete(self, line, breaks=BREAKS):
        return self.complete_all([line], breaks)[0]

    def test_commands(self):
        names = [command["name"] for command in self.tables["commands"]]
        self.assertEqual(self.complete("lcal "), [*names, "--help", "--version"])
        self.assertEqual(self.complete("lcal tra"), ["train"])

    def test_every_option(self):
        commands = self.tables["commands"]
        offered = self.complete_all([f"lcal {command['name']} --" for command in commands])
        for command, words in zip(commands, offered, strict=True):
            wanted = [f"--{option['name']}" for option in command["options"]] + ["--help"]
            self.assertEqual(words, wanted)

    def test_choices(self):
        choices = [(f"lcal {command['name']} --{option['name']}", option["choices"])
                   for command in self.tables["commands"] for option in command["options"]
                   if option["type"] == "choice"]
        self.assertGreater(len(choices), 5)
        for after in " =":
            offered = self.complete_all([start + after for start, _ in choices])
            self.assertEqual(offered, [words for _, words in choices])
        self.assertEqual(self.complete("lcal bench --shape 1"), ["135m", "1b", "1.5b", "1.6b"])
        self.assertEqual(self.complete("lcal bench --shape=mi", " "), ["--shape=mini"])
        self.assertEqual(self.complete("lcal bench --threads "), [])

    def test_keys(self):
        keys = self.tables["keys"]
        offered = self.complete_all([f"lcal train c.yaml {key['key']}" for key in keys])
        for key, words in zip(keys, offered, strict=True):
            self.assertIn(f"{key['key']}=", words)
        choices = [key for key in keys if key["type"] == "choice"]
        offered = self.complete_all([f"lcal train c.yaml {key['key']}=" for key in choices])
        self.assertEqual(offered, [key["range"].split(" | ") for key in choices])
        self.assertEqual(self.complete("lcal train c.yaml train.schedule=co"), ["cosine", "constant"])
        self.assertEqual(self.complete("lcal train c.yaml train.schedule=co", " "),
                         ["train.schedule=cosine", "train.schedule=constant"])
        self.assertEqual(self.complete("lcal train c.yaml data.pack="), ["true", "false"])
        self.assertEqual(self.complete("lcal train c.yaml train.lr="), [])
        self.assertEqual(self.complete("lcal train c.yaml calibration.init=def"), ["default"])
        self.assertEqual(self.complete("lcal score train.lr"), [])

    def test_files(self):
        self.assertCountEqual(self.complete("lcal train "), ["runs", "my file.yaml"])
        self.assertEqual(self.complete("lcal train my"), ["my file.yaml"])
        self.assertEqual(self.complete("lcal train --resume "), ["runs"])
        self.assertEqual(self.complete("lcal train c.yaml model="), ["runs"])
        self.assertEqual(self.complete("lcal train c.yaml data.train=my"), ["my file.yaml"])

    def test_topics(self):
        self.assertEqual(self.complete("lcal help conf"), ["config"])
        self.assertEqual(self.complete("lcal help train.w"), ["train.warmup", "train.weight_decay"])
        self.assertIn("plot", self.complete("lcal help "))
        self.assertEqual(self.complete("lcal completion "), ["bash"])

    def test_other_shells(self):
        self.assertEqual(run("completion", "tcsh").returncode, 2)


class Help(unittest.TestCase):
    def test_json(self):
        everything = json.loads(succeed("help", "--json"))
        for command in everything["commands"]:
            self.assertEqual(json.loads(succeed("help", "--json", command["name"])), command)
            text = succeed("help", command["name"])
            for option in command["options"]:
                self.assertIn(f"  --{option['name']}", text)
        self.assertEqual(json.loads(succeed("help", "config", "--json"))["keys"], everything["keys"])
        (key,) = json.loads(succeed("help", "--json", "train.lr"))["keys"]
        self.assertEqual((key["key"], key["type"], key["default"], key["required"]),
                         ("train.lr", "number", "3.0e-3", False))
        required = [key["key"] for key in everything["keys"] if key["required"]]
        self.assertEqual(required, ["model", "data.train", "out"])

    def test_keys(self):
        text = succeed("help", "train.lr")
        self.assertEqual(text, succeed("help", "lr"))
        self.assertIn("train: {lr: 3.0e-3}", text)
        self.assertIn("train.lr=3.0e-3", text)
        self.assertEqual(succeed("help", "method").count("method (choice"), 1)  # not merge.method
        self.assertIn("model: DIR", succeed("help", "model"))
        section = re.findall(r"^  (\S+) \(", succeed("help", "data."), re.M)
        self.assertGreater(len(section), 5)
        self.assertTrue(all(key.startswith("data.") for key in section))
        self.assertEqual(succeed("help", "data"), succeed("help", "data."))
        self.assertTrue(succeed("help", "train").startswith("Usage: lcal train"))

    def test_near_misses(self):
        for topic, nearest in (("trian", "train"), ("train.lrr", "train.lr"), ("confg", "config")):
            done = run("help", topic)
            self.assertEqual((done.returncode, done.stdout), (2, ""))
            self.assertIn(f'"{topic}"; did you mean {nearest}?', done.stderr)
        self.assertIn("lists the commands", run("help", "qqqqqq").stderr)

    def test_formats(self):
        for arguments in (["--json", "--man"], ["--markdown"], ["--markdown", "train"], ["--man", "lr"]):
            done = run("help", *arguments)
            self.assertEqual((done.returncode, done.stdout), (2, ""), arguments)


if __name__ == "__main__":
    unittest.main()
