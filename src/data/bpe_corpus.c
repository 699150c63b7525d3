#include "data/bpe_corpus.h"

#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/strbuf.h"
#include "base/threads.h"
#include "format/json.h"
#include "format/lines.h"

/* Text gathered before the threads set to work on it. */
#define LCAL_BATCH ((size_t)16 << 20)

typedef struct piece {
    size_t start, end; /* in lcal__bpe_corpus.text */
} piece;

/* What one thread works with. */
typedef struct worker {
    lcal__bpe_words words;
    lcal__strbuf repaired, normal[2];
    size_t failed; /* the first piece that failed; SIZE_MAX: none */
    lcal_status status;
    lcal_error err;
} worker;

struct lcal__bpe_corpus {
    lcal__bpe_corpus_options options;
    lcal__strbuf text;
    piece *pieces; /* [count] */
    size_t count, capacity;
    size_t open; /* where the piece that is still growing begins */
    worker *workers;
    size_t threads;
    uint64_t bytes;
};

static lcal_status count_word(void *context, const char *word, size_t length, lcal_error *err)
{
    return lcal__bpe_words_add(context, word, length, 1, err);
}

static lcal_status count_piece(const lcal__bpe_corpus *c, worker *w, const piece *p)
{
    lcal_error *err = &w->err;
    const char *text;
    size_t length;
    lcal__strbuf_clear(&w->repaired);
    lcal__strbuf_add_utf8(&w->repaired, c->text.text + p->start, p->end - p->start);
    if (w->repaired.failed)
        return lcal__fail_nomem(err, "text");
    LCAL_TRY(lcal__normalizer_run(c->options.normalizer, w->repaired.text, w->repaired.length,
                                  w->normal, &text, &length, err));
    return lcal__pretokenizer_run(c->options.pre, text, length, count_word, &w->words, err);
}

static void run_task(void *context, size_t index, size_t worker_index)
{
    const lcal__bpe_corpus *c = context;
    worker *w = &c->workers[worker_index];
    /* Of several failures the first piece's is told, whichever thread meets it. */
    if (w->failed < index)
        return;
    lcal_status status = count_piece(c, w, &c->pieces[index]);
    if (status != LCAL_OK) {
        w->failed = index;
        w->status = status;
    }
}

static lcal_status run_batch(lcal__bpe_corpus *c, lcal_error *err)
{
    lcal__parallel_for(c->threads, c->count, run_task, c);
    const worker *first = NULL;
    for (size_t i = 0; i < c->threads; i++)
        if (c->workers[i].failed < (first ? first->failed : SIZE_MAX))
            first = &c->workers[i];
    c->bytes += c->text.length;
    lcal__strbuf_clear(&c->text);
    c->count = c->open = 0;
    if (first && err)
        *err = first->err;
    if (first)
        return first->status;
    if (c->options.progress)
        c->options.progress(c->options.user, c->bytes);
    return LCAL_OK;
}

static lcal_status end_piece(lcal__bpe_corpus *c, lcal_error *err)
{
    if (c->text.failed
        || !lcal__grow((void **)&c->pieces, &c->capacity, c->count + 1, sizeof(*c->pieces)))
        return lcal__fail_nomem(err, "text");
    if (c->text.length > c->open)
        c->pieces[c->count++] = (piece){c->open, c->text.length};
    c->open = c->text.length;
    return c->text.length >= LCAL_BATCH ? run_batch(c, err) : LCAL_OK;
}

static lcal_status add_text_line(lcal__bpe_corpus *c, const char *line, size_t length,
                                 lcal_error *err)
{
    lcal__strbuf_add_bytes(&c->text, line, length);
    lcal__strbuf_add(&c->text, "\n");
    return c->text.length - c->open >= LCAL__BPE_PIECE || c->text.failed ? end_piece(c, err)
                                                                         : LCAL_OK;
}

static lcal_status add_fields(lcal__bpe_corpus *c, const json_t *object, const char *source,
                              lcal_error *err)
{
    size_t found = 0;
    for (size_t i = 0; i < c->options.field_count; i++) {
        const char *text = NULL;
        LCAL_TRY(lcal__json_string(object, source, c->options.fields[i], &text, err));
        if (!text)
            continue;
        found++;
        lcal__strbuf_add(&c->text, text);
        LCAL_TRY(end_piece(c, err));
    }
    if (found)
        return LCAL_OK;
    return lcal__fail(err, LCAL_FORMAT, "%s: expected a string under %s%s, found none", source,
                      c->options.fields[0],
                      c->options.field_count > 1 ? " or another of the fields" : "");
}

static lcal_status add_json_line(lcal__bpe_corpus *c, const char *line, size_t length,
                                 const char *path, size_t number, lcal_error *err)
{
    lcal__strbuf source = {0};
    json_t *object = NULL;
    if (strspn(line, " \t") == length)
        return LCAL_OK;
    lcal__strbuf_printf(&source, "%s: line %zu", path, number);
    lcal_status status = source.failed ? lcal__fail_nomem(err, path) : LCAL_OK;
    if (status == LCAL_OK)
        status = lcal__json_parse_object(line, length, source.text, &object, err);
    if (status == LCAL_OK)
        status = add_fields(c, object, source.text, err);
    json_decref(object);
    lcal__strbuf_free(&source);
    return status;
}

static lcal_status add_lines(lcal__bpe_corpus *c, lcal__lines *lines, const char *path,
                             lcal_error *err)
{
    for (;;) {
        const char *line;
        size_t length;
        LCAL_TRY(lcal__lines_next(lines, &line, &length, err));
        if (!line)
            break;
        if (c->options.field_count)
            LCAL_TRY(add_json_line(c, line, length, path, lcal__lines_number(lines), err));
        else
            LCAL_TRY(add_text_line(c, line, length, err));
    }
    LCAL_TRY(end_piece(c, err));
    return run_batch(c, err);
}

lcal_status lcal__bpe_corpus_add(lcal__bpe_corpus *corpus, const char *path, lcal_error *err)
{
    lcal__map map = {0};
    lcal__lines *lines = NULL;
    LCAL_TRY(lcal__map_open(path, &map, err));
    lcal_status status = lcal__lines_open(map.data, map.size, path, &lines, err);
    if (status == LCAL_OK)
        status = add_lines(corpus, lines, path, err);
    lcal__lines_close(&lines);
    lcal__map_close(&map);
    return status;
}

lcal_status lcal__bpe_corpus_open(const lcal__bpe_corpus_options *options, lcal__bpe_corpus **out,
                                  lcal_error *err)
{
    const size_t threads = options->threads ? options->threads : lcal__threads_available();
    lcal__bpe_corpus *c = lcal__calloc(1, sizeof(*c));
    worker *workers = lcal__calloc(threads, sizeof(*workers));
    if (!c || !workers) {
        lcal__free(c);
        lcal__free(workers);
        return lcal__fail_nomem(err, "text");
    }
    for (size_t i = 0; i < threads; i++)
        workers[i].failed = SIZE_MAX;
    *c = (lcal__bpe_corpus){.options = *options, .workers = workers, .threads = threads};
    *out = c;
    return LCAL_OK;
}

lcal_status lcal__bpe_corpus_words(lcal__bpe_corpus *corpus, lcal__bpe_words *words,
                                   uint64_t *bytes, lcal_error *err)
{
    for (size_t i = 0; i < corpus->threads; i++)
        LCAL_TRY(lcal__bpe_words_join(words, &corpus->workers[i].words, err));
    *bytes = corpus->bytes;
    return LCAL_OK;
}

void lcal__bpe_corpus_close(lcal__bpe_corpus **corpus)
{
    lcal__bpe_corpus *c = *corpus;
    if (!c)
        return;
    for (size_t i = 0; i < c->threads; i++) {
        worker *w = &c->workers[i];
        lcal__bpe_words_free(&w->words);
        lcal__strbuf_free(&w->repaired);
        lcal__strbuf_free(&w->normal[0]);
        lcal__strbuf_free(&w->normal[1]);
    }
    lcal__free(c->workers);
    lcal__free(c->pieces);
    lcal__strbuf_free(&c->text);
    lcal__free(c);
    *corpus = NULL;
}
