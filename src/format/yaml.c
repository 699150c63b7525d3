#include "format/yaml.h"

#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#include "base/mem.h"

/* A list or map that is being read. */
typedef struct level {
    lcal__yaml *owner;
    lcal__yaml **tail;   /* where its next entry is linked in */
    lcal__yaml *pending; /* the entry of a map whose key was read and whose value was not */
    size_t entries;
} level;

/*
 * Built from libyaml's events rather than from its documents: a document has already forgotten
 * anchors and expanded aliases, and only events let us stop at the limits before memory is spent.
 */
typedef struct builder {
    const char *source;
    const char *text;
    size_t size;
    yaml_parser_t parser;
    lcal__yaml *root;
    size_t nodes;
    size_t documents;
    size_t depth;
    level levels[LCAL__YAML_DEPTH_MAX];
    lcal_error *err;
} builder;

static lcal_status refuse(const builder *b, yaml_mark_t mark, const char *reason)
{
    return lcal__fail(b->err, LCAL_FORMAT, "%s:%zu:%zu: %s", b->source, mark.line + 1,
                      mark.column + 1, reason);
}

/* Line and column of a byte: libyaml gives only an offset for bytes that are not text. */
static yaml_mark_t mark_of_offset(const builder *b, size_t offset)
{
    yaml_mark_t mark = {.index = offset};
    for (size_t i = 0; i < offset && i < b->size; ++i) {
        bool continuation = ((unsigned char)b->text[i] & 0xC0) == 0x80;
        mark.column += !continuation;
        if (b->text[i] == '\n') {
            mark.line += 1;
            mark.column = 0;
        }
    }
    return mark;
}

static lcal_status fail_parser(const builder *b)
{
    const yaml_parser_t *parser = &b->parser;
    const char *problem = parser->problem ? parser->problem : "not YAML";
    if (parser->error == YAML_MEMORY_ERROR)
        return lcal__fail_nomem(b->err, b->source);
    if (parser->error == YAML_READER_ERROR)
        return refuse(b, mark_of_offset(b, parser->problem_offset), problem);
    if (!parser->context)
        return refuse(b, parser->problem_mark, problem);
    yaml_mark_t mark = parser->problem_mark;
    return lcal__fail(b->err, LCAL_FORMAT, "%s:%zu:%zu: %s, %s that began in line %zu", b->source,
                      mark.line + 1, mark.column + 1, problem, parser->context,
                      parser->context_mark.line + 1);
}

static lcal_status copy_scalar(const builder *b, const yaml_event_t *event, char **out)
{
    const char *value = (const char *)event->data.scalar.value;
    size_t length = event->data.scalar.length;
    if (memchr(value, '\0', length))
        return refuse(b, event->start_mark, "a zero byte in text");
    *out = lcal__strndup(value, length);
    return *out ? LCAL_OK : lcal__fail_nomem(b->err, b->source);
}

/* A new entry at the end of the innermost collection, or the root. */
static lcal_status append(builder *b, yaml_mark_t mark, lcal__yaml **out)
{
    if (b->nodes == LCAL__YAML_NODES_MAX)
        return refuse(b, mark, "more entries than the 100000 that are read");
    lcal__yaml *node = lcal__calloc(1, sizeof(*node));
    if (!node)
        return lcal__fail_nomem(b->err, b->source);
    b->nodes += 1;
    if (b->depth == 0) {
        b->root = node;
    } else {
        level *top = &b->levels[b->depth - 1];
        *top->tail = node;
        top->tail = &node->next;
        top->entries += 1;
    }
    *out = node;
    return LCAL_OK;
}

static lcal_status read_key(builder *b, level *top, const yaml_event_t *event)
{
    lcal__yaml *node;
    if (event->type != YAML_SCALAR_EVENT)
        return refuse(b, event->start_mark, "a key must be a word, not a list or map");
    LCAL_TRY(append(b, event->start_mark, &node));
    node->key_line = event->start_mark.line + 1;
    node->key_column = event->start_mark.column + 1;
    top->pending = node;
    return copy_scalar(b, event, &node->key);
}

static bool is_null(const yaml_event_t *event, const char *text)
{
    return event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE
           && (text[0] == '\0' || strcmp(text, "~") == 0 || strcmp(text, "null") == 0);
}

static lcal_status read_value(builder *b, const yaml_event_t *event)
{
    level *top = b->depth ? &b->levels[b->depth - 1] : NULL;
    lcal__yaml *node;
    if (top && top->owner->kind == LCAL__YAML_MAP) {
        if (!top->pending)
            return read_key(b, top, event);
        node = top->pending;
        top->pending = NULL;
    } else {
        LCAL_TRY(append(b, event->start_mark, &node));
    }
    node->line = event->start_mark.line + 1;
    node->column = event->start_mark.column + 1;
    if (event->type == YAML_SCALAR_EVENT) {
        LCAL_TRY(copy_scalar(b, event, &node->text));
        node->null = is_null(event, node->text);
        return LCAL_OK;
    }
    node->kind = event->type == YAML_MAPPING_START_EVENT ? LCAL__YAML_MAP : LCAL__YAML_LIST;
    if (b->depth == LCAL__YAML_DEPTH_MAX)
        return refuse(b, event->start_mark, "lists and maps nested deeper than 32");
    b->levels[b->depth++] = (level){.owner = node, .tail = &node->first};
    return LCAL_OK;
}

static int by_key_then_place(const void *a, const void *b)
{
    const lcal__yaml *x = *(const lcal__yaml *const *)a, *y = *(const lcal__yaml *const *)b;
    int order = strcmp(x->key, y->key);
    if (order != 0)
        return order;
    if (x->key_line != y->key_line)
        return x->key_line < y->key_line ? -1 : 1;
    return x->key_column < y->key_column ? -1 : x->key_column > y->key_column;
}

/* Sorted, because comparing all pairs of a hostile map of 1e5 keys would take minutes. */
static lcal_status refuse_repeated_keys(const builder *b, const level *map)
{
    if (map->entries < 2)
        return LCAL_OK;
    const lcal__yaml **sorted = lcal__calloc(map->entries, sizeof(*sorted));
    if (!sorted)
        return lcal__fail_nomem(b->err, b->source);
    size_t count = 0;
    for (const lcal__yaml *entry = map->owner->first; entry; entry = entry->next)
        sorted[count++] = entry;
    qsort(sorted, count, sizeof(*sorted), by_key_then_place);
    const lcal__yaml *again = NULL, *before = NULL;
    for (size_t i = 1; i < count; ++i)
        if (strcmp(sorted[i - 1]->key, sorted[i]->key) == 0
            && (!again || sorted[i]->key_line < again->key_line)) {
            before = sorted[i - 1];
            again = sorted[i];
        }
    lcal__free(sorted);
    if (!again)
        return LCAL_OK;
    return lcal__fail(b->err, LCAL_FORMAT, "%s:%zu:%zu: key %.80s given again, first in line %zu",
                      b->source, again->key_line, again->key_column, again->key, before->key_line);
}

static lcal_status refuse_decorated(const builder *b, const yaml_event_t *event)
{
    const yaml_char_t *anchor = NULL, *tag = NULL;
    if (event->type == YAML_SCALAR_EVENT) {
        anchor = event->data.scalar.anchor;
        tag = event->data.scalar.tag;
    } else if (event->type == YAML_SEQUENCE_START_EVENT) {
        anchor = event->data.sequence_start.anchor;
        tag = event->data.sequence_start.tag;
    } else if (event->type == YAML_MAPPING_START_EVENT) {
        anchor = event->data.mapping_start.anchor;
        tag = event->data.mapping_start.tag;
    }
    if (anchor)
        return refuse(b, event->start_mark, "anchors (&name) are not allowed; write the value out");
    if (tag)
        return refuse(b, event->start_mark, "tags (!name) are not allowed; write the plain value");
    return LCAL_OK;
}

static lcal_status read_event(builder *b, const yaml_event_t *event)
{
    switch (event->type) {
    case YAML_DOCUMENT_START_EVENT:
        if (b->documents++)
            return refuse(b, event->start_mark, "a second document; one file holds one");
        return LCAL_OK;
    case YAML_ALIAS_EVENT:
        return refuse(b, event->start_mark, "aliases (*name) are not allowed; write the value out");
    case YAML_SCALAR_EVENT:
    case YAML_SEQUENCE_START_EVENT:
    case YAML_MAPPING_START_EVENT:
        LCAL_TRY(refuse_decorated(b, event));
        return read_value(b, event);
    case YAML_MAPPING_END_EVENT:
        b->depth -= 1;
        return refuse_repeated_keys(b, &b->levels[b->depth]);
    case YAML_SEQUENCE_END_EVENT:
        b->depth -= 1;
        return LCAL_OK;
    default:
        return LCAL_OK;
    }
}

static lcal_status read_stream(builder *b)
{
    bool more = true;
    while (more) {
        yaml_event_t event;
        if (!yaml_parser_parse(&b->parser, &event))
            return fail_parser(b);
        more = event.type != YAML_STREAM_END_EVENT;
        lcal_status status = read_event(b, &event);
        yaml_event_delete(&event);
        LCAL_TRY(status);
    }
    if (b->root)
        return LCAL_OK;
    lcal__yaml *empty;
    LCAL_TRY(append(b, (yaml_mark_t){0}, &empty));
    empty->line = empty->column = 1;
    empty->null = true;
    empty->text = lcal__strdup("");
    return empty->text ? LCAL_OK : lcal__fail_nomem(b->err, b->source);
}

lcal_status lcal__yaml_parse(const char *text, size_t size, const char *source, lcal__yaml **out,
                             lcal_error *err)
{
    builder b = {.source = source, .text = text, .size = size, .err = err};
    if (!yaml_parser_initialize(&b.parser))
        return lcal__fail_nomem(err, source);
    yaml_parser_set_encoding(&b.parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&b.parser, (const unsigned char *)text, size);
    lcal_status status = read_stream(&b);
    yaml_parser_delete(&b.parser);
    if (status != LCAL_OK)
        lcal__yaml_close(&b.root);
    else
        *out = b.root;
    return status;
}

/* As deep as the tree is, so at most LCAL__YAML_DEPTH_MAX calls. */
static void free_nodes(lcal__yaml *node)
{
    while (node) {
        lcal__yaml *next = node->next;
        free_nodes(node->first);
        lcal__free(node->text);
        lcal__free(node->key);
        lcal__free(node);
        node = next;
    }
}

void lcal__yaml_close(lcal__yaml **root)
{
    if (!root)
        return;
    free_nodes(*root);
    *root = NULL;
}
