"""Everything that sets how hard the miniature is, in one place."""
from typing import NamedTuple


class Knobs(NamedTuple):
    """Probabilities are of one example."""
    two_facts: float = 0.5      # both speakers tell something; else only the second
    distractor: float = 0.25    # someone tells of a third person, which no task asks for
    corrected: float = 0.2      # a place or time is first said wrong
    split: float = 0.25         # a place or time comes only when asked
    fronted: float = 0.15       # the time opens the sentence
    small_talk: float = 0.15    # a sentence of Tatoeba at each of three places of a dialogue
    near: float = 0.25          # "near the station", not "at the station"
    one_slot: float = 0.4       # a fact lacks its place or its time (only where two are told)
    tone_both: float = 0.6      # a toned text is opened and closed, not just one of them
    toned_source: float = 0.3   # what a tone task rewrites is itself in another tone
    tatoeba: float = 0.15       # translation tasks: one or two sentences of Tatoeba, no fact
    tatoeba_toned: float = 0.06  # tone tasks: the same
    tatoeba_beside: float = 0.1  # translation tasks: a sentence of Tatoeba before the fact
    unseen: float = 0.5         # composed validation and test: held-out words may be drawn
    train: int = 5000           # examples a sub-task
    valid: int = 500
    test: int = 1000
    base: int = 200000          # texts for the base model, read more than once
    # How the base's texts are mixed: monolingual, tone, tatoeba, parallel, tones, dialogue, echo,
    # foreign, single_task (base_text.py)
    base_mix: tuple[float, ...] = (0.10, 0.06, 0.08, 0.34, 0.12, 0.05, 0.17, 0.08, 0.0)


DEFAULT = Knobs()
