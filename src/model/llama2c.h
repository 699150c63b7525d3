/*
 * Models of llama2.c (export.py's legacy format, version 0), little endian:
 *
 *   7 x i32  dim, hidden_dim, n_layers, n_heads, n_kv_heads, vocab_size, seq_len; a vocab_size
 * below zero: the head is no copy of the embedding, and stands at the end f32      embedding
 * [vocab, dim]; then for all layers each: attention norm [dim], q [dim, dim], k and v [kv, dim], o
 * [dim, dim], MLP norm [dim], gate [hidden, dim], down [dim, hidden], up [hidden, dim]; final norm
 * [dim]; cosines and sines of rotary positions [seq_len, head_dim / 2] each; the head [vocab, dim]
 *
 * llama2.c rotates neighbouring dimensions (2i, 2i + 1) of a head where Hugging Face rotates
 * (i, i + head_dim / 2): rows of q and k are put in that order. Rotary base 10000, norm epsilon
 * 1e-5, BOS 1 and EOS 2 are llama2.c's own constants, which the file does not hold.
 */
#ifndef LCAL_MODEL_LLAMA2C_H
#define LCAL_MODEL_LLAMA2C_H

#include "model/model.h"

/* Fills *out from a whole file, which the model points into: it must outlive the model and begin at
 * a multiple of 4. LCAL_FORMAT: no such file, or of another length than its header says;
 * LCAL_UNSUPPORTED: a later version of the format. */
lcal_status lcal__llama2c_parse(const void *bytes, size_t size, const char *source,
                                lcal__model *out, lcal_error *err);

#endif
