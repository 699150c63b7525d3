/* Format hf: a merged model in Hugging Face layout, with the base's tokenizer. */
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "calib/composition_parts.h"
#include "export/gguf_parts.h"
#include "export/hf_weights.h"
#include "export/rounding.h"
#include "format/json.h"
#include "model/family.h"

/* What goes along with the weights, where the base has it: tokenizer, template, terms of use. */
static const char *const companions[] = {
    "added_tokens.json",
    "chat_template.jinja",
    "chat_template.json",
    "generation_config.json",
    "merges.txt",
    "special_tokens_map.json",
    "tokenizer.gguf",
    "tokenizer.json",
    "tokenizer.model",
    "tokenizer_config.json",
    "vocab.json",
    "LICENSE",
    "LICENSE.txt",
    "LICENSE.md",
    "NOTICE",
    "NOTICE.txt",
    "USE_POLICY.md",
};

/* --- config.json ----------------------------------------------------------------------------- */

static const char *torch_name(lcal_export_type type)
{
    return type == LCAL_EXPORT_F32 ? "float32" : type == LCAL_EXPORT_F16 ? "float16" : "bfloat16";
}

static lcal_status set(json_t *root, const char *key, json_t *value, lcal_error *err)
{
    return json_object_set_new(root, key, value) == 0 ? LCAL_OK
                                                      : lcal__fail_nomem(err, "config.json");
}

static lcal_status set_bias(json_t *root, const lcal__switch *bias, bool before, bool after,
                            lcal_error *err)
{
    return before == after ? LCAL_OK : set(root, bias->key, json_true(), err);
}

/* The base's own file, every key kept, with what the export changes. */
static lcal_status edit_config(const lcal__exporting *job, const lcal__model_config *config,
                               json_t *root, lcal_error *err)
{
    const lcal__model_config *base = &job->model->base.config;
    const lcal__family *family = lcal__family_of(config->arch);
    const char *type = torch_name(job->type);
    const bool new_key = json_object_get(root, "dtype") != NULL;
    if (new_key)
        LCAL_TRY(set(root, "dtype", json_string(type), err));
    if (!new_key || json_object_get(root, "torch_dtype"))
        LCAL_TRY(set(root, "torch_dtype", json_string(type), err));
    LCAL_TRY(set_bias(root, &family->qkv_bias, base->bias[LCAL__Q], config->bias[LCAL__Q], err));
    LCAL_TRY(set_bias(root, &family->o_bias, base->bias[LCAL__O], config->bias[LCAL__O], err));
    return set_bias(root, &family->mlp_bias, base->bias[LCAL__GATE], config->bias[LCAL__GATE], err);
}

static lcal_status config_text(const lcal__exporting *job, const lcal__hf_target *target,
                               const char *from, char **text, lcal_error *err)
{
    if (target->converted || !lcal__path_is_file(from))
        return lcal__model_config_write(&target->config, torch_name(job->type), text, err);
    json_t *root = NULL;
    LCAL_TRY(lcal__json_read_object(from, &root, err));
    lcal_status status = edit_config(job, &target->config, root, err);
    if (status == LCAL_OK)
        status = lcal__json_write(root, text, err);
    json_decref(root);
    return status;
}

static lcal_status write_config(const lcal__exporting *job, const lcal__hf_target *target,
                                const char *directory, lcal_error *err)
{
    const char *base = job->model->base.directory;
    char *from = lcal__path_join(base ? base : "", "config.json");
    char *to = lcal__path_join(directory, "config.json");
    char *text = NULL;
    lcal_status status =
        from && to ? config_text(job, target, from, &text, err) : lcal__fail_nomem(err, directory);
    if (status == LCAL_OK)
        status = lcal__file_replace(to, text, strlen(text), err);
    lcal__free(text);
    lcal__free(from);
    lcal__free(to);
    return status;
}

/* --- what goes along ------------------------------------------------------------------------- */

static lcal_status copy_file(const char *from, const char *to, lcal_error *err)
{
    lcal__map map;
    LCAL_TRY(lcal__map_open(from, &map, err));
    lcal_status status = lcal__file_replace(to, map.data, map.size, err);
    lcal__map_close(&map);
    return status;
}

static lcal_status copy_companion(const char *source, const char *name, const char *directory,
                                  lcal_error *err)
{
    char *from = lcal__path_join(source, name);
    char *to = lcal__path_join(directory, name);
    lcal_status status = LCAL_OK;
    if (!from || !to)
        status = lcal__fail_nomem(err, name);
    else if (lcal__path_is_file(from) && !lcal__path_exists(to))
        status = copy_file(from, to, err);
    lcal__free(from);
    lcal__free(to);
    return status;
}

/* One of the list, or a tokenizer as llama2.c names its own: tok512.bin. */
static bool goes_along(const char *name)
{
    const size_t length = strlen(name);
    for (size_t i = 0; i < sizeof(companions) / sizeof(*companions); i++)
        if (strcmp(name, companions[i]) == 0)
            return true;
    return length >= 7 && strncmp(name, "tok", 3) == 0 && strcmp(name + length - 4, ".bin") == 0;
}

/* From where, and to where. */
typedef struct copying {
    const char *source, *directory;
} copying;

static lcal_status copy_entry(void *context, const char *name, lcal_error *err)
{
    const copying *c = context;
    return goes_along(name) ? copy_companion(c->source, name, c->directory, err) : LCAL_OK;
}

static lcal_status copy_companions(const char *source, const char *directory, lcal_error *err)
{
    copying c = {source, directory};
    return source && lcal__path_is_dir(source) ? lcal__dir_visit(source, copy_entry, &c, err)
                                               : LCAL_OK;
}

static bool is_gguf(const char *path)
{
    lcal__map map = {0};
    const bool is = lcal__map_open(path, &map, NULL) == LCAL_OK && map.size >= 4
                    && memcmp(map.data, "GGUF", 4) == 0;
    lcal__map_close(&map);
    return is;
}

/* Of a GGUF model, whose weights shall not go along. */
static lcal_status extract_tokenizer(const lcal__exporting *job, const char *directory,
                                     lcal_error *err)
{
    bool found;
    LCAL_TRY(lcal__tokenizer_find(lcal__composition_text_directory(job->model), &found, err));
    if (!found)
        return LCAL_OK;
    char *path = lcal__path_join(directory, "tokenizer.gguf");
    lcal_status status =
        path ? lcal__gguf_write_tokenizer(job, path, err) : lcal__fail_nomem(err, directory);
    lcal__free(path);
    return status;
}

/* A tokenizer given as a file goes along under the name it has. */
static lcal_status copy_tokenizer(const lcal__exporting *job, const char *directory,
                                  lcal_error *err)
{
    const char *path = lcal__composition_text_directory(job->model);
    const char *slash = strrchr(path, '/');
    if (!lcal__path_is_file(path))
        return copy_companions(path, directory, err);
    if (is_gguf(path))
        return extract_tokenizer(job, directory, err);
    char *source = lcal__path_dir(path);
    if (!source)
        return lcal__fail_nomem(err, path);
    lcal_status status = copy_companion(source, slash ? slash + 1 : path, directory, err);
    lcal__free(source);
    return status;
}

/* --- the model ------------------------------------------------------------------------------- */

static lcal_status check(const lcal__exporting *job, lcal_error *err)
{
    lcal__model_config config;
    return lcal__hf_target_config(job, &config, err);
}

static lcal_status write(const lcal__exporting *job, const char *path, lcal_error *err)
{
    lcal__hf_target target;
    LCAL_TRY(lcal__hf_target_open(job, &target, err));
    lcal_status status = lcal__hf_write_weights(job, &target, path, err);
    if (status == LCAL_OK)
        status = write_config(job, &target, path, err);
    lcal__hf_target_close(&target);
    if (status == LCAL_OK)
        status = copy_tokenizer(job, path, err);
    if (status == LCAL_OK)
        status = copy_companions(job->model->base.directory, path, err);
    if (status == LCAL_OK)
        lcal__rounding_warn(job->report, job->report->type, job->log);
    return status;
}

const lcal__export_format lcal__export_hf = {
    .directory = true,
    .types = LCAL__EXPORT_BIT(LCAL_EXPORT_F32) | LCAL__EXPORT_BIT(LCAL_EXPORT_F16)
             | LCAL__EXPORT_BIT(LCAL_EXPORT_BF16),
    .has = LCAL__EXPORT_HAS_SHARDS | LCAL__EXPORT_HAS_CLASS,
    .check = check,
    .write = write,
};
