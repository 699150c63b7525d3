"""The nine single tasks and the fourteen composed ones: prompts, answers, what the oracle needs."""
from functools import lru_cache
from typing import Any

from mini.dialogues import Teller
from mini.dice import Dice
from mini.facts import Facts
from mini.knobs import Knobs
from mini.lexicon import LANGUAGES, TONES, lexicon, rows
from mini.statements import Statement, plain
from mini.tones import framed, toned

MAIN = ("summary", "reply")
TRANSLATIONS = LANGUAGES[1:]
AUXILIARY = TRANSLATIONS + TONES
SINGLE = MAIN + AUXILIARY
COMPOSED = tuple(f"{main}+{auxiliary}" for main in MAIN for auxiliary in AUXILIARY)
TASKS = SINGLE + COMPOSED

Row = dict[str, Any]


@lru_cache(maxsize=1)
def headers() -> dict[str, str]:
    """The instruction of every task."""
    return {row["task"]: row["prompt"] for row in rows("prompts")}


def prompt(task: str, text: str) -> str:
    """The instruction, the text it is about, an empty line: the answer starts a new line."""
    return f"{headers()[task]}\n{text}\n\n"


def parts(task: str) -> tuple[str, str]:
    """Main task and auxiliary task, "" where there is none."""
    main, _, auxiliary = task.partition("+")
    return (main, auxiliary) if main in MAIN else ("", main)


def file_name(task: str, split: str) -> str:
    return f"{task.replace('+', '-')}.{split}.jsonl.gz"


class Examples:
    """Examples of one task and split from one stream of choices."""

    def __init__(self, seed: int, task: str, split: str, knobs: Knobs) -> None:
        self.task, self.split, self.knobs = task, split, knobs
        self.main, self.auxiliary = parts(task)
        self.dice = Dice(f"{seed}/{split}/{task}")
        self.facts = Facts(self.dice, split, knobs.near)
        self.teller = Teller(self.facts, self.dice, knobs)

    def draw(self) -> Row:
        if self.task in COMPOSED:
            self.facts.without_held = (self.split == "train"
                                       or not self.dice.chance(self.knobs.unseen))
        return self.dialogue() if self.main else self.text()

    def _answer(self, statement: Statement) -> str:
        if self.auxiliary in TONES:
            return toned(statement, self.auxiliary, self.dice, self.knobs.tone_both)
        return plain(statement, self.auxiliary or "en")

    def dialogue(self) -> Row:
        """Summaries and replies, alone or composed."""
        dialogue = self.teller.dialogue()
        summary = self.main == "summary"
        facts = dialogue.summary().facts() if summary else [dialogue.fact.code()]
        meta: Row = {"facts": facts, "people": list(dialogue.people)}
        if summary and dialogue.others:
            meta["others"] = [fact.code() for fact in dialogue.others]
        if not summary:
            meta["ask"] = dialogue.ask
        if self.task in COMPOSED and any(clause.fact.held() for clause in dialogue.told):
            meta["unseen"] = True
        answer = self._answer(dialogue.summary() if summary else dialogue.reply())
        return self._row(dialogue.text(), answer, meta)

    def _row(self, text: str, answer: str, meta: Row) -> Row:
        return {"prompt": prompt(self.task, text), "completion": answer, "task": self.task,
                "meta": meta}

    def statement(self) -> Statement:
        """As summaries and replies are."""
        dialogue = self.teller.dialogue()
        return dialogue.summary() if self.dice.chance(0.5) else dialogue.reply()

    def text(self) -> Row:
        """Translations and tones."""
        knobs, translation = self.knobs, self.auxiliary in TRANSLATIONS
        if self.dice.chance(knobs.tatoeba if translation else knobs.tatoeba_toned):
            return self._translated() if translation else self._toned_tatoeba()
        statement = self.statement()
        meta: Row = {"facts": statement.facts()}
        if not translation:
            return self._row(self._source(statement), self._answer(statement), meta)
        if statement.told:
            meta["told"] = statement.told
        source, answer = plain(statement, "en"), plain(statement, self.auxiliary)
        if self.dice.chance(knobs.tatoeba_beside):
            number, row = self._tatoeba()
            meta["tatoeba"] = [number]
            source, answer = f"{row['en']} {source}", f"{row[self.auxiliary]} {answer}"
        return self._row(source, answer, meta)

    def _source(self, statement: Statement) -> str:
        """What a tone task rewrites: plain, or in another tone."""
        if self.dice.chance(self.knobs.toned_source):
            others = [tone for tone in TONES if tone != self.auxiliary]
            return toned(statement, self.dice.pick(others), self.dice, self.knobs.tone_both)
        return plain(statement, "en")

    def _tatoeba(self) -> tuple[int, dict[str, str]]:
        return self.dice.pick(tuple(enumerate(lexicon().tatoeba)))

    def _translated(self) -> Row:
        """One sentence of Tatoeba, or two that differ."""
        chosen = [self._tatoeba()]
        if self.dice.chance(0.5):
            other = self._tatoeba()
            while other[1][self.auxiliary] == chosen[0][1][self.auxiliary]:
                other = self._tatoeba()
            chosen.append(other)
        source = " ".join(row["en"] for _, row in chosen)
        answer = " ".join(row[self.auxiliary] for _, row in chosen)
        return self._row(source, answer, {"facts": [], "tatoeba": [number for number, _ in chosen]})

    def _toned_tatoeba(self) -> Row:
        number, row = self.dice.pick(tonable())
        body = row["en"][:-1]
        if not body.startswith(("I ", "I'")):
            body = body[0].lower() + body[1:]
        answer = framed(body, "", self.auxiliary, self.dice, self.knobs.tone_both)
        return self._row(row["en"], answer, {"facts": [], "tatoeba": [number]})


@lru_cache(maxsize=1)
def tonable() -> tuple[tuple[int, dict[str, str]], ...]:
    """Statements, which can follow "Please note that"."""
    starts = ("I", "I'm", "I'll", "It", "It's", "We", "We're", "He", "He's", "She", "She's", "This",
              "That's", "They", "You", "You're", "My", "No", "Nobody")
    return tuple((number, row) for number, row in enumerate(lexicon().tatoeba)
                 if row["en"].endswith(".") and row["en"].split()[0] in starts
                 and len(row["en"].split()) > 2)
