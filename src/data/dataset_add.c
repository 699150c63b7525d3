/* From the record of a line to ids and labels. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "data/dataset_parts.h"
#include "format/json.h"

/* list[index] into *out: below vocab, or LCAL__LABEL_IGNORE where that is allowed. */
static lcal_status read_number(const lcal__dataset_reader *r, const json_t *list, const char *key,
                               size_t index, bool ignorable, int32_t *out)
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

/* Both halves of an example of `length` tokens: *ids and *labels. */
static lcal_status take(lcal__dataset_reader *r, size_t length, int32_t **ids, int32_t **labels)
{
    size_t numbers;
    *ids = lcal__size_mul(length, 2, &numbers) ? lcal__dataset_take(r->dataset, numbers) : NULL;
    if (!*ids)
        return lcal__fail_nomem(r->err, r->place);
    *labels = *ids + length;
    return LCAL_OK;
}

static lcal_status add_pretokenised(lcal__dataset_reader *r)
{
    const json_t *list = r->record.labels;
    const size_t length = json_array_size(r->record.input_ids);
    int32_t *ids = NULL, *labels = NULL;
    LCAL_TRY(take(r, length, &ids, &labels));
    for (size_t i = 0; i < length; i++)
        LCAL_TRY(read_number(r, r->record.input_ids, "input_ids", i, false, &ids[i]));
    for (size_t i = 0; i < length; i++) {
        labels[i] = ids[i];
        if (list)
            LCAL_TRY(read_number(r, list, "labels", i, true, &labels[i]));
    }
    /* Its predecessor would be another document's: the first label never counts. */
    labels[0] = LCAL__LABEL_IGNORE;
    return lcal__dataset_keep(r, ids, labels, length, false);
}

static lcal_status check_ids(const lcal__dataset_reader *r, const lcal__chat_ids *ids)
{
    for (size_t i = 0; i < ids->count; i++)
        if ((size_t)ids->ids[i] >= r->options->vocab)
            return lcal__fail(r->err, LCAL_FORMAT,
                              "%s: key %s: token %zu is %" PRId32
                              ", but the model has ids in 0..%zu: this is not its tokenizer",
                              r->place, r->record.key, i, ids->ids[i], r->options->vocab - 1);
    return LCAL_OK;
}

static lcal_status add_text(lcal__dataset_reader *r)
{
    lcal__text *text = r->options->text;
    const lcal__record *record = &r->record;
    int32_t *ids = NULL, *labels = NULL;
    if (!text)
        return lcal__fail(
            r->err, LCAL_UNSUPPORTED,
            "%s: key %s: this example is text, and there is no tokenizer; `lcal preview` "
            "shows it as training reads it, else only {\"input_ids\": [...], "
            "\"labels\": [...]} can be read",
            r->place, record->key);
    LCAL_TRY(lcal__text_encode(text, record, r->place, r->err));
    LCAL_TRY(check_ids(r, &text->ids));
    const size_t length = text->ids.count;
    if (length == 0) { /* no text, no BOS, no EOS: nothing that a model could be given */
        r->dataset->dropped_empty++;
        return LCAL_OK;
    }
    LCAL_TRY(take(r, length, &ids, &labels));
    for (size_t i = 0; i < length; i++) {
        ids[i] = text->ids.ids[i];
        labels[i] = i && lcal__text_is_learnt(text, record, i) ? ids[i] : LCAL__LABEL_IGNORE;
    }
    return lcal__dataset_keep(r, ids, labels, length, !text->said);
}

lcal_status lcal__dataset_add(lcal__dataset_reader *r, const json_t *object)
{
    const char *system = r->options->text ? r->options->text->options.system : NULL;
    LCAL_TRY(lcal__record_read(object, r->place, system ? system : "", &r->record, r->err));
    return r->record.input_ids ? add_pretokenised(r) : add_text(r);
}
