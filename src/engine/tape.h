/*
 * The tape: a static list of ops recorded once per (network, capacity, trainable set), with every
 * buffer's place in one workspace fixed in advance. Running it allocates nothing.
 *
 * Gradients flow only where a trained leaf needs them. Blocks chosen for recompute keep only their
 * input; their inside is computed again, one block at a time, on the way back.
 */
#ifndef LCAL_ENGINE_TAPE_H
#define LCAL_ENGINE_TAPE_H

#include "engine/op.h"

typedef struct lcal__tape lcal__tape;

typedef struct lcal__tape_options {
    lcal__capacity capacity;
    bool training;           /* false: forward only (scoring, validation) */
    size_t recompute_blocks; /* how many of the layers, from the first, are recomputed */
} lcal__tape_options;

/*
 * Records and plans; the network and what it points to must outlive the tape, leaf values may
 * change between runs. LCAL_NOMEM: sizes overflow or bookkeeping cannot be allocated.
 */
lcal_status lcal__tape_record(const lcal__network *network, const lcal__exec *exec,
                              const lcal__tape_options *options, lcal__tape **out, lcal_error *err);
void lcal__tape_close(lcal__tape **tape);

/* Bytes of workspace the plan needs (a multiple of LCAL_ALIGN). */
size_t lcal__tape_workspace(const lcal__tape *tape);

/* Gives the tape its workspace: at LCAL_ALIGN, at least lcal__tape_workspace bytes, not owned.
 * Tapes that do not run at the same time may share one. */
void lcal__tape_bind(lcal__tape *tape, void *workspace);

/* Runs forward, and when recorded for training backward: adds to the gradients of all trained
 * leaves. The batch must fit the capacity. */
void lcal__tape_run(lcal__tape *tape, lcal__feed *feed);

/* The plan in words, one line an op: phase, name, places and sizes; for tests and --dry-run. Free
 * with lcal__free. */
lcal_status lcal__tape_describe(const lcal__tape *tape, char **text, lcal_error *err);

/*
 * The smallest number of recomputed blocks whose workspace fits `budget` bytes (all blocks where
 * none fits), by dry plans; *workspace is what that plan needs.
 */
lcal_status lcal__tape_choose_recompute(const lcal__network *network, const lcal__exec *exec,
                                        const lcal__tape_options *options, size_t budget,
                                        size_t *blocks, size_t *workspace, lcal_error *err);

#endif
