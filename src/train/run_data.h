/* The examples of a run, read as its settings say: by training and by whoever wants to see them. */
#ifndef LCAL_TRAIN_RUN_DATA_H
#define LCAL_TRAIN_RUN_DATA_H

#include "base/hash.h"
#include "config/settings.h"
#include "data/dataset.h"
#include "data/text.h"

/* Zeroed is valid and empty. */
typedef struct lcal__run_data {
    lcal__dataset train, valid;    /* valid may borrow from train */
    lcal__text text;               /* its tokenizer is NULL where no text was met */
    char sha256[LCAL__SHA256_HEX]; /* of the training examples as read: a resumed run must go on
                                      with the same ones, whatever file they come from */
} lcal__run_data;

/* vocab: ids are below. The settings must outlive the text. Logs what was dropped, cut or held out.
 * *out is empty on failure. */
lcal_status lcal__run_data_open(const lcal__settings *settings, size_t vocab, const lcal_log *log,
                                lcal__run_data *out, lcal_error *err);
void lcal__run_data_close(lcal__run_data *data);

#endif
