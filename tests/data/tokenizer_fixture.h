/* Small tokenizers that the tests make themselves. */
#ifndef LCAL_TESTS_DATA_TOKENIZER_FIXTURE_H
#define LCAL_TESTS_DATA_TOKENIZER_FIXTURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/strbuf.h"
#include "data/tokenizer.h"

/*
 * A byte-level tokenizer.json: ids 0..255 are the bytes, then come the results of these merges of
 * spelled tokens ("h e", "he l"), then added tokens. `more` is put at the root before the model,
 * for example "\"normalizer\": {...},"; `model` among the model's members. NULL: none. Free with
 * lcal__strbuf_free.
 */
lcal__strbuf fixture_json(const char *const *merges, size_t count, const char *more,
                          const char *model);

/* Parses; fails the test with the message where that is refused. */
lcal__tokenizer *fixture_parse(const void *bytes, size_t size);

/* Encodes and compares; the ids end with -1. */
void fixture_expect(const lcal__tokenizer *t, const char *text, bool parse_special,
                    bool add_special, const int32_t *expected);

/* Little-endian numbers of `size` bytes, strings and keys of GGUF. */
void fixture_put(lcal__strbuf *out, uint64_t value, size_t size);
void fixture_put_string(lcal__strbuf *out, const char *text);

/* A GGUF file with a SentencePiece vocabulary of `count` pieces after <unk>, <s>, </s> and the
 * 256 bytes: piece i has the id 259 + i and the score -i. It holds one F32 tensor of 4 elements. */
lcal__strbuf fixture_gguf(const char *const *pieces, size_t count);

#endif
