/* How well-known tokenizers cut a text into words, as their tokenizer.json files spell it. */
#ifndef LCAL_DATA_PATTERNS_H
#define LCAL_DATA_PATTERNS_H

#define LCAL__PATTERN_GPT2                                                                         \
    "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+"

/* digits: the pattern of a number's pieces, in which Llama-3 and Qwen2 differ. */
#define LCAL__PATTERN_MODERN(digits)                                                               \
    "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|" digits                           \
    "| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"

#define LCAL__PATTERN_LLAMA3 LCAL__PATTERN_MODERN("\\p{N}{1,3}")
#define LCAL__PATTERN_QWEN2 LCAL__PATTERN_MODERN("\\p{N}")

#endif
