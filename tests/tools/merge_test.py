"""Rules that merge adapters, from outside: training on one, its calibration on that rule alone."""
import json
import pathlib
import sys
import tempfile
import unittest

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).parent))
from lcal_tool import MODELS, config, examples, run, succeed, write_jsonl  # noqa: E402

MODEL = MODELS / "tiny-llama3"
ADAPTERS = [{"path": str(MODEL / "lora_a")}, {"path": str(MODEL / "lora_b"), "weight": 0.5}]
RULE = "dare-ties:density=0.5,seed=3"
COMPOSED = ("--model", MODEL, "--adapter", MODEL / "lora_a", "--adapter", f"{MODEL / 'lora_b'}:0.5")


class Merge(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.holder = tempfile.TemporaryDirectory()
        cls.folder = pathlib.Path(cls.holder.name)
        cls.rows = write_jsonl(cls.folder / "rows.jsonl", examples(8))
        for name, threads in (("run", 1), ("again", 3)):
            settings = config(cls.folder / f"{name}.yaml", cls.folder / name, cls.rows,
                              adapters=ADAPTERS, train__steps=4, train__threads=threads,
                              merge={"method": "dare-ties", "density": 0.5, "seed": 3})
            succeed("train", settings)
        cls.calibration = cls.folder / "run" / "calibration.h5"

    @classmethod
    def tearDownClass(cls):
        cls.holder.cleanup()

    def score(self, *arguments):
        text = succeed("score", *arguments, self.rows)
        return [json.loads(line)["loss"] for line in text.splitlines()]

    def refused(self, status, says, *arguments):
        done = run(*arguments)
        self.assertEqual(done.returncode, status, done.stderr)
        self.assertIn(says, done.stderr)
        self.assertEqual(done.stdout, "")

    def test_equal_runs_write_equal_bytes(self):
        for name in ("calibration.h5", "calibration.safetensors", "checkpoint.h5"):
            self.assertEqual((self.folder / "run" / name).read_bytes(),
                             (self.folder / "again" / name).read_bytes(), name)

    def test_calibration_goes_with_its_merge(self):
        whole = self.score("--run", self.folder / "run")
        for twin in ("calibration.h5", "calibration.safetensors"):
            parts = self.score(*COMPOSED, "--merge", RULE, "--calibration",
                               self.folder / "run" / twin)
            for a, b in zip(whole, parts):
                self.assertAlmostEqual(a, b, places=3)  # f16
        for rule in ("concat", "dare-ties:density=0.5", "ties:density=0.5"):
            self.refused(2, "made for adapters merged by dare-ties, density 0.5,", "score", *COMPOSED,
                         "--merge", rule, "--calibration", self.calibration, self.rows)
        facts = json.loads(succeed("inspect", self.calibration, "--json"))
        self.assertEqual(facts["merge"], {"method": "dare-ties", "density": 0.5, "seed": 3,
                                          "majority": "total", "election": "weighted", "lambda": 1})

    def test_training_starts_from_the_merge(self):
        first = json.loads((self.folder / "run" / "metrics.jsonl").read_text().splitlines()[0])
        merged = self.score(*COMPOSED, "--merge", RULE)
        plain = self.score(*COMPOSED)
        self.assertGreater(max(abs(a - b) for a, b in zip(merged, plain)), 0.01)
        self.assertLess(min(merged) - 1e-4, first["loss"])
        self.assertGreater(max(merged) + 1e-4, first["loss"])

    def test_resume_keeps_the_merge(self):
        self.refused(2, "these keys differ: merge.seed", "train", "--resume", self.folder / "run",
                     "merge.seed=4", "train.steps=5")

    def test_bad_rules(self):
        for rule, says in (("tie", "did you mean ties?"),
                           ("ties:density=2", "option density: expected a number in (0, 1]"),
                           ("ties:t=1", "rule ties has no option t")):
            self.refused(2, says, "score", *COMPOSED, "--merge", rule, self.rows)
        self.refused(2, "slerp lies between two adapters, found 1", "score", "--model", MODEL,
                     "--adapter", MODEL / "lora_a", "--merge", "slerp", self.rows)
        self.refused(2, "leave --model, --adapter, --merge and --calibration out", "score", "--run",
                     self.folder / "run", "--merge", "ties", self.rows)


if __name__ == "__main__":
    unittest.main()
