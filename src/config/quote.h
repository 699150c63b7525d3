/* Text as a double-quoted YAML scalar on one line. */
#ifndef LCAL_CONFIG_QUOTE_H
#define LCAL_CONFIG_QUOTE_H

#include <stdbool.h>

#include "base/strbuf.h"

/* `text` must be UTF-8. What YAML would not read back as it stands (controls, line breaks, the byte
 * order mark, non-characters) is escaped. */
void lcal__quote(const char *text, lcal__strbuf *out);

bool lcal__is_utf8(const char *text);

#endif
