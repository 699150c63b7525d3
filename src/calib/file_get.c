/* Reading the facts of a calibration from a file that may say anything. */
#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "base/strbuf.h"
#include "calib/file_fields.h"
#include "config/config.h"
#include "format/json.h"

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

/* More than any real calibration has. */
#define RANK_MAX 65536
#define ADAPTERS_MAX 1024

static lcal_status get_integer(const lcal__facts_source *source, const char *key, int64_t min,
                               int64_t max, int64_t *out, lcal_error *err)
{
    LCAL_TRY(source->integer(source->file, key, out, err));
    if (*out >= min && *out <= max)
        return LCAL_OK;
    return lcal__fail(err, LCAL_FORMAT, "%s: attribute %s: expected %lld..%lld, found %lld",
                      source->name, key, (long long)min, (long long)max, (long long)*out);
}

static lcal_status get_size(const lcal__facts_source *source, const char *key, int64_t max,
                            size_t *out, lcal_error *err)
{
    int64_t value;
    LCAL_TRY(get_integer(source, key, 1, max, &value, err));
    *out = (size_t)value;
    return LCAL_OK;
}

static lcal_status get_count(const lcal__facts_source *source, const char *key, uint64_t *out,
                             lcal_error *err)
{
    int64_t value;
    LCAL_TRY(get_integer(source, key, 0, INT64_MAX, &value, err));
    *out = (uint64_t)value;
    return LCAL_OK;
}

/* A text that must be one of `count` words; *index says which. */
static lcal_status get_word(const lcal__facts_source *source, const char *key,
                            const char *const *words, size_t count, size_t *index, lcal_error *err)
{
    char *text;
    LCAL_TRY(source->text(source->file, key, &text, err));
    lcal__strbuf known = {0};
    for (*index = 0; *index < count && strcmp(text, words[*index]) != 0; ++*index)
        lcal__strbuf_printf(&known, "%s%s", *index ? ", " : "", words[*index]);
    lcal_status status = LCAL_OK;
    if (*index == count)
        status = lcal__fail(err, LCAL_FORMAT, "%s: attribute %s: expected %s%s, found \"%.80s\"",
                            source->name, key, count > 1 ? "one of " : "",
                            known.text ? known.text : "", text);
    lcal__strbuf_free(&known);
    lcal__free(text);
    return status;
}

static lcal_status fail_targets(const lcal__facts_source *source, const char *text, lcal_error *err)
{
    return lcal__fail(err, LCAL_FORMAT,
                      "%s: attribute targets: expected projections such as \"q_proj,down_proj\" in "
                      "that order, found \"%.80s\"",
                      source->name, text);
}

static lcal_status get_targets(const lcal__facts_source *source, lcal__targets *out,
                               lcal_error *err)
{
    char *text;
    LCAL_TRY(source->text(source->file, "targets", &text, err));
    *out = 0;
    bool valid = true;
    for (const char *part = text; valid && part; part = strchr(part, ',')) {
        part += *part == ',';
        size_t length = strcspn(part, ",");
        char name[16] = "";
        lcal__proj proj = LCAL__Q;
        valid = length < sizeof(name);
        if (valid) {
            memcpy(name, part, length);
            /* Ascending, so that each target has one spelling and none comes twice. */
            valid = lcal__proj_from_name(name, &proj) && *out >> proj == 0;
        }
        if (valid)
            *out |= 1u << proj;
    }
    lcal_status status = valid ? LCAL_OK : fail_targets(source, text, err);
    lcal__free(text);
    return status;
}

static lcal_status get_spec(const lcal__facts_source *source, lcal__calib_spec *spec,
                            lcal_error *err)
{
    const char *const methods[] = {
        lcal__method_name(LCAL__METHOD_LC), lcal__method_name(LCAL__METHOD_LCPP),
        lcal__method_name(LCAL__METHOD_COLUMNS), lcal__method_name(LCAL__METHOD_LORA),
        lcal__method_name(LCAL__METHOD_BASE)};
    const char *const forms[] = {lcal__form_name(LCAL__FORM_OUTPUT),
                                 lcal__form_name(LCAL__FORM_BROADCAST)};
    const char *const shares[] = {lcal__share_name(LCAL__SHARE_LAYERS),
                                  lcal__share_name(LCAL__SHARE_NONE)};
    size_t word;
    LCAL_TRY(get_word(source, "method", methods, COUNT_OF(methods), &word, err));
    spec->method = (lcal__method)word;
    if (lcal__calib_has_form(spec->method)) {
        LCAL_TRY(get_word(source, "form", forms, COUNT_OF(forms), &word, err));
        spec->form = (lcal__form)word;
    }
    LCAL_TRY(source->real(source->file, "scale", &spec->scale, err));
    if (!isfinite(spec->scale))
        return lcal__fail(err, LCAL_FORMAT, "%s: attribute scale: expected a finite number",
                          source->name);
    if (lcal__calib_has_rank(spec->method))
        LCAL_TRY(get_size(source, "rank", RANK_MAX, &spec->rank, err));
    if (lcal__calib_has_share(spec->method)) {
        LCAL_TRY(get_word(source, "share", shares, COUNT_OF(shares), &word, err));
        spec->share = (lcal__share)word;
    }
    return lcal__calib_has_targets(spec->method) ? get_targets(source, &spec->targets, err)
                                                 : LCAL_OK;
}

static lcal_status get_config(const lcal__facts_source *source, lcal__model_config *config,
                              lcal_error *err)
{
    const char *const archs[] = {lcal__arch_name(LCAL__ARCH_LLAMA),
                                 lcal__arch_name(LCAL__ARCH_QWEN2),
                                 lcal__arch_name(LCAL__ARCH_STABLELM)};
    size_t word, width;
    LCAL_TRY(get_word(source, "arch", archs, COUNT_OF(archs), &word, err));
    config->arch = (lcal__arch)word;
    for (size_t i = 0; i < LCAL__CALIB_EXTENTS; i++) {
        const lcal__extent_field *field = &lcal__calib_extents[i];
        size_t value;
        LCAL_TRY(get_size(source, field->key, field->max, &value, err));
        memcpy((char *)config + field->offset, &value, sizeof(value));
    }
    if (!lcal__size_mul(config->heads, config->head_dim, &width) || width > INT32_MAX
        || config->kv_heads > config->heads)
        return lcal__fail(err, LCAL_FORMAT,
                          "%s: heads %zu, kv_heads %zu and head_dim %zu do not fit together",
                          source->name, config->heads, config->kv_heads, config->head_dim);
    return LCAL_OK;
}

static bool is_sha256(const char *text)
{
    return strlen(text) == LCAL__SHA256_HEX - 1
           && strspn(text, "0123456789abcdef") == LCAL__SHA256_HEX - 1;
}

static lcal_status get_base(const lcal__facts_source *source, char out[LCAL__SHA256_HEX],
                            lcal_error *err)
{
    char *text;
    LCAL_TRY(source->text(source->file, "base_sha256", &text, err));
    bool valid = text[0] == '\0' || is_sha256(text);
    if (valid)
        memcpy(out, text, strlen(text) + 1);
    lcal__free(text);
    return valid ? LCAL_OK
                 : lcal__fail(err, LCAL_FORMAT,
                              "%s: attribute base_sha256: expected 64 hexadecimal digits",
                              source->name);
}

static lcal_status read_adapter(const json_t *item, const char *place, lcal__calib_adapter *out,
                                lcal_error *err)
{
    const char *name = NULL, *sha256 = NULL;
    out->weight = NAN;
    if (!json_is_object(item))
        return lcal__fail(err, LCAL_FORMAT, "%s: expected an object, found %s", place,
                          lcal__json_type(item));
    LCAL_TRY(lcal__json_string(item, place, "name", &name, err));
    LCAL_TRY(lcal__json_string(item, place, "sha256", &sha256, err));
    LCAL_TRY(lcal__json_real(item, place, "weight", &out->weight, err));
    if (!name || !sha256 || !is_sha256(sha256) || !isfinite(out->weight))
        return lcal__fail(err, LCAL_FORMAT,
                          "%s: expected a name, a sha256 of 64 hexadecimal digits and a weight",
                          place);
    memcpy(out->sha256, sha256, LCAL__SHA256_HEX);
    out->name = lcal__strdup(name);
    return out->name ? LCAL_OK : lcal__fail_nomem(err, place);
}

static lcal_status read_adapters(const json_t *list, const lcal__facts_source *source,
                                 const char *place, lcal__calib_facts *out, lcal_error *err)
{
    size_t count = json_array_size(list);
    if (!json_is_array(list) || count > ADAPTERS_MAX)
        return lcal__fail(err, LCAL_FORMAT, "%s: expected a list of at most %d adapters", place,
                          ADAPTERS_MAX);
    out->adapters = lcal__calloc(count, sizeof(*out->adapters));
    if (!out->adapters)
        return lcal__fail_nomem(err, source->name);
    for (size_t i = 0; i < count; i++) {
        LCAL_TRY(read_adapter(json_array_get(list, i), place, &out->adapters[i], err));
        out->adapter_count = i + 1;
    }
    return LCAL_OK;
}

static lcal_status get_adapters(const lcal__facts_source *source, lcal__calib_facts *out,
                                lcal_error *err)
{
    char *text;
    json_t *list = NULL;
    lcal__strbuf place = {0};
    LCAL_TRY(source->text(source->file, "adapters", &text, err));
    lcal__strbuf_printf(&place, "%s: attribute adapters", source->name);
    lcal_status status = place.failed ? lcal__fail_nomem(err, source->name) : LCAL_OK;
    if (status == LCAL_OK)
        status = lcal__json_parse(text, strlen(text), place.text, &list, err);
    if (status == LCAL_OK)
        status = read_adapters(list, source, place.text, out, err);
    json_decref(list);
    lcal__strbuf_free(&place);
    lcal__free(text);
    return status;
}

/* Says first of all what kind of file this is, so that a wrong one gets the right message. */
static lcal_status check_kind(const lcal__facts_source *source, const char *kind, lcal_error *err)
{
    const char *const format = LCAL__CALIB_FORMAT;
    int64_t version;
    size_t word;
    char *found;
    LCAL_TRY(get_word(source, "format", &format, 1, &word, err));
    LCAL_TRY(source->integer(source->file, "format_version", &version, err));
    if (version != LCAL__CALIB_FORMAT_VERSION)
        return lcal__fail(err, LCAL_UNSUPPORTED,
                          "%s: format version %lld; this lcal reads version %d", source->name,
                          (long long)version, LCAL__CALIB_FORMAT_VERSION);
    LCAL_TRY(source->text(source->file, "kind", &found, err));
    bool same = strcmp(found, kind) == 0;
    lcal_status status = LCAL_OK;
    if (!same && strcmp(found, LCAL__CALIB_KIND_CHECKPOINT) == 0)
        status = lcal__fail(err, LCAL_INVALID,
                            "%s: a checkpoint of training, not a calibration; give the "
                            "calibration.h5 that its run leaves",
                            source->name);
    else if (!same)
        status = lcal__fail(err, LCAL_FORMAT, "%s: attribute kind: expected %s, found \"%.80s\"",
                            source->name, kind, found);
    lcal__free(found);
    return status;
}

static lcal_status get_facts(const lcal__facts_source *source, const char *kind,
                             lcal__calib_facts *out, lcal__store *dtype, lcal_error *err)
{
    const char *const stores[] = {lcal__store_name(LCAL__STORE_F16),
                                  lcal__store_name(LCAL__STORE_BF16),
                                  lcal__store_name(LCAL__STORE_F32)};
    size_t word;
    LCAL_TRY(check_kind(source, kind, err));
    LCAL_TRY(get_spec(source, &out->spec, err));
    LCAL_TRY(get_config(source, &out->config, err));
    LCAL_TRY(get_base(source, out->base_sha256, err));
    LCAL_TRY(get_adapters(source, out, err));
    LCAL_TRY(lcal__calib_merge_get(source, &out->merge, err));
    LCAL_TRY(get_count(source, "seed", &out->seed, err));
    LCAL_TRY(get_count(source, "step", &out->step, err));
    LCAL_TRY(get_count(source, "tokens", &out->tokens, err));
    if (source->has(source->file, "valid_loss"))
        LCAL_TRY(source->real(source->file, "valid_loss", &out->valid_loss, err));
    LCAL_TRY(get_word(source, "dtype", stores, COUNT_OF(stores), &word, err));
    *dtype = (lcal__store)word;
    return LCAL_OK;
}

lcal_status lcal__calib_facts_get(const lcal__facts_source *source, const char *kind,
                                  lcal__calib_facts *out, lcal__store *dtype, lcal_error *err)
{
    *out = (lcal__calib_facts){.valid_loss = NAN};
    lcal_status status = get_facts(source, kind, out, dtype, err);
    if (status != LCAL_OK)
        lcal__calib_facts_free(out);
    return status;
}
