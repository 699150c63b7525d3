/*
 * Training on several tasks in turn. Step i trains on a batch of task i modulo their number, over
 * that one's merged adapters; values, moments and counters are one set, which goes from trainer to
 * trainer. The result is a file for each task: the same numbers, with the adapters that they were
 * trained with.
 */
#ifndef LCAL_METHODS_TURNS_H
#define LCAL_METHODS_TURNS_H

#include "methods/members.h"
#include "methods/teacher.h"

#define LCAL__TURNS_DONE "shared.txt" /* in its directory: the identity of a finished run */

/* Set job, directory, members, distills and err, the rest zero. */
typedef struct lcal__turns {
    const lcal__job *job;
    char *directory;
    lcal__members members;
    bool distills;            /* each member has a teacher */
    lcal_trainer **trainers;  /* [members.count] */
    lcal__stage *schools;     /* [members.count] the teachers' models */
    lcal__teacher **teachers; /* [members.count] */
    lcal_error *err;
} lcal__turns;

/* From the beginning or the checkpoint of the same members to the results. *interrupted: a
 * checkpoint was saved instead. */
lcal_status lcal__turns_train(lcal__turns *turns, bool *interrupted);

/* Also directory and members. */
void lcal__turns_close(lcal__turns *turns);

/* Below the directory; of one member's result. NULL: out of memory. Free with lcal__free. */
char *lcal__turns_path(const lcal__turns *turns, const char *name);
char *lcal__turns_result(const lcal__turns *turns, size_t member);

/* The trainer whose values, moments, best values and counters are those of all. */
lcal_trainer *lcal__turns_home(const lcal__turns *turns);

/* One step with what is due after it; a checkpoint. */
lcal_status lcal__turns_step(lcal__turns *turns);
lcal_status lcal__turns_save(lcal__turns *turns);

#endif
