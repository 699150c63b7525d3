/*
 * A cache of large tokenizer.json files: nearly all the time of reading one goes into the JSON of
 * its vocabulary and merges, so these are kept as plain arrays, and the rest as the JSON it is.
 *
 * One file a tokenizer, tokenizer-SHA256.cache, named after the content it was made from; all
 * numbers little endian:
 *
 *   8 bytes   "LCALTOK1", the format with its version
 *   32 bytes  SHA-256 of the tokenizer.json
 *   32 bytes  SHA-256 of everything below
 *   4 x u64   lengths: J bytes of JSON, V ids, T bytes of text, M merges
 *   J bytes   the tokenizer.json without model.vocab and model.merges
 *   V x u32   length of each id's token; 2^32 - 1: no token has this id
 *   T bytes   the tokens' texts, one after the other
 *   M x 4 u32 left, right, rank, result; ranks ascend
 *
 * What stands in tokenizer_config.json is not in it: that file is small and always read. Nothing
 * is trusted: a file that does not verify or parse is made anew. At most LCAL__CACHE_FILES files of
 * LCAL__CACHE_BYTES in all are kept, the oldest go first.
 */
#ifndef LCAL_DATA_TOKENIZER_CACHE_H
#define LCAL_DATA_TOKENIZER_CACHE_H

#include "base/hash.h"
#include "base/strbuf.h"
#include "data/tokenizer_parts.h"

#define LCAL__CACHE_WORTH ((size_t)1 << 20) /* smaller files are read fast enough without */
#define LCAL__CACHE_FILES 8
#define LCAL__CACHE_BYTES ((uint64_t)128 << 20)

/* lcal__tokenizer_read_json by way of the cache in `directory`, which is made if need be. */
lcal_status lcal__tokenizer_read_cached(lcal__tokenizer *tokenizer, const void *bytes, size_t size,
                                        const char *source, const char *directory, lcal_error *err);

/* Appends a cache file of a tokenizer that holds the tables of `root` and nothing else yet.
 * key: SHA-256 of the tokenizer.json. */
lcal_status lcal__tokenizer_cache_pack(const lcal__tokenizer *tokenizer, const json_t *root,
                                       const unsigned char key[LCAL__SHA256_BYTES],
                                       lcal__strbuf *out, lcal_error *err);

/* Fills an empty tokenizer from a cache file. Any failure: no such cache; the tokenizer is to be
 * cleared. */
lcal_status lcal__tokenizer_cache_unpack(lcal__tokenizer *tokenizer, const void *bytes, size_t size,
                                         const unsigned char key[LCAL__SHA256_BYTES],
                                         const char *source, lcal_error *err);

#endif
