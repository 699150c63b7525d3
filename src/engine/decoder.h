/*
 * A forward pass that goes on from what it has seen: for each of several sequences the keys and
 * values of earlier tokens are kept (KV cache), so that a new token costs one row of work.
 * Sequences of different lengths run side by side; a sequence's logits are the same bits whatever
 * runs beside it and however its tokens were cut into runs.
 *
 * After opening, running allocates nothing.
 */
#ifndef LCAL_ENGINE_DECODER_H
#define LCAL_ENGINE_DECODER_H

#include "engine/network.h"
#include "num/exec.h"

typedef struct lcal__decoder lcal__decoder;

typedef struct lcal__decoder_options {
    size_t sequences; /* side by side */
    size_t length;    /* most tokens of a sequence, over all runs */
    size_t tokens;    /* most new tokens of one run, all sequences together */
} lcal__decoder_options;

/* The network and what it points to must outlive the decoder. LCAL_NOMEM names what did not fit. */
lcal_status lcal__decoder_open(const lcal__network *network, const lcal__exec *exec,
                               const lcal__decoder_options *options, lcal__decoder **out,
                               lcal_error *err);
void lcal__decoder_close(lcal__decoder **decoder);

/* Bytes that a decoder of these options takes: cache and workspace. False: too large to count. */
bool lcal__decoder_bytes(const lcal__network *network, const lcal__exec *exec,
                         const lcal__decoder_options *options, size_t *cache, size_t *workspace);

/* New tokens of one sequence. ids: [count], count > 0, each below the vocabulary. */
typedef struct lcal__decode_input {
    size_t sequence; /* below options.sequences, each at most once a run */
    const int32_t *ids;
    size_t count;
} lcal__decode_input;

/* Appends the inputs' tokens to their sequences. logits: [count, vocab], of the last token of each
 * input, in order of inputs; NULL: not wanted (a prompt's earlier part). */
void lcal__decoder_run(lcal__decoder *decoder, const lcal__decode_input *inputs, size_t count,
                       float *logits);

/* Tokens a sequence holds. */
size_t lcal__decoder_length(const lcal__decoder *decoder, size_t sequence);

/* Forgets all tokens of a sequence from `length` on; 0 empties it for another text. */
void lcal__decoder_truncate(lcal__decoder *decoder, size_t sequence, size_t length);

#endif
