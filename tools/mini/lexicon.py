"""The words of the miniature, read from lexicon/*.tsv and data/mini/tatoeba.tsv.gz."""
import csv
import gzip
import pathlib
from functools import lru_cache
from typing import NamedTuple

HERE = pathlib.Path(__file__).resolve().parent
TATOEBA = HERE.parent.parent / "data" / "mini" / "tatoeba.tsv.gz"
LANGUAGES = ("en", "es", "fr", "de")
TONES = ("professional", "casual", "witty", "neutral")
VOWELS = "aeiouyhàâéèêëîïôœù"  # h: the lexicon has no French h aspiré


class Noun(NamedTuple):
    """A noun in one language; gender is "" in English."""
    text: str
    gender: str
    plural: bool


class Name(NamedTuple):
    text: str
    gender: str
    held: bool


class Thing(NamedTuple):
    id: str
    tags: frozenset[str]
    held: bool
    noun: dict[str, Noun]


class Verb(NamedTuple):
    """forms: columns of verbs.tsv such as "es_past1"; "" where there is none."""
    id: str
    things: frozenset[str]
    places: frozenset[str]
    tenses: tuple[str, ...]
    forms: dict[str, str]


class Place(NamedTuple):
    id: str
    groups: frozenset[str]
    near: bool
    en_prep: str
    fr_prep: str
    noun: dict[str, Noun]
    de: str
    de_near: str


class Time(NamedTuple):
    """kind: day, hour or span. text: per language the variants that are understood, the one that
    is written first."""
    id: str
    kind: str
    tenses: tuple[str, ...]
    text: dict[str, tuple[str, ...]]


class ToneMark(NamedTuple):
    """What opens or closes a toned text; join tells how an opening leads on to the sentence."""
    tone: str
    part: str
    join: str
    text: str


class Lexicon(NamedTuple):
    names: dict[str, Name]
    things: dict[str, Thing]
    verbs: dict[str, Verb]
    places: dict[str, Place]
    times: dict[str, Time]
    tones: tuple[ToneMark, ...]
    tatoeba: tuple[dict[str, str], ...]


def rows(name: str) -> list[dict[str, str]]:
    """The lines of lexicon/NAME.tsv; "-" is an empty field."""
    with open(HERE / "lexicon" / f"{name}.tsv", encoding="utf-8", newline="") as file:
        return [{key: "" if value == "-" else value for key, value in row.items()}
                for row in csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE)]


def _noun(row: dict[str, str], language: str) -> Noun:
    return Noun(row[language], row.get(f"{language}_gender", ""), row.get("number") == "many")


def _verb(row: dict[str, str]) -> Verb:
    forms = {key: value for key, value in row.items() if "_" in key}
    return Verb(row["id"], frozenset(row["objects"].split()), frozenset(row["places"].split()),
                tuple(row["tenses"].split()), forms)


def _place(row: dict[str, str]) -> Place:
    nouns = {language: _noun(row, language) for language in ("en", "es", "fr")}
    return Place(row["id"], frozenset(row["groups"].split()), row["near"] == "near",
                 row["en_prep"], row["fr_prep"], nouns, row["de"], row["de_near"])


def _tatoeba() -> tuple[dict[str, str], ...]:
    with gzip.open(TATOEBA, "rt", encoding="utf-8", newline="") as file:
        return tuple(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))


@lru_cache(maxsize=1)
def lexicon() -> Lexicon:
    """All words, read once; read only."""
    things = (Thing(row["id"], frozenset(row["tags"].split()), row["held"] == "held",
                    {language: _noun(row, language) for language in LANGUAGES})
              for row in rows("things"))
    times = (Time(row["id"], row["kind"], tuple(row["tenses"].split()),
                  {language: tuple(row[language].split("/")) for language in LANGUAGES})
             for row in rows("times"))
    return Lexicon(
        {row["name"]: Name(row["name"], row["gender"], row["held"] == "held")
         for row in rows("names")},
        {thing.id: thing for thing in things},
        {row["id"]: _verb(row) for row in rows("verbs")},
        {row["id"]: _place(row) for row in rows("places")},
        {time.id: time for time in times},
        tuple(ToneMark(**row) for row in rows("tones")),
        _tatoeba())
