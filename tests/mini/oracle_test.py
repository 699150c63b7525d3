#!/usr/bin/env python3
"""The oracle: hand-checked outputs, near misses of every gold answer, garbage, speed, command line."""
import json
import pathlib
import random
import subprocess
import sys
import tempfile
import time
import unittest

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).parent))
from mini_data import FLAGS, TOOLS, read  # noqa: E402
from mini.facts import SPEAKER, decode, places_of, things_of, times_of  # noqa: E402
from mini.generate import examples  # noqa: E402
from mini.lexicon import TONES, lexicon  # noqa: E402
from mini.statements import Clause, Statement, plain  # noqa: E402
from mini.tasks import TASKS, parts  # noqa: E402
from mini.verdict import judge  # noqa: E402

CASES = read(pathlib.Path(__file__).parent / "oracle_cases.jsonl")
ASPECT = {"future": "will", "past": "past"}


def altered(fact, dice):
    """The fact with one of its slots changed: (slot, fact) of every way."""
    words = lexicon()
    choices = {"verb": [verb.id for verb in words.verbs.values()
                        if fact.tense in verb.tenses and fact.thing in things_of(verb.id)],
               "thing": things_of(fact.verb), "tense": words.verbs[fact.verb].tenses}
    if fact.who != SPEAKER:
        choices["who"] = tuple(words.names)
    if fact.place:
        choices["place"] = places_of(fact.verb)
    if fact.time:
        choices["time"] = times_of(fact.tense)
    for slot, values in choices.items():
        others = [value for value in values if value != getattr(fact, slot)]
        if others:
            yield slot, fact._replace(**{slot: dice.choice(others)})


class HandChecked(unittest.TestCase):
    def test_every_case(self):
        self.assertGreaterEqual(len(CASES), 300)
        self.assertGreaterEqual(sum(case["main_ok"] and case["aux_ok"] for case in CASES), 100)
        self.assertEqual({case["task"] for case in CASES}, set(TASKS))
        for case in CASES:
            verdict = judge(case["task"], case["meta"], case["output"])
            with self.subTest(task=case["task"], output=case["output"]):
                self.assertEqual({flag: getattr(verdict, flag) for flag in FLAGS},
                                 {flag: case[flag] for flag in FLAGS}, verdict.reason)
                self.assertEqual(verdict.both_ok, case["main_ok"] and case["aux_ok"])
                self.assertEqual(verdict.reason == "", verdict.both_ok)


class NearMisses(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.rows = [row for task in TASKS for row in examples(3, task, "test", 40)]

    def test_one_part_of_a_fact_changed(self):
        dice, count = random.Random(1), 0
        for row in self.rows:
            main, auxiliary = parts(row["task"])
            language = auxiliary if auxiliary and auxiliary not in TONES else "en"
            facts = [decode(code) for code in row["meta"]["facts"]]
            if not facts:
                continue
            if main == "reply":
                facts = [facts[0]._replace(who=SPEAKER)]
            at = dice.randrange(len(facts))
            for slot, fact in altered(facts[at], dice):
                if fact.code() in row["meta"].get("others", ()):
                    continue
                wrong = facts[:at] + [fact] + facts[at + 1:]
                told = row["meta"].get("told", "") if len(wrong) == 1 else ""
                if told == fact.who:
                    continue
                text = plain(Statement(tuple(Clause(one, ASPECT[one.tense]) for one in wrong), told),
                             language)
                verdict = judge(row["task"], row["meta"], text)
                self.assertFalse(verdict.main_ok, (slot, text, row))
                if not auxiliary or auxiliary not in TONES:
                    if not row["meta"].get("tatoeba"):
                        self.assertTrue(verdict.aux_ok, (text, verdict))
                count += 1
        self.assertGreater(count, 2000)

    def test_the_answer_to_another_example(self):
        for row, other in zip(self.rows, self.rows[1:]):
            if row["task"] != other["task"] or row["meta"]["facts"] == other["meta"]["facts"]:
                continue
            verdict = judge(row["task"], row["meta"], other["completion"])
            self.assertFalse(verdict.main_ok, (row, other["completion"]))
            self.assertTrue(verdict.aux_ok, (row, other["completion"]))

    def test_the_answer_in_another_language_or_tone(self):
        """Right facts, wrong second task: the failure that composition is about."""
        rows = {task: examples(3, task, "test", 30) for task in ("summary+es", "summary+witty")}
        for row in rows["summary+es"]:
            for task in ("summary+fr", "summary+de", "summary+casual"):
                verdict = judge(task, row["meta"], row["completion"])
                self.assertEqual(tuple(verdict[:2]), (True, False), verdict)
        for row in rows["summary+witty"]:
            for task in ("summary+neutral", "summary+professional", "summary+casual", "summary+de"):
                verdict = judge(task, row["meta"], row["completion"])
                self.assertEqual(tuple(verdict[:2]), (True, False), verdict)

    def test_cut_repeated_and_copied(self):
        for row in self.rows:
            answer = row["completion"]
            half = " ".join(answer.split()[:len(answer.split()) // 2])
            self.assertFalse(judge(row["task"], row["meta"], " ".join([answer] * 3)).both_ok, row)
            if row["meta"]["facts"] and row["task"] not in ("reply", "casual", "witty"):
                copied = row["prompt"].partition("\n")[2]
                self.assertFalse(judge(row["task"], row["meta"], copied).both_ok, row)
            if parts(row["task"])[0] == "summary":
                self.assertFalse(judge(row["task"], row["meta"], half).main_ok, (half, row))

    def test_garbage(self):
        dice = random.Random(2)
        alphabet = "abc éñß'’\"\n\t.,:;!?()[]{}<>\\/0123456789 日本 \u0000\u200b😀 el la die the"
        for row in self.rows[::4]:
            text = "".join(dice.choice(alphabet) for _ in range(dice.randrange(200)))
            verdict = judge(row["task"], row["meta"], text)
            self.assertFalse(verdict.main_ok, text)
        salad = row["completion"].split() * 20
        dice.shuffle(salad)
        self.assertFalse(judge(row["task"], row["meta"], " ".join(salad)).both_ok)

    def test_unknown_task(self):
        with self.assertRaises(ValueError):
            judge("summary+it", {"facts": []}, "Ciao.")


class Speed(unittest.TestCase):
    def test_two_thousand_a_second(self):
        rows = [row for task in TASKS for row in examples(4, task, "test", 30)]
        best = 0.0
        for _ in range(3):
            start = time.process_time()
            for row in rows:
                judge(row["task"], row["meta"], row["completion"])
            best = max(best, len(rows) / max(time.process_time() - start, 1e-9))
        self.assertGreaterEqual(best, 2000)


class CommandLine(unittest.TestCase):
    def run_oracle(self, *arguments, text=""):
        return subprocess.run([sys.executable, "-B", str(TOOLS / "mini" / "oracle.py"), *arguments],
                              input=text, capture_output=True, text=True, encoding="utf-8",
                              env={"PYTHONUTF8": "1"}, check=False)

    def test_one_line_of_verdict_a_line(self):
        text = "".join(json.dumps(case, ensure_ascii=False) + "\n" for case in CASES)
        done = self.run_oracle("-", text=text)
        self.assertEqual(done.returncode, 0, done.stderr)
        verdicts = [json.loads(line) for line in done.stdout.splitlines()]
        self.assertEqual(len(verdicts), len(CASES))
        for case, verdict in zip(CASES, verdicts):
            self.assertEqual(set(verdict), {"main_ok", "aux_ok", "both_ok", "reason"})
            self.assertEqual(verdict["main_ok"], case["main_ok"], case)
        self.assertIn("summary+es: ", done.stderr)

    def test_what_is_no_output(self):
        for text in ("{", "[]\n", '{"task": "summary"}\n', '{"task": "x", "meta": {}, "output": ""}\n',
                     '{"task": "summary", "meta": {"facts": ["a"]}, "output": "b"}\n'):
            done = self.run_oracle("-", text=text)
            self.assertEqual((done.returncode, done.stdout), (3, ""), text)
            self.assertIn("line 1: ", done.stderr)
        with tempfile.TemporaryDirectory() as folder:
            done = self.run_oracle(folder + "/none.jsonl")
        self.assertEqual(done.returncode, 5)


if __name__ == "__main__":
    unittest.main()
