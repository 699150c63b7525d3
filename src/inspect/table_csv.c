/* CSV as RFC 4180 has it, but a field ends on its line; comma, semicolon or tab, by the header. */
#include <stdio.h>
#include <string.h>

#include "config/number.h"
#include "inspect/table_parts.h"

/* What is left of a line. */
typedef struct fields {
    const char *at; /* NULL: no field is left */
    const char *end;
} fields;

static lcal_status fail(const lcal__table_reader *r, const char *what)
{
    return lcal__fail(r->err, LCAL_FORMAT, "%s:%zu: %s", r->source, lcal__lines_number(r->lines),
                      what);
}

static lcal_status take_quoted(lcal__table_reader *r, fields *f)
{
    for (f->at++; f->at < f->end; f->at++) {
        if (*f->at != '"')
            lcal__strbuf_add_bytes(&r->field, f->at, 1);
        else if (f->at + 1 < f->end && f->at[1] == '"')
            lcal__strbuf_add_bytes(&r->field, f->at++, 1);
        else
            break;
    }
    if (f->at == f->end)
        return fail(r, "expected a quoted field to end on its line, found no closing quote");
    f->at++;
    if (f->at < f->end && *f->at != r->delimiter)
        return fail(r, "expected the end of a field after its closing quote, found more");
    return LCAL_OK;
}

/* The text of the next field, without white space around it, into r->field. */
static lcal_status next_field(lcal__table_reader *r, fields *f)
{
    lcal__strbuf_clear(&r->field);
    lcal__strbuf_add(&r->field, ""); /* text is never NULL */
    while (f->at < f->end && (*f->at == ' ' || *f->at == '\t') && *f->at != r->delimiter)
        f->at++;
    if (f->at < f->end && *f->at == '"') {
        LCAL_TRY(take_quoted(r, f));
    } else {
        const char *from = f->at, *to = memchr(from, r->delimiter, (size_t)(f->end - from));
        to = to ? to : f->end;
        f->at = to;
        while (from < to && (to[-1] == ' ' || to[-1] == '\t'))
            to--;
        lcal__strbuf_add_bytes(&r->field, from, (size_t)(to - from));
    }
    f->at = f->at < f->end ? f->at + 1 : NULL;
    return r->field.failed ? lcal__fail_nomem(r->err, r->source) : LCAL_OK;
}

/* The mark of UTF-8 that spreadsheets write is no part of the first name. */
static void skip_mark(fields *f)
{
    if (f->end - f->at >= 3 && memcmp(f->at, "\xEF\xBB\xBF", 3) == 0)
        f->at += 3;
}

static lcal_status read_header(lcal__table_reader *r, fields *f)
{
    const size_t length = (size_t)(f->end - f->at);
    r->delimiter = memchr(f->at, ',', length)    ? ','
                   : memchr(f->at, ';', length)  ? ';'
                   : memchr(f->at, '\t', length) ? '\t'
                                                 : ',';
    skip_mark(f);
    while (f->at) {
        char unnamed[32];
        LCAL_TRY(next_field(r, f));
        snprintf(unnamed, sizeof(unnamed), "column %zu", r->table->columns + 1);
        const char *name = r->field.length ? r->field.text : unnamed;
        if (lcal_table_find(r->table, name) < r->table->columns)
            return lcal__fail(r->err, LCAL_FORMAT,
                              "%s:%zu: expected a header whose names differ, found \"%s\" twice",
                              r->source, lcal__lines_number(r->lines), name);
        LCAL_TRY(lcal__table_add_column(r, name));
    }
    return LCAL_OK;
}

/* How programs write that there is no number. */
static bool is_missing(const char *text)
{
    static const char *const words[] = {"",     "-",    "nan",  "NaN",      "NAN", "inf",
                                        "-inf", "null", "None", "Infinity", "NA",  "N/A",
                                        "Inf",  "-Inf", "n/a",  "-Infinity"};
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        if (strcmp(words[i], text) == 0)
            return true;
    return false;
}

static lcal_status read_row(lcal__table_reader *r, fields *f)
{
    size_t count = 0;
    LCAL_TRY(lcal__table_add_row(r));
    for (; f->at; count++) {
        double value;
        LCAL_TRY(next_field(r, f));
        if (count >= r->table->columns)
            continue;
        if (lcal__number_parse(r->field.text, &value))
            lcal__table_set(r, count, value);
        else if (!is_missing(r->field.text))
            LCAL_TRY(lcal__table_set_text(r, count, r->field.text));
    }
    if (count == r->table->columns)
        return LCAL_OK;
    return lcal__fail(r->err, LCAL_FORMAT,
                      "%s:%zu: expected %zu fields, as in the header, found %zu", r->source,
                      lcal__lines_number(r->lines), r->table->columns, count);
}

lcal_status lcal__table_read_csv(lcal__table_reader *r, const char *text, size_t length)
{
    fields f = {text, text + length};
    if (memchr(text, '\0', length))
        return fail(r, "expected text, found a zero byte");
    return r->delimiter ? read_row(r, &f) : read_header(r, &f);
}
