#include "data/dataset.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
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

/* What one call of parse carries along. */
typedef struct reader {
    const lcal__dataset_options *options;
    lcal__dataset *dataset;
    size_t capacity; /* of dataset->examples */
    const char *source;
    size_t line;
    char *place; /* "SOURCE:LINE", [place_size] */
    size_t place_size;
    lcal_error *err;
} reader;

static int32_t *take_numbers(lcal__dataset *dataset, size_t count)
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

/* Gives back what take_numbers gave last: an example that is not kept. */
static void return_numbers(lcal__dataset *dataset, size_t count)
{
    block *head = dataset->storage;
    head->used -= count;
}

/* list[index] into *out: below vocab, or LCAL__LABEL_IGNORE where that is allowed. */
static lcal_status read_number(const reader *r, const json_t *list, const char *key, size_t index,
                               bool ignorable, int32_t *out)
{
    const json_t *item = json_array_get(list, index);
    json_int_t value = json_integer_value(item);
    bool valid = json_is_integer(item)
                 && ((value >= 0 && (uint64_t)value < r->options->vocab)
                     || (ignorable && value == LCAL__LABEL_IGNORE));
    if (valid) {
        *out = (int32_t)value;
        return LCAL_OK;
    }
    char found[32];
    snprintf(found, sizeof(found), "%" JSON_INTEGER_FORMAT, value);
    return lcal__fail(r->err, LCAL_FORMAT, "%s: %s[%zu]: expected an integer in 0..%zu%s, found %s",
                      r->place, key, index, r->options->vocab - 1, ignorable ? " or -100" : "",
                      json_is_integer(item) ? found : lcal__json_type(item));
}

static lcal_status fill_labels(const reader *r, const json_t *list, const int32_t *ids,
                               int32_t *labels, size_t length)
{
    /* Its predecessor would be another document's: the first label never counts. */
    for (size_t i = 0; i < length; i++) {
        labels[i] = ids[i];
        if (list)
            LCAL_TRY(read_number(r, list, "labels", i, true, &labels[i]));
    }
    labels[0] = LCAL__LABEL_IGNORE;
    return LCAL_OK;
}

/* Adds the example or counts why not. ids and labels are the last taken numbers. */
static lcal_status keep(reader *r, const int32_t *ids, const int32_t *labels, size_t length)
{
    lcal__dataset *dataset = r->dataset;
    lcal__example example = {ids, labels, length, 0};
    bool cut = r->options->max_length && length > r->options->max_length;
    if (cut && r->options->overlong == LCAL__OVERLONG_ERROR)
        return lcal__fail(r->err, LCAL_FORMAT,
                          "%s: input_ids: expected at most %zu tokens (data.max_length), found %zu",
                          r->place, r->options->max_length, length);
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
    if (example.counted == 0 && !r->options->keep_empty) {
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
    dataset->examples[dataset->count++] = example;
    dataset->tokens += example.length;
    dataset->counted += example.counted;
    if (example.length > dataset->longest)
        dataset->longest = example.length;
    return LCAL_OK;
}

/* An example without input_ids: text, which needs a tokenizer, or a mistake. */
static lcal_status refuse_form(const reader *r, const json_t *object)
{
    static const char *const text_keys[] = {"prompt",        "completion",  "messages",
                                            "conversations", "instruction", "text"};
    for (size_t i = 0; i < sizeof(text_keys) / sizeof(text_keys[0]); i++)
        if (json_object_get(object, text_keys[i]))
            return lcal__fail(r->err, LCAL_UNSUPPORTED,
                              "%s: key %s: text examples are not supported, this version trains on "
                              "pre-tokenised data; give {\"input_ids\": [...], \"labels\": [...]}",
                              r->place, text_keys[i]);
    return lcal__fail(r->err, LCAL_FORMAT,
                      "%s: key input_ids: missing; expected {\"input_ids\": [...], \"labels\": "
                      "[...]}",
                      r->place);
}

static lcal_status read_example(reader *r, const json_t *object)
{
    if (!json_is_object(object))
        return lcal__fail(r->err, LCAL_FORMAT, "%s: expected a JSON object, found %s", r->place,
                          lcal__json_type(object));
    const json_t *ids_list = json_object_get(object, "input_ids");
    const json_t *labels_list = json_object_get(object, "labels");
    if (!ids_list)
        return refuse_form(r, object);
    if (json_is_null(labels_list))
        labels_list = NULL;
    size_t length = json_array_size(ids_list), numbers;
    if (length == 0)
        return lcal__fail(r->err, LCAL_FORMAT,
                          "%s: key input_ids: expected a list of at least one integer, found %s",
                          r->place,
                          json_is_array(ids_list) ? "an empty one" : lcal__json_type(ids_list));
    if (labels_list && !json_is_array(labels_list))
        return lcal__fail(r->err, LCAL_FORMAT, "%s: key labels: expected a list, found %s",
                          r->place, lcal__json_type(labels_list));
    if (labels_list && json_array_size(labels_list) != length)
        return lcal__fail(r->err, LCAL_FORMAT,
                          "%s: key labels: expected %zu items, as many as input_ids, found %zu",
                          r->place, length, json_array_size(labels_list));
    if (!lcal__size_mul(length, 2, &numbers))
        return lcal__fail_nomem(r->err, r->place);
    int32_t *ids = take_numbers(r->dataset, numbers);
    if (!ids)
        return lcal__fail_nomem(r->err, r->place);
    int32_t *labels = ids + length;
    for (size_t i = 0; i < length; i++)
        LCAL_TRY(read_number(r, ids_list, "input_ids", i, false, &ids[i]));
    LCAL_TRY(fill_labels(r, labels_list, ids, labels, length));
    return keep(r, ids, labels, length);
}

static bool is_blank(const char *text, size_t length)
{
    for (size_t i = 0; i < length; i++)
        if (text[i] != ' ' && text[i] != '\t' && text[i] != '\r')
            return false;
    return true;
}

static lcal_status read_lines(reader *r, lcal__lines *lines)
{
    const char *text;
    size_t length;
    for (;;) {
        LCAL_TRY(lcal__lines_next(lines, &text, &length, r->err));
        if (!text)
            return LCAL_OK;
        if (is_blank(text, length))
            continue;
        json_t *object = NULL;
        snprintf(r->place, r->place_size, "%s:%zu", r->source, lcal__lines_number(lines));
        LCAL_TRY(lcal__json_parse(text, length, r->place, &object, r->err));
        r->dataset->read++;
        lcal_status status = read_example(r, object);
        json_decref(object);
        LCAL_TRY(status);
    }
}

static lcal_status check_kept(const lcal__dataset *dataset, const char *source, lcal_error *err)
{
    if (dataset->count > 0)
        return LCAL_OK;
    return lcal__fail(err, LCAL_FORMAT,
                      "%s: expected at least one example to use, found %zu (%zu longer than "
                      "data.max_length, %zu without a label that counts)",
                      source, dataset->read, dataset->dropped_overlong, dataset->dropped_empty);
}

lcal_status lcal__dataset_parse(const void *bytes, size_t size, const char *source,
                                const lcal__dataset_options *options, lcal__dataset *out,
                                lcal_error *err)
{
    *out = (lcal__dataset){0};
    lcal__lines *lines = NULL;
    reader r = {.options = options, .dataset = out, .source = source, .err = err};
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
