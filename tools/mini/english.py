"""English sentences of facts."""
from mini.facts import NEAR, SPEAKER, Fact
from mini.lexicon import Noun, lexicon

PRONOUN = {"f": "she", "m": "he"}


def noun_phrase(noun: Noun, definite: bool) -> str:
    if definite:
        return f"the {noun.text}"
    if noun.plural:
        return noun.text
    return f"{'an' if noun.text[0] in 'aeiou' else 'a'} {noun.text}"


def place_phrase(place: str) -> str:
    where = lexicon().places[place.removeprefix(NEAR)]
    preposition = "near" if place.startswith(NEAR) else where.en_prep
    return f"{preposition} the {where.noun['en'].text}"


def time_phrase(time: str) -> str:
    return lexicon().times[time].text["en"][0]


def verb_form(verb: str, form: str, register: str = "") -> str:
    """form: "base" or "past"; register: "", "formal" or "casual"."""
    forms = lexicon().verbs[verb].forms
    return forms.get(f"{register}_{form}", "") or forms[f"en_{form}"]


def predicate(fact: Fact, aspect: str, first: bool, register: str = "") -> str:
    """Verb group without subject: "will buy", "is going to buy", "'s gonna grab", "bought"."""
    if aspect == "past":
        return verb_form(fact.verb, "past", register)
    base = verb_form(fact.verb, "base", register)
    if aspect == "will":
        return f"will {base}"
    be = "am" if first else "is"
    return f"{be} going to {base}"


def slots(fact: Fact, definite: bool) -> str:
    """Object, place, time."""
    parts = [noun_phrase(lexicon().things[fact.thing].noun["en"], definite)]
    if fact.place:
        parts.append(place_phrase(fact.place))
    if fact.time:
        parts.append(time_phrase(fact.time))
    return " ".join(parts)


def clause(fact: Fact, aspect: str, definite: bool, subject: str = "", register: str = "") -> str:
    """subject: where not the one who does it is named but a pronoun stands."""
    return " ".join((subject or fact.who,
                     predicate(fact, aspect, fact.who == SPEAKER, register),
                     slots(fact, definite)))


def told(fact: Fact, aspect: str, hearer: str) -> str:
    pronoun = PRONOUN[lexicon().names[fact.who].gender]
    return f"{fact.who} tells {hearer} that {clause(fact, aspect, False, pronoun)}"


def joined(first: str, second: str) -> str:
    return f"{first}, and {second}"
