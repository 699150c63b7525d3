/*
 * Column weights learnt without labels (DAM; METHODS.md A.8): on the data of its own task, each
 * adapter alone is the teacher of the merged model. The loss of a token is T^2 KL(teacher, merged),
 * both at temperature T; the cosine between two adapters' weights of a module, its mean over pairs
 * summed over modules, is added with a small factor.
 */
#ifndef LCAL_METHODS_TEACHER_H
#define LCAL_METHODS_TEACHER_H

#include "lcal/model.h"
#include "train/trainer_parts.h"

typedef struct lcal__teacher lcal__teacher;

/* Makes the model, which must outlive the teacher, the teacher of the trainer's method columns.
 * Takes the logits of a whole batch in memory. Close it before the trainer. */
lcal_status lcal__teacher_open(lcal_model *model, lcal_trainer *trainer, double temperature,
                               double overlap, lcal__teacher **out, lcal_error *err);
void lcal__teacher_close(lcal__teacher **teacher);

/*
 * T^2 KL(softmax(teacher / T), softmax(logits / T)) of one row of n; gradient: the logits become
 * its derivative times weight.
 */
double lcal__distill_row(const float *teacher, float *logits, size_t n, double temperature,
                         bool gradient, double weight);

/* The cosine of a and b [n], whose derivatives times `factor` are added to da and db. */
double lcal__cosine(const float *a, const float *b, size_t n, double factor, float *da, float *db);

#endif
