"""`lcal eval` and `lcal methods`: every row against what the other commands answer by hand."""
import json
import math
import pathlib
import signal
import struct
import subprocess
import sys
import tempfile
import unittest

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).parent))
from lcal_tool import MODELS, TOOL, contents, run, succeed, write_jsonl  # noqa: E402
from text_model import make_model  # noqa: E402

ADAPTERS = [MODELS / "tiny-qwen2" / "lora_a", MODELS / "tiny-qwen2" / "lora_b"]
ROWS = ["zero-shot", "main-lora", "auxiliary-lora", "in-context", "linear", "concat", "ties", "dare",
        "slerp", "lorahub", "lm-cocktail", "dam", "multi-step", "joint-expert", "lc", "lcpp",
        "shared-lc", "shared-lcpp"]
TRAINED = {"dam", "joint-expert", "lc", "lcpp", "shared-lc", "shared-lcpp"}
WORDS = "tea milk rain snow cat dog sun red blue".split()


def examples(count, start):
    """Deterministic examples of the composed task "Both"."""
    rows = []
    for i in range(start, start + count):
        text = " ".join(WORDS[(i * k + k) % len(WORDS)] for k in (1, 2, 5))
        rows.append({"prompt": f"Both: {text}\n", "completion": text.split()[0] + ".",
                     "task": "both", "meta": {"number": i}})
    return rows


def tensors(path):
    """Name -> numbers of a safetensors file of f32."""
    data = path.read_bytes()
    size = struct.unpack_from("<Q", data)[0]
    header = json.loads(data[8:8 + size])
    found = {}
    for name, entry in header.items():
        if name == "__metadata__":
            continue
        assert entry["dtype"] == "F32", entry
        begin, end = entry["data_offsets"]
        found[name] = struct.unpack(f"<{(end - begin) // 4}f", data[8 + size + begin:8 + size + end])
    return found


class Evaluation(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.root = pathlib.Path(cls.folder.name)
        make_model(cls.root / "model")
        (cls.root / "model" / "tokenizer_config.json").write_text(
            json.dumps({"eos_token": "<|endoftext|>"}))
        cls.test = examples(9, 100)
        for name, rows in {"train": examples(24, 0), "valid": examples(6, 50), "test": cls.test,
                           "two": examples(2, 0), "one": examples(1, 0),
                           "other": examples(10, 30)}.items():
            write_jsonl(cls.root / f"{name}.jsonl", rows)
        cls.config = cls.write("c.yaml", cls.settings())
        other = cls.settings()
        other["adapters"].reverse()
        other["data"]["train"] = "other.jsonl"
        cls.other = cls.write("other.yaml", other)

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    @classmethod
    def settings(cls):
        return {
            "model": "model", "adapters": [str(path) for path in ADAPTERS],
            "data": {"train": "train.jsonl", "valid": "valid.jsonl", "template": "raw",
                     "max_length": 128},
            "train": {"steps": 4, "batch_tokens": 256, "threads": 1, "save_every": 2,
                      "eval_every": 2, "lr": 0.02},
            "lora": {"rank": 2, "alpha": 2},
            "eval": {"test": "test.jsonl", "max_tokens": 8, "batch": 4, "shots": 3,
                     "prompt": "Both: {text}\n", "main_prompt": "Main: {text}\n",
                     "aux_prompt": "Aux: {text}\n"},
            "lorahub": {"budget": 12}, "out": "out",
        }

    @classmethod
    def write(cls, name, settings):
        path = cls.root / name
        path.write_text(json.dumps(settings))
        return path

    def others(self, method):
        return ["--with", self.other] if method.startswith("shared") else []

    def evaluate(self, method, *arguments, config=None):
        """The report and the lines of the dump."""
        dump = self.root / "dump.jsonl"
        text = succeed("eval", config or self.config, "--method", method, "--json", "--quiet",
                       "--dump", dump, *self.others(method), *arguments)
        return json.loads(text), [json.loads(line) for line in dump.read_text().splitlines()]

    def outputs(self, method, *arguments):
        return [line["output"] for line in self.evaluate(method, *arguments)[1]]

    def generate(self, *arguments, prompts=None):
        """What `lcal generate` answers to the test prompts, or to others."""
        path = write_jsonl(self.root / "prompts.jsonl",
                           [{"prompt": text} for text in prompts or
                            [row["prompt"] for row in self.test]])
        text = succeed("generate", "--model", self.root / "model", "--max-tokens", 8, "--json",
                       "--template", "raw", *arguments, path)
        return [json.loads(line)["text"].replace("\0", "\ufffd") for line in text.splitlines()]

    def fails(self, status, words, method, *arguments, config=None):
        done = run("eval", config or self.config, "--method", method, *self.others(method),
                   *arguments)
        self.assertEqual(done.returncode, status, done.stderr)
        self.assertIn(words, done.stderr)
        self.assertEqual(done.stdout, "")

    # --- all rows ---------------------------------------------------------------------------

    def test_methods(self):
        rows = [json.loads(line) for line in succeed("methods", "--json").splitlines()]
        self.assertEqual([row["name"] for row in rows], ROWS)
        for row in rows:
            self.assertEqual(list(row), ["name", "paper", "kind", "formula", "source",
                                         "parameters", "cost"])
            self.assertTrue(all(row.values()), row)
            whole = succeed("methods", row["name"])
            self.assertTrue(all(row[key] in whole for key in row), row)
        self.assertEqual(len(succeed("methods").splitlines()), len(ROWS))
        self.assertEqual(run("methods", "lcx").returncode, 2)

    def test_rows(self):
        for method in ROWS:
            with self.subTest(method):
                plan = json.loads(succeed("eval", self.config, "--method", method, "--json",
                                          "--dry-run", "out=" + str(self.root / "planned"),
                                          *self.others(method)))
                self.assertTrue(plan["planned"])
                self.assertNotIn("scores", plan)
                self.assertFalse((self.root / "planned").exists())
                report, lines = self.evaluate(method)
                self.assertEqual((report["method"], report["examples"], report["answered"]),
                                 (method, 9, 9))
                self.assertEqual(report["inferences"], 2 if method == "multi-step" else 1)
                self.assertEqual(report["trained_parameters"], plan["trained_parameters"])
                self.assertEqual(report["trained_parameters"] > 0, method in TRAINED)
                self.assertEqual(report["stored_bytes"] > 0, method in TRAINED | {"lorahub"})
                self.assertEqual(report["tokens"], sum(line["tokens"] for line in lines))
                for name, score in report["scores"].items():
                    mean = sum(line["scores"][name] for line in lines) / 9
                    self.assertAlmostEqual(score["mean"], mean, places=9)
                    self.assertLessEqual(score["low"], score["mean"] + 1e-9)
                    self.assertLessEqual(score["mean"], score["high"] + 1e-9)
                again, same = self.evaluate(method)
                self.assertEqual((again["reused"], same), (9, lines))

    def test_single_adapters(self):
        self.assertEqual(self.outputs("zero-shot"), self.generate())
        self.assertEqual(self.outputs("main-lora"), self.generate("--adapter", ADAPTERS[0]))
        self.assertEqual(self.outputs("auxiliary-lora"), self.generate("--adapter", ADAPTERS[1]))

    def test_merges(self):
        both = ["--adapter", ADAPTERS[0], "--adapter", ADAPTERS[1]]
        seen = set()
        for method, rule, keys in [
                ("concat", "concat", []), ("linear", "peft-linear", []),
                ("linear", "linear", ["merge.method=linear"]), ("slerp", "slerp", []),
                ("ties", "ties:density=0.5", ["merge.density=0.5"]),
                ("dare", "dare-linear:density=0.2,seed=7", ["merge.seed=7"]),
                ("dare", "dare-ties", ["merge.method=dare-ties"])]:
            with self.subTest(method, rule=rule):
                found = self.outputs(method, *keys)
                self.assertEqual(found, self.generate(*both, "--merge", rule))
                seen.add(tuple(found))
        self.assertGreater(len(seen), 3)  # the rules do differ on this model

    def test_multi_step(self):
        texts = [row["prompt"][len("Both: "):-1] for row in self.test]
        first = self.generate("--adapter", ADAPTERS[0],
                              prompts=[f"Main: {text}\n" for text in texts])
        second = self.generate("--adapter", ADAPTERS[1],
                               prompts=[f"Aux: {text}\n" for text in first])
        lines = self.evaluate("multi-step")[1]
        self.assertEqual([line["first"] for line in lines], first)
        self.assertEqual([line["output"] for line in lines], second)

    def test_prompts_of_rows(self):
        rows = [{"prompt": "P", "completion": "C", "main_prompt": "own main",
                 "aux_prompt": "own {text} too"},
                {"prompt": "P", "completion": "C", "text": "T"}]
        first = self.generate("--adapter", ADAPTERS[0], prompts=["own main", "Main: T\n"])
        prompts = [f"own {first[0]} too", f"Aux: {first[1]}\n"]
        test = write_jsonl(self.root / "own.jsonl", rows)
        self.assertEqual(self.outputs("multi-step", f"eval.test={test}"),
                         self.generate("--adapter", ADAPTERS[1], prompts=prompts))

    def test_in_context(self):
        shot = examples(1, 0)[0]
        front = shot["prompt"] + shot["completion"] + "\n\n"
        one = "data.train=" + str(self.root / "one.jsonl")
        self.assertEqual(self.outputs("in-context", "eval.shots=1", one),
                         self.generate(prompts=[front + row["prompt"] for row in self.test]))

    def test_joint_expert_starts_from_the_base(self):
        self.evaluate("joint-expert")
        expert = self.root / "out" / "joint-expert-1" / "run" / "adapter"
        self.assertEqual(self.outputs("joint-expert"), self.generate("--adapter", expert))

    # --- few-shot weights -------------------------------------------------------------------

    def few_shot_loss(self, *arguments):
        """Mean over all labelled tokens of two.jsonl."""
        text = succeed("score", "--model", self.root / "model", "--template", "raw", *arguments,
                       self.root / "two.jsonl")
        losses = [nll for line in text.splitlines() for nll in json.loads(line)["nll"]]
        return sum(losses) / len(losses)

    def test_cocktail_weights(self):
        losses = [self.few_shot_loss("--adapter", path) for path in ADAPTERS]
        for temperature in (5.0, 0.25):
            powers = [math.exp(-loss / temperature) for loss in losses]
            report = self.evaluate("lm-cocktail", "eval.shots=2",
                                   "data.train=" + str(self.root / "two.jsonl"),
                                   f"cocktail.temperature={temperature}")[0]
            for weight, power in zip(report["weights"], powers):
                self.assertAlmostEqual(weight, power / sum(powers), places=6)
            self.assertEqual(report["searches"], 2)

    def test_cocktail_is_the_weighted_sum(self):
        report, lines = self.evaluate("lm-cocktail")
        adapters = [part for path, weight in zip(ADAPTERS, report["weights"])
                    for part in ("--adapter", f"{path}:{weight!r}")]
        self.assertEqual([line["output"] for line in lines], self.generate(*adapters))

    def test_lorahub(self):
        two = ["eval.shots=2", "data.train=" + str(self.root / "two.jsonl"), "lorahub.bound=0.75",
               "lorahub.budget=30"]
        report, lines = self.evaluate("lorahub", *two)
        written = self.root / "out" / "lorahub-1" / "adapter"
        before = contents(written)
        again = self.evaluate("lorahub", "--overwrite", "train.threads=2", *two)[0]
        self.assertEqual(again["weights"], report["weights"])
        self.assertEqual(contents(written), before)
        self.assertEqual(report["searches"], 30)
        self.assertTrue(all(abs(weight) <= 0.75 for weight in report["weights"]))
        self.assertEqual([line["output"] for line in lines], self.generate("--adapter", written))
        # What was found is no worse than the start, weights 0, or adding both as they are.
        penalty = 0.05 * sum(map(abs, report["weights"])) / 2
        self.assertLess(self.few_shot_loss("--adapter", written) + penalty, self.few_shot_loss())

    def test_lorahub_adds_factors(self):
        report = self.evaluate("lorahub")[0]
        sums, first, second = (tensors(path / "adapter_model.safetensors") for path in
                               (self.root / "out" / "lorahub-1" / "adapter", *ADAPTERS))
        self.assertEqual(set(sums), set(first) | set(second))
        for name, values in sums.items():
            zeros = [0.0] * len(values)
            for value, a, b in zip(values, first.get(name, zeros), second.get(name, zeros)):
                expected = report["weights"][0] * a + report["weights"][1] * b
                self.assertAlmostEqual(value, expected, places=6)

    # --- column weights without labels ------------------------------------------------------

    def softened(self, path, *arguments):
        """Distributions at temperature 2 at the labelled tokens of a file."""
        text = succeed("score", "--model", self.root / "model", "--template", "raw", "--logits",
                       "all", *arguments, path)
        found = []
        for line in text.splitlines():
            row = json.loads(line)
            labelled = len(row["nll"])
            for logits in row["logits"][-labelled - 1:-1]:
                powers = [math.exp((value - max(logits)) / 2) for value in logits]
                found.append([power / sum(powers) for power in powers])
        return found

    def divergence(self, path, adapter):
        both = [part for other in ADAPTERS for part in ("--adapter", other)]
        teacher = self.softened(path, "--adapter", adapter)
        merged = self.softened(path, *both)
        return 4 * sum(q * math.log(q / p) for qs, ps in zip(teacher, merged)
                       for q, p in zip(qs, ps)) / len(teacher)

    def test_distill(self):
        tasks = []
        for name, start in (("Main", 200), ("Aux", 300)):
            rows = [dict(row, prompt=row["prompt"].replace("Both", name))
                    for row in examples(4, start)]
            tasks.append(write_jsonl(self.root / f"{name}.jsonl", rows))
        keys = ["columns.objective=distill", f"columns.main_train={tasks[0]}",
                f"columns.aux_train={tasks[1]}", "train.batch_size=4"]
        # Before anything has moved, each task's loss is that of the plain sum, and all column
        # weights are 1: their cosine is 1 in every module that both adapters change.
        modules = [{name.split(".lora_")[0] for name in tensors(path / "adapter_model.safetensors")}
                   for path in ADAPTERS]
        expected = [self.divergence(path, adapter) + 0.01 * len(modules[0] & modules[1])
                    for path, adapter in zip(tasks, ADAPTERS)]
        done = run("eval", self.config, "--method", "dam", *keys, "train.lr=1e-9", "train.steps=2",
                   "train.log_every=1", f"out={self.root / 'still'}")
        found = [float(line.split("loss ")[1].split()[0]) for line in done.stderr.splitlines()
                 if line.startswith("step ")]
        self.assertEqual(len(found), 2, done.stderr)
        for one, other in zip(sorted(found), sorted(expected)):
            self.assertAlmostEqual(one, other, delta=2e-4)
        # It learns, and not from the composed labels.
        self.evaluate("dam", *keys, f"out={self.root / 'taught'}", "train.steps=40")
        folder = self.root / "taught" / "dam-1" / "run"
        other = "data.train=" + str(self.root / "other.jsonl")
        self.evaluate("dam", *keys, f"out={self.root / 'again'}", "train.steps=40", other)
        again = self.root / "again" / "dam-1" / "run"
        self.assertEqual(contents(folder), contents(again))
        self.fails(2, "another configuration", "dam", *keys,
                   f"out={self.root / 'taught'}", "train.steps=40", "columns.overlap=0.02")
        self.fails(2, "columns.main_train", "dam", "columns.objective=distill")
        done = run("train", self.config, "method=columns", "columns.objective=distill")
        self.assertEqual(done.returncode, 2)
        self.assertIn("lcal eval --method dam", done.stderr)

    # --- shared -----------------------------------------------------------------------------

    def shared(self, config, other, folder, *arguments):
        succeed("eval", config, "--method", "shared-lcpp", "--with", other, "--shared", folder,
                "--quiet", *arguments)
        return contents(folder)

    def test_shared_is_one_for_all(self):
        a = self.shared(self.config, self.other, self.root / "shared_a")
        self.assertEqual(self.shared(self.other, self.config, self.root / "shared_a"), a)
        b = self.shared(self.other, self.config, self.root / "shared_b")
        self.assertEqual(a["calibration-0.h5"], b["calibration-0.h5"])
        self.assertEqual(a["calibration-1.h5"], b["calibration-1.h5"])
        self.assertNotEqual(a["calibration-0.h5"], a["calibration-1.h5"])  # other adapters
        found = [json.loads(succeed("inspect", "--json", self.root / "shared_a" / name))
                 for name in ("calibration-0.h5", "calibration-1.h5")]
        self.assertEqual(found[0]["tensors"], found[1]["tensors"])

    def test_shared_trains_on_both(self):
        """One step is on the first sub-task alone; the second step moves what one run would not."""
        one = self.shared(self.config, self.other, self.root / "shared_1", "train.steps=1")
        two = self.shared(self.config, self.other, self.root / "shared_2", "train.steps=2")
        self.assertNotEqual(one["calibration-0.h5"], two["calibration-0.h5"])
        self.fails(2, "leave --with and --shared out", "lcpp", "--with", self.other)
        done = run("eval", self.config, "--method", "shared-lc")
        self.assertEqual(done.returncode, 2)
        self.assertIn("--with", done.stderr)
        self.fails(2, "each counts once", "shared-lc", "--with", self.config)
        self.fails(2, "other sub-tasks or another configuration", "shared-lcpp", "--shared",
                   self.root / "shared_1")

    # --- going on ---------------------------------------------------------------------------

    def test_resume_answers(self):
        out = "out=" + str(self.root / "resumed")
        self.assertEqual(self.evaluate("concat", out, "--limit", 4)[0]["answered"], 4)
        report, lines = self.evaluate("concat", out)
        self.assertEqual((report["reused"], report["answered"]), (4, 9))
        kept = self.root / "resumed" / "concat-1" / "answers.jsonl"
        self.assertEqual([line["output"] for line in lines], self.outputs("concat"))
        # Other answers of the same name are not taken for these.
        self.assertEqual(self.evaluate("concat", out, "eval.max_tokens=7")[0]["reused"], 0)
        self.assertEqual(self.evaluate("concat", out)[0]["reused"], 0)
        whole = kept.read_bytes()
        for damaged, reused in ((whole[:-20], 8), (b"", 0), (b"\xff\x00", 0),
                                (whole.replace(b'"tokens":', b'"tokens":-'), 0)):
            kept.write_bytes(damaged)
            report, same = self.evaluate("concat", out)
            self.assertEqual((report["reused"], same), (reused, lines))
        changed = [dict(row) for row in self.test]
        changed[5]["prompt"] = "Both: something else\n"
        test = write_jsonl(self.root / "changed.jsonl", changed)
        self.assertEqual(self.evaluate("concat", out, f"eval.test={test}")[0]["reused"], 5)

    def interrupt(self, *arguments):
        """Starts a run, interrupts it after some steps."""
        process = subprocess.Popen([TOOL, *map(str, arguments)], stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE, text=True)
        for line in process.stderr:
            if line.startswith("step "):
                process.send_signal(signal.SIGINT)
                break
        process.communicate(timeout=60)
        return process.returncode

    def test_resume_training(self):
        keys = ["train.steps=400", "train.log_every=20", "train.eval_every=50"]
        for method in ("lcpp", "shared-lcpp"):
            with self.subTest(method):
                folders = [self.root / f"{method}-{name}" for name in ("whole", "broken")]
                command = ["eval", self.config, "--method", method, *self.others(method), *keys]
                succeed(*command, f"out={folders[0]}")
                self.assertEqual(self.interrupt(*command, f"out={folders[1]}"), 130)
                self.assertFalse((folders[1] / f"{method}-1" / "answers.jsonl").exists())
                succeed(*command, f"out={folders[1]}")
                a, b = (contents(folder / f"{method}-1" / "run") for folder in folders)
                for name in a:
                    if name.endswith((".h5", ".safetensors")):
                        self.assertEqual(a[name], b[name], name)

    def test_finished_runs_are_kept(self):
        folder = self.root / "finished"
        out = f"out={folder}"
        self.evaluate("lc", out)
        file = folder / "lc-1" / "run" / "calibration.h5"
        before = file.stat().st_mtime_ns
        self.evaluate("lc", out, "eval.stem=true")
        self.assertEqual(file.stat().st_mtime_ns, before)
        self.fails(2, "train.lr", "lc", out, "train.lr=0.5")
        self.evaluate("lc", out, "--seed", 2)
        self.assertTrue((folder / "lc-2" / "run" / "calibration.h5").exists())
        self.evaluate("lc", out, "--overwrite", "train.lr=0.5")

    # --- scores -----------------------------------------------------------------------------

    def test_judge(self):
        out = self.root / "judge_out.jsonl"
        lines = self.evaluate("concat", "--judge-out", out)[1]
        asked = [json.loads(line) for line in out.read_text().splitlines()]
        self.assertEqual(asked, [{key: line[key] for key in
                                  ("id", "task", "meta", "prompt", "reference", "output")}
                                 for line in lines])
        self.assertEqual([line["meta"] for line in asked], [row["meta"] for row in self.test])
        verdicts = [{"id": i, "main_ok": i % 3 == 0, "fluency": i / 2, "reason": "x"}
                    for i in range(9)]
        for rows in (verdicts[::-1], [{k: v for k, v in row.items() if k != "id"}
                                      for row in verdicts]):
            judged = write_jsonl(self.root / "judge_in.jsonl", rows)
            report, lines = self.evaluate("concat", "--judge-in", judged)
            self.assertEqual(set(report["verdicts"]), {"main_ok", "fluency"})
            self.assertAlmostEqual(report["verdicts"]["main_ok"]["mean"], 100 / 3)
            self.assertAlmostEqual(report["verdicts"]["fluency"]["mean"], 2)
            self.assertEqual(lines[3]["verdicts"], {"main_ok": 100, "fluency": 1.5})
        for rows, words in ((verdicts[:8], "found 8"), (verdicts + [verdicts[0]], "twice"),
                            ([{"id": 9, "a": 1}], "from 0 to 8"), ([{"id": 0, "why": "x"}], "scores"),
                            (verdicts[:4] + [{"id": 4, "main_ok": True}], "fluency")):
            judged = write_jsonl(self.root / "judge_in.jsonl", rows)
            self.fails(3, words, "concat", "--judge-in", judged)

    def test_references(self):
        said = self.outputs("zero-shot", "--limit", 2)
        rows = [dict(row, completions=["nothing like it", text]) for row, text in
                zip(self.test, said)]
        test = write_jsonl(self.root / "references.jsonl", rows)
        report, lines = self.evaluate("zero-shot", f"eval.test={test}")
        self.assertEqual(report["scores"]["exact_match"]["mean"], 100)
        self.assertEqual(lines[0]["references"], rows[0]["completions"])

    # --- what is refused --------------------------------------------------------------------

    def test_refused(self):
        bad = self.root / "bad.jsonl"
        self.fails(2, "did you mean lcpp?", "lcp")
        self.fails(2, "eval.test", "concat", "eval.test=null")
        self.fails(2, "eval.test", "concat", "eval.test=missing.jsonl")
        self.fails(2, "adapters", "concat", "adapters=[]")
        self.fails(2, "exactly 2", "slerp", f"adapters=[{','.join([str(ADAPTERS[0])] * 3)}]")
        self.fails(2, "data.train", "lcpp", "data.train=null")
        self.fails(2, "key out", "lcpp", "out=null")
        self.fails(2, "eval.shots", "in-context", "eval.shots=25")
        self.fails(2, "eval.aux_prompt", "multi-step", "eval.aux_prompt=null")
        self.fails(2, "one {text}", "multi-step", "eval.main_prompt=nothing")
        self.fails(3, "template eval.prompt", "multi-step", "eval.prompt='Other: {text}'")
        for text, words in (("{", "bad.jsonl:1"), ("", "found none"),
                            ('{"input_ids":[1]}', "token ids"),
                            ('{"prompt":"a"}', "completion"),
                            ('{"prompt":"a","completions":[]}', "completions"),
                            ('{"prompt":"a","completions":["b",1]}', "completions[1]")):
            bad.write_text(text)
            self.fails(3, words, "concat", f"eval.test={bad}")
        bad.write_text(json.dumps({"prompt": "x" * 5000, "completion": "y"}))
        self.fails(2, "bad.jsonl", "concat", f"eval.test={bad}")


if __name__ == "__main__":
    unittest.main()
