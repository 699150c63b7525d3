"""French sentences of facts, with elision and contracted articles."""
from mini.facts import NEAR, SPEAKER, Fact
from mini.lexicon import VOWELS, Noun, lexicon

PRONOUN = {"f": "elle", "m": "il"}
ENDING = {True: "ai", False: "a"}  # the future of first and third person: stem + ending


def elided(word: str, following: str) -> str:
    """je, que, le, la, de before what follows: "j'achète", but "je lis"."""
    if following[0].lower() in VOWELS:
        return f"{word[:-1]}'{following}"
    return f"{word} {following}"


def noun_phrase(noun: Noun, definite: bool) -> str:
    if noun.plural:
        return f"{'les' if definite else 'des'} {noun.text}"
    if definite:
        return elided("le" if noun.gender == "m" else "la", noun.text)
    return f"{'un' if noun.gender == 'm' else 'une'} {noun.text}"


def contracted(preposition: str, phrase: str) -> str:
    """à + le = au, de + le = du."""
    if phrase.startswith("le "):
        return {"à": "au ", "de": "du "}[preposition] + phrase[3:]
    return f"{preposition} {phrase}"


def place_phrase(place: str) -> str:
    where = lexicon().places[place.removeprefix(NEAR)]
    phrase = noun_phrase(where.noun["fr"], True)
    if place.startswith(NEAR):
        return f"près {contracted('de', phrase)}"
    return contracted("à", phrase) if where.fr_prep == "à" else f"{where.fr_prep} {phrase}"


def time_phrase(time: str) -> str:
    return lexicon().times[time].text["fr"][0]


def predicate(fact: Fact, aspect: str, first: bool) -> str:
    forms = lexicon().verbs[fact.verb].forms
    if aspect == "past":
        return f"{'ai' if first else 'a'} {forms['fr_part']}"
    if aspect == "will":
        return forms["fr_future"] + ENDING[first]
    return f"{'vais' if first else 'va'} {forms['fr_inf']}"


def clause(fact: Fact, aspect: str, definite: bool, subject: str = "") -> str:
    """subject: where not the one who does it is named but a pronoun stands."""
    first = fact.who == SPEAKER
    verb = predicate(fact, aspect, first)
    parts = [elided("je", verb) if first else f"{subject or fact.who} {verb}",
             noun_phrase(lexicon().things[fact.thing].noun["fr"], definite)]
    if fact.place:
        parts.append(place_phrase(fact.place))
    if fact.time:
        parts.append(time_phrase(fact.time))
    return " ".join(parts)


def told(fact: Fact, aspect: str, hearer: str) -> str:
    said = clause(fact, aspect, False, PRONOUN[lexicon().names[fact.who].gender])
    return f"{fact.who} dit à {hearer} {elided('que', said)}"


def joined(first: str, second: str) -> str:
    return f"{first}, et {second}"
