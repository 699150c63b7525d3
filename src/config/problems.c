#include "config/problems.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/strbuf.h"
#include "base/utf8.h"

#define MORE_MAX 40 /* bytes kept free for "... and N more" */

const char *lcal__excerpt(const char *text, char out[LCAL__EXCERPT_MAX])
{
    size_t used = 0, left = strlen(text);
    while (left) {
        size_t length = lcal__utf8_valid(text, left);
        if (used + (length ? length : 1) > LCAL__EXCERPT_MAX - 4) {
            memcpy(out + used, "...", 4);
            return out;
        }
        if (length == 0 || (unsigned char)*text < 0x20 || *text == 0x7F) {
            out[used] = '?';
            length = 1;
        } else {
            memcpy(out + used, text, length);
        }
        used += length;
        text += length;
        left -= length;
    }
    out[used] = '\0';
    return out;
}

void lcal__problems_place(const lcal__problems *problems, lcal__place place, char *out, size_t size)
{
    char excerpt[LCAL__EXCERPT_MAX];
    if (place.override)
        snprintf(out, size, "override %zu (%s)", place.override,
                 lcal__excerpt(problems->overrides[place.override - 1], excerpt));
    else if (place.line)
        snprintf(out, size, "%s:%zu:%zu", problems->source, place.line, place.column);
    else
        snprintf(out, size, "%s", problems->source);
}

void lcal__problems_add_text(lcal__problems *problems, lcal__place place, const char *text)
{
    if (problems->count == LCAL__PROBLEMS_MAX) {
        problems->more += 1;
        return;
    }
    char *copy = lcal__strdup(text);
    if (!copy
        || !lcal__grow((void **)&problems->items, &problems->capacity, problems->count + 1,
                       sizeof(*problems->items))) {
        lcal__free(copy);
        problems->failed = true;
        return;
    }
    problems->items[problems->count] = (lcal__problem){place, problems->count, copy};
    problems->count += 1;
}

void lcal__problems_add(lcal__problems *problems, lcal__place place, const char *format, ...)
{
    char text[LCAL_ERROR_MESSAGE_MAX];
    lcal__problems_place(problems, place, text, sizeof(text) / 2);
    size_t used = strlen(text);
    used += (size_t)snprintf(text + used, sizeof(text) - used, ": ");
    va_list args;
    va_start(args, format);
    vsnprintf(text + used, sizeof(text) - used, format, args);
    va_end(args);
    lcal__problems_add_text(problems, place, text);
}

static int compare(size_t a, size_t b)
{
    return a < b ? -1 : a > b;
}

static int by_place(const void *a, const void *b)
{
    const lcal__problem *x = a, *y = b;
    int order = compare(x->place.override, y->place.override);
    if (order == 0)
        order = compare(x->place.line, y->place.line);
    if (order == 0)
        order = compare(x->place.column, y->place.column);
    return order ? order : compare(x->order, y->order);
}

lcal_status lcal__problems_report(lcal__problems *problems, lcal_error *err)
{
    lcal__strbuf all = {0};
    if (problems->failed)
        return lcal__fail_nomem(err, problems->source);
    if (problems->count == 0)
        return LCAL_OK;
    qsort(problems->items, problems->count, sizeof(*problems->items), by_place);
    size_t told = 0;
    for (; told < problems->count; ++told) {
        const char *text = problems->items[told].text;
        if (told && all.length + 1 + strlen(text) > LCAL_ERROR_MESSAGE_MAX - MORE_MAX)
            break;
        lcal__strbuf_printf(&all, "%s%s", told ? "\n" : "", text);
    }
    size_t untold = problems->count - told + problems->more;
    if (untold)
        lcal__strbuf_printf(&all, "\n... and %zu more", untold);
    lcal_status status = all.failed ? lcal__fail_nomem(err, problems->source)
                                    : lcal__fail(err, LCAL_CONFIG, "%s", all.text);
    lcal__strbuf_free(&all);
    return status;
}

void lcal__problems_free(lcal__problems *problems)
{
    for (size_t i = 0; i < problems->count; ++i)
        lcal__free(problems->items[i].text);
    lcal__free(problems->items);
    problems->items = NULL;
    problems->count = problems->capacity = problems->more = 0;
}
