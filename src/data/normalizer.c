#include "data/normalizer.h"

#include <stdint.h>
#include <string.h>
#include <utf8proc.h>

#include "base/mem.h"

lcal_status lcal__normalizer_add(lcal__normalizer *n, lcal__normal_kind kind, const char *from,
                                 const char *to, lcal_error *err)
{
    if (n->count == LCAL__NORMAL_STEPS_MAX)
        return lcal__fail(err, LCAL_UNSUPPORTED, "more than %d steps", LCAL__NORMAL_STEPS_MAX);
    lcal__normal_step *step = &n->steps[n->count++];
    *step = (lcal__normal_step){.kind = kind,
                                .from = from ? lcal__strdup(from) : NULL,
                                .to = to ? lcal__strdup(to) : NULL,
                                .from_length = from ? strlen(from) : 0,
                                .to_length = to ? strlen(to) : 0};
    if ((from && !step->from) || (to && !step->to))
        return lcal__fail_nomem(err, "normalizer");
    return LCAL_OK;
}

void lcal__normalizer_free(lcal__normalizer *n)
{
    for (size_t i = 0; i < n->count; i++) {
        lcal__free(n->steps[i].from);
        lcal__free(n->steps[i].to);
    }
    *n = (lcal__normalizer){0};
}

/* Nothing below U+0300 (lead byte 0xCC) takes part in a composition with its like. */
static bool is_plain(const char *text, size_t length)
{
    for (size_t i = 0; i < length; i++)
        if ((unsigned char)text[i] >= 0xCC)
            return false;
    return true;
}

static lcal_status compose(const char *text, size_t length, lcal__strbuf *out, lcal_error *err)
{
    const utf8proc_option_t options = UTF8PROC_STABLE | UTF8PROC_COMPOSE;
    const utf8proc_uint8_t *bytes = (const utf8proc_uint8_t *)text;
    utf8proc_int32_t *codes = NULL;
    size_t capacity = 0;
    utf8proc_ssize_t count = utf8proc_decompose(bytes, (utf8proc_ssize_t)length, NULL, 0, options);
    /* One more: utf8proc writes a zero behind the text. */
    if (count >= 0 && !lcal__grow((void **)&codes, &capacity, (size_t)count + 1, sizeof(*codes)))
        return lcal__fail_nomem(err, "normalized text");
    if (count >= 0)
        count = utf8proc_decompose(bytes, (utf8proc_ssize_t)length, codes, count, options);
    if (count >= 0)
        count = utf8proc_reencode(codes, count, options);
    lcal_status status = LCAL_OK;
    if (count < 0)
        status = lcal__fail(err, LCAL_INTERNAL, "NFC: %s", utf8proc_errmsg(count));
    else
        lcal__strbuf_add_bytes(out, codes, (size_t)count);
    lcal__free(codes);
    return status;
}

static void replace(const lcal__normal_step *step, const char *text, size_t length,
                    lcal__strbuf *out)
{
    size_t kept = 0;
    for (size_t at = 0; at + step->from_length <= length;) {
        const char *hit = memchr(text + at, step->from[0], length - step->from_length - at + 1);
        if (!hit)
            break;
        at = (size_t)(hit - text);
        if (memcmp(hit, step->from, step->from_length) != 0) {
            at++;
            continue;
        }
        lcal__strbuf_add_bytes(out, text + kept, at - kept);
        lcal__strbuf_add_bytes(out, step->to, step->to_length);
        at += step->from_length;
        kept = at;
    }
    lcal__strbuf_add_bytes(out, text + kept, length - kept);
}

static lcal_status run_step(const lcal__normal_step *step, const char *text, size_t length,
                            lcal__strbuf *out, lcal_error *err)
{
    lcal__strbuf_clear(out);
    switch (step->kind) {
    case LCAL__NORMAL_NFC:
        LCAL_TRY(compose(text, length, out, err));
        break;
    case LCAL__NORMAL_PREPEND:
        lcal__strbuf_add_bytes(out, step->to, step->to_length);
        lcal__strbuf_add_bytes(out, text, length);
        break;
    case LCAL__NORMAL_REPLACE:
        replace(step, text, length, out);
        break;
    }
    return out->failed ? lcal__fail_nomem(err, "normalized text") : LCAL_OK;
}

lcal_status lcal__normalizer_run(const lcal__normalizer *n, const char *text, size_t length,
                                 lcal__strbuf buffers[2], const char **out, size_t *out_length,
                                 lcal_error *err)
{
    size_t turn = 0;
    for (size_t i = 0; i < n->count && length; i++) {
        if (n->steps[i].kind == LCAL__NORMAL_NFC && is_plain(text, length))
            continue;
        lcal__strbuf *buffer = &buffers[turn++ % 2];
        LCAL_TRY(run_step(&n->steps[i], text, length, buffer, err));
        text = buffer->text ? buffer->text : "";
        length = buffer->length;
    }
    *out = text;
    *out_length = length;
    return LCAL_OK;
}
