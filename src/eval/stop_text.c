#include "eval/stop_text.h"

#include <string.h>

#include "base/mem.h"
#include "base/utf8.h"

/* How many bytes of the stop text a text ends in once `byte` follows one that ended in `matched`
 * of them, fewer than all. */
static size_t advance(const lcal__stop_text *stop, size_t matched, char byte)
{
    while (matched && stop->text[matched] != byte)
        matched = stop->fallback[matched - 1];
    return matched + (stop->text[matched] == byte);
}

static lcal_status stop_text_init(lcal__stop_text *stop, const char *text, lcal_error *err)
{
    stop->length = strlen(text);
    if (stop->length == 0 || !lcal__utf8_all(text, stop->length))
        return lcal__fail(err, LCAL_INVALID, "stop text: expected text in UTF-8, found %s",
                          stop->length ? "other bytes" : "an empty one");
    stop->text = lcal__strdup(text);
    stop->fallback = lcal__calloc(stop->length, sizeof(*stop->fallback));
    if (!stop->text || !stop->fallback)
        return lcal__fail_nomem(err, "the stop texts");
    for (size_t i = 1; i < stop->length; i++)
        stop->fallback[i] = advance(stop, stop->fallback[i - 1], text[i]);
    return LCAL_OK;
}

lcal_status lcal__stop_texts_init(lcal__stop_texts *stops, const char *const *texts, size_t count,
                                  lcal_error *err)
{
    *stops = (lcal__stop_texts){.items = lcal__calloc(count, sizeof(*stops->items))};
    if (!stops->items)
        return lcal__fail_nomem(err, "the stop texts");
    stops->count = count;
    for (size_t i = 0; i < count; i++) {
        lcal_status status = stop_text_init(&stops->items[i], texts[i], err);
        if (status != LCAL_OK) {
            lcal__stop_texts_free(stops);
            return status;
        }
    }
    return LCAL_OK;
}

void lcal__stop_texts_free(lcal__stop_texts *stops)
{
    for (size_t i = 0; i < stops->count; i++) {
        lcal__free(stops->items[i].text);
        lcal__free(stops->items[i].fallback);
    }
    lcal__free(stops->items);
    *stops = (lcal__stop_texts){0};
}

lcal_status lcal__stop_watch_init(lcal__stop_watch *watch, const lcal__stop_texts *stops,
                                  lcal_error *err)
{
    *watch = (lcal__stop_watch){0};
    if (!stops || stops->count == 0)
        return LCAL_OK;
    watch->matched = lcal__calloc(stops->count, sizeof(*watch->matched));
    if (!watch->matched)
        return lcal__fail_nomem(err, "the stop texts");
    watch->stops = stops;
    return LCAL_OK;
}

void lcal__stop_watch_free(lcal__stop_watch *watch)
{
    lcal__free(watch->matched);
    lcal__strbuf_free(&watch->held);
    *watch = (lcal__stop_watch){0};
}

void lcal__stop_watch_clear(lcal__stop_watch *watch)
{
    lcal__strbuf_clear(&watch->held);
    if (watch->stops)
        memset(watch->matched, 0, watch->stops->count * sizeof(*watch->matched));
}

/* Moves all but the last `keep` bytes of what is held to out. */
static void release(lcal__strbuf *held, size_t keep, lcal__strbuf *out)
{
    if (held->length == keep)
        return;
    const size_t done = held->length - keep;
    lcal__strbuf_add_bytes(out, held->text, done);
    memmove(held->text, held->text + done, keep + 1); /* with its zero */
    held->length = keep;
}

/* The longest beginning of a stop text that ends with `byte`; *complete: it is a whole one. */
static size_t longest_match(lcal__stop_watch *watch, char byte, bool *complete)
{
    size_t longest = 0;
    for (size_t i = 0; i < watch->stops->count; i++) {
        const lcal__stop_text *stop = &watch->stops->items[i];
        const size_t matched = watch->matched[i] = advance(stop, watch->matched[i], byte);
        const bool whole = matched == stop->length;
        if (whole == *complete ? matched > longest : whole)
            longest = matched;
        *complete = *complete || whole;
    }
    return longest;
}

lcal_status lcal__stop_watch_add(lcal__stop_watch *watch, const char *text, size_t length,
                                 lcal__strbuf *out, bool *found, lcal_error *err)
{
    size_t keep = watch->held.length; /* stays, where no byte comes */
    *found = false;
    lcal__strbuf_add_bytes(&watch->held, text, length);
    if (watch->held.failed)
        return lcal__fail_nomem(err, "text");
    for (size_t i = 0; i < length && watch->stops && !*found; i++) {
        keep = longest_match(watch, text[i], found);
        if (*found)
            keep += length - i - 1;
    }
    release(&watch->held, keep, out);
    if (*found)
        lcal__strbuf_clear(&watch->held);
    return out->failed ? lcal__fail_nomem(err, "text") : LCAL_OK;
}

lcal_status lcal__stop_watch_end(lcal__stop_watch *watch, lcal__strbuf *out, lcal_error *err)
{
    release(&watch->held, 0, out);
    return out->failed ? lcal__fail_nomem(err, "text") : LCAL_OK;
}
