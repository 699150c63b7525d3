"""Plain statements of one or two facts, in any of the languages: what summaries, replies and the
sentences to translate or rewrite are made of."""
from typing import NamedTuple

from mini import english, french, german, spanish
from mini.facts import Fact

GRAMMARS = {"en": english, "es": spanish, "fr": french, "de": german}


class Clause(NamedTuple):
    """aspect: "will", "going" or "past"; definite: "the lamp", not "a lamp"."""
    fact: Fact
    aspect: str
    definite: bool = False


class Statement(NamedTuple):
    """told: to whom the one who does it tells it, or ""; only with one clause."""
    clauses: tuple[Clause, ...]
    told: str = ""

    def facts(self) -> list[str]:
        return [clause.fact.code() for clause in self.clauses]


def sentence(text: str) -> str:
    return text[0].upper() + text[1:] + "."


def body(statement: Statement, language: str) -> str:
    """Without the capital at the start and the full stop at the end."""
    grammar = GRAMMARS[language]
    first = statement.clauses[0]
    if statement.told:
        return grammar.told(first.fact, first.aspect, statement.told)
    text = grammar.clause(*first)
    for clause in statement.clauses[1:]:
        text = grammar.joined(text, grammar.clause(*clause))
    return text


def plain(statement: Statement, language: str) -> str:
    return sentence(body(statement, language))
