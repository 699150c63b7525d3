/* Facts laid out for people: names and values in columns, lists of objects as tables. */
#ifndef LCAL_INSPECT_TEXT_H
#define LCAL_INSPECT_TEXT_H

#include "base/strbuf.h"
#include "format/json.h"

/*
 * Keys ending in "bytes" are shown in KiB, MiB or GiB too. Nested objects come below, indented;
 * they and the tables are headed by their keys.
 */
void lcal__report_layout(const json_t *object, size_t indent, lcal__strbuf *out);

#endif
