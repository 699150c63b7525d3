#!/usr/bin/env python3
"""The miniature's generator: reproducible, its splits and held-out words kept apart, its sentences in
the length that the base can learn."""
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).parent))
from mini_data import TOOLS  # noqa: E402
from mini import french, german, spanish  # noqa: E402
from mini.base_text import BaseText  # noqa: E402
from mini.facts import Fact, decode, split_of  # noqa: E402
from mini.generate import SPLITS, examples  # noqa: E402
from mini.knobs import DEFAULT  # noqa: E402
from mini.lexicon import LANGUAGES, TONES, lexicon  # noqa: E402
from mini.tasks import AUXILIARY, COMPOSED, MAIN, SINGLE, TASKS, headers  # noqa: E402
from mini.tokens import words  # noqa: E402
from mini.verdict import judge  # noqa: E402

HELD = ({name.text.lower() for name in lexicon().names.values() if name.held}
        | {word for thing in lexicon().things.values() if thing.held
           for word in words(thing.noun["en"].text)})


def said(row):
    """Codes of all facts of a row."""
    return row["meta"]["facts"] + row["meta"].get("others", [])


class Generator(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.rows = {(task, split): examples(1, task, split, 60)
                    for task in TASKS for split in SPLITS}

    def test_tasks(self):
        self.assertEqual((len(MAIN), len(AUXILIARY), len(SINGLE), len(COMPOSED), len(TASKS)),
                         (2, 7, 9, 14, 23))
        self.assertEqual(set(headers()), set(TASKS))
        for (task, _), rows in self.rows.items():
            for row in rows:
                self.assertEqual(row["task"], task)
                self.assertTrue(row["prompt"].startswith(headers()[task] + "\n"))
                self.assertTrue(row["prompt"].endswith("\n\n"))

    def test_same_bytes_whatever_the_hash_seed(self):
        made = []
        for seed in ("1", "2"):
            with tempfile.TemporaryDirectory() as folder:
                for mode in ((), ("--base",)):
                    subprocess.run([sys.executable, "-B", str(TOOLS / "mini" / "generate.py"), folder,
                                    "--scale", "0.004", *mode], check=True,
                                   stderr=subprocess.DEVNULL,
                                   env={**os.environ, "PYTHONHASHSEED": seed})
                made.append({path.name: path.read_bytes()
                             for path in pathlib.Path(folder).iterdir()})
        self.assertEqual(len(made[0]), len(TASKS) * len(SPLITS) + 1 + 3)
        self.assertEqual(made[0].keys(), made[1].keys())
        for name, data in made[0].items():
            self.assertTrue(data == made[1][name], name)
            if name.endswith(".gz"):
                self.assertEqual(data[3:8], bytes(5), f"{name}: holds a name or a time")

    def test_another_seed_is_another_text(self):
        self.assertNotEqual(examples(1, "summary", "train", 5), examples(2, "summary", "train", 5))

    def test_fewer_are_a_prefix(self):
        self.assertEqual(examples(1, "reply+de", "valid", 7), self.rows["reply+de", "valid"][:7])

    def test_no_split_shares_a_fact(self):
        for (task, split), rows in self.rows.items():
            for code in (code for row in rows for code in said(row)):
                self.assertEqual(split_of(decode(code)), split, (task, code))

    def test_held_out_words(self):
        """Never in the composed tasks' training data, in some of the rest."""
        unseen = 0
        for (task, split), rows in self.rows.items():
            for row in rows:
                held = bool(set(words(row["prompt"])) & HELD)
                if task in COMPOSED and split == "train":
                    self.assertFalse(held, row["prompt"])
                if row["meta"].get("unseen"):
                    self.assertTrue(held and task in COMPOSED and split != "train")
                    unseen += 1
        composed = sum(len(rows) for (task, split), rows in self.rows.items()
                       if task in COMPOSED and split != "train")
        self.assertTrue(0.2 < unseen / composed < 0.4, unseen / composed)
        singles = " ".join(row["prompt"] for task in SINGLE for row in self.rows[task, "train"])
        self.assertGreater(len(set(words(singles)) & HELD), len(HELD) / 2)

    def test_gold_answers_are_right(self):
        for (task, _), rows in self.rows.items():
            for row in rows:
                verdict = judge(task, row["meta"], row["completion"])
                self.assertTrue(verdict.both_ok, (verdict, row))

    def test_lengths(self):
        for rows in self.rows.values():
            for row in rows:
                self.assertLessEqual(len(row["prompt"].split()), 110, row["prompt"])
                self.assertTrue(1 <= len(row["completion"].split()) <= 50, row["completion"])

    def test_a_tone_is_no_frame(self):
        for tone in TONES:
            starts = {" ".join(row["completion"].split()[:2]) for row in examples(1, tone, "train", 300)}
            ends = {" ".join(row["completion"].split()[-2:])
                    for row in examples(1, tone, "train", 300)}
            self.assertGreater(len(starts), 20)
            self.assertGreater(len(ends), 20)


class Base(unittest.TestCase):
    def test_what_it_must_not_say(self):
        source = BaseText(1, "train")
        texts = [source.draw() for _ in range(3000)]
        everything = "\n".join(texts)
        for header in headers().values():
            self.assertNotIn(header, everything)
        names = set(words(everything))
        self.assertEqual({name.lower() for name in lexicon().names} - names, set())
        self.assertEqual(HELD - names, set())

    def test_instructions_are_of_single_tasks(self):
        mix = (0.0,) * (len(DEFAULT.base_mix) - 1) + (1.0,)
        source = BaseText(1, "train", DEFAULT._replace(base_mix=mix))
        seen = {source.draw().split("\n")[0] for _ in range(300)}
        self.assertEqual(seen, {headers()[task] for task in SINGLE})

    def test_every_language_and_tone(self):
        source = BaseText(1, "train")
        vocabulary = set(words("\n".join(source.draw() for _ in range(3000))))
        for language in LANGUAGES:
            for time in lexicon().times.values():
                self.assertLessEqual(set(words(time.text[language][0])), vocabulary)
            for thing in lexicon().things.values():
                self.assertLessEqual(set(words(thing.noun[language].text)), vocabulary)


class Grammar(unittest.TestCase):
    """Sentences written by hand, one a rule."""

    def check(self, grammar, cases):
        for code, aspect, definite, text in cases:
            self.assertEqual(grammar.clause(decode(code), aspect, definite), text)

    def test_spanish(self):
        self.check(spanish, (
            ("Eva buy future lamp near_market noon", "will", False,
             "Eva comprará una lámpara cerca del mercado al mediodía"),
            ("I watch past film - last_night", "past", True, "vi la película anoche"),
            ("I print future tickets station -", "going", False,
             "voy a imprimir unas entradas en la estación")))
        self.assertEqual(spanish.joined("Eva vio un gato", "Irene leyó"),
                         "Eva vio un gato, e Irene leyó")

    def test_french(self):
        self.check(french, (
            ("I buy future clock near_hotel monday", "will", True,
             "j'achèterai l'horloge près de l'hôtel lundi"),
            ("I send past letter market -", "past", False, "j'ai envoyé une lettre au marché"),
            ("Tom clean future bike near_market three", "will", False,
             "Tom nettoiera un vélo près du marché à trois heures")))
        self.assertEqual(french.told(Fact("Eva", "hide", "past", "key", "cellar", ""), "past", "Ida"),
                         "Eva dit à Ida qu'elle a caché une clé dans la cave")

    def test_german(self):
        self.check(german, (
            ("Eva collect future parcel station monday", "going", False,
             "Eva holt am Montag am Bahnhof ein Paket ab"),
            ("I return past book - friday", "past", True,
             "ich habe das Buch am Freitag zurückgegeben"),
            ("Tom wash future car near_market tomorrow", "going", False,
             "Tom wäscht morgen in der Nähe des Marktes ein Auto")))
        fact = Fact("Tom", "prepare", "future", "soup", "kitchen", "tonight")
        self.assertEqual(german.told(fact, "going", "Eva"),
                         "Tom sagt Eva, dass er heute Abend in der Küche eine Suppe zubereitet")
        self.assertEqual(german.told(fact, "will", "Eva"),
                         "Tom sagt Eva, dass er heute Abend in der Küche eine Suppe zubereiten wird")


if __name__ == "__main__":
    unittest.main()
