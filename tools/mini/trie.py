"""Longest match of phrases in a list of words."""
from typing import Any, Iterable, NamedTuple, Sequence

from mini.tokens import words


class Item(NamedTuple):
    """What a phrase means. kind: name, verb, thing, place, time, aux, subject, object, prefix,
    tell, that, and, skip, mark. value: an id of the lexicon or a keyword. forms: of a verb."""
    kind: str
    value: str = ""
    forms: frozenset[str] = frozenset()


class Trie:
    """A phrase may have several meanings; all are kept, in the order added."""

    def __init__(self) -> None:
        self._root: dict[str, Any] = {}
        self.vocabulary: set[str] = set()

    def add(self, phrase: str, item: Item) -> None:
        node = self._root
        for word in words(phrase):
            self.vocabulary.add(word)
            node = node.setdefault(word, {})
        found: list[Item] = node.setdefault("", [])
        for at, old in enumerate(found):
            if old[:2] == item[:2]:
                found[at] = old._replace(forms=old.forms | item.forms)
                return
        found.append(item)

    def longest(self, text: Sequence[str], at: int) -> tuple[int, list[Item]]:
        """The end of the longest phrase at a position and its meanings; (at, []) without one."""
        node, best, found = self._root, at, []
        for end in range(at, len(text)):
            node = node.get(text[end])
            if node is None:
                break
            if "" in node:
                best, found = end + 1, node[""]
        return best, found

    def add_all(self, phrases: Iterable[str], item: Item) -> None:
        for phrase in phrases:
            self.add(phrase, item)
