/* include/lcal/convert.h: what a model and its tokenizer become together. */
#include "lcal/convert.h"

#include "base/file.h"
#include "base/mem.h"
#include "data/tokenizer.h"
#include "model/llama2c.h"

/* One conversion: what it reads. */
typedef struct job {
    const char *source, *directory;
    const lcal_convert_options *options;
    lcal__map file, tokenizer;
    lcal__model model;
} job;

static lcal_status check_absent(const job *j, const char *name, const char *advice, lcal_error *err)
{
    char *path = lcal__path_join(j->directory, name);
    if (!path)
        return lcal__fail_nomem(err, "path");
    const bool taken = lcal__path_is_file(path);
    lcal__free(path);
    if (!taken)
        return LCAL_OK;
    return lcal__fail(err, LCAL_INVALID, "%s: holds a model already (%s): %s", j->directory, name,
                      advice);
}

/* Nothing of another model must be mixed with this one; shards would outlive a replacement. */
static lcal_status check_free(const job *j, lcal_error *err)
{
    static const char *const names[] = {"config.json", "model.safetensors", "tokenizer.bin"};
    LCAL_TRY(check_absent(j, "model.safetensors.index.json", "give another directory", err));
    for (size_t i = 0; i < sizeof(names) / sizeof(*names) && !j->options->overwrite; i++)
        LCAL_TRY(check_absent(j, names[i], "give another directory, or ask to overwrite", err));
    return LCAL_OK;
}

static lcal_status read_tokenizer(job *j, lcal_error *err)
{
    lcal__tokenizer *t = NULL;
    const char *path = j->options->tokenizer;
    if (!path)
        return LCAL_OK;
    LCAL_TRY(lcal__map_open(path, &j->tokenizer, err));
    LCAL_TRY(lcal__tokenizer_parse(j->tokenizer.data, j->tokenizer.size, path, &t, err));
    const size_t size = lcal__tokenizer_size(t);
    lcal__tokenizer_close(&t);
    if (size > j->model.config.vocab)
        return lcal__fail(err, LCAL_SHAPE,
                          "%s: a tokenizer of %zu ids: expected at most the %zu of %s", path, size,
                          j->model.config.vocab, j->source);
    return LCAL_OK;
}

static lcal_status write_tokenizer(const job *j, lcal_error *err)
{
    if (!j->options->tokenizer)
        return LCAL_OK;
    char *path = lcal__path_join(j->directory, "tokenizer.bin");
    if (!path)
        return lcal__fail_nomem(err, "path");
    lcal_status status = lcal__file_replace(path, j->tokenizer.data, j->tokenizer.size, err);
    lcal__free(path);
    return status;
}

static lcal_status run(job *j, lcal_error *err)
{
    static const lcal__dtype types[] = {[LCAL_WEIGHTS_F32] = LCAL__F32,
                                        [LCAL_WEIGHTS_F16] = LCAL__F16,
                                        [LCAL_WEIGHTS_BF16] = LCAL__BF16};
    if ((size_t)j->options->type >= sizeof(types) / sizeof(*types))
        return lcal__fail(err, LCAL_INVALID, "no such type of weights: %d", (int)j->options->type);
    LCAL_TRY(check_free(j, err));
    LCAL_TRY(lcal__map_open(j->source, &j->file, err));
    LCAL_TRY(lcal__llama2c_parse(j->file.data, j->file.size, j->source, &j->model, err));
    LCAL_TRY(read_tokenizer(j, err));
    LCAL_TRY(lcal__model_write(&j->model, types[j->options->type], j->directory, err));
    LCAL_TRY(write_tokenizer(j, err));
    lcal__log(j->options->log, LCAL_LOG_INFO, "%s: %zu parameters in %s", j->source,
              lcal__model_parameters(&j->model.config), j->directory);
    return LCAL_OK;
}

lcal_status lcal_convert_llama2c(const char *model, const char *directory,
                                 const lcal_convert_options *options, lcal_error *err)
{
    static const lcal_convert_options defaults;
    job j = {.source = model, .directory = directory, .options = options ? options : &defaults};
    if (!model || !directory)
        return lcal__fail(err, LCAL_INVALID, "expected a model and a directory, found none");
    lcal_status status = run(&j, err);
    lcal__model_close(&j.model);
    lcal__map_close(&j.tokenizer);
    lcal__map_close(&j.file);
    return status;
}
