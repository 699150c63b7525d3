"""lcal plot: what is drawn, read from the script for gnuplot; the images; what is refused."""
import json
import os
import pathlib
import re
import shutil
import struct
import subprocess
import sys
import tempfile
import unittest
import xml.dom.minidom

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).parent))
from lcal_tool import TOOL, run, succeed, write_jsonl  # noqa: E402

GNUPLOT = shutil.which("gnuplot")
PANEL = re.compile(r"^plot (.*?)^NaN notitle$", re.M | re.S)


def rows(count=40, lr=1e-3):
    """Metrics of a run: losses that are no straight line, a validation now and then."""
    out = []
    for i in range(1, count + 1):
        row = {"step": 10 * i, "loss": 3.0 / i + 0.25 * (i % 3), "lr": lr * i / count, "grad_norm": 1.5}
        if i % 10 == 0:
            row["val_loss"] = 3.1 / i
        out.append(row)
    return out


def blocks(script):
    """{name: rows of numbers} of the script's data."""
    found = re.findall(r"^(\$\w+) << EOD\n(.*?)^EOD$", script, re.M | re.S)
    return {name: [[float(x) for x in line.split()] for line in text.splitlines()] for name, text in found}


def panels(script):
    """What each panel plots: the text of its plot command."""
    return PANEL.findall(script)


def average(values, keep):
    """The average of all values so far, each counted less by `keep` for every one after it."""
    return [sum(v * keep ** (n - i) for i, v in enumerate(values[:n + 1]))
            / sum(keep ** (n - i) for i in range(n + 1)) for n in range(len(values))]


class Plot(unittest.TestCase):
    def setUp(self):
        holder = tempfile.TemporaryDirectory()
        self.addCleanup(holder.cleanup)
        self.folder = pathlib.Path(holder.name)

    def make_run(self, name, metrics):
        (self.folder / name).mkdir()
        write_jsonl(self.folder / name / "metrics.jsonl", metrics)
        return self.folder / name

    def script(self, *arguments):
        out = self.folder / "script.gp"
        self.assertEqual(succeed("plot", *arguments, "--out", out), f"{out}\n")
        return out.read_text(encoding="utf-8")

    def refuse(self, status, arguments, *fragments, **keywords):
        before = sorted(self.folder.rglob("*"))
        done = run("plot", *arguments, **keywords)
        self.assertEqual(done.returncode, status, done.stderr)
        for fragment in fragments:
            self.assertIn(fragment, done.stderr)
        self.assertEqual(done.stdout, "")
        self.assertEqual(sorted(self.folder.rglob("*")), before)


class Drawn(Plot):
    def test_run(self):
        metrics = rows()
        script = self.script(self.make_run("a", metrics))
        data = blocks(script)
        self.assertEqual(set(data), {"$p0c0", "$p0c1", "$p1c0"})
        smooth = average([row["loss"] for row in metrics], 0.9)
        for got, row, wanted in zip(data["$p0c0"], metrics, smooth, strict=True):
            self.assertEqual(got[0], row["step"])
            self.assertAlmostEqual(got[1], row["loss"], places=7)
            self.assertAlmostEqual(got[2], wanted, places=7)
        self.assertEqual([r[0] for r in data["$p0c1"]], [100, 200, 300, 400])
        self.assertEqual(len(data["$p1c0"][0]), 2)  # a learning rate is not smoothed
        first, second = panels(script)
        self.assertIn("title 'loss, smoothed (0.9)'", first)
        self.assertIn("$p0c1 using 1:2 with points", first)
        self.assertIn("$p1c0 using 1:2 with lines", second)
        self.assertIn("set title 'a'", script)
        self.assertIn("set xrange [10:400]", script)

    def test_smoothing(self):
        metrics = rows()
        folder = self.make_run("a", metrics)
        data = blocks(self.script(folder, "--smooth", "0.5", "--keys", "loss,lr"))
        for key, name in (("loss", "$p0c0"), ("lr", "$p1c0")):  # asked for: everything
            for got, wanted in zip(data[name], average([row[key] for row in metrics], 0.5)):
                self.assertAlmostEqual(got[2], wanted, places=7)
        data = blocks(self.script(folder, "--smooth", "0"))
        self.assertEqual(len(data["$p0c0"][0]), 2)

    def test_continued_run(self):
        metrics = rows(4) + [{"step": 30, "loss": 7.5}, {"step": 50, "loss": 6.5}]
        data = blocks(self.script(self.make_run("a", metrics), "--keys", "loss", "--smooth", "0"))
        self.assertEqual([r[0] for r in data["$p0c0"]], [10, 20, 30, 40, 50])
        self.assertEqual([r[1] for r in data["$p0c0"]][2], 7.5)

    def test_several_runs(self):
        folders = [self.make_run(name, rows(lr=lr)) for name, lr in (("a", 1e-3), ("b", 2e-3))]
        script = self.script(*folders)
        first, second = panels(script)
        for name, colour in (("a", "0072B2"), ("b", "D55E00")):
            self.assertRegex(first, rf"linecolor rgb '#{colour}' title '{name}, smoothed")
            self.assertRegex(second, rf"linecolor rgb '#{colour}' notitle")
        self.assertIn("points: val_loss", script)
        self.assertNotIn("set title 'a'", script)

    def test_csv(self):
        table = self.folder / "t.csv"
        table.write_text("size,lcal,kind,torch\n1,2,x,4\n2,3,y,nan\n4,6,z,\n", encoding="utf-8")
        data = blocks(self.script(table))
        self.assertEqual(data, {"$p0c0": [[1, 2], [2, 3], [4, 6]], "$p1c0": [[1, 4]]})
        script = self.script(table, "--x", "torch", "--keys", "lcal+size", "--title", "t")
        self.assertEqual(blocks(script), {"$p0c0": [[4, 2]], "$p0c1": [[4, 1]]})
        self.assertIn("set xlabel 'torch'", script)

    def test_log_axes(self):
        table = self.folder / "t.csv"
        table.write_text("x,y\n0,1\n1,0\n10,5\n100,0.5\n", encoding="utf-8")
        script = self.script(table, "--log", "x,y")
        self.assertEqual(blocks(script)["$p0c0"], [[10, 5], [100, 0.5]])
        self.assertIn("set logscale x", script)
        self.assertRegex(script, r"set ytics \('0.5' 0.5, .*'5' 5\)")

    def test_many_rows_keep_their_peaks(self):
        table = self.folder / "t.csv"
        lines = [f"{i},{1 if i == 54321 else i % 7 / 100}" for i in range(100000)]
        table.write_text("x,y\n" + "\n".join(lines), encoding="utf-8")
        data = blocks(self.script(table, "--width", "500"))["$p0c0"]
        self.assertLessEqual(len(data), 4 * 500)
        self.assertIn([54321, 1], data)
        self.assertEqual([r[0] for r in data], sorted(r[0] for r in data))

    def test_text_is_only_text(self):
        nasty = "it's `touch broken` \"x\" \\n\n@y {z}_2 $(id)\\"
        folder = self.make_run("a'b", rows())
        script = self.script(folder, "--title", nasty)
        self.assertIn("set title 'it''s `touch broken` \"x\" \\n @y {z}_2 $(id)\\' offset", script)
        self.assertNotIn("\xef\xbf\xbd", script)
        broken = self.script(folder, "--title", os.fsdecode(b"a\xffb"))
        self.assertIn("set title 'a\N{REPLACEMENT CHARACTER}b'", broken)
        if GNUPLOT:
            out = self.folder / "n.svg"
            succeed("plot", folder, "--title", nasty, "--out", out, cwd=self.folder)
            text = out.read_text(encoding="utf-8")
            self.assertIn('it\'s `touch broken` "x" \\n @y {z}_2 $(id)\\</text>', text)
            self.assertFalse((self.folder / "broken").exists())


@unittest.skipUnless(GNUPLOT, "gnuplot is not installed")
class Images(Plot):
    def test_run_directory(self):
        folder = self.make_run("a", rows())
        files = [folder / "loss.svg", folder / "loss.png"]
        self.assertEqual(succeed("plot", folder), "".join(f"{file}\n" for file in files))
        self.check_svg(files[0], 960, 640)
        self.check_png(files[1], 960, 640)
        self.assertEqual(sorted(file.name for file in folder.iterdir()),
                         ["loss.png", "loss.svg", "metrics.jsonl"])
        again = files[0].read_bytes()
        succeed("plot", folder)
        self.assertEqual(files[0].read_bytes(), again)

    def check_svg(self, path, width, height):
        root = xml.dom.minidom.parse(str(path)).documentElement
        self.assertEqual((root.tagName, root.getAttribute("viewBox")), ("svg", f"0 0 {width} {height}"))
        self.assertGreater(len(root.getElementsByTagName("path")), 10)

    def check_png(self, path, width, height):
        data = path.read_bytes()
        self.assertEqual(data[:8], b"\x89PNG\r\n\x1a\n")
        self.assertEqual(struct.unpack(">II", data[16:24]), (width, height))
        self.assertGreater(len(data), 5000)

    def test_beside_a_file(self):
        table = self.folder / "t.csv"
        table.write_text("x,y\n1,2\n", encoding="utf-8")  # a single point is drawn too
        answer = json.loads(succeed("plot", table, "--json", "--width", "400", "--height", "300"))
        self.assertEqual(answer["files"], [str(self.folder / "t.svg"), str(self.folder / "t.png")])
        self.assertEqual(answer["sources"], [{"path": str(table), "rows": 1}])
        self.check_png(self.folder / "t.png", 400, 300)


class Refused(Plot):
    def test_usage(self):
        folder = self.make_run("a", rows())
        self.refuse(2, [], "RUN or FILE is missing")
        self.refuse(2, [folder, folder], "--out FILE is missing")
        self.refuse(2, [folder, "--out", "x.jpg"], '.svg, .png or .gp, found "x.jpg"')
        self.refuse(2, [folder, "--smooth", "1"], "--smooth: expected a number from 0 to 0.9999")
        self.refuse(2, [folder, "--smooth", "nan"], 'found "nan"')
        self.refuse(2, [folder, "--keys", "los"], 'no column "los"; did you mean loss?', "val_loss")
        self.refuse(2, [folder, "--keys", "loss,,lr"], "--keys: expected names of columns")
        self.refuse(2, [folder, "--x", "time"], '--x: no column "time"')
        self.refuse(2, [folder, "--log", "grad_nrm"], "--log", "did you mean grad_norm?")

    def test_files(self):
        folder = self.make_run("a", rows(3))
        with open(folder / "metrics.jsonl", "a", encoding="utf-8") as file:
            file.write('{"step": 4\n{"step": 5}\n')
        self.refuse(3, [folder], "metrics.jsonl:4: line 1 column")
        table = self.folder / "t.csv"
        table.write_text("x,y\n1,2\n2,two\n", encoding="utf-8")
        self.refuse(3, [table, "--keys", "y"], ':3: column y: expected a number, found "two"')
        table.write_text("x,y\n1,\n", encoding="utf-8")
        self.refuse(3, [table, "--keys", "y"], "column y: expected a number, found none")
        self.refuse(3, [table], "nothing to draw")
        self.refuse(5, [self.folder / "none"], "No such file")
        (self.folder / "empty").mkdir()
        self.refuse(5, [self.folder / "empty"], "expected metrics.jsonl in this directory")

    def pretend(self, text):
        """A program gnuplot that does something else, first in PATH."""
        place = self.folder / "bin"
        place.mkdir(exist_ok=True)
        (place / "gnuplot").write_text(f"#!/bin/sh\n{text}\n", encoding="utf-8")
        (place / "gnuplot").chmod(0o755)
        return {**os.environ, "PATH": f"{place}:{os.environ['PATH']}"}

    def test_gnuplot(self):
        folder = self.make_run("a", rows())
        (folder / "loss.svg").write_text("old", encoding="utf-8")
        nothing = {**os.environ, "PATH": str(self.folder)}
        self.refuse(5, [folder], "gnuplot: not found", "gnuplot-nox", ".gp", env=nothing)
        for text, message in (("echo 'line 3: no such thing' >&2; exit 1", "exit status 1: line 3"),
                              ("kill -9 $$", "signal 9"),
                              ("exit 0", "expected a whole SVG image, found 0 bytes"),
                              ("echo '<?xml version=\"1.0\"?><svg><g>'", "expected a whole SVG image"),
                              ("exit 127", "not found")):
            environment = self.pretend(text)
            self.refuse(5, [folder], message, env=environment)
        self.assertEqual((folder / "loss.svg").read_text(encoding="utf-8"), "old")

    def test_unwritable(self):
        folder = self.make_run("a", rows())
        self.refuse(5, [folder, "--out", self.folder / "none" / "a.gp"], "a.gp")

    def test_full_disk(self):
        if not os.path.exists("/dev/full"):
            self.skipTest("no /dev/full here")
        folder = self.make_run("a", rows())
        with open("/dev/full", "w", encoding="utf-8") as full:
            done = subprocess.run([TOOL, "plot", str(folder), "--out", str(self.folder / "a.gp")],
                                  stdout=full, stderr=subprocess.PIPE, check=False, timeout=60)
        self.assertEqual(done.returncode, 5)


if __name__ == "__main__":
    unittest.main()
