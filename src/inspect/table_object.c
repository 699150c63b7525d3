/* Rows as JSON objects: each numeric member is a value of the column of its name. */
#include <stdio.h>

#include "base/mem.h"
#include "base/strbuf.h"
#include "format/json.h"
#include "inspect/table_parts.h"

/* "FILE:12"; free with lcal__free. */
static lcal_status name_place(const lcal__table_reader *r, char **out)
{
    lcal__strbuf place = {0};
    lcal__strbuf_printf(&place, "%s:%zu", r->source, lcal__lines_number(r->lines));
    return lcal__strbuf_take(&place, out, r->err);
}

static lcal_status set_member(lcal__table_reader *r, const char *name, const json_t *value)
{
    size_t column = lcal_table_find(r->table, name);
    if (column == r->table->columns)
        LCAL_TRY(lcal__table_add_column(r, name));
    if (json_is_number(value))
        lcal__table_set(r, column, json_number_value(value));
    else if (json_is_string(value))
        return lcal__table_set_text(r, column, json_string_value(value));
    else if (!json_is_null(value))
        return lcal__table_set_text(r, column, lcal__json_type(value));
    return LCAL_OK;
}

static lcal_status set_row(lcal__table_reader *r, json_t *object)
{
    const char *name;
    json_t *value;
    LCAL_TRY(lcal__table_add_row(r));
    json_object_foreach(object, name, value)
    {
        LCAL_TRY(set_member(r, name, value));
    }
    return LCAL_OK;
}

lcal_status lcal__table_read_object(lcal__table_reader *r, const char *text, size_t length)
{
    char *place = NULL;
    json_t *object = NULL;
    LCAL_TRY(name_place(r, &place));
    lcal_status status = lcal__json_parse_object(text, length, place, &object, r->err);
    lcal__free(place);
    LCAL_TRY(status);
    status = set_row(r, object);
    json_decref(object);
    return status;
}
