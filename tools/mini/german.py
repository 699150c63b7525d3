"""German sentences of facts: the finite verb second, the rest of the verb last; in a subordinate
clause all of it last. Definite objects stand before time and place, indefinite ones after them."""
from typing import NamedTuple

from mini.facts import NEAR, SPEAKER, Fact
from mini.lexicon import Noun, lexicon

PRONOUN = {"f": "sie", "m": "er"}
DEFINITE = {"m": "den", "f": "die", "n": "das"}  # accusative
INDEFINITE = {"m": "einen", "f": "eine", "n": "ein"}


class VerbGroup(NamedTuple):
    """finite: the word that agrees; rest: participle, infinitive or separated prefix, or ""."""
    finite: str
    rest: str
    separated: bool


def noun_phrase(noun: Noun, definite: bool) -> str:
    """In the accusative."""
    if noun.plural:
        return f"die {noun.text}" if definite else noun.text
    return f"{(DEFINITE if definite else INDEFINITE)[noun.gender]} {noun.text}"


def place_phrase(place: str) -> str:
    where = lexicon().places[place.removeprefix(NEAR)]
    return f"in der Nähe {where.de_near}" if place.startswith(NEAR) else where.de


def time_phrase(time: str) -> str:
    return lexicon().times[time].text["de"][0]


def verb_group(fact: Fact, aspect: str) -> VerbGroup:
    """"will" is werden + infinitive, "going" the present tense, "past" the perfect."""
    forms = lexicon().verbs[fact.verb].forms
    first = fact.who == SPEAKER
    if aspect == "past":
        return VerbGroup("habe" if first else "hat", forms["de_part"], False)
    if aspect == "will":
        return VerbGroup("werde" if first else "wird", forms["de_inf"], False)
    return VerbGroup(forms["de_pres1" if first else "de_pres3"], forms["de_prefix"], True)


def middle(fact: Fact, definite: bool) -> str:
    """What stands between the two parts of the verb."""
    around = [time_phrase(fact.time)] if fact.time else []
    if fact.place:
        around.append(place_phrase(fact.place))
    thing = noun_phrase(lexicon().things[fact.thing].noun["de"], definite)
    return " ".join([thing, *around] if definite else [*around, thing])


def clause(fact: Fact, aspect: str, definite: bool) -> str:
    group = verb_group(fact, aspect)
    who = "ich" if fact.who == SPEAKER else fact.who
    return " ".join(filter(None, (who, group.finite, middle(fact, definite), group.rest)))


def subordinate(fact: Fact, aspect: str, subject: str) -> str:
    """After dass: "er am Montag ein Paket abholt", "sie ein Auto gekauft hat"."""
    group = verb_group(fact, aspect)
    last = group.rest + group.finite if group.separated else f"{group.rest} {group.finite}"
    return f"{subject} {middle(fact, False)} {last}"


def told(fact: Fact, aspect: str, hearer: str) -> str:
    pronoun = PRONOUN[lexicon().names[fact.who].gender]
    return f"{fact.who} sagt {hearer}, dass {subordinate(fact, aspect, pronoun)}"


def joined(first: str, second: str) -> str:
    return f"{first}, und {second}"
