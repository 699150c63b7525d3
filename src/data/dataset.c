#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "data/dataset_parts.h"
#include "format/json.h"
#include "format/lines.h"

/* Numbers of one block of storage; a longer example gets a block of its own. */
#define BLOCK_NUMBERS ((size_t)1 << 20)

/* Ids and labels of many examples. Blocks never move, so that examples can point into them. */
typedef struct block {
    struct block *next;
    size_t used, capacity;
    int32_t numbers[];
} block;

int32_t *lcal__dataset_take(lcal__dataset *dataset, size_t count)
{
    block *head = dataset->storage;
    if (!head || head->capacity - head->used < count) {
        size_t capacity = count > BLOCK_NUMBERS ? count : BLOCK_NUMBERS, bytes;
        if (!lcal__size_mul(capacity, sizeof(int32_t), &bytes)
            || !lcal__size_add(bytes, sizeof(block), &bytes))
            return NULL;
        block *fresh = lcal__calloc(1, bytes);
        if (!fresh)
            return NULL;
        *fresh = (block){.next = head, .capacity = capacity};
        dataset->storage = head = fresh;
    }
    int32_t *numbers = head->numbers + head->used;
    head->used += count;
    return numbers;
}

/* Gives back what lcal__dataset_take gave last: an example that is not kept. */
static void return_numbers(lcal__dataset *dataset, size_t count)
{
    block *head = dataset->storage;
    head->used -= count;
}

void lcal__dataset_append(lcal__dataset *dataset, const lcal__example *example)
{
    dataset->examples[dataset->count++] = *example;
    dataset->tokens += example->length;
    dataset->counted += example->counted;
    if (example->length > dataset->longest)
        dataset->longest = example->length;
}

lcal_status lcal__dataset_keep(lcal__dataset_reader *r, const int32_t *ids, const int32_t *labels,
                               size_t length, bool empty)
{
    lcal__dataset *dataset = r->dataset;
    lcal__example example = {ids, labels, length, 0, dataset->read - 1};
    bool cut = r->options->max_length && length > r->options->max_length;
    if (cut && r->options->overlong == LCAL__OVERLONG_ERROR)
        return lcal__fail(r->err, LCAL_FORMAT,
                          "%s: key %s: expected at most %zu tokens (data.max_length), found %zu",
                          r->place, r->record.key, r->options->max_length, length);
    if (cut && r->options->overlong == LCAL__OVERLONG_DROP) {
        dataset->dropped_overlong++;
        return_numbers(dataset, 2 * length);
        return LCAL_OK;
    }
    if (cut)
        example.length = r->options->max_length;
    for (size_t i = 0; i < example.length; i++)
        example.counted += labels[i] != LCAL__LABEL_IGNORE;
    dataset->truncated += cut;
    if ((empty || example.counted == 0) && !r->options->keep_empty) {
        dataset->dropped_empty++;
        return_numbers(dataset, 2 * length);
        return LCAL_OK;
    }
    if (dataset->count >= UINT32_MAX)
        return lcal__fail(r->err, LCAL_UNSUPPORTED, "%s: more than %" PRIu32 " examples", r->place,
                          UINT32_MAX);
    if (!lcal__grow((void **)&dataset->examples, &r->capacity, dataset->count + 1,
                    sizeof(*dataset->examples)))
        return lcal__fail_nomem(r->err, r->source);
    lcal__dataset_append(dataset, &example);
    return LCAL_OK;
}

static bool is_blank(const char *text, size_t length)
{
    for (size_t i = 0; i < length; i++)
        if (text[i] != ' ' && text[i] != '\t' && text[i] != '\r')
            return false;
    return true;
}

static lcal_status read_lines(lcal__dataset_reader *r, lcal__lines *lines)
{
    const char *text;
    size_t length;
    while (!r->options->limit || r->dataset->read < r->options->limit) {
        LCAL_TRY(lcal__lines_next(lines, &text, &length, r->err));
        if (!text)
            return LCAL_OK;
        if (is_blank(text, length))
            continue;
        json_t *object = NULL;
        snprintf(r->place, r->place_size, "%s:%zu", r->source, lcal__lines_number(lines));
        LCAL_TRY(lcal__json_parse(text, length, r->place, &object, r->err));
        r->dataset->read++;
        lcal_status status = lcal__dataset_add(r, object);
        json_decref(object);
        LCAL_TRY(status);
    }
    return LCAL_OK;
}

static lcal_status check_kept(const lcal__dataset *dataset, const char *source, lcal_error *err)
{
    if (dataset->count > 0)
        return LCAL_OK;
    return lcal__fail(err, LCAL_FORMAT,
                      "%s: expected at least one example to use, found %zu (%zu longer than "
                      "data.max_length, %zu with nothing to learn)",
                      source, dataset->read, dataset->dropped_overlong, dataset->dropped_empty);
}

lcal_status lcal__dataset_parse(const void *bytes, size_t size, const char *source,
                                const lcal__dataset_options *options, lcal__dataset *out,
                                lcal_error *err)
{
    *out = (lcal__dataset){0};
    lcal__lines *lines = NULL;
    lcal__dataset_reader r = {.options = options, .dataset = out, .source = source, .err = err};
    r.place_size = strlen(source) + sizeof(":18446744073709551615");
    r.place = lcal__calloc(r.place_size, 1);
    lcal_status status = r.place ? LCAL_OK : lcal__fail_nomem(err, source);
    if (status == LCAL_OK)
        status = lcal__lines_open(bytes, size, source, &lines, err);
    if (status == LCAL_OK)
        status = read_lines(&r, lines);
    if (status == LCAL_OK)
        status = check_kept(out, source, err);
    lcal__lines_close(&lines);
    lcal__record_free(&r.record);
    lcal__free(r.place);
    if (status != LCAL_OK)
        lcal__dataset_free(out);
    return status;
}

lcal_status lcal__dataset_read(const char *path, const lcal__dataset_options *options,
                               lcal__dataset *out, lcal_error *err)
{
    lcal__map map;
    LCAL_TRY(lcal__map_open(path, &map, err));
    lcal_status status = lcal__dataset_parse(map.data, map.size, path, options, out, err);
    lcal__map_close(&map);
    return status;
}

void lcal__dataset_free(lcal__dataset *dataset)
{
    for (block *b = dataset->storage, *next; b; b = next) {
        next = b->next;
        lcal__free(b);
    }
    lcal__free(dataset->examples);
    *dataset = (lcal__dataset){0};
}
