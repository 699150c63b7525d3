"""What is made from the tables: docs/config.md is up to date, the manual pages are sound."""
import hashlib
import json
import pathlib
import shutil
import struct
import subprocess
import sys
import tempfile
import unittest

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).parent))
from lcal_tool import TESTS, config, examples, succeed, write_jsonl  # noqa: E402

CONFIG = TESTS.parent / "docs" / "config.md"
REFRESH = "lcal help --markdown config > docs/config.md"
GROFF = shutil.which("groff")
MANDOC = shutil.which("mandoc")


class Config(unittest.TestCase):
    def test_is_up_to_date(self):
        made = succeed("help", "--markdown", "config")
        self.assertIn(REFRESH, made)
        if CONFIG.read_text(encoding="utf-8") != made:
            self.fail(f"docs/config.md differs from the table of options; refresh it: {REFRESH}")

    def test_has_every_key_once(self):
        made = succeed("help", "--markdown", "config").splitlines()
        for key in json.loads(succeed("help", "--json", "config"))["keys"]:
            self.assertEqual(made.count(f"### {key['key']}"), 1, key["key"])


class Formats(unittest.TestCase):
    """docs/formats.md names everything that a run writes."""

    def told(self, name):
        return f"`{name}`" in self.text

    def test_run(self):
        self.text = (TESTS.parent / "docs" / "formats.md").read_text(encoding="utf-8")
        with tempfile.TemporaryDirectory() as folder:
            folder = pathlib.Path(folder)
            train = write_jsonl(folder / "d.jsonl", examples())
            settings = config(folder / "c.yaml", folder / "run", train, data__valid=train)
            succeed("train", settings)
            for path in (folder / "run").iterdir():
                self.assertTrue(self.told(path.name), path.name)
            for line in (folder / "run" / "metrics.jsonl").read_text(encoding="utf-8").splitlines():
                for key in json.loads(line):
                    self.assertTrue(self.told(key), key)
            twin = (folder / "run" / "calibration.safetensors").read_bytes()
            (length,) = struct.unpack("<Q", twin[:8])
            facts = json.loads(twin[8:8 + length])["__metadata__"]
            self.assertGreater(len(facts), 20)
            for key, value in facts.items():
                self.assertTrue(self.told(key), key)
                if key in ("lcal_format", "kind", "method", "share", "arch", "dtype"):
                    self.assertTrue(self.told(value), value)
            for name in ("calibration.h5", "checkpoint.h5"):
                sealed = (folder / "run" / name).read_bytes()
                self.assertEqual(sealed[-40:-32], b"lcalseal")
                self.assertEqual(sealed[-32:], hashlib.sha256(sealed[:-40]).digest())


class Manual(unittest.TestCase):
    def pages(self):
        tables = json.loads(succeed("help", "--json"))
        yield "lcal", succeed("help", "--man")
        yield "lcal-config", succeed("help", "--man", "config")
        for command in tables["commands"]:
            yield f"lcal-{command['name']}", succeed("help", "--man", command["name"])

    def test_sections(self):
        for name, page in self.pages():
            lines = page.splitlines()
            self.assertTrue(lines[0].startswith(f".TH {name.upper()} ".replace("-", "\\-")), lines[0])
            self.assertIn(".SH NAME", lines)
            self.assertRegex(page, rf"(?m)^{name} ".replace("-", r"\\-") + r"\\- \S")
            self.assertIn(".SH SEE ALSO", lines)
            for line in lines:  # every control line is one that is meant
                if line.startswith((".", "'")):
                    self.assertRegex(line, r"^\.(TH|SH|TP|PP|nh|ad l|br)\b")

    @unittest.skipUnless(GROFF, "groff is not installed")
    def test_groff(self):
        for name, page in self.pages():
            done = subprocess.run([GROFF, "-man", "-Tutf8", "-ww", "-P-c"], input=page.encode(),
                                  capture_output=True, check=True, timeout=30)
            self.assertEqual(done.stderr, b"", name)
            self.assertIn(name.upper().encode(), done.stdout)

    @unittest.skipUnless(GROFF, "groff is not installed")
    def test_every_option_reads_as_it_is_typed(self):
        for command in json.loads(succeed("help", "--json"))["commands"]:
            done = subprocess.run([GROFF, "-man", "-Tascii", "-P-cbou"], check=True, timeout=30,
                                  input=succeed("help", "--man", command["name"]).encode(),
                                  capture_output=True)
            for option in command["options"]:
                self.assertIn(f"--{option['name']}".encode(), done.stdout)

    @unittest.skipUnless(MANDOC, "mandoc is not installed")
    def test_mandoc(self):
        for name, page in self.pages():
            done = subprocess.run([MANDOC, "-Tlint", "-Wwarning"], input=page.encode(),
                                  capture_output=True, check=False, timeout=30)
            self.assertNotIn(b"ERROR", done.stdout, name)


if __name__ == "__main__":
    unittest.main()
