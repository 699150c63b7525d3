"""The marks of tone in an English text."""
from functools import lru_cache
from typing import NamedTuple, Sequence

from mini.lexicon import lexicon, rows
from mini.tokens import Sentence
from mini.trie import Item, Trie

LONGEST = 10  # words of a mark


class Unmarked(NamedTuple):
    """A sentence without its marks, the tones of those, and the things that jokes name."""
    sentence: Sentence
    tones: frozenset[str]
    things: frozenset[str]


@lru_cache(maxsize=None)
def _trie(part: str) -> Trie:
    """Of what opens or closes, also what is only understood and never written ("also_open")."""
    trie = Trie()
    nouns = [(thing.noun["en"].text, thing.id) for thing in lexicon().things.values()]
    nouns += [(row["noun"], row["id"]) for row in rows("thing_variants") if row["lang"] == "en"]
    for mark in lexicon().tones:
        if mark.part.removeprefix("also_") != part:
            continue
        if "{thing}" not in mark.text:
            trie.add(mark.text, Item("mark", mark.tone))
            continue
        for noun, thing in nouns:
            trie.add(mark.text.format(thing=noun), Item("mark", mark.tone, frozenset((thing,))))
    return trie


def _last(text: Sequence[str]) -> tuple[int, list[Item]]:
    """Where a mark begins that ends the text, the longest one."""
    for at in range(max(0, len(text) - LONGEST), len(text)):
        end, found = _trie("close").longest(text, at)
        if found and end == len(text):
            return at, found
    return len(text), []


def unmarked(sentence: Sentence) -> Unmarked:
    """Marks stand before and after what is said; "gonna" stands within it, and stays."""
    text = sentence.words
    tones, things = set(), set()
    first = 0
    while True:
        end, found = _trie("open").longest(text, first)
        if not found:
            break
        first = end
        tones.update(item.value for item in found)
        things.update(*(item.forms for item in found))
    text = text[first:]
    while True:
        at, found = _last(text)
        if not found:
            break
        text = text[:at]
        tones.update(item.value for item in found)
        things.update(*(item.forms for item in found))
    if "gonna" in text:
        tones.add("casual")
    commas = frozenset(at - first for at in sentence.commas if 0 < at - first < len(text))
    return Unmarked(Sentence(text, commas), frozenset(tones), frozenset(things))
