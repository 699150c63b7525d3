/* A GGUF file: its keys, whether lcal computes what it holds, its tensors. */
#include "format/gguf.h"

#include <string.h>

#include "base/hash.h"
#include "base/mem.h"
#include "inspect/subject.h"
#include "inspect/tensors.h"
#include "model/gguf_config.h"

/* Of a text that is shown; templates and provenance are longer. */
#define TEXT_MAX 300

static const char *const type_names[] = {"u8",      "i8",     "u16", "i16", "u32", "i32", "f32",
                                         "boolean", "string", "",    "u64", "i64", "f64"};

static const size_t widths[] = {1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8};

static json_t *text_value(lcal__gguf_string text)
{
    lcal__strbuf shown = {0};
    const bool cut = text.length > TEXT_MAX;
    lcal__strbuf_add_utf8(&shown, text.text, cut ? TEXT_MAX : text.length);
    lcal__strbuf_add(&shown, cut ? "..." : "");
    json_t *value = shown.failed ? NULL : json_string(shown.text ? shown.text : "");
    lcal__strbuf_free(&shown);
    return value;
}

static json_t *number_value(lcal__gguf_type type, const unsigned char *data)
{
    uint64_t bits = 0;
    float single;
    double real;
    const size_t width = widths[type];
    for (size_t i = 0; i < width; i++)
        bits |= (uint64_t)data[i] << 8 * i;
    switch (type) {
    case LCAL__GGUF_BOOL:
        return json_boolean(bits);
    case LCAL__GGUF_F32:
        memcpy(&single, data, sizeof(single));
        return json_real((double)single);
    case LCAL__GGUF_F64:
        memcpy(&real, data, sizeof(real));
        return json_real(real);
    case LCAL__GGUF_I8:
    case LCAL__GGUF_I16:
    case LCAL__GGUF_I32:
        if (bits >> (8 * width - 1))
            bits |= UINT64_MAX << 8 * width;
        break;
    default:
        break;
    }
    return json_integer((json_int_t)bits);
}

static void add_key(const lcal__gguf_key *key, lcal__report *keys)
{
    json_t *value;
    const unsigned char *cursor = key->data;
    if (key->is_array)
        value = json_sprintf("%zu of type %s", key->count, type_names[key->type]);
    else if (key->type == LCAL__GGUF_STRING)
        value = text_value(lcal__gguf_next_string(&cursor));
    else
        value = number_value(key->type, key->data);
    /* json_real refuses what is not finite. */
    if (!value && (key->type == LCAL__GGUF_F32 || key->type == LCAL__GGUF_F64))
        value = json_null();
    lcal__strbuf name = {0};
    lcal__strbuf_add_utf8(&name, key->name.text, key->name.length);
    if (name.failed)
        keys->failed = true;
    lcal__report_value(keys, name.text ? name.text : "", value);
    lcal__strbuf_free(&name);
}

/* What lcal would make of it; a file that other programs alone can use is no error. */
static void add_meaning(const lcal__gguf *file, lcal__report *facts)
{
    lcal_error why = {0};
    lcal__model_config config;
    lcal__arch arch;
    lcal_status status;
    if (lcal__gguf_is_adapter(file)) {
        lcal__report_text(facts, "kind", "LoRA adapter (GGUF)");
        status = lcal__gguf_arch(file, &arch, &why);
    } else if (file->tensor_count == 0) {
        lcal__report_text(facts, "kind", "keys without tensors (GGUF)");
        return;
    } else {
        lcal__report_text(facts, "kind", "model (GGUF)");
        status = lcal__gguf_config(file, &config, &why);
        if (status == LCAL_OK)
            lcal__inspect_config(&config, facts);
    }
    lcal__report_bool(facts, "computed_by_lcal", status == LCAL_OK);
    if (status != LCAL_OK)
        lcal__report_text(facts, "why_not", why.message);
}

static void add_contents(const lcal__gguf *file, const lcal__subject *subject, lcal__report *facts)
{
    lcal__report keys = lcal__report_new();
    add_meaning(file, facts);
    for (size_t i = 0; i < file->key_count; i++)
        add_key(&file->keys[i], &keys);
    lcal__report_nest(facts, "keys", &keys);
    lcal__tensor_table table = lcal__tensor_table_new();
    for (size_t i = 0; i < file->tensor_count; i++)
        lcal__tensor_table_add_gguf(&table, &file->tensors[i]);
    lcal__tensor_table_finish(&table, subject->size, facts);
}

lcal_status lcal__inspect_gguf(const lcal__subject *subject, lcal__report *facts, lcal_error *err)
{
    lcal__gguf file = {0};
    char hex[LCAL__SHA256_HEX];
    LCAL_TRY(lcal__sha256(subject->bytes, subject->size, hex, err));
    LCAL_TRY(lcal__gguf_parse(subject->bytes, subject->size, subject->path, &file, err));
    lcal__report_text(facts, "sha256", hex);
    add_contents(&file, subject, facts);
    lcal__gguf_free(&file);
    return LCAL_OK;
}
