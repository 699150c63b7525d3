/* Which chat format a model was made for, read off the text of its own template. */
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "data/chat_template.h"
#include "format/gguf.h"
#include "format/json.h"

#define TEMPLATE_MAX ((size_t)4 << 20)

/* Whether each <|user|> message is ended by EOS within its own expression: Zephyr and its kin, but
 * not Phi-3 (<|end|>), Falcon 3 or GLM (nothing). */
static bool is_zephyr(const char *text)
{
    static const char *const ends[] = {"eos_token", "<|endoftext|>", "</s>"};
    const char *user = strstr(text, "<|user|>");
    const char *close = user ? strstr(user, "}}") : NULL;
    if (!close || !strstr(text, "<|assistant|>"))
        return false;
    for (size_t i = 0; i < sizeof(ends) / sizeof(*ends); i++) {
        const char *end = strstr(user, ends[i]);
        if (end && end < close)
            return true;
    }
    return false;
}

static bool recognise(const char *text, lcal__chat_format *out)
{
    const bool llama3 = strstr(text, "<|start_header_id|>") && strstr(text, "<|end_header_id|>")
                        && strstr(text, "<|eot_id|>");
    /* <|im_sep|>: Phi-4, which writes its headers otherwise. */
    const bool chatml =
        strstr(text, "<|im_start|>") && strstr(text, "<|im_end|>") && !strstr(text, "<|im_sep|>");
    const bool zephyr = is_zephyr(text);
    if (llama3 + chatml + zephyr != 1)
        return false;
    *out = llama3 ? LCAL__CHAT_LLAMA3 : chatml ? LCAL__CHAT_CHATML : LCAL__CHAT_ZEPHYR;
    return true;
}

static lcal_status classify(const char *text, const char *source, lcal__chat_format *out,
                            lcal_error *err)
{
    *out = LCAL__CHAT_RAW;
    if (!*text || recognise(text, out))
        return LCAL_OK;
    return lcal__fail(err, LCAL_UNSUPPORTED,
                      "%s: the chat template is none that is known here; choose one of raw, "
                      "llama3, chatml, zephyr instead of auto (data.template, --template)",
                      source);
}

/* A list of {"name", "template"}: the one called default counts. */
static lcal_status find_default(const json_t *list, const char *source, const char **out,
                                lcal_error *err)
{
    size_t index;
    const json_t *item;
    *out = NULL;
    json_array_foreach(list, index, item)
    {
        const char *name = NULL;
        LCAL_TRY(lcal__json_string(item, source, "name", &name, err));
        if (name && strcmp(name, "default") == 0)
            LCAL_TRY(lcal__json_string(item, source, "template", out, err));
    }
    if (*out)
        return LCAL_OK;
    return lcal__fail(
        err, LCAL_UNSUPPORTED,
        "%s: key chat_template: expected a template called default, found %zu others; "
        "choose one of raw, llama3, chatml, zephyr instead of auto (data.template, "
        "--template)",
        source, json_array_size(list));
}

/* A template and the file it is of. Zeroed is valid: none. */
typedef struct found {
    char *text, *source;
} found;

static lcal_status copy(const char *text, size_t length, const char *source, found *out,
                        lcal_error *err)
{
    if (!length)
        return LCAL_OK;
    out->text = lcal__strndup(text, length);
    out->source = lcal__strdup(source);
    return out->text && out->source ? LCAL_OK : lcal__fail_nomem(err, "the chat template");
}

static lcal_status read_config(const char *path, found *out, lcal_error *err)
{
    json_t *config = NULL;
    const char *text = NULL;
    LCAL_TRY(lcal__json_read_object_reals(path, &config, err));
    const json_t *value = json_object_get(config, "chat_template");
    lcal_status status = json_is_array(value)
                             ? find_default(value, path, &text, err)
                             : lcal__json_string(config, path, "chat_template", &text, err);
    if (status == LCAL_OK)
        status = copy(text, text ? strlen(text) : 0, path, out, err);
    json_decref(config);
    return status;
}

static lcal_status read_jinja(const char *path, found *out, lcal_error *err)
{
    unsigned char *text = NULL;
    size_t size;
    LCAL_TRY(lcal__file_read(path, TEMPLATE_MAX, &text, &size, err));
    lcal_status status = copy((const char *)text, size, path, out, err);
    lcal__free(text);
    return status;
}

static lcal_status read_in(const char *directory, found *out, lcal_error *err)
{
    char *jinja = lcal__path_join(directory, "chat_template.jinja");
    char *config = lcal__path_join(directory, "tokenizer_config.json");
    lcal_status status = jinja && config ? LCAL_OK : lcal__fail_nomem(err, directory);
    /* The file of its own is the newer way and wins. */
    if (status == LCAL_OK && lcal__path_is_file(jinja))
        status = read_jinja(jinja, out, err);
    else if (status == LCAL_OK && lcal__path_is_file(config))
        status = read_config(config, out, err);
    lcal__free(jinja);
    lcal__free(config);
    return status;
}

static lcal_status read_gguf(const lcal__map *map, const char *path, found *out, lcal_error *err)
{
    lcal__gguf file = {0};
    lcal__gguf_string text = {"", 0};
    LCAL_TRY(lcal__gguf_parse(map->data, map->size, path, &file, err));
    lcal_status status = lcal__gguf_get_string(&file, "tokenizer.chat_template", &text, err);
    if (status == LCAL_OK)
        status = copy(text.text, text.length, path, out, err);
    lcal__gguf_free(&file);
    return status;
}

/* A GGUF file brings its own template, other tokenizers have it beside them. */
static lcal_status read_of_file(const char *path, found *out, lcal_error *err)
{
    lcal__map map = {0};
    LCAL_TRY(lcal__map_open(path, &map, err));
    lcal_status status = LCAL_OK;
    if (map.size >= 4 && memcmp(map.data, "GGUF", 4) == 0) {
        status = read_gguf(&map, path, out, err);
    } else {
        char *directory = lcal__path_dir(path);
        status = directory ? read_in(directory, out, err) : lcal__fail_nomem(err, "path");
        lcal__free(directory);
    }
    lcal__map_close(&map);
    return status;
}

static lcal_status find(const char *path, found *out, lcal_error *err)
{
    return lcal__path_is_file(path) ? read_of_file(path, out, err) : read_in(path, out, err);
}

static void forget(found *f)
{
    lcal__free(f->text);
    lcal__free(f->source);
}

lcal_status lcal__chat_template_read(const char *path, char **text, lcal_error *err)
{
    found f = {0};
    lcal_status status = find(path, &f, err);
    *text = NULL;
    if (status == LCAL_OK) {
        *text = f.text;
        f.text = NULL;
    }
    forget(&f);
    return status;
}

lcal_status lcal__chat_format_detect(const char *path, lcal__chat_format *out, lcal_error *err)
{
    found f = {0};
    lcal_status status = find(path, &f, err);
    *out = LCAL__CHAT_RAW;
    if (status == LCAL_OK && f.text)
        status = classify(f.text, f.source, out, err);
    forget(&f);
    return status;
}
