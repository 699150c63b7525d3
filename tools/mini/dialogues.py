"""English dialogues of two people: small talk around one or two facts, ended by a question.

The first speaker opens and asks; the second answers. What makes a dialogue hard is in knobs.py: a
second fact, someone else's fact, a correction, a fact told in two turns.
"""
from functools import lru_cache
from typing import NamedTuple

from mini import english
from mini.dice import Dice
from mini.facts import SPEAKER, Fact, Facts
from mini.knobs import Knobs
from mini.lexicon import lexicon, rows
from mini.statements import Clause, Statement

WORD = {"time": "when", "place": "where", "thing": "what"}


class Dialogue(NamedTuple):
    """people: who asks, who answers. told: the facts of the two, in the order told. answer: what
    the second is asked for, with ask the slot that counts; fact: all of that fact. others: facts
    of a third person."""
    people: tuple[str, str]
    lines: tuple[str, ...]
    told: tuple[Clause, ...]
    answer: Clause
    fact: Fact
    ask: str
    others: tuple[Fact, ...]

    def text(self) -> str:
        return "\n".join(self.lines)

    def summary(self) -> Statement:
        """One fact: who tells it to whom; two facts: side by side."""
        if len(self.told) > 1:
            return Statement(self.told)
        hearer = self.people[self.told[0].fact.who == self.people[0]]
        return Statement(self.told, hearer)

    def reply(self) -> Statement:
        return Statement((self.answer,))


@lru_cache(maxsize=None)
def chat(part: str) -> tuple[str, ...]:
    return tuple(row["text"] for row in rows("chat") if row["part"] == part)


@lru_cache(maxsize=1)
def small_talk() -> tuple[str, ...]:
    return tuple(row["en"] for row in lexicon().tatoeba if not row["en"].endswith("?"))


def capital(text: str) -> str:
    return text[0].upper() + text[1:]


def phrase(fact: Fact, slot: str) -> str:
    return english.place_phrase(fact.place) if slot == "place" else english.time_phrase(fact.time)


def spoken(fact: Fact, aspect: str, dice: Dice, fronted: float = 0.0) -> str:
    """What someone says of their own plans or deeds."""
    own = fact._replace(who=SPEAKER)
    front = bool(fact.time) and dice.chance(fronted)
    text = english.clause(own._replace(time="") if front else own, aspect, False)
    if dice.chance(0.5):
        text = text.replace("I will ", "I'll ").replace("I am ", "I'm ")
    return capital(f"{english.time_phrase(fact.time)} {text}" if front else text) + "."


def question(answer: Clause, ask: str) -> str:
    """"when will you buy the lamp?", for an answer that has the verb, the thing and what is asked;
    asked for the thing, place or time are in the question."""
    fact, aspect, _ = answer
    base = english.verb_form(fact.verb, "base")
    group = {"will": f"will you {base}", "going": f"are you going to {base}",
             "past": f"did you {base}"}[aspect]
    if ask == "thing":
        rest = phrase(fact, "place" if fact.place else "time")
    else:
        rest = english.noun_phrase(lexicon().things[fact.thing].noun["en"], True)
    return f"{WORD[ask]} {group} {rest}?"


def asked(fact: Fact, aspect: str, ask: str) -> Clause:
    """The first-person answer: verb, thing, and the slot asked for or given in the question."""
    slot = ("place" if fact.place else "time") if ask == "thing" else ask
    kept = fact._replace(who=SPEAKER, **{"place" if slot == "time" else "time": ""})
    return Clause(kept, aspect, ask != "thing")


class Teller:
    """Writes dialogues from one stream of choices."""

    def __init__(self, facts: Facts, dice: Dice, knobs: Knobs) -> None:
        self.facts, self.dice, self.knobs = facts, dice, knobs

    def aspect(self, fact: Fact) -> str:
        return "past" if fact.tense == "past" else self.dice.pick(("will", "going"))

    def talk(self) -> str:
        return self.dice.pick(small_talk()) if self.dice.chance(self.knobs.small_talk) else ""

    def statement(self, clause: Clause) -> list[str]:
        """The second speaker's fact in one turn, or in three, the middle one the other's."""
        fact, aspect, _ = clause
        slots = [slot for slot in ("place", "time") if getattr(fact, slot)]
        dice, knobs = self.dice, self.knobs
        slot = dice.pick(slots)
        if dice.chance(knobs.corrected):
            wrong = self.facts.mistaken(fact, slot)
            if wrong:
                doubt = dice.pick(chat("doubt")).format(phrase=capital(phrase(wrong, slot)))
                right = dice.pick(chat("mistake")).format(phrase=phrase(fact, slot))
                return [spoken(wrong, aspect, dice, knobs.fronted), doubt, right]
        if len(slots) == 2 and dice.chance(knobs.split):
            return [spoken(fact._replace(**{slot: ""}), aspect, dice),
                    capital(WORD[slot]) + "?", capital(phrase(fact, slot)) + "."]
        return [spoken(fact, aspect, dice, knobs.fronted)]

    def _slots(self, two: bool) -> tuple[str, ...]:
        if two and self.dice.chance(self.knobs.one_slot):
            return (self.dice.pick(("place", "time")),)
        return ("place", "time")

    def _own(self, who: str, two: bool) -> tuple[Clause, Clause, str]:
        """The second speaker's fact, the answer about it and what is asked; the answer too is
        said in this split only."""
        while True:
            fact = self.facts.draw(who, self._slots(two))
            own = Clause(fact, self.aspect(fact))
            ask = self.dice.pick([slot for slot in ("place", "time", "thing")
                                  if getattr(fact, slot)])
            answer = asked(fact, own.aspect, ask)
            if self.facts.allowed(answer.fact):
                return own, answer, ask

    def dialogue(self) -> Dialogue:
        dice, knobs = self.dice, self.knobs
        two = dice.chance(knobs.two_facts)
        first, second, third = self.facts.people(3)
        own, answer, ask = self._own(second, two)
        told, others = [own], []
        said: list[str] = []      # by the first speaker before the second's fact
        answered: list[str] = []  # and after it
        if two:
            mine = self.facts.draw(first, self._slots(two), own.fact)
            clause = Clause(mine, self.aspect(mine))
            early = dice.chance(0.5)
            told = [clause, own] if early else [own, clause]
            (said if early else answered).append(spoken(mine, clause.aspect, dice, knobs.fronted))
        if dice.chance(knobs.distractor):
            theirs = self.facts.draw(third, self._slots(True), told[0].fact + told[-1].fact)
            others.append(theirs)
            line = capital(english.clause(theirs, self.aspect(theirs), False)) + "."
            dice.pick((said, answered)).append(line)
        lines = self._lines((first, second), own, said, answered, question(answer, ask))
        return Dialogue((first, second), lines, tuple(told), answer, own.fact, ask, tuple(others))

    def _lines(self, people: tuple[str, str], own: Clause, said: list[str], answered: list[str],
               asking: str) -> tuple[str, ...]:
        """The turns, the two speakers one after the other."""
        dice = self.dice
        turns = self.statement(own)
        opening = [dice.pick(chat("greet")).format(other=people[1]), self.talk(), *said,
                   dice.pick(chat("back" if said else "news"))]
        ending = [dice.pick(chat("react")), *answered, self.talk(),
                  capital(f"{dice.pick(chat('lead'))} {asking}")]
        parts = [opening, [self.talk(), turns[0]], *([turn] for turn in turns[1:]), ending]
        return tuple(f"{people[at % 2]}: {' '.join(filter(None, part))}"
                     for at, part in enumerate(parts))
