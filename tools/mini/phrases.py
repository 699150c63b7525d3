"""What each language can say, as phrases with their meanings.

Made from the same lexicon and grammar as the texts, with the variants that a human would accept:
synonyms, articles of any kind, other prepositions of place. A wrong gender of an article is a slip
that neither changes the fact nor the language, so articles are skipped.
"""
from functools import lru_cache

from mini import french, german, spanish
from mini.facts import NEAR
from mini.lexicon import LANGUAGES, Noun, lexicon, rows
from mini.trie import Item, Trie

FUNCTION_WORDS = {
    "en": {"skip": "a/an/the/some/my/his/her/then/also/yes/well/sure/of course/today",
           "and": "and/while", "that": "that", "subject1": "I", "subjectm": "he",
           "subjectf": "she",
           "object": "it/them",
           "tell": "tells/told/informs/says to/lets/writes to", "say": "says/said",
           "will": "will/'ll/shall", "going1": "am going to/'m going to/am gonna/'m gonna/plan to",
           "going3": "is going to/'s going to/is gonna/'s gonna/plans to/is planning to",
           "have": "have/'ve/has"},
    "es": {"skip": "un/una/unos/unas/el/la/los/las/mi/mis/su/sus/también/sí/bueno/claro/entonces",
           "and": "y/e/mientras", "that": "que", "subject1": "yo", "subjectm": "él",
           "subjectf": "ella", "object": "lo/la/los/las",
           "tell": "le dice a/dice a/le cuenta a/cuenta a/le dijo a/informa a", "say": "dice/dijo",
           "going1": "voy a/pienso", "going3": "va a/piensa", "have1": "he", "have3": "ha"},
    "fr": {"skip": "un/une/des/le/la/l'/les/mon/ma/mes/son/sa/ses/aussi/oui/bien sûr/alors/du/de la",
           "and": "et/tandis que", "that": "que/qu'", "subject1": "je/j'/moi",
           "subjectm": "il", "subjectf": "elle", "object": "le/la/l'/les",
           "tell": "dit à/raconte à/annonce à/a dit à", "say": "dit/a dit",
           "going1": "vais", "going3": "va", "have1": "ai", "have3": "a"},
    "de": {"skip": "ein/eine/einen/der/die/das/den/mein/meine/meinen/sein/seine/seinen/ihr/ihre/"
                   "ihren/auch/ja/also/dann",
           "and": "und/während", "that": "dass/daß", "subject1": "ich", "subjectm": "er",
           "subjectf": "sie", "object": "ihn/sie/es",
           "tell": "sagt/erzählt/sagt zu/teilt mit", "say": "sagt/sagte",
           "will1": "werde/will", "will3": "wird/will", "have1": "habe", "have3": "hat"},
}


def _verbs(trie: Trie, language: str) -> None:
    for verb in lexicon().verbs.values():
        forms = verb.forms
        if language == "en":
            for register in ("en", "formal", "casual"):
                base, past = forms[f"{register}_base"], forms[f"{register}_past"]
                if base:
                    _english(trie, verb.id, base, past)
            continue
        for form in ("inf", "past1", "past3", "part", "pres1", "pres3"):
            text = forms.get(f"{language}_{form}", "")
            if text:
                _form(trie, verb.id, text, form, forms.get(f"{language}_prefix", ""))
        if language == "de":
            _form(trie, verb.id, forms["de_pret"], "past1", forms["de_prefix"])
            _form(trie, verb.id, forms["de_pret"], "past3", forms["de_prefix"])
        else:
            _futures(trie, language, verb.id, forms["fr_future" if language == "fr" else "es_inf"])


def _variants(trie: Trie, language: str) -> None:
    for row in rows("verb_variants"):
        if row["lang"] != language:
            continue
        prefix = row["future_or_prefix"] if language == "de" else ""
        for form in ("inf", "past1", "past3", "part", "pres1", "pres3"):
            if row[form]:
                _form(trie, row["id"], row[form], form, prefix)
        if language in ("es", "fr"):
            _futures(trie, language, row["id"],
                     row["inf"] if language == "es" else row["future_or_prefix"])


def _english(trie: Trie, verb: str, base: str, past: str) -> None:
    head, _, rest = base.partition(" ")
    ending = "es" if head.endswith(("s", "sh", "ch")) else "s"
    third = f"{head[:-1]}ies" if head.endswith("ry") else head + ending
    for form, text in (("inf", base), ("pres1", base), ("pres3", f"{third} {rest}".strip()),
                       ("past1", past), ("past3", past), ("part", past)):
        _form(trie, verb, text, form)
        if rest:  # "pick it up"
            trie.add(text.split()[0], Item("verb", f"{verb}/{rest}", frozenset((form,))))
    if rest:
        trie.add(rest, Item("prefix", rest))


def _form(trie: Trie, verb: str, text: str, form: str, prefix: str = "") -> None:
    """A separable verb is understood joined ("abholt") and apart, when its prefix must follow."""
    if prefix and form in ("pres1", "pres3", "past1", "past3"):
        trie.add(prefix + text, Item("verb", verb, frozenset((form,))))
        trie.add(text, Item("verb", f"{verb}/{prefix}", frozenset((form,))))
        trie.add(prefix, Item("prefix", prefix))
    else:
        trie.add(text, Item("verb", verb, frozenset((form,))))


def _futures(trie: Trie, language: str, verb: str, stem: str) -> None:
    if stem:
        ending = spanish.ENDING if language == "es" else french.ENDING
        for first in (True, False):
            form = "future1" if first else "future3"
            _form(trie, verb, stem + ending[first], form)


def _things(trie: Trie, language: str) -> None:
    for thing in lexicon().things.values():
        trie.add(thing.noun[language].text, Item("thing", thing.id))
    for row in rows("thing_variants"):
        if row["lang"] == language:
            trie.add(row["noun"], Item("thing", row["id"]))


def _places(trie: Trie, language: str) -> None:
    for place in lexicon().places.values():
        trie.add_all(_at(place.id, language), Item("place", place.id))
        if place.near:
            trie.add_all(_near(place.id, language), Item("place", NEAR + place.id))


def _at(place: str, language: str) -> set[str]:
    where = lexicon().places[place]
    if language == "de":
        noun = where.de.split()[-1]
        return {where.de} | {f"{preposition} {noun}" for preposition in (
            "im", "am", "beim", "in der", "an der", "auf der", "auf dem", "in dem", "an dem",
            "bei der")}
    noun = where.noun[language]
    if language == "en":
        return {f"{preposition} {article} {noun.text}" for preposition in ("at", "in", "on")
                for article in ("the", "a")} | {f"at {noun.text}"}
    if language == "es":
        return {f"en {article} {noun.text}" for article in ("el", "la", "un", "una")}
    with_article = french.noun_phrase(noun, True)
    return {french.place_phrase(place), french.contracted("à", with_article),
            f"dans {with_article}", f"sur {with_article}"}


def _near(place: str, language: str) -> set[str]:
    where = lexicon().places[place]
    if language == "de":
        noun = where.de.split()[-1]
        return {german.place_phrase(NEAR + place), f"in der Nähe von {where.de.split(' ', 1)[1]}",
                f"in der Nähe vom {noun}", f"in der Nähe von der {noun}", f"nahe dem {noun}",
                f"nahe der {noun}"}
    noun = where.noun[language]
    if language == "en":
        return {f"near the {noun.text}", f"close to the {noun.text}", f"by the {noun.text}",
                f"near a {noun.text}"}
    if language == "es":
        return {spanish.place_phrase(NEAR + place),
                f"cerca de {spanish.noun_phrase(noun, True)}",
                f"junto {'al' if noun.gender == 'm' else 'a la'} {noun.text}"}
    return {french.place_phrase(NEAR + place), f"à côté {_du(noun)}", f"proche {_du(noun)}"}


def _du(noun: Noun) -> str:
    return french.contracted("de", french.noun_phrase(noun, True))


@lru_cache(maxsize=None)
def phrases(language: str) -> Trie:
    """Names, verbs, things, places, times, function words of one language."""
    trie = Trie()
    for name in lexicon().names.values():
        trie.add(name.text, Item("name", name.text))
    _verbs(trie, language)
    _variants(trie, language)
    _things(trie, language)
    _places(trie, language)
    for time in lexicon().times.values():
        trie.add_all(time.text[language], Item("time", time.id))
    for kind, variants in FUNCTION_WORDS[language].items():
        for phrase in variants.split("/"):
            if kind.startswith("subject"):
                trie.add(phrase, Item("subject", kind[7:]))
            elif kind.startswith(("will", "going", "have")):
                trie.add(phrase, Item("aux", kind.rstrip("13"), frozenset(kind[-1:]) & {"1", "3"}))
            else:
                trie.add(phrase, Item(kind))
    return trie


@lru_cache(maxsize=None)
def vocabulary(language: str) -> frozenset[str]:
    """Every word of a language, Tatoeba's and the tones' among them, without names and
    apostrophes."""
    words = set(phrases(language).vocabulary)
    extra = Trie()
    for row in lexicon().tatoeba:
        extra.add(row[language], Item("skip"))
    if language == "en":
        for mark in lexicon().tones:
            extra.add(mark.text.replace("{thing}", ""), Item("mark", mark.tone))
        extra.add("at on in near the by close to is am are gonna m s ll you", Item("skip"))
        for row in rows("chat"):
            extra.add(row["text"].replace("{other}", "").replace("{phrase}", ""), Item("skip"))
    names = {name.lower() for name in lexicon().names}
    return frozenset((words | extra.vocabulary) - names - {"'"})


def languages_of(word: str) -> tuple[str, ...]:
    return tuple(language for language in LANGUAGES if word in vocabulary(language))
