/* Facts of a calibration: made from what is being trained, compared with what it is used on. */
#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "calib/file.h"
#include "config/merge_rule.h"
#include "config/run_files.h"

void lcal__calib_facts_free(lcal__calib_facts *facts)
{
    for (size_t i = 0; i < facts->adapter_count; i++)
        lcal__free(facts->adapters[i].name);
    lcal__free(facts->adapters);
    *facts = (lcal__calib_facts){0};
}

/* Where the last part of path[0..end) begins. */
static size_t part_start(const char *path, size_t end)
{
    while (end > 0 && path[end - 1] != '/')
        end--;
    return end;
}

/* The last part of a path, slashes at its end left out; RUN/adapter is told by its run. NULL: out
 * of memory. */
static char *short_name(const char *path)
{
    size_t end = strlen(path);
    while (end > 1 && path[end - 1] == '/')
        end--;
    size_t start = part_start(path, end);
    if (end - start == strlen(LCAL__RUN_ADAPTER) && start > 1
        && strncmp(path + start, LCAL__RUN_ADAPTER, end - start) == 0)
        start = part_start(path, start - 1);
    return lcal__strndup(path + start, end - start);
}

lcal_status lcal__calib_facts_from(const lcal__model *model, const lcal__adapter_use *uses,
                                   size_t count, const lcal__merge_settings *merge,
                                   const lcal__calib_spec *spec, lcal__calib_facts *out,
                                   lcal_error *err)
{
    *out = (lcal__calib_facts){
        .spec = *spec, .config = model->config, .merge = *merge, .valid_loss = NAN};
    memcpy(out->base_sha256, model->sha256, sizeof(out->base_sha256));
    out->adapters = lcal__calloc(count, sizeof(*out->adapters));
    if (!out->adapters)
        return lcal__fail_nomem(err, "the facts of a calibration");
    for (size_t i = 0; i < count; i++) {
        lcal__calib_adapter *adapter = &out->adapters[i];
        const char *directory = uses[i].adapter->directory;
        adapter->name = short_name(directory ? directory : "");
        adapter->weight = (double)uses[i].weight;
        memcpy(adapter->sha256, uses[i].adapter->sha256, sizeof(adapter->sha256));
        out->adapter_count = i + 1;
        if (!adapter->name) {
            lcal__calib_facts_free(out);
            return lcal__fail_nomem(err, "the facts of a calibration");
        }
    }
    return LCAL_OK;
}

static lcal_status check_shapes(const lcal__model_config *made, const char *source,
                                const lcal__model_config *used, lcal_error *err)
{
    const struct {
        const char *name;
        size_t made, used;
    } extents[] = {
        {"layers", made->layers, used->layers},       {"hidden", made->hidden, used->hidden},
        {"heads", made->heads, used->heads},          {"kv_heads", made->kv_heads, used->kv_heads},
        {"head_dim", made->head_dim, used->head_dim}, {"ffn", made->ffn, used->ffn},
        {"vocab", made->vocab, used->vocab},
    };
    if (made->arch != used->arch)
        return lcal__fail(err, LCAL_SHAPE,
                          "%s: made for a model of architecture %s, but this one is %s", source,
                          lcal__arch_name(made->arch), lcal__arch_name(used->arch));
    for (size_t i = 0; i < sizeof(extents) / sizeof(extents[0]); i++)
        if (extents[i].made != extents[i].used)
            return lcal__fail(err, LCAL_SHAPE,
                              "%s: made for a model with %s %zu, but this one has %zu", source,
                              extents[i].name, extents[i].made, extents[i].used);
    return LCAL_OK;
}

static const char *or_none(const char *sha256)
{
    return sha256[0] ? sha256 : "none (random weights)";
}

static lcal_status check_adapter(const lcal__calib_adapter *made, const char *source, size_t index,
                                 const lcal__adapter_use *use, lcal_error *err)
{
    if (strcmp(made->sha256, use->adapter->sha256) != 0)
        return lcal__fail(err, LCAL_INVALID,
                          "%s: adapter %zu: expected %s with SHA-256 %s, found %s with %s; give "
                          "the adapters it was trained with, in that order",
                          source, index + 1, made->name, made->sha256,
                          use->adapter->directory ? use->adapter->directory : "another",
                          use->adapter->sha256);
    if ((float)made->weight != use->weight)
        return lcal__fail(err, LCAL_INVALID,
                          "%s: adapter %zu (%s): expected weight %.9g, found %.9g", source,
                          index + 1, made->name, made->weight, (double)use->weight);
    return LCAL_OK;
}

static lcal_status check_merge(const lcal__merge_settings *made, const char *source,
                               const lcal__merge_settings *used, lcal_error *err)
{
    if (lcal__merge_equal(made, used))
        return LCAL_OK;
    lcal__strbuf expected = {0}, found = {0};
    lcal__merge_print(made, &expected);
    lcal__merge_print(used, &found);
    lcal_status status =
        expected.failed || found.failed
            ? lcal__fail_nomem(err, source)
            : lcal__fail(err, LCAL_INVALID,
                         "%s: made for adapters merged by %s, but here they are merged by %s",
                         source, expected.text, found.text);
    lcal__strbuf_free(&expected);
    lcal__strbuf_free(&found);
    return status;
}

lcal_status lcal__calib_facts_check(const lcal__calib_facts *facts, const char *source,
                                    const lcal__model *model, const lcal__adapter_use *uses,
                                    size_t count, const lcal__merge_settings *merge,
                                    lcal_error *err)
{
    LCAL_TRY(check_shapes(&facts->config, source, &model->config, err));
    if (strcmp(facts->base_sha256, model->sha256) != 0)
        return lcal__fail(
            err, LCAL_INVALID, "%s: made for a base with SHA-256 %s, but the weights of %s have %s",
            source, or_none(facts->base_sha256), model->directory ? model->directory : "this model",
            or_none(model->sha256));
    if (facts->adapter_count != count)
        return lcal__fail(err, LCAL_INVALID,
                          "%s: made with %zu adapters, but %zu are given; give the adapters it was "
                          "trained with, in that order",
                          source, facts->adapter_count, count);
    for (size_t i = 0; i < count; i++)
        LCAL_TRY(check_adapter(&facts->adapters[i], source, i, &uses[i], err));
    return count ? check_merge(&facts->merge, source, merge, err) : LCAL_OK;
}
