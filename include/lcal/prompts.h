/*
 * Prompts: conversations that wait for an answer, and files of them.
 *
 * A file, plain or gzip, holds one prompt a line, in UTF-8: a text, or a JSON object of any form
 * that training reads as text: {"prompt"}, {"messages": [{"role", "content"}, ...]},
 * {"instruction", "input"}, {"conversations": [{"from", "value"}, ...]}. Answers (the assistant's
 * messages at the end, "completion", "output") may be there and are left out. Empty lines are
 * passed over.
 */
#ifndef LCAL_PROMPTS_H
#define LCAL_PROMPTS_H

#include <stddef.h>

#include "lcal/status.h"

#ifdef __cplusplus
extern "C" {
#endif

/* role: "system", "user" or "assistant"; text: UTF-8. */
typedef struct lcal_message {
    const char *role;
    const char *text;
} lcal_message;

typedef struct lcal_prompt {
    const lcal_message *messages; /* [count] */
    size_t count;
} lcal_prompt;

typedef struct lcal_prompts lcal_prompts;

/* Reads a file. LCAL_FORMAT: a line that is none of the above, with its number; no prompt at all.
 * Close with lcal_prompts_close. */
LCAL_API lcal_status lcal_prompts_open(const char *path, lcal_prompts **out, lcal_error *err);

/* The same from memory, which need not outlive the call; source: what messages call it. */
LCAL_API lcal_status lcal_prompts_parse(const void *bytes, size_t size, const char *source,
                                        lcal_prompts **out, lcal_error *err);
LCAL_API void lcal_prompts_close(lcal_prompts **prompts);

/* prompts [*count], at least one; valid until the close. */
LCAL_API const lcal_prompt *lcal_prompts_items(const lcal_prompts *prompts, size_t *count);

#ifdef __cplusplus
}
#endif
#endif
