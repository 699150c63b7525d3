/* What a composition is made of, shared by the files that open and use one. */
#ifndef LCAL_CALIB_COMPOSITION_PARTS_H
#define LCAL_CALIB_COMPOSITION_PARTS_H

#include "calib/adapter_list.h"
#include "calib/composition.h"
#include "calib/file.h"

struct lcal_model {
    lcal__exec exec;
    const lcal_log *log;
    lcal__memory memory;
    lcal__model base;
    lcal__adapter_list adapters;
    lcal__merge_settings merge;
    size_t merged; /* the first so many adapters are merged by the rule, later ones are added */
    lcal__calib_file calibration;
    char *calibration_path;  /* NULL: none */
    lcal__assembly assembly; /* empty until assembled */
    bool assembled;
    char *tokenizer_path;
    const char *template_, *loss_on; /* words of data.template and data.loss_on, or NULL */
    char *system;                    /* data.system, or NULL */
    const char *cache;               /* of tokenizers; NULL: none */
    lcal__tokenizer *tokenizer;      /* NULL until asked for */
};

#endif
