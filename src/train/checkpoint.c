#include "train/checkpoint.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "calib/file_parts.h"

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

#define VALUES "/calib"
#define STATE "/train"
#define FIRST_MOMENT "/train/adam/m"
#define SECOND_MOMENT "/train/adam/v"
#define BEST "/train/best"

lcal__train_state lcal__train_state_init(void)
{
    return (lcal__train_state){
        .best_loss = NAN, .first_loss = NAN, .last_loss = NAN, .valid_loss = NAN};
}

/* --- the fields of the state: one list for writing and reading -------------------------- */

typedef struct counter_field {
    const char *key;
    uint64_t *value;
} counter_field;

typedef struct loss_field {
    const char *key;
    double *value;
} loss_field;

/* step, tokens and valid_loss are facts and stand at "/". */
#define COUNTERS(state)                                                                            \
    {                                                                                              \
        {"cursor", &(state)->cursor}, {"updates", &(state)->updates},                              \
            {"skipped_in_row", &(state)->skipped_in_row}, {"best_step", &(state)->best_step},      \
            {"best_tokens", &(state)->best_tokens},                                                \
    }
#define LOSSES(state)                                                                              \
    {                                                                                              \
        {"best_loss", &(state)->best_loss}, {"first_loss", &(state)->first_loss},                  \
            {"last_loss", &(state)->last_loss},                                                    \
    }

/* --- saving ----------------------------------------------------------------------------- */

static lcal_status put_array(lcal__h5 *file, const char *group, const lcal__params *params,
                             const float *values, lcal_error *err)
{
    for (size_t i = 0; i < params->count; i++) {
        const lcal__param *param = &params->items[i];
        const size_t shape[2] = {param->rows, param->cols};
        char *path = lcal__calib_h5_path(group, param->name);
        if (!path)
            return lcal__fail_nomem(err, "a checkpoint");
        lcal_status status =
            lcal__h5_put(file, path, LCAL__F32, param->vector ? 1 : 2,
                         param->vector ? shape + 1 : shape, values + param->offset, err);
        lcal__free(path);
        LCAL_TRY(status);
    }
    return LCAL_OK;
}

static lcal_status put_facts(lcal__h5 *file, const lcal__session *session,
                             const lcal__train_state *state, lcal_error *err)
{
    const lcal__facts_sink sink = lcal__calib_sink_h5(file);
    lcal__calib_facts facts;
    LCAL_TRY(lcal__session_facts(session, &facts, err));
    facts.step = state->step;
    facts.tokens = state->tokens;
    facts.valid_loss = state->valid_loss;
    lcal_status status =
        lcal__calib_facts_put(&facts, LCAL__CALIB_KIND_CHECKPOINT, LCAL__STORE_F32, &sink, err);
    lcal__calib_facts_free(&facts);
    return status;
}

static lcal_status put_state(lcal__h5 *file, const lcal__session *session,
                             const lcal__train_state *state, const char *config, lcal_error *err)
{
    lcal__train_state copy = *state;
    copy.cursor = session->batcher.cursor;
    const counter_field counters[] = COUNTERS(&copy);
    const loss_field losses[] = LOSSES(&copy);
    LCAL_TRY(lcal__h5_group(file, STATE, err));
    for (size_t i = 0; i < COUNT_OF(counters); i++)
        LCAL_TRY(lcal__h5_put_int(file, STATE, counters[i].key, (int64_t)*counters[i].value, err));
    for (size_t i = 0; i < COUNT_OF(losses); i++)
        if (!isnan(*losses[i].value))
            LCAL_TRY(lcal__h5_put_real(file, STATE, losses[i].key, *losses[i].value, err));
    LCAL_TRY(lcal__h5_put_text(file, STATE, "data_sha256", session->data_sha256, err));
    return lcal__h5_put_text(file, STATE, "config", config, err);
}

static lcal_status fill(lcal__h5 *file, const lcal__session *session,
                        const lcal__train_state *state, const char *config, lcal_error *err)
{
    const lcal__params *params = &session->assembly.params;
    LCAL_TRY(put_facts(file, session, state, err));
    LCAL_TRY(put_array(file, VALUES, params, params->values, err));
    LCAL_TRY(put_state(file, session, state, config, err));
    LCAL_TRY(put_array(file, FIRST_MOMENT, params, session->adamw.m, err));
    LCAL_TRY(put_array(file, SECOND_MOMENT, params, session->adamw.v, err));
    return session->best ? put_array(file, BEST, params, session->best, err) : LCAL_OK;
}

/* A finite loss can still lead to an update that is not: such a state must not take the place of
 * the last good one. */
static lcal_status check_values(const char *path, const lcal__session *session,
                                const lcal__train_state *state, lcal_error *err)
{
    const lcal__params *params = &session->assembly.params;
    for (size_t i = 0; i < params->count; i++)
        if (lcal__calib_check_finite(&params->items[i], params->values + params->items[i].offset,
                                     path, NULL)
            != LCAL_OK)
            return lcal__fail(err, LCAL_NUMERIC,
                              "%s: step %" PRIu64 ": %s is no longer finite; the file is left as "
                              "it was. Lower train.lr",
                              path, state->step, params->items[i].name);
    return LCAL_OK;
}

lcal_status lcal__checkpoint_save(const char *path, const lcal__session *session,
                                  const lcal__train_state *state, const char *config,
                                  lcal_error *err)
{
    lcal__h5 *file = NULL;
    unsigned char *bytes = NULL;
    size_t size = 0;
    LCAL_TRY(check_values(path, session, state, err));
    LCAL_TRY(lcal__h5_create(&file, err));
    lcal_status status = fill(file, session, state, config, err);
    if (status == LCAL_OK)
        status = lcal__h5_finish(&file, &bytes, &size, err);
    lcal__h5_close(&file);
    if (status == LCAL_OK)
        status = lcal__file_replace(path, bytes, size, err);
    lcal__free(bytes);
    return status == LCAL_OK ? LCAL_OK : lcal__fail_in(err, status, "saving %s", path);
}

/* --- opening ---------------------------------------------------------------------------- */

static lcal_status get_state(lcal__checkpoint *out, const char *path, lcal_error *err)
{
    const counter_field counters[] = COUNTERS(&out->state);
    const loss_field losses[] = LOSSES(&out->state);
    for (size_t i = 0; i < COUNT_OF(counters); i++) {
        int64_t value;
        LCAL_TRY(lcal__h5_get_int(out->file, STATE, counters[i].key, &value, err));
        if (value < 0)
            return lcal__fail(err, LCAL_FORMAT,
                              "%s: " STATE ": attribute %s: expected a count, "
                              "found %" PRId64,
                              path, counters[i].key, value);
        *counters[i].value = (uint64_t)value;
    }
    for (size_t i = 0; i < COUNT_OF(losses); i++)
        if (lcal__h5_has_attribute(out->file, STATE, losses[i].key))
            LCAL_TRY(lcal__h5_get_real(out->file, STATE, losses[i].key, losses[i].value, err));
    out->state.step = out->facts.step;
    out->state.tokens = out->facts.tokens;
    out->state.valid_loss = out->facts.valid_loss;
    const lcal__train_state *state = &out->state;
    if (state->updates > state->step || state->best_step > state->step
        || state->skipped_in_row > state->step - state->updates)
        return lcal__fail(err, LCAL_FORMAT,
                          "%s: " STATE ": the counters contradict one another (step %" PRIu64
                          ", updates %" PRIu64 ", best_step %" PRIu64 ")",
                          path, state->step, state->updates, state->best_step);
    return LCAL_OK;
}

static lcal_status get_texts(lcal__checkpoint *out, const char *path, lcal_error *err)
{
    char *hash;
    LCAL_TRY(lcal__h5_get_text(out->file, STATE, "config", &out->config, err));
    LCAL_TRY(lcal__h5_get_text(out->file, STATE, "data_sha256", &hash, err));
    bool fits = strlen(hash) == LCAL__SHA256_HEX - 1;
    if (fits)
        memcpy(out->data_sha256, hash, LCAL__SHA256_HEX);
    lcal__free(hash);
    return fits ? LCAL_OK
                : lcal__fail(err, LCAL_FORMAT,
                             "%s: " STATE ": attribute data_sha256: expected 64 digits", path);
}

static lcal_status open_file(const char *path, lcal__checkpoint *out, lcal_error *err)
{
    lcal__store dtype;
    LCAL_TRY(lcal__map_open(path, &out->map, err));
    LCAL_TRY(lcal__h5_open(out->map.data, out->map.size, path, &out->file, err));
    const lcal__facts_source source = lcal__calib_source_h5(out->file, path);
    LCAL_TRY(lcal__calib_facts_get(&source, LCAL__CALIB_KIND_CHECKPOINT, &out->facts, &dtype, err));
    LCAL_TRY(get_state(out, path, err));
    return get_texts(out, path, err);
}

lcal_status lcal__checkpoint_open(const char *path, lcal__checkpoint *out, lcal_error *err)
{
    *out = (lcal__checkpoint){.state = lcal__train_state_init()};
    lcal_status status = open_file(path, out, err);
    if (status != LCAL_OK)
        lcal__checkpoint_close(out);
    return status;
}

void lcal__checkpoint_close(lcal__checkpoint *checkpoint)
{
    lcal__h5_close(&checkpoint->file);
    lcal__map_close(&checkpoint->map);
    lcal__calib_facts_free(&checkpoint->facts);
    lcal__free(checkpoint->config);
    *checkpoint = (lcal__checkpoint){0};
}

/* --- restoring -------------------------------------------------------------------------- */

static lcal_status get_tensor(lcal__h5 *file, const char *group, const lcal__param *param,
                              float *values, const char *source, lcal_error *err)
{
    const size_t extents[2] = {param->rows, param->cols};
    const size_t *shape = param->vector ? extents + 1 : extents;
    size_t rank, found[8];
    lcal__dtype dtype;
    char *path = lcal__calib_h5_path(group, param->name);
    if (!path)
        return lcal__fail_nomem(err, source);
    lcal_status status = lcal__h5_shape(file, path, &dtype, &rank, found, err);
    if (status == LCAL_OK && dtype != LCAL__F32)
        status = lcal__fail(err, LCAL_FORMAT, "%s: %s: expected F32, found %s", source, path,
                            lcal__dtype_name(dtype));
    if (status == LCAL_OK)
        status = lcal__h5_get_f32(file, path, param->vector ? 1 : 2, shape, values, err);
    if (status == LCAL_OK)
        status = lcal__calib_check_finite(param, values, source, err);
    lcal__free(path);
    return status;
}

static lcal_status get_array(lcal__h5 *file, const char *group, const lcal__params *params,
                             float *values, const char *source, lcal_error *err)
{
    for (size_t i = 0; i < params->count; i++)
        LCAL_TRY(get_tensor(file, group, &params->items[i], values + params->items[i].offset,
                            source, err));
    return LCAL_OK;
}

static lcal_status check_second_moment(const lcal__adamw *adamw, const char *source,
                                       lcal_error *err)
{
    for (size_t i = 0; i < adamw->total; i++)
        if (adamw->v[i] < 0.0f)
            return lcal__fail(err, LCAL_FORMAT,
                              "%s: " SECOND_MOMENT ": element %zu is %g, expected a square", source,
                              i, (double)adamw->v[i]);
    return LCAL_OK;
}

lcal_status lcal__checkpoint_restore(const lcal__checkpoint *checkpoint, const char *path,
                                     lcal__session *session, lcal_error *err)
{
    lcal__h5 *file = checkpoint->file;
    const lcal__params *params = &session->assembly.params;
    LCAL_TRY(lcal__calib_facts_check(&checkpoint->facts, path, &session->model,
                                     session->adapters.uses, session->adapters.count,
                                     &session->settings->merge, err));
    if (strcmp(checkpoint->data_sha256, session->data_sha256) != 0)
        return lcal__fail(err, LCAL_INVALID,
                          "%s: data.train: %s no longer holds the examples this run began with; "
                          "restore it, or start anew with --overwrite",
                          path, session->settings->data.train);
    LCAL_TRY(get_array(file, VALUES, params, params->values, path, err));
    LCAL_TRY(get_array(file, FIRST_MOMENT, params, session->adamw.m, path, err));
    LCAL_TRY(get_array(file, SECOND_MOMENT, params, session->adamw.v, path, err));
    LCAL_TRY(check_second_moment(&session->adamw, path, err));
    if (session->best)
        LCAL_TRY(get_array(file, BEST, params, session->best, path, err));
    session->batcher.cursor = checkpoint->state.cursor;
    return LCAL_OK;
}
