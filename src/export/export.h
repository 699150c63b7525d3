/*
 * Writers of other programs' formats: one row a format, one file a row. The frame (export.c) checks
 * the options, refuses what is in the way, and makes a directory complete before it gets its name.
 */
#ifndef LCAL_EXPORT_EXPORT_H
#define LCAL_EXPORT_EXPORT_H

#include "export/update.h"
#include "lcal/export.h"

/* An export at work: what a writer reads, and where it says what it did. */
typedef struct lcal__exporting {
    lcal__composition *model;
    const lcal__update *update; /* what is added to the base, module by module */
    const lcal_export_options *options;
    lcal_export_type type; /* never AUTO */
    const lcal_log *log;
    lcal_export_report *report;
} lcal__exporting;

/* Which options besides the type a format has. */
enum {
    LCAL__EXPORT_HAS_RANK = 1,
    LCAL__EXPORT_HAS_SHARDS = 2,
    LCAL__EXPORT_HAS_CLASS = 4,
    LCAL__EXPORT_HAS_BASE_NAME = 8,
};

#define LCAL__EXPORT_BIT(type) (1u << (type))

typedef struct lcal__export_format {
    bool directory; /* `path` of write is an empty directory to fill; else a file to make by
                       lcal__replace */
    unsigned types; /* LCAL__EXPORT_BIT of those it can hold */
    unsigned has;   /* LCAL__EXPORT_HAS_ */
    lcal_export_type standard; /* for AUTO; AUTO: the base's type, where that is one of `types` */
    /* LCAL_UNSUPPORTED with what can, before anything is made; NULL: holds everything. */
    lcal_status (*check)(const lcal__exporting *job, lcal_error *err);
    lcal_status (*write)(const lcal__exporting *job, const char *path, lcal_error *err);
} lcal__export_format;

/* One a format; lcal__export_row finds them by their public number. */
extern const lcal__export_format lcal__export_calibration;
extern const lcal__export_format lcal__export_safetensors;
extern const lcal__export_format lcal__export_peft;
extern const lcal__export_format lcal__export_hf;
extern const lcal__export_format lcal__export_gguf_lora;
extern const lcal__export_format lcal__export_gguf;
extern const lcal__export_format lcal__export_page;

const lcal__export_format *lcal__export_row(lcal_export_format format);

/* The type that options and format come to: never AUTO. */
lcal_export_type lcal__export_type_of(const lcal__export_format *row,
                                      const lcal_export_options *options,
                                      const lcal__composition *model);

/* F32, F16 or BF16 of a type that is one of them. */
lcal__dtype lcal__export_dtype(lcal_export_type type);

/* "F32", ..., "Q8_0". Static. */
const char *lcal__export_type_name(lcal_export_type type);

/* A module's row of the report, made zeroed where there is none; *out is valid until the next
 * call. */
lcal_status lcal__export_note(const lcal__exporting *job, size_t layer, lcal__proj proj,
                              lcal_export_module **out, lcal_error *err);

#endif
