/*
 * Format report: one page of text. What is composed of what, and for every other format whether it
 * can hold it, how large it is, and how it is loaded.
 */
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "calib/composition_parts.h"
#include "config/config.h"
#include "config/merge_rule.h"
#include "export/export.h"

/* --- what is composed ------------------------------------------------------------------------ */

static const char *or_unknown(const char *path)
{
    return path ? path : "(not from a directory)";
}

static void say_base(const lcal__model *base, lcal__strbuf *out)
{
    const lcal__model_config *c = &base->config;
    lcal__strbuf_printf(out,
                        "base         %s\n"
                        "             %s, %zu layers of width %zu, %zu parameters, %s\n"
                        "             SHA-256 %s\n",
                        or_unknown(base->directory), lcal__arch_name(c->arch), c->layers, c->hidden,
                        lcal__model_parameters(c), lcal__dtype_name(base->embedding.dtype),
                        base->sha256);
}

static void say_adapters(const lcal__composition *model, lcal__strbuf *out)
{
    const lcal__adapter_list *list = &model->adapters;
    for (size_t i = 0; i < list->count; i++) {
        const lcal__adapter *adapter = list->uses[i].adapter;
        lcal__strbuf_printf(out,
                            "%s %s\n"
                            "             weight %.9g, %zu parameters\n"
                            "             SHA-256 %s\n",
                            i < model->merged ? "adapter     " : "on top      ",
                            or_unknown(adapter->directory), (double)list->uses[i].weight,
                            adapter->parameters, adapter->sha256);
    }
    if (model->merged) {
        lcal__strbuf_add(out, "merge        ");
        lcal__merge_print(&model->merge, out);
        lcal__strbuf_add(out, lcal__merge_is_factored(model->merge.method)
                                  ? ": pairs of low rank\n"
                                  : ": updates of full rank\n");
    }
}

static const char *formula(const lcal__calib_spec *spec)
{
    switch (spec->method) {
    case LCAL__METHOD_LC:
        return spec->form == LCAL__FORM_OUTPUT ? "y += scale p" : "y += scale p sum(x)";
    case LCAL__METHOD_LCPP:
        return "y += scale P2 (P1 x)";
    case LCAL__METHOD_COLUMNS:
        return "adapter i sees m_i o x";
    case LCAL__METHOD_LORA:
    case LCAL__METHOD_BASE:
        break;
    }
    return "";
}

static void say_calibration(const lcal__composition *model, lcal__strbuf *out)
{
    const lcal__calib_facts *facts = &model->calibration.facts;
    if (!model->calibration_path)
        return;
    lcal__strbuf_printf(out,
                        "calibration  %s\n"
                        "             %s: %s, scale %.9g, %zu numbers, %s\n"
                        "             seed %" PRIu64 ", %" PRIu64 " steps, %" PRIu64 " labels\n",
                        model->calibration_path, lcal__method_name(facts->spec.method),
                        formula(&facts->spec), facts->spec.scale, model->calibration.params.total,
                        facts->spec.method == LCAL__METHOD_COLUMNS
                                || facts->spec.share == LCAL__SHARE_NONE
                            ? "each layer its own"
                            : "shared by all layers",
                        facts->seed, facts->step, facts->tokens);
    if (isfinite(facts->valid_loss))
        lcal__strbuf_printf(out, "             validation loss %.6f nats a label\n",
                            facts->valid_loss);
}

/* --- what it comes to in each format --------------------------------------------------------- */

/* Numbers that a format's files hold. */
static double numbers_of_pairs(const lcal__exporting *job)
{
    const lcal__model_config *config = &job->model->base.config;
    double numbers = 0.0;
    for (size_t layer = 0; layer < config->layers; layer++)
        for (lcal__proj p = 0; p < LCAL__PROJ_COUNT; p++) {
            const lcal__update_shape shape = lcal__update_shape_of(job->update, layer, p);
            const double rows = (double)lcal__proj_out(config, p);
            const double cols = (double)lcal__proj_in(config, p);
            numbers += (double)shape.rank * (rows + cols) + (shape.bias ? rows : 0.0);
        }
    return numbers;
}

static double numbers_of_calibration(const lcal__exporting *job)
{
    return (double)job->model->calibration.params.total;
}

static double numbers_of_model(const lcal__exporting *job)
{
    return (double)lcal__model_parameters(&job->model->base.config);
}

/* The other formats, in the order of the table. */
static const struct {
    lcal_export_format format;
    const char *word;
    double (*numbers)(const lcal__exporting *job);
    const char *use;
} others[] = {
    {LCAL_EXPORT_CALIBRATION, "calibration", numbers_of_calibration,
     "lcal generate --model BASE --adapter A:W ... --calibration FILE"},
    {LCAL_EXPORT_SAFETENSORS, "safetensors", numbers_of_calibration,
     "the same; or safetensors.torch.load_file(\"FILE\")"},
    {LCAL_EXPORT_PEFT, "peft", numbers_of_pairs,
     "PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(\"BASE\"), \"DIR\")"},
    {LCAL_EXPORT_HF, "hf", numbers_of_model, "AutoModelForCausalLM.from_pretrained(\"DIR\")"},
    {LCAL_EXPORT_GGUF_LORA, "gguf-lora", numbers_of_pairs, "llama-server -m BASE.gguf --lora FILE"},
    {LCAL_EXPORT_GGUF, "gguf", numbers_of_model, "llama-server -m FILE"},
};

static size_t bytes_of_number(lcal_export_type type)
{
    return lcal__dtype_size(lcal__export_dtype(type));
}

/* What other formats say when they are asked. */
static lcal_status say_format(const lcal__exporting *job, size_t index, lcal__strbuf *out,
                              lcal_error *err)
{
    const lcal__export_format *row = lcal__export_row(others[index].format);
    const lcal_export_options options = {.format = others[index].format};
    const lcal_export_type type = lcal__export_type_of(row, &options, job->model);
    lcal__exporting asked = *job;
    asked.options = &options;
    asked.type = type;
    lcal_error reason = {0};
    const lcal_status status = row->check ? row->check(&asked, &reason) : LCAL_OK;
    if (status == LCAL_UNSUPPORTED) {
        lcal__strbuf_printf(out, "%-12s no: %s\n", others[index].word, reason.message);
        return LCAL_OK;
    }
    if (status != LCAL_OK)
        return lcal__fail(err, status, "%s", reason.message);
    lcal__strbuf_printf(out, "%-12s about %.3f MB in %s\n             %s\n", others[index].word,
                        others[index].numbers(&asked) * (double)bytes_of_number(type) * 1e-6,
                        lcal__export_type_name(type), others[index].use);
    return LCAL_OK;
}

static lcal_status say_formats(const lcal__exporting *job, lcal__strbuf *out, lcal_error *err)
{
    lcal__strbuf_add(out, "\nFormats (lcal export --to FORMAT), their sizes, and how they are "
                          "loaded\n\n");
    for (size_t i = 0; i < sizeof(others) / sizeof(*others); i++)
        LCAL_TRY(say_format(job, i, out, err));
    if (job->update->spec && job->update->spec->method != LCAL__METHOD_COLUMNS
        && job->update->spec->share == LCAL__SHARE_LAYERS)
        lcal__strbuf_add(out, "\nOnly the compact files keep one calibration for all layers; the "
                              "others repeat it in each.\n");
    return LCAL_OK;
}

static lcal_status write(const lcal__exporting *job, const char *path, lcal_error *err)
{
    lcal__strbuf out = {0};
    lcal__strbuf_add(&out, "What is computed: y = W x + the update of each projection\n\n");
    say_base(&job->model->base, &out);
    say_adapters(job->model, &out);
    say_calibration(job->model, &out);
    lcal_status status = say_formats(job, &out, err);
    if (status == LCAL_OK)
        status = out.failed ? lcal__fail_nomem(err, path)
                            : lcal__file_replace(path, out.text, out.length, err);
    lcal__strbuf_free(&out);
    return status;
}

/* No numbers are written: the type has nothing to choose. */
const lcal__export_format lcal__export_page = {.standard = LCAL_EXPORT_F32, .write = write};
