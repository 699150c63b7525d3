"""What the base model reads before it learns any task.

It must know the four languages and the tones, copy names and facts out of a dialogue, and connect a
sentence with the same in another language; the tasks themselves are left to the adapters. So
parallel sentences and pairs of tones stand side by side without a word on which is which, dialogues
echo their facts, and there is no instruction (single_task: how much, by default none). Never a
composed task. Only facts of the training split, of all names and things.
"""
from typing import Callable

from mini import english
from mini.dialogues import Dialogue, Teller, chat, phrase
from mini.dice import Dice
from mini.facts import SPEAKER, Facts
from mini.knobs import DEFAULT, Knobs
from mini.lexicon import LANGUAGES, TONES, lexicon
from mini.statements import Clause, Statement, plain
from mini.tasks import SINGLE, Examples
from mini.tones import toned


class BaseText:
    """Texts of a split from one stream of choices."""

    def __init__(self, seed: int, split: str, knobs: Knobs = DEFAULT) -> None:
        self.dice, self.knobs = Dice(f"{seed}/{split}/base"), knobs
        self.facts = Facts(self.dice, split, knobs.near)
        self.teller = Teller(self.facts, self.dice, knobs)
        self.kinds: dict[str, Callable[[], str]] = {
            "monolingual": self.monolingual, "tone": self.tone, "tatoeba": self.tatoeba,
            "parallel": self.parallel, "tones": self.tones, "dialogue": self.dialogue,
            "echo": self.echo, "foreign": self.foreign, "single_task": self.single_task}
        self.weights = dict(zip(self.kinds, knobs.base_mix))
        if len(knobs.base_mix) != len(self.kinds):
            raise ValueError(f"base_mix: expected {len(self.kinds)} weights")
        self.single = [Examples(seed, task, split, knobs) for task in SINGLE]

    def draw(self) -> str:
        return self.kinds[self.dice.weighted(self.weights)]()

    def statement(self) -> Statement:
        dialogue = self.teller.dialogue()
        return dialogue.summary() if self.dice.chance(0.5) else dialogue.reply()

    def monolingual(self) -> str:
        """A few sentences of one language."""
        language = self.dice.pick(LANGUAGES)
        texts = [plain(self.statement(), language) for _ in range(self.dice.pick((1, 2, 3)))]
        if self.dice.chance(0.3):
            texts.append(self.dice.pick(lexicon().tatoeba)[language])
        return " ".join(self.dice.shuffled(texts))

    def tone(self) -> str:
        return toned(self.statement(), self.dice.pick(TONES), self.dice, self.knobs.tone_both)

    def tatoeba(self) -> str:
        """A sentence of Tatoeba in two to four languages."""
        row = self.dice.pick(lexicon().tatoeba)
        return "\n".join(row[language] for language in self._languages())

    def parallel(self) -> str:
        """The same in two to four languages, in any order."""
        statement = self.statement()
        return "\n".join(plain(statement, language) for language in self._languages())

    def _languages(self) -> list[str]:
        return self.dice.shuffled(LANGUAGES)[:self.dice.pick((2, 2, 3, 4))]

    def tones(self) -> str:
        """The same plain and in one or two tones, in any order."""
        statement = self.statement()
        tones = self.dice.shuffled(TONES)[:self.dice.pick((1, 2))]
        texts = [plain(statement, "en")] + [
            toned(statement, tone, self.dice, self.knobs.tone_both) for tone in tones]
        return "\n".join(self.dice.shuffled(texts))

    def dialogue(self) -> str:
        return self.teller.dialogue().text()

    def echo(self) -> str:
        """A dialogue whose end, instead of the question, says a fact again."""
        dialogue = self.teller.dialogue()
        first, second = dialogue.people
        said = dialogue.told[:1 + (dialogue.told[0].fact.who == first)]
        clause = self.dice.pick(said)
        answer = (self.dice.pick(chat("react")) if clause.fact.who == first
                  else f"Yes, {self._again(dialogue)}.")
        return "\n".join((*dialogue.lines[:-1], f"{first}: {self._heard(clause, first)}",
                          f"{second}: {answer}"))

    def _heard(self, clause: Clause, speaker: str) -> str:
        """"So you will buy a lamp at the market?", or of oneself "As I said, I ..."."""
        fact, aspect, definite = clause
        text = english.clause(fact._replace(who=SPEAKER), aspect, definite)
        if fact.who == speaker:
            return f"As I said, {text}."
        return f"So you{text[1:].replace(' am ', ' are ', 1)}?"

    def _again(self, dialogue: Dialogue) -> str:
        fact = dialogue.fact
        return " ".join(phrase(fact, slot) for slot in ("place", "time") if getattr(fact, slot))

    def foreign(self) -> str:
        """A little talk in one language: someone says something, someone else too."""
        language = self.dice.pick(LANGUAGES)
        people = self.facts.people(2)
        lines = []
        for at in range(self.dice.pick((2, 3))):
            fact = self.facts.draw(SPEAKER, ("place", "time"))
            clause = Clause(fact, self.teller.aspect(fact))
            talk = self.dice.pick(lexicon().tatoeba)[language] if self.dice.chance(0.5) else ""
            lines.append(f"{people[at % 2]}: " + f"{talk} {plain(Statement((clause,)), language)}"
                         .strip())
        return "\n".join(lines)

    def single_task(self) -> str:
        row = self.dice.pick(self.single).draw()
        return row["prompt"] + row["completion"]
