"""What a whole text says: facts, sentences of Tatoeba, tones, and the language of its words."""
from functools import lru_cache
from typing import NamedTuple

from mini.clauses import NotUnderstood, Said, understand
from mini.facts import SPEAKER
from mini.lexicon import LANGUAGES, lexicon
from mini.marks import unmarked
from mini.phrases import vocabulary
from mini.tokens import Sentence, words

MOST_WORDS = 80
SUBJECTS = frozenset(("yo", "tú", "él", "ella", "nosotros", "ellos"))
MISSPELT = 0.2  # the share of unknown words that leaves a text in its language


class Reading(NamedTuple):
    """said: the facts in their order; tatoeba: per sentence of Tatoeba the rows it may be; failure:
    why some of the text was not understood, or ""."""
    said: list[Said]
    tatoeba: list[frozenset[int]]
    tones: frozenset[str]
    jokes: frozenset[str]
    words: list[str]
    failure: str


@lru_cache(maxsize=1)
def _rows() -> dict[tuple[str, ...], frozenset[int]]:
    """Rows of Tatoeba by the words of any language; Spanish without a subject pronoun is under
    ("es", ...) too."""
    found: dict[tuple[str, ...], set[int]] = {}
    for number, row in enumerate(lexicon().tatoeba):
        for language in LANGUAGES:
            found.setdefault(words(row[language]), set()).add(number)
        found.setdefault(_without_subject(words(row["es"])), set()).add(number)
    return {key: frozenset(numbers) for key, numbers in found.items()}


def _without_subject(phrase: tuple[str, ...]) -> tuple[str, ...]:
    return ("es", *phrase[1:]) if phrase[0] in SUBJECTS else ("es", *phrase)


def _tatoeba(phrase: tuple[str, ...]) -> frozenset[int] | None:
    return _rows().get(phrase) or _rows().get(_without_subject(phrase))


@lru_cache(maxsize=1)
def _names() -> frozenset[str]:
    return frozenset(name.lower() for name in lexicon().names)


def runaway(parts: list[Sentence]) -> str:
    """Why a text repeats itself or does not end; "" where it does neither."""
    flat = [word for part in parts for word in part.words]
    if len(flat) > MOST_WORDS:
        return "too long"
    said = [part.words for part in parts if len(part.words) > 1]
    if len(said) != len(set(said)):
        return "a sentence repeated"
    for length in (1, 2, 3, 4):
        run = 0
        for at in range(length, len(flat)):
            run = run + 1 if flat[at] == flat[at - length] else 0
            if run >= 2 * length:
                return "words repeated"
    return ""


def _sentence(sentence: Sentence, known: str) -> list[Said]:
    """In the first language that it is a sentence of."""
    failures: list[tuple[int, str]] = []
    for language in LANGUAGES:
        try:
            return understand(sentence, language, known)
        except NotUnderstood as failure:
            vocabulary_of = vocabulary(language)
            count = sum(word in vocabulary_of for word in sentence.words)
            failures.append((-count, str(failure)))
    raise NotUnderstood(min(failures)[1])


def read(parts: list[Sentence]) -> Reading:
    said: list[Said] = []
    tatoeba: list[frozenset[int]] = []
    tones: set[str] = set()
    jokes: set[str] = set()
    failure, known = "", ""
    for part in parts:
        rows = _tatoeba(part.words)
        if rows:
            tatoeba.append(rows)
            continue
        bare = unmarked(part)
        tones |= bare.tones
        jokes |= bare.things
        if not bare.sentence.words:
            continue
        rows = _tatoeba(bare.sentence.words) if bare.tones else None
        if rows:
            tatoeba.append(rows)
            continue
        try:
            facts = _sentence(bare.sentence, known)
        except NotUnderstood as reason:
            failure = failure or str(reason)
            continue
        said += facts
        known = next((one.fact.who for one in reversed(facts)
                      if one.fact.who not in ("", SPEAKER)), known)
    flat = [word for part in parts for word in part.words if word != "'" and word not in _names()]
    return Reading(said, tatoeba, frozenset(tones), frozenset(jokes), flat, failure)


def wrong_language(reading: Reading, language: str) -> str:
    """Why a text is not in a language, judged by its words alone; "" where it is."""
    if not reading.words:
        return "no words"
    own = vocabulary(language)
    unknown = [word for word in reading.words if word not in own]
    for word in unknown:
        if any(word in vocabulary(other) for other in LANGUAGES):
            return f"{word!r} is not {language}"
    if len(unknown) > MISSPELT * len(reading.words):
        return f"not {language}: unknown {unknown[0]!r}"
    return ""
