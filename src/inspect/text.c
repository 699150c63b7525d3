#include "inspect/text.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define COLUMNS_MAX 16
#define CELL_MAX 256 /* of a table; longer text is cut */

/* "trained_parameters" as "trained parameters"; a name of another program's, with dots, as it is. */
static void add_key(lcal__strbuf *out, const char *key)
{
    const bool own = !strchr(key, '.');
    for (; *key; key++)
        lcal__strbuf_add_bytes(out, own && *key == '_' ? " " : key, 1);
}

static void add_spaces(lcal__strbuf *out, size_t count)
{
    while (count--)
        lcal__strbuf_add(out, " ");
}

static bool is_bytes(const char *key)
{
    const size_t length = strlen(key);
    return length >= 5 && strcmp(key + length - 5, "bytes") == 0;
}

/* Control characters of a file must not reach the terminal. */
static void add_text(lcal__strbuf *out, const char *text)
{
    for (; *text; text++)
        lcal__strbuf_add_bytes(out, (unsigned char)*text < 0x20 || *text == 0x7f ? "?" : text, 1);
}

static void add_bytes(lcal__strbuf *out, double bytes)
{
    static const char *const units[] = {"KiB", "MiB", "GiB"};
    size_t unit = 0;
    if (bytes < 1024.0)
        return;
    for (bytes /= 1024.0; bytes >= 1024.0 && unit < 2; unit++)
        bytes /= 1024.0;
    lcal__strbuf_printf(out, " (%.1f %s)", bytes, units[unit]);
}

static void add_value(lcal__strbuf *out, const json_t *value)
{
    size_t i;
    const json_t *item;
    switch (json_typeof(value)) {
    case JSON_STRING:
        add_text(out, json_string_value(value));
        break;
    case JSON_INTEGER:
        lcal__strbuf_printf(out, "%lld", (long long)json_integer_value(value));
        break;
    case JSON_REAL:
        lcal__strbuf_printf(out, "%.6g", json_real_value(value));
        break;
    case JSON_TRUE:
        lcal__strbuf_add(out, "yes");
        break;
    case JSON_FALSE:
        lcal__strbuf_add(out, "no");
        break;
    case JSON_NULL:
        lcal__strbuf_add(out, "-");
        break;
    case JSON_ARRAY:
        lcal__strbuf_add(out, "[");
        json_array_foreach(value, i, item)
        {
            lcal__strbuf_add(out, i ? ", " : "");
            add_value(out, item);
        }
        lcal__strbuf_add(out, "]");
        break;
    case JSON_OBJECT:
        lcal__strbuf_add(out, "{...}");
        break;
    }
}

/* --- tables --------------------------------------------------------------------------------- */

typedef struct table {
    const json_t *rows;
    const char *keys[COLUMNS_MAX];
    size_t widths[COLUMNS_MAX];
    bool numbers[COLUMNS_MAX]; /* aligned to the right */
    size_t columns;
} table;

/* Characters, not bytes: continuation bytes of UTF-8 take no room. */
static size_t text_width(const char *text)
{
    size_t width = 0;
    for (; *text; text++)
        width += ((unsigned char)*text & 0xC0) != 0x80;
    return width;
}

static const char *cell(const json_t *row, const char *key, lcal__strbuf *buffer)
{
    const json_t *value = json_object_get(row, key);
    lcal__strbuf_clear(buffer);
    lcal__strbuf_add(buffer, "");
    if (value)
        add_value(buffer, value);
    if (buffer->length > CELL_MAX)
        buffer->text[CELL_MAX] = '\0';
    return buffer->failed ? "" : buffer->text;
}

static void measure(table *t, lcal__strbuf *buffer)
{
    const char *key;
    const json_t *value, *row;
    size_t i;
    json_object_foreach((json_t *)json_array_get(t->rows, 0), key, value)
    {
        if (t->columns == COLUMNS_MAX)
            break;
        t->numbers[t->columns] = !json_is_string(value);
        t->widths[t->columns] = text_width(key);
        t->keys[t->columns++] = key;
    }
    for (size_t c = 0; c < t->columns; c++)
        json_array_foreach(t->rows, i, row)
        {
            size_t width = text_width(cell(row, t->keys[c], buffer));
            t->widths[c] = width > t->widths[c] ? width : t->widths[c];
        }
}

static void add_line(const table *t, const json_t *row, size_t indent, lcal__strbuf *buffer,
                     lcal__strbuf *out)
{
    add_spaces(out, indent);
    for (size_t c = 0; c < t->columns; c++) {
        const char *text = row ? cell(row, t->keys[c], buffer) : t->keys[c];
        const size_t pad = t->widths[c] - text_width(text);
        lcal__strbuf_add(out, c ? "  " : "");
        if (t->numbers[c])
            add_spaces(out, pad);
        if (row)
            lcal__strbuf_add(out, text);
        else
            add_key(out, text);
        if (!t->numbers[c] && c + 1 < t->columns)
            add_spaces(out, pad);
    }
    lcal__strbuf_add(out, "\n");
}

static void add_table(const json_t *rows, size_t indent, lcal__strbuf *out)
{
    table t = {.rows = rows};
    lcal__strbuf buffer = {0};
    const json_t *row;
    size_t i;
    measure(&t, &buffer);
    add_line(&t, NULL, indent, &buffer, out);
    json_array_foreach(rows, i, row)
    {
        add_line(&t, row, indent, &buffer, out);
    }
    lcal__strbuf_free(&buffer);
}

/* --- objects -------------------------------------------------------------------------------- */

static bool is_section(const json_t *value)
{
    return json_is_object(value) || json_is_object(json_array_get(value, 0));
}

static void add_section(const char *key, const json_t *value, size_t indent, lcal__strbuf *out)
{
    lcal__strbuf_add(out, "\n");
    add_spaces(out, indent);
    add_key(out, key);
    lcal__strbuf_add(out, "\n");
    if (json_is_object(value))
        lcal__report_layout(value, indent + 2, out);
    else
        add_table(value, indent + 2, out);
}

void lcal__report_layout(const json_t *object, size_t indent, lcal__strbuf *out)
{
    const char *key;
    const json_t *value;
    size_t width = 0;
    json_object_foreach((json_t *)object, key, value)
    {
        if (!is_section(value) && strlen(key) > width)
            width = strlen(key);
    }
    json_object_foreach((json_t *)object, key, value)
    {
        if (is_section(value))
            continue;
        add_spaces(out, indent);
        add_key(out, key);
        add_spaces(out, width - strlen(key) + 2);
        add_value(out, value);
        if (is_bytes(key))
            add_bytes(out, json_number_value(value));
        lcal__strbuf_add(out, "\n");
    }
    json_object_foreach((json_t *)object, key, value)
    {
        if (is_section(value))
            add_section(key, value, indent, out);
    }
}
