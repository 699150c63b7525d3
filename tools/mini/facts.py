"""A fact: who does what, to what, where, when; and which facts make sense."""
import hashlib
from functools import lru_cache
from typing import Iterable, NamedTuple

from mini.dice import Dice
from mini.lexicon import lexicon

NEAR = "near_"
SPEAKER = "I"
TRIES = 50


class Fact(NamedTuple):
    """who: a name, or "I"; place and time: "" where nothing is said of them. Ids of the lexicon;
    a place "near_X" is near X."""
    who: str
    verb: str
    tense: str  # "future" or "past"
    thing: str
    place: str
    time: str

    def code(self) -> str:
        """One line of six words, for meta fields; "-" stands for nothing."""
        return " ".join(part or "-" for part in self)

    def held(self) -> bool:
        """Does it use a name or thing that is kept from the calibration's training data?"""
        words = lexicon()
        return words.things[self.thing].held or (self.who != SPEAKER and words.names[self.who].held)


def decode(code: str) -> Fact:
    """The fact of a code; ValueError for anything else."""
    parts = code.split(" ")
    if len(parts) != 6:
        raise ValueError(f"fact {code!r}: expected six words")
    return Fact(*("" if part == "-" else part for part in parts))


def split_of(fact: Fact) -> str:
    """train, valid or test: which split alone may say this. A function of the fact alone, so that
    no two splits ever share one."""
    at = hashlib.sha256(fact.code().encode()).digest()[0]
    return "train" if at < 160 else "valid" if at < 192 else "test"


@lru_cache(maxsize=None)
def things_of(verb: str) -> tuple[str, ...]:
    words = lexicon()
    return tuple(thing.id for thing in words.things.values()
                 if thing.tags & words.verbs[verb].things)


@lru_cache(maxsize=None)
def places_of(verb: str) -> tuple[str, ...]:
    words = lexicon()
    return tuple(place.id for place in words.places.values()
                 if place.groups & words.verbs[verb].places)


@lru_cache(maxsize=None)
def times_of(tense: str, kind: str = "") -> tuple[str, ...]:
    return tuple(time.id for time in lexicon().times.values()
                 if tense in time.tenses and kind in ("", time.kind))


def fits(fact: Fact) -> bool:
    """No tractor in a library."""
    words = lexicon()
    where = words.places.get(fact.place.removeprefix(NEAR))
    return not (where and "indoors" in where.groups and not fact.place.startswith(NEAR)
                and "V" in words.things[fact.thing].tags)


class Facts:
    """Draws facts of one split. without_held: none with held-out names or things. near: how often
    a place is near something, not at it."""

    def __init__(self, dice: Dice, split: str, near: float) -> None:
        self.dice, self.split, self.near = dice, split, near
        self.without_held = False
        self.names = tuple(lexicon().names)
        self.verbs = tuple(lexicon().verbs)

    def people(self, count: int) -> list[str]:
        """Different names."""
        out: list[str] = []
        while len(out) < count:
            name = self.dice.pick(self.names)
            held = self.without_held and lexicon().names[name].held
            if name not in out and not held:
                out.append(name)
        return out

    def place(self, verb: str) -> str:
        place = self.dice.pick(places_of(verb))
        near = lexicon().places[place].near and self.dice.chance(self.near)
        return NEAR + place if near else place

    def allowed(self, fact: Fact) -> bool:
        return (split_of(fact) == self.split and fits(fact)
                and not (self.without_held and fact.held()))

    def draw(self, who: str, slots: tuple[str, ...], avoid: Iterable[str] = ()) -> Fact:
        """A fact about `who` with the slots named ("place", "time"), and no verb, thing, place or
        time of `avoid`."""
        avoid = set(avoid) - {""}
        while True:
            verb = self.dice.pick(self.verbs)
            tense = self.dice.pick(lexicon().verbs[verb].tenses)
            fact = Fact(who, verb, tense, self.dice.pick(things_of(verb)),
                        self.place(verb) if "place" in slots else "",
                        self.dice.pick(times_of(tense)) if "time" in slots else "")
            if self.allowed(fact) and not avoid & set(fact[1:2] + fact[3:]):
                return fact

    def mistaken(self, fact: Fact, slot: str) -> Fact | None:
        """The same with another place or time, to be corrected later; None where the split has
        hardly any."""
        for _ in range(TRIES):
            if slot == "place":
                other = fact._replace(place=self.place(fact.verb))
            else:
                kind = lexicon().times[fact.time].kind
                other = fact._replace(time=self.dice.pick(times_of(fact.tense, kind)))
            if other != fact and self.allowed(other):
                return other
        return None
