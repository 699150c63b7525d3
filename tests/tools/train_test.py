"""`lcal train` from outside: what a run leaves, and that no interruption changes a byte of it."""
import json
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import time
import unittest

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).parent))
from lcal_tool import MODELS, TOOL, config, contents, examples, run, succeed, write_jsonl  # noqa: E402

RESULTS = ("checkpoint.h5", "calibration.h5", "calibration.safetensors")


class Train(unittest.TestCase):
    def setUp(self):
        holder = tempfile.TemporaryDirectory()
        self.addCleanup(holder.cleanup)
        self.folder = pathlib.Path(holder.name)
        self.data = write_jsonl(self.folder / "train.jsonl", examples(40))
        self.valid = write_jsonl(self.folder / "valid.jsonl", examples(4, 20))

    def config(self, name, **keys):
        """A run of its own in folder/NAME."""
        return config(self.folder / f"{name}.yaml", self.folder / name, self.data, **keys)

    def results(self, name):
        return {file: (self.folder / name / file).read_bytes() for file in RESULTS}

    def start(self, *arguments):
        return subprocess.Popen([TOOL, "train", *map(str, arguments)], stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE, text=True)

    def wait_for_step(self, process, step):
        """Reads progress until that step was taken."""
        for line in process.stderr:
            if line.startswith(f"step {step}/"):
                return
        self.fail("the run ended early")

    def test_run_directory(self):
        settings = self.config("run", data__valid=self.data, train__eval_every=3)
        text = succeed("train", settings)
        run_files = contents(self.folder / "run")
        self.assertEqual(sorted(run_files), sorted([*RESULTS, "config.resolved.yaml",
                                                    "metrics.jsonl", "log.txt"]))
        for name in run_files:
            self.assertIn(name, text)
        rows = [json.loads(line) for line in run_files["metrics.jsonl"].splitlines()]
        self.assertEqual([row["step"] for row in rows], [1, 2, 3, 4, 5, 6])
        for row in rows:
            for key in ("loss", "lr", "grad_norm", "tokens", "tokens_per_s", "peak_rss"):
                self.assertIn(key, row)
            self.assertEqual("val_loss" in row, row["step"] in (3, 6))
        self.assertLess(rows[5]["val_loss"], rows[2]["val_loss"])
        again = self.folder / "run" / "config.resolved.yaml"
        succeed("train", again, f"out={self.folder / 'copy'}")
        self.assertEqual(self.results("run"), self.results("copy"))

    def test_existing_run_is_kept(self):
        settings = self.config("run")
        succeed("train", settings)
        before = contents(self.folder / "run")
        refused = run("train", settings)
        self.assertEqual(refused.returncode, 2)
        for word in ("--resume", "--overwrite"):
            self.assertIn(word, refused.stderr)
        self.assertEqual(contents(self.folder / "run"), before)
        finished = json.loads(succeed("train", "--resume", self.folder / "run", "--json"))
        self.assertTrue(finished["already_finished"])
        for key in ("train.lr=0.5", "method=lc", "calibration.rank=2", "train.seed=9"):
            changed = run("train", "--resume", self.folder / "run", key)
            self.assertEqual(changed.returncode, 2, key)
            self.assertIn(key.split("=")[0], changed.stderr)
        self.assertEqual({**contents(self.folder / "run"), "log.txt": b""},
                         {**before, "log.txt": b""})
        succeed("train", settings, "--overwrite")
        self.assertEqual(self.results("run"), {name: before[name] for name in RESULTS})

    def test_threads_change_nothing(self):
        for threads in (1, 2, 4):
            succeed("train", self.config(f"run{threads}", train__threads=threads,
                                         data__valid=self.valid, train__eval_every=2))
            self.assertEqual(self.results("run1"), self.results(f"run{threads}"), threads)

    def interrupt(self, how):
        steps = {"train__steps": 60, "train__save_every": 7}
        succeed("train", self.config("whole", **steps))
        for step in (3, 20):
            name = f"cut{how}{step}"
            with self.start(self.config(name, **steps)) as process:
                self.wait_for_step(process, step)
                process.send_signal(how)
                output, _ = process.communicate(timeout=60)
            if how == signal.SIGKILL:
                self.assertEqual(process.returncode, -how)
            else:
                self.assertEqual(process.returncode, 130)
                self.assertIn("interrupted after step", output)
                self.assertIn("--resume", output)
                self.assertTrue((self.folder / name / "checkpoint.h5").exists())
            resumed = json.loads(succeed("train", "--resume", self.folder / name, "--json"))
            self.assertEqual((resumed["step"], resumed["already_finished"]), (60, False))
            self.assertEqual(self.results("whole"), self.results(name))
            rows = (self.folder / name / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
            self.assertEqual([json.loads(row)["step"] for row in rows], list(range(1, 61)))

    def test_interrupt(self):
        self.interrupt(signal.SIGINT)

    def test_terminate(self):
        self.interrupt(signal.SIGTERM)

    def test_kill(self):
        self.interrupt(signal.SIGKILL)

    def test_second_interrupt_exits_at_once(self):
        # Only a step that takes long leaves the time for a second signal before the first is seen.
        rows = write_jsonl(self.folder / "long.jsonl", examples(60, 400))
        settings = config(self.folder / "c.yaml", self.folder / "run", rows, data__max_length=512,
                          train__batch_size=60, train__steps=50)
        with self.start(settings) as process:
            self.wait_for_step(process, 1)
            process.send_signal(signal.SIGINT)
            started = time.monotonic()
            while process.poll() is None and time.monotonic() - started < 60:
                time.sleep(0.01)
                process.send_signal(signal.SIGINT)
            process.communicate(timeout=60)
        self.assertEqual(process.returncode, 130)

    def test_unwritable_run_directory(self):
        blocker = self.folder / "file"
        blocker.write_text("", encoding="utf-8")
        done = run("train", self.config("run"), f"out={blocker / 'run'}")
        self.assertIn(done.returncode, (2, 5), done.stderr)
        self.assertIn(str(blocker), done.stderr)
        if os.geteuid() != 0:
            closed = self.folder / "closed"
            closed.mkdir(mode=0o500)
            done = run("train", self.config("run"), f"out={closed / 'run'}")
            self.assertEqual(done.returncode, 5, done.stderr)
            self.assertIn("Permission denied", done.stderr)
        if os.path.isdir("/proc/self"):  # nobody can make a directory there
            done = run("train", self.config("run"), "out=/proc/lcal-run")
            self.assertEqual(done.returncode, 5, done.stderr)
            self.assertIn("/proc/lcal-run", done.stderr)

    def test_full_disk(self):
        """A limit on the size of files fails the checkpoint as a full disk would."""
        settings = self.config("run")
        limited = subprocess.run(["sh", "-c", 'ulimit -f 8; trap "" XFSZ; exec "$@"', "sh", TOOL,
                                  "train", str(settings)], capture_output=True, text=True,
                                 check=False, timeout=60)
        self.assertEqual(limited.returncode, 5, limited.stderr)
        self.assertIn("checkpoint.h5", limited.stderr)
        left = list(contents(self.folder / "run"))
        self.assertFalse([name for name in left if ".tmp." in name], left)
        self.assertNotIn("checkpoint.h5", left)
        succeed("train", "--resume", self.folder / "run")
        succeed("train", self.config("whole"))
        self.assertEqual(self.results("whole"), self.results("run"))

    def test_result_is_used_by_score(self):
        adapters = [{"path": str(MODELS / "tiny-llama3" / name), "weight": weight}
                    for name, weight in (("lora_a", 1.0), ("lora_b", 0.5))]
        for method in ("lc", "lcpp"):
            name = f"run-{method}"
            result = json.loads(succeed("train", self.config(
                name, method=method, adapters=adapters, train__steps=20, train__schedule="constant",
                data__valid=self.data, train__eval_every=20, calibration__dtype="f32"), "--json"))
            named = ["--model", MODELS / "tiny-llama3", "--adapter", adapters[0]["path"],
                     "--adapter", adapters[1]["path"] + ":0.5"]
            losses = {}
            for file in ("calibration.h5", "calibration.safetensors"):
                done = run("score", *named, "--calibration", self.folder / name / file, self.data)
                self.assertEqual(done.returncode, 0, done.stderr)
                losses[file] = done.stdout
                nll = [x for line in done.stdout.splitlines() for x in json.loads(line)["nll"]]
                self.assertAlmostEqual(sum(nll) / len(nll), result["best_valid_loss"], places=4)
            self.assertEqual(losses["calibration.h5"], losses["calibration.safetensors"])
            self.assertEqual(succeed("score", "--run", self.folder / name, self.data),
                             losses["calibration.h5"])
            other = run("score", *named[:-1], adapters[1]["path"], "--calibration",
                        self.folder / name / "calibration.h5", self.data)
            self.assertEqual(other.returncode, 2)
            self.assertIn("expected weight 0.5", other.stderr)


if __name__ == "__main__":
    unittest.main()
