"""Seeded choices that are the same in every version of Python.

Only random.Random.random() is used: its sequence for a given seed is promised to stay.
"""
import random
from typing import Sequence, TypeVar

T = TypeVar("T")


class Dice:
    """Choices from one stream, named by a text such as "1/train/summary+es"."""

    def __init__(self, seed: str) -> None:
        self._random = random.Random(seed)

    def chance(self, probability: float) -> bool:
        return self._random.random() < probability

    def pick(self, items: Sequence[T]) -> T:
        return items[int(self._random.random() * len(items))]

    def weighted(self, weights: dict[T, float]) -> T:
        """A key, as often as its weight says."""
        at = self._random.random() * sum(weights.values())
        for key, weight in weights.items():
            at -= weight
            if at < 0:
                return key
        return key

    def shuffled(self, items: Sequence[T]) -> list[T]:
        left, out = list(items), []
        while left:
            out.append(left.pop(int(self._random.random() * len(left))))
        return out
