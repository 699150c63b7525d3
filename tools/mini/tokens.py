"""A text as the oracle reads it: small letters, no punctuation but where sentences end."""
import re
import unicodedata
from functools import lru_cache
from typing import NamedTuple

_WORD = re.compile(r"[^\W_]+|'|[.!?:;\n]|,")
_PLAIN = str.maketrans({"’": "'", "‘": "'", "`": "'", "´": "'", "…": ".", "\u00a0": " ",
                        "\u202f": " "})
ENDS = frozenset(".!?:;\n")


class Sentence(NamedTuple):
    """commas: positions of words that follow a comma."""
    words: tuple[str, ...]
    commas: frozenset[int]


def normal(text: str) -> str:
    return unicodedata.normalize("NFC", text).translate(_PLAIN).lower()


@lru_cache(maxsize=None)
def words(phrase: str) -> tuple[str, ...]:
    """The words of a phrase of the lexicon, apostrophes by themselves, punctuation dropped."""
    return tuple(word for word in _WORD.findall(normal(phrase)) if word not in ENDS and word != ",")


def sentences(text: str) -> list[Sentence]:
    """Without empty ones."""
    out: list[Sentence] = []
    current: list[str] = []
    commas: set[int] = set()
    for word in [*_WORD.findall(normal(text)), "."]:
        if word in ENDS:
            if current:
                out.append(Sentence(tuple(current), frozenset(commas)))
            current, commas = [], set()
        elif word == ",":
            commas.add(len(current))
        else:
            current.append(word)
    return out
