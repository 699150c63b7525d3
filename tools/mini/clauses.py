"""From the words of one sentence to what it says, in one language.

A clause is understood by its parts, in whatever order: who, verb, thing, place, time. Each part may
stand once. Sentences of several clauses are cut at "and" and where a comma precedes a new subject.
"""
from typing import NamedTuple

from mini.facts import SPEAKER, Fact
from mini.lexicon import lexicon
from mini.phrases import phrases
from mini.tokens import Sentence
from mini.trie import Item

ANY = "*"  # a thing named by a pronoun


class Said(NamedTuple):
    """One clause. fact: "" for what is not said; a fragment has neither who nor verb. hearer: to
    whom it is told, or ""."""
    fact: Fact
    hearer: str = ""


class NotUnderstood(Exception):
    """Why a sentence is none of the language's."""


Part = list[list[Item]]  # the meanings of each phrase


def items(sentence: Sentence, language: str) -> tuple[Part, set[int]]:
    """The phrases of a sentence, and which of them follow a comma."""
    trie, out, commas, at = phrases(language), [], set(), 0
    while at < len(sentence.words):
        end, found = trie.longest(sentence.words, at)
        if not found:
            raise NotUnderstood(f"unknown word {sentence.words[at]!r}")
        if at in sentence.commas:
            commas.add(len(out))
        out.append(found)
        at = end
    return out, commas


def _has(meanings: list[Item], *kinds: str) -> bool:
    return any(item.kind in kinds for item in meanings)


def _settled(part: Part) -> Part:
    """French "lit" is a bed and "reads": a verb only where the part has no other."""
    both = [meanings for meanings in part if _has(meanings, "thing") and _has(meanings, "verb")]
    if not both:
        return part
    verb = any(_has(meanings, "verb") and meanings not in both for meanings in part)
    out: Part = []
    for meanings in part:
        if meanings in both:
            kind = "thing" if verb or meanings is not both[0] else "verb"
            meanings = [item for item in meanings if item.kind == kind]
        out.append(meanings)
    return out


def _cut(parts: Part, commas: set[int]) -> list[Part]:
    out: list[Part] = [[]]
    verb = False
    for at, meanings in enumerate(parts):
        new_subject = at in commas and verb and _has(meanings, "name", "subject")
        if _has(meanings, "and") or new_subject:
            out.append([] if not new_subject else [meanings])
            verb = False
        else:
            out[-1].append(meanings)
            verb = verb or _has(meanings, "verb", "aux")
    return [part for part in out if part]


def _tense(forms: frozenset[str], aux: list[Item]) -> tuple[str, frozenset[str]]:
    """Tense and the persons the verb group agrees with; ("", ...) where it is none."""
    if len(aux) > 1:
        return "", frozenset()
    if aux:
        needed = "part" if aux[0].value == "have" else "inf"
        tense = "past" if aux[0].value == "have" else "future"
        return (tense if needed in forms else ""), aux[0].forms or frozenset("13")
    for stem, tense in (("past", "past"), ("future", "future"), ("pres", "future")):
        persons = frozenset(form[-1] for form in forms if form[:-1] == stem)
        if persons:
            return tense, persons
    return "", frozenset()


def _verb(part: Part) -> tuple[str, str, frozenset[str]]:
    """Verb, tense, persons; ("", "", ...) for a part without a verb."""
    found = [[item for item in meanings if item.kind == "verb"]
             for meanings in part if _has(meanings, "verb")]
    aux = [item for meanings in part for item in meanings if item.kind == "aux"]
    prefixes = [item.value for meanings in part for item in meanings if item.kind == "prefix"]
    if not found:
        if aux:
            raise NotUnderstood("auxiliary without a verb")
        return "", "", frozenset()
    if len(found) > 1:
        raise NotUnderstood("two verbs in a clause")
    for item in found[0]:
        verb, _, prefix = item.value.partition("/")
        if ([prefix] if prefix else []) != prefixes:
            continue
        tense, persons = _tense(item.forms, aux)
        if tense:
            return verb, tense, persons
    raise NotUnderstood("no such form of the verb")


def _one(part: Part, kind: str) -> str:
    found = {item.value for meanings in part for item in meanings if item.kind == kind}
    if len(found) > 1:
        raise NotUnderstood(f"two answers: {kind} {' and '.join(sorted(found))}")
    count = sum(_has(meanings, kind) for meanings in part)
    if count > 1:
        raise NotUnderstood(f"{kind} said twice")
    return next(iter(found), "")


def _who(part: Part, persons: frozenset[str], language: str, known: str) -> str:
    """The subject; known: whom "he", "she" or a missing subject can mean."""
    name = _one(part, "name")
    pronouns = [[item.value for item in meanings if item.kind == "subject"]
                for meanings in part if _has(meanings, "subject")]
    if name:
        who = name
    elif ["1"] in pronouns:
        who = SPEAKER
    elif pronouns:
        who = known if known and lexicon().names[known].gender in pronouns[0] else ""
    elif language == "es" and persons:
        who = SPEAKER if "1" in persons else known
    else:
        who = ""
    if not who:
        raise NotUnderstood("who?")
    if persons and ("1" if who == SPEAKER else "3") not in persons:
        raise NotUnderstood("verb does not agree with its subject")
    return who


def _clause(part: Part, language: str, known: str) -> Fact:
    part = _settled(part)
    verb, tense, persons = _verb(part)
    who = _who(part, persons, language, known) if verb else _one(part, "name")
    if who and not verb:
        raise NotUnderstood("no verb")
    thing = _one(part, "thing")
    if verb and not thing and any(_has(meanings, "object") for meanings in part):
        thing = ANY
    fact = Fact(who, verb, tense, thing, _one(part, "place"), _one(part, "time"))
    if fact == Fact("", "", "", "", "", ""):
        raise NotUnderstood("nothing said")
    return fact


def _telling(part: Part) -> tuple[str, str, Part]:
    """Teller, hearer, what is told; ("", "", part) where nobody tells."""
    if len(part) < 3 or not _has(part[0], "name") or not _has(part[1], "tell", "say"):
        return "", "", part
    teller, rest = part[0][0].value, part[2:]
    hearer = ""
    if _has(part[1], "tell") and _has(rest[0], "name") and len(rest) > 1:
        hearer, rest = rest[0][0].value, rest[1:]
    if _has(rest[0], "that"):
        rest = rest[1:]
    return teller, hearer, rest


def understand(sentence: Sentence, language: str, known: str = "") -> list[Said]:
    """What a sentence says. NotUnderstood: it is no sentence of facts in this language."""
    out: list[Said] = []
    for part in _cut(*items(sentence, language)):
        teller, hearer, rest = _telling(part)
        fact = _clause(rest, language, teller or known)
        out.append(Said(fact, hearer))
        if fact.who != SPEAKER:
            known = fact.who
    return out
