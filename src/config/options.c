#include "config/options.h"

#include <string.h>

#include "config/config.h"

/* Every macro of options.inc in terms of ROW, which its two readers define. */
#define PROJECTIONS "q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"
#define INTEGER(key, field, fallback, low, high, help)                                             \
    ROW(key, "integer", fallback, #low ".." #high, help, LCAL__OPTION_INTEGER, field,              \
        .integer = {low, high})
#define NUMBER(key, field, fallback, left, low, high, right, help)                                 \
    ROW(key, "number", fallback, left #low ", " #high right, help, LCAL__OPTION_NUMBER, field,     \
        .number = {low, high, left[0], right[0]})
#define BOOLEAN(key, field, fallback, help)                                                        \
    ROW(key, "boolean", fallback, "true | false", help, LCAL__OPTION_BOOLEAN, field, .words = {0})
#define CHOICE(key, field, fallback, range, help, ...)                                             \
    ROW(key, "choice", fallback, range, help, LCAL__OPTION_CHOICE, field, .words = {__VA_ARGS__})
#define CHOICE1(key, field, fallback, a, help) CHOICE(key, field, fallback, a, help, a)
#define CHOICE2(key, field, fallback, a, b, help)                                                  \
    CHOICE(key, field, fallback, a " | " b, help, a, b)
#define CHOICE3(key, field, fallback, a, b, c, help)                                               \
    CHOICE(key, field, fallback, a " | " b " | " c, help, a, b, c)
#define CHOICE5(key, field, fallback, a, b, c, d, e, help)                                         \
    CHOICE(key, field, fallback, a " | " b " | " c " | " d " | " e, help, a, b, c, d, e)
#define CHOICE14(key, field, fallback, a, b, c, d, e, f, g, h, i, j, k, l, m, n, help)             \
    CHOICE(key, field, fallback,                                                                   \
           a " | " b " | " c " | " d " | " e " | " f " | " g " | " h " | " i " | " j " | " k       \
             " | " l " | " m " | " n,                                                              \
           help, a, b, c, d, e, f, g, h, i, j, k, l, m, n)
#define TARGETS(key, field, help)                                                                  \
    ROW(key, "list", "all",                                                                        \
        "all, or a list of q_proj, k_proj, v_proj, o_proj, gate_proj, up_proj, down_proj", help,   \
        LCAL__OPTION_TARGETS, field, .words = {PROJECTIONS})
#define ADAPTERS(key, field, help)                                                                 \
    ROW(key, "list", "[]", "of {path: DIR, weight: NUMBER} or DIR[:WEIGHT], at most 64", help,     \
        LCAL__OPTION_ADAPTERS, field, .words = {0})
#define PLACE(key, fallback, range, help, field, place, required)                                  \
    ROW(key, "path", fallback, range, help, LCAL__OPTION_PATH, field, .path = {place, required})
#define FOLDER(key, field, help)                                                                   \
    PLACE(key, "", "an existing directory", help, field, LCAL__PLACE_FOLDER, true)
#define RECORDS(key, field, required, help)                                                        \
    PLACE(key, "", "an existing file", help, field, LCAL__PLACE_FILE, required)
#define TESTS(key, field, help)                                                                    \
    PLACE(key, "", "an existing file", help, field, LCAL__PLACE_TEST_FILE, false)
#define SOURCE(key, field, help)                                                                   \
    PLACE(key, "default", "default | an existing file", help, field, LCAL__PLACE_FILE_OR_DEFAULT,  \
          false)
#define VOCABULARY(key, field, help)                                                               \
    PLACE(key, "", "an existing file or directory", help, field, LCAL__PLACE_FILE_OR_FOLDER, false)
#define TEXT(key, field, help)                                                                     \
    ROW(key, "text", "", "", help, LCAL__OPTION_TEXT, field, .words = {0})
#define OUTPUT(key, field, help) PLACE(key, "", "", help, field, LCAL__PLACE_OUTPUT, true)

static const lcal_option shown[] = {
#define ROW(key, type, fallback, range, help, kind_, field, ...) {key, type, fallback, range, help},
#include "config/options.inc"
#undef ROW
};

static const lcal__option rows[] = {
#define ROW(key, type, fallback, range, help, kind_, field, ...)                                   \
    {.shown = {key, type, fallback, range, help},                                                  \
     .kind = kind_,                                                                                \
     .offset = offsetof(lcal__settings, field),                                                    \
     __VA_ARGS__},
#include "config/options.inc"
#undef ROW
};

#define ROWS (sizeof(rows) / sizeof(rows[0]))

/* Choices are stored as unsigned int into fields of any of these types. */
_Static_assert(sizeof(lcal__method) == sizeof(unsigned), "an enum is an unsigned int");
_Static_assert(sizeof(lcal__form) == sizeof(unsigned), "an enum is an unsigned int");
_Static_assert(ROWS == LCAL__OPTION_COUNT, "LCAL__OPTION_COUNT is the length of the table");

const lcal_option *lcal_options(size_t *count)
{
    *count = ROWS;
    return shown;
}

const lcal__option *lcal__option_rows(void)
{
    return rows;
}

size_t lcal__option_find(const char *key)
{
    size_t index = 0;
    while (index < ROWS && strcmp(rows[index].shown.key, key) != 0)
        ++index;
    return index;
}

bool lcal_option_required(const char *key)
{
    size_t index = lcal__option_find(key);
    return index < ROWS && rows[index].path.required;
}

size_t lcal__option_word_count(const lcal__option *option)
{
    size_t count = 0;
    while (option->words[count])
        ++count;
    return count;
}

void *lcal__option_field(const lcal__option *option, lcal__settings *settings)
{
    return (char *)settings + option->offset;
}

const void *lcal__option_value(const lcal__option *option, const lcal__settings *settings)
{
    return (const char *)settings + option->offset;
}

/* The word of a choice; "unknown" where the value is none of the enum's. */
static const char *word(const char *key, unsigned value)
{
    const lcal__option *option = &rows[lcal__option_find(key)];
    return value < lcal__option_word_count(option) ? option->words[value] : "unknown";
}

const char *lcal__method_name(lcal__method method)
{
    return word("method", method);
}

const char *lcal__template_name(lcal__template template_)
{
    return word("data.template", template_);
}

const char *lcal__loss_on_name(lcal__loss_on loss_on)
{
    return word("data.loss_on", loss_on);
}

const char *lcal__form_name(lcal__form form)
{
    return word("calibration.form", form);
}

const char *lcal__share_name(lcal__share share)
{
    return word("calibration.share", share);
}

const char *lcal__store_name(lcal__store store)
{
    return word("calibration.dtype", store);
}
