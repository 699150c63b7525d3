"""Spanish sentences of facts. Subject pronouns are left out, as Spanish does."""
from mini.facts import NEAR, SPEAKER, Fact
from mini.lexicon import Noun, lexicon

DEFINITE = {("m", False): "el", ("f", False): "la", ("m", True): "los", ("f", True): "las"}
INDEFINITE = {("m", False): "un", ("f", False): "una", ("m", True): "unos", ("f", True): "unas"}
ENDING = {True: "é", False: "á"}  # the future of first and third person: infinitive + ending


def noun_phrase(noun: Noun, definite: bool) -> str:
    return f"{(DEFINITE if definite else INDEFINITE)[noun.gender, noun.plural]} {noun.text}"


def of(phrase: str) -> str:
    """de + article: del."""
    return "del " + phrase[3:] if phrase.startswith("el ") else f"de {phrase}"


def place_phrase(place: str) -> str:
    phrase = noun_phrase(lexicon().places[place.removeprefix(NEAR)].noun["es"], True)
    return f"cerca {of(phrase)}" if place.startswith(NEAR) else f"en {phrase}"


def time_phrase(time: str) -> str:
    return lexicon().times[time].text["es"][0]


def predicate(fact: Fact, aspect: str, first: bool) -> str:
    forms = lexicon().verbs[fact.verb].forms
    if aspect == "past":
        return forms["es_past1" if first else "es_past3"]
    if aspect == "will":
        return forms["es_inf"] + ENDING[first]
    return f"{'voy' if first else 'va'} a {forms['es_inf']}"


def clause(fact: Fact, aspect: str, definite: bool, subject: bool = True) -> str:
    """subject: whether to name the one who does it; "I" is never named."""
    first = fact.who == SPEAKER
    parts = [] if first or not subject else [fact.who]
    parts += [predicate(fact, aspect, first),
              noun_phrase(lexicon().things[fact.thing].noun["es"], definite)]
    if fact.place:
        parts.append(place_phrase(fact.place))
    if fact.time:
        parts.append(time_phrase(fact.time))
    return " ".join(parts)


def told(fact: Fact, aspect: str, hearer: str) -> str:
    return f"{fact.who} le dice a {hearer} que {clause(fact, aspect, False, subject=False)}"


def joined(first: str, second: str) -> str:
    """y becomes e before the sound i."""
    conjunction = "e" if second.lower().startswith(("i", "hi")) else "y"
    return f"{first}, {conjunction} {second}"
