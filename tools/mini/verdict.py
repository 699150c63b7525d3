"""The oracle: is an output right in its facts, and in its language or tone?

main_ok: all facts that the task asks for, none contradicted, in whatever language and tone.
aux_ok: the language or tone asked for, whatever the facts (main tasks alone: English).
A text that runs away or is empty is neither.
"""
import re
from typing import Any, NamedTuple

from mini.clauses import ANY, Said
from mini.facts import SPEAKER, Fact, decode
from mini.lexicon import LANGUAGES
from mini.reading import Reading, read, runaway, wrong_language
from mini.tasks import TASKS, TONES, TRANSLATIONS, parts
from mini.tokens import sentences

Meta = dict[str, Any]


class Verdict(NamedTuple):
    """reason: the first thing that is wrong, "" where nothing is."""
    main_ok: bool
    aux_ok: bool
    reason: str

    @property
    def both_ok(self) -> bool:
        return self.main_ok and self.aux_ok


def _differs(said: Fact, fact: Fact) -> str:
    """How what is said contradicts a fact; what is not said does not."""
    for slot, one, other in zip(Fact._fields, said, fact):
        if one and one != other and one != ANY:
            return f"{slot}: {one}, not {other or 'said'}"
    return ""


def _exact(said: list[Said], facts: list[Fact], others: list[Fact]) -> str:
    """All facts with all their parts, once; nothing else but the others."""
    left = list(facts)
    seen: set[Fact] = set()
    for fact, _ in said:
        if fact in seen:
            return "a fact said twice"
        seen.add(fact)
        if fact in left:
            left.remove(fact)
        elif fact not in others:
            near = min(facts, key=lambda right: sum(a != b for a, b in zip(fact, right)),
                       default=None)
            wrong = _differs(fact, near) if near else "a fact too many"
            return wrong or "a fact is incomplete"
    return f"missing: {left[0].code()}" if left else ""


def _jokes(reading: Reading, facts: list[Fact]) -> str:
    strange = reading.jokes - {fact.thing for fact in facts}
    return f"joke about another thing: {min(strange)}" if strange else ""


def _summary(reading: Reading, meta: Meta, facts: list[Fact]) -> str:
    for fact, hearer in reading.said:
        if hearer and (hearer not in meta["people"] or hearer == fact.who):
            return f"told to {hearer}"
    if reading.tatoeba:
        return "small talk"
    others = [decode(code) for code in meta.get("others", ())]
    return _exact(reading.said, facts, others) or _jokes(reading, facts)


def _reply(reading: Reading, meta: Meta, facts: list[Fact]) -> str:
    """Said by "I", or a bare answer; with what is asked for, contradicting nothing. The one fact is
    about people[1], who is asked."""
    if reading.tatoeba:
        return "small talk"
    if len(reading.said) != 1:
        return "two answers" if reading.said else "no answer"
    fact, hearer = reading.said[0]
    if hearer or fact.who not in ("", SPEAKER):
        return "not the answer of the one who is asked"
    asked = getattr(fact, meta["ask"])
    if not asked or asked == ANY:
        return f"no {meta['ask']}"
    return _differs(fact, facts[0]._replace(who=SPEAKER)) or _jokes(reading, facts)


def _text(reading: Reading, meta: Meta, facts: list[Fact], told: bool) -> str:
    """The sentences given, all of them and nothing else. told: who is told counts too."""
    wanted = list(meta.get("tatoeba", ()))
    if len(wanted) != len(reading.tatoeba):
        return "a sentence of Tatoeba is missing or too many"
    for rows, number in zip(reading.tatoeba, wanted):
        if number not in rows:
            return "another sentence of Tatoeba"
    if told and any(said.hearer != meta.get("told", "") for said in reading.said):
        return "told to another"
    return _exact(reading.said, facts, []) or _jokes(reading, facts)


def _main(task: str, meta: Meta, reading: Reading) -> str:
    main, auxiliary = parts(task)
    facts = [decode(code) for code in meta["facts"]]
    if reading.failure:
        return reading.failure
    if main == "summary":
        return _summary(reading, meta, facts)
    if main == "reply":
        return _reply(reading, meta, facts)
    return _text(reading, meta, facts, auxiliary in TRANSLATIONS)


def _tone(reading: Reading, tone: str) -> str:
    foreign = wrong_language(reading, "en")
    if foreign or reading.tones == {tone}:
        return foreign
    others = sorted(reading.tones - {tone})
    return f"tone: {others[0]}, not {tone}" if others else f"no mark of {tone}"


def judge(task: str, meta: Meta, output: str) -> Verdict:
    """Never fails on an output, whatever it holds. ValueError: unknown task or broken facts."""
    if task not in TASKS:
        raise ValueError(f"task {task!r}: expected one of {', '.join(TASKS)}")
    main, auxiliary = parts(task)
    if main == "reply":  # a script's "Ben:" before Ben's own words
        output = re.sub(rf"^\s*{re.escape(meta['people'][1])}\s*:", "", output)
    found = sentences(output)
    stop = runaway(found) if found else "empty"
    if stop:
        return Verdict(False, False, stop)
    reading = read(found)
    wrong = _main(task, meta, reading)
    if auxiliary in TONES:
        other = _tone(reading, auxiliary)
    else:
        other = wrong_language(reading, auxiliary if auxiliary in LANGUAGES else "en")
    return Verdict(not wrong, not other, wrong or other)
