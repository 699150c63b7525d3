#include "eval/metrics/porter.h"

#include <stdbool.h>
#include <string.h>

typedef struct stemmed {
    char *word;
    size_t length;
} stemmed;

/* --- what conditions are made of; all look at the first `length` letters -----------------------
 */

/* A y is a consonant where it does not follow one. */
static bool is_consonant_after(char letter, bool consonant_before)
{
    return letter == 'y' ? !consonant_before : !strchr("aeiou", letter);
}

static bool is_consonant(const char *word, size_t at)
{
    size_t first = at;
    while (first > 0 && word[first] == 'y')
        first--;
    bool consonant = false; /* before the first letter: as if it were a vowel */
    for (size_t i = first; i <= at; i++)
        consonant = is_consonant_after(word[i], consonant);
    return consonant;
}

/* Porter's m: how often a consonant follows a vowel. */
static size_t measure(const char *word, size_t length)
{
    size_t m = 0;
    bool before = false;
    for (size_t i = 0; i < length; i++) {
        const bool consonant = is_consonant_after(word[i], before);
        m += i > 0 && consonant && !before;
        before = consonant;
    }
    return m;
}

static bool has_vowel(const char *word, size_t length)
{
    bool consonant = false;
    for (size_t i = 0; i < length; i++) {
        consonant = is_consonant_after(word[i], consonant);
        if (!consonant)
            return true;
    }
    return false;
}

static bool ends_double(const char *word, size_t length)
{
    return length >= 2 && word[length - 1] == word[length - 2] && is_consonant(word, length - 1);
}

/* Porter's *o, and a vowel and a consonant alone. */
static bool ends_short(const char *word, size_t length)
{
    if (length == 2)
        return !is_consonant(word, 0) && is_consonant(word, 1);
    return length >= 3 && is_consonant(word, length - 3) && !is_consonant(word, length - 2)
           && is_consonant(word, length - 1) && !strchr("wxy", word[length - 1]);
}

/* --- rules ----------------------------------------------------------------------------------- */

static bool ends_in(const stemmed *s, const char *suffix)
{
    const size_t length = strlen(suffix);
    return s->length >= length && memcmp(s->word + s->length - length, suffix, length) == 0;
}

static void replace(stemmed *s, size_t suffix, const char *with)
{
    const size_t length = strlen(with);
    s->length -= suffix;
    memcpy(s->word + s->length, with, length);
    s->length += length;
}

typedef struct rule {
    const char *suffix, *with;
} rule;

/* The first rule whose suffix is there decides, and applies where m of the rest is over `above`. */
static void apply(stemmed *s, const rule *rules, size_t count, size_t above)
{
    for (size_t i = 0; i < count; i++) {
        const size_t suffix = strlen(rules[i].suffix);
        if (!ends_in(s, rules[i].suffix))
            continue;
        if (measure(s->word, s->length - suffix) > above)
            replace(s, suffix, rules[i].with);
        return;
    }
}

#define COUNT(rules) (sizeof(rules) / sizeof((rules)[0]))

/* --- steps ----------------------------------------------------------------------------------- */

static void plural(stemmed *s)
{
    if (ends_in(s, "ies"))
        replace(s, 3, s->length == 4 ? "ie" : "i");
    else if (ends_in(s, "sses"))
        s->length -= 2;
    else if (ends_in(s, "s") && !ends_in(s, "ss"))
        s->length -= 1;
}

/* What "hopping", "hoping" and "hissing" are left as. */
static void mend(stemmed *s)
{
    const char last = s->word[s->length - 1];
    if (ends_in(s, "at") || ends_in(s, "bl") || ends_in(s, "iz"))
        replace(s, 0, "e");
    else if (ends_double(s->word, s->length))
        s->length -= last != 'l' && last != 's' && last != 'z';
    else if (measure(s->word, s->length) == 1 && ends_short(s->word, s->length))
        replace(s, 0, "e");
}

static void past(stemmed *s)
{
    if (ends_in(s, "ied")) {
        replace(s, 3, s->length == 4 ? "ie" : "i");
        return;
    }
    if (ends_in(s, "eed")) {
        s->length -= measure(s->word, s->length - 3) > 0;
        return;
    }
    const size_t suffix = ends_in(s, "ed") ? 2 : ends_in(s, "ing") ? 3 : 0;
    if (suffix && has_vowel(s->word, s->length - suffix)) {
        s->length -= suffix;
        mend(s);
    }
}

static void final_y(stemmed *s)
{
    if (ends_in(s, "y") && s->length > 2 && is_consonant(s->word, s->length - 2))
        s->word[s->length - 1] = 'i';
}

static void double_suffix(stemmed *s)
{
    static const rule rules[] = {
        {"ational", "ate"}, {"tional", "tion"}, {"enci", "ence"},   {"anci", "ance"},
        {"izer", "ize"},    {"bli", "ble"},     {"alli", "al"},     {"entli", "ent"},
        {"eli", "e"},       {"ousli", "ous"},   {"ization", "ize"}, {"ation", "ate"},
        {"ator", "ate"},    {"alism", "al"},    {"iveness", "ive"}, {"fulness", "ful"},
        {"ousness", "ous"}, {"aliti", "al"},    {"iviti", "ive"},   {"biliti", "ble"},
        {"fulli", "ful"},
    };
    while (ends_in(s, "alli") && measure(s->word, s->length - 4) > 0)
        s->length -= 2;
    if (ends_in(s, "logi"))
        s->length -= measure(s->word, s->length - 3) > 0; /* the l counts */
    else
        apply(s, rules, COUNT(rules), 0);
}

static void single_suffix(stemmed *s)
{
    static const rule rules[] = {
        {"icate", "ic"}, {"ative", ""}, {"alize", "al"}, {"iciti", "ic"},
        {"ical", "ic"},  {"ful", ""},   {"ness", ""},
    };
    apply(s, rules, COUNT(rules), 0);
}

static void last_suffix(stemmed *s)
{
    static const rule rules[] = {
        {"al", ""},   {"ance", ""}, {"ence", ""},  {"er", ""},   {"ic", ""},  {"able", ""},
        {"ible", ""}, {"ant", ""},  {"ement", ""}, {"ment", ""}, {"ent", ""}, {"ou", ""},
        {"ism", ""},  {"ate", ""},  {"iti", ""},   {"ous", ""},  {"ive", ""}, {"ize", ""},
    };
    if (!ends_in(s, "ion"))
        apply(s, rules, COUNT(rules), 1);
    else if ((ends_in(s, "sion") || ends_in(s, "tion")) && measure(s->word, s->length - 3) > 1)
        s->length -= 3;
}

static void final_e(stemmed *s)
{
    if (ends_in(s, "e")) {
        const size_t m = measure(s->word, s->length - 1);
        if (m > 1 || (m == 1 && !ends_short(s->word, s->length - 1)))
            s->length -= 1;
    }
    if (ends_in(s, "ll") && measure(s->word, s->length - 1) > 1)
        s->length -= 1;
}

static bool irregular(stemmed *s)
{
    static const char *const forms[][2] = {
        {"sky", "sky"},         {"skies", "sky"},        {"dying", "die"},
        {"lying", "lie"},       {"tying", "tie"},        {"news", "news"},
        {"innings", "inning"},  {"inning", "inning"},    {"outings", "outing"},
        {"outing", "outing"},   {"cannings", "canning"}, {"canning", "canning"},
        {"howe", "howe"},       {"proceed", "proceed"},  {"exceed", "exceed"},
        {"succeed", "succeed"},
    };
    for (size_t i = 0; i < COUNT(forms); i++)
        if (strlen(forms[i][0]) == s->length && ends_in(s, forms[i][0])) {
            replace(s, s->length, forms[i][1]);
            return true;
        }
    return false;
}

size_t lcal__porter_stem(char *word, size_t length)
{
    stemmed s = {word, length};
    if (irregular(&s) || s.length <= 2)
        return s.length;
    plural(&s);
    past(&s);
    final_y(&s);
    double_suffix(&s);
    single_suffix(&s);
    last_suffix(&s);
    final_e(&s);
    return s.length;
}
