"""English statements in a tone. A tone is a style: what opens a text, what closes it, the choice of
verbs and, for casual, contractions; each text has some of these marks, none has them all."""
from functools import lru_cache

from mini import english
from mini.dice import Dice
from mini.facts import SPEAKER
from mini.lexicon import ToneMark, lexicon
from mini.statements import Clause, Statement, sentence

REGISTER = {"professional": "formal", "casual": "casual"}


@lru_cache(maxsize=None)
def marks(tone: str, part: str) -> tuple[ToneMark, ...]:
    return tuple(mark for mark in lexicon().tones if (mark.tone, mark.part) == (tone, part))


def _casual(clause: Clause) -> str:
    """"I'll grab ...", "Ben's gonna grab ..."."""
    fact, aspect, definite = clause
    if aspect == "past":
        return english.clause(fact, aspect, definite, register="casual")
    first = fact.who == SPEAKER
    base = english.verb_form(fact.verb, "base", "casual")
    if aspect == "will" and first:
        group = f"I'll {base}"
    else:
        group = f"{'I' if first else fact.who}'{'m' if first else 's'} gonna {base}"
    return f"{group} {english.slots(fact, definite)}"


def _clause(clause: Clause, tone: str) -> str:
    if tone == "casual":
        return _casual(clause)
    return english.clause(*clause, register=REGISTER.get(tone, ""))


def opened(mark: ToneMark, text: str) -> str:
    """The opening and the sentence that it leads to, with its full stop."""
    if mark.join == "that":
        return sentence(f"{mark.text} {text}")
    if mark.join == "comma":
        return sentence(f"{mark.text}, {text}")
    return mark.text + ("? " if mark.join == "ask" else ": ") + sentence(text)


def _closing(mark: ToneMark, thing: str) -> str:
    return mark.text.format(thing=lexicon().things[thing].noun["en"].text if thing else "")


def framed(text: str, thing: str, tone: str, dice: Dice, both: float) -> str:
    """A sentence without capital and full stop, opened or closed or both in the tone. thing: what a
    joke may mention, or ""."""
    closings = [mark for mark in marks(tone, "close") if thing or "{thing}" not in mark.text]
    opening, closing = dice.pick(marks(tone, "open")), dice.pick(closings)
    if dice.chance(both):
        return f"{opened(opening, text)} {_closing(closing, thing)}"
    if dice.chance(0.6):
        return opened(opening, text)
    return f"{sentence(text)} {_closing(closing, thing)}"


def toned(statement: Statement, tone: str, dice: Dice, both: float) -> str:
    """Who tells whom is left out: a tone speaks for itself. both: how often a text is opened and
    closed."""
    text = _clause(statement.clauses[0], tone)
    for clause in statement.clauses[1:]:
        text = english.joined(text, _clause(clause, tone))
    return framed(text, statement.clauses[0].fact.thing, tone, dice, both)
