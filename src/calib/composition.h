/*
 * A base, its adapters and a calibration as one handle: the public lcal_model (lcal/model.h), as
 * the rooms above see it. The network is assembled when first asked for and again after a change.
 */
#ifndef LCAL_CALIB_COMPOSITION_H
#define LCAL_CALIB_COMPOSITION_H

#include "calib/assembly.h"
#include "data/tokenizer.h"
#include "lcal/model.h"

/* One type with the public handle. */
typedef struct lcal_model lcal__composition;

/* Folds and widens what is not yet; afterwards the network, its exec and the base are valid until
 * the composition changes or is closed. */
lcal_status lcal__composition_assemble(lcal__composition *composition, lcal_error *err);

const lcal__network *lcal__composition_network(const lcal__composition *composition);
const lcal__exec *lcal__composition_exec(const lcal__composition *composition);
const lcal__model *lcal__composition_base(const lcal__composition *composition);
const lcal_log *lcal__composition_log(const lcal__composition *composition); /* may be NULL */

/* Where the tokenizer and its chat template are looked for: a directory, or a tokenizer's file. */
const char *lcal__composition_text_directory(const lcal__composition *composition);

/* How the configuration or run it was opened from puts text, in the words of data.template,
 * data.loss_on and data.system; NULL where nothing said so. */
typedef struct lcal__text_words {
    const char *template_, *loss_on, *system;
} lcal__text_words;

lcal__text_words lcal__composition_words(const lcal__composition *composition);

/* The tokenizer, opened when first asked for; its ids must fit the base's vocabulary. */
lcal_status lcal__composition_tokenizer(lcal__composition *composition, const lcal__tokenizer **out,
                                        lcal_error *err);

#endif
