/* What a path holds, recognised by content, and handed to who knows it. */
#include "lcal/inspect.h"

#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "inspect/subject.h"
#include "inspect/text.h"

#define KNOWN                                                                                      \
    "expected a calibration or checkpoint (.h5), a .safetensors or GGUF file, examples (.jsonl, "  \
    "plain or "                                                                                    \
    "gzip), or the directory of a model, a PEFT adapter or a run"

lcal_status lcal__inspect_file(const char *path, lcal__inspect_fn *fn, lcal__report *facts,
                               lcal_error *err)
{
    lcal__map map = {0};
    LCAL_TRY(lcal__map_open(path, &map, err));
    const lcal__subject subject = {path, map.data, map.size};
    lcal_status status = fn(&subject, facts, err);
    lcal__map_close(&map);
    return status;
}

char *lcal__subject_join(const lcal__subject *directory, const char *name, lcal_error *err)
{
    char *path = lcal__path_join(directory->path, name);
    if (!path)
        lcal__fail_nomem(err, name);
    return path;
}

/* --- recognising ----------------------------------------------------------------------------- */

static bool begins(const lcal__subject *subject, const char *bytes, size_t size)
{
    return subject->size >= size && memcmp(subject->bytes, bytes, size) == 0;
}

/* 8 bytes of header length, then the header's brace. */
static bool is_safetensors(const lcal__subject *subject)
{
    uint64_t length = 0;
    if (subject->size < 9)
        return false;
    for (size_t i = 0; i < 8; i++)
        length |= (uint64_t)subject->bytes[i] << (8 * i);
    return length < subject->size && subject->bytes[8] == '{';
}

static bool is_json(const lcal__subject *subject)
{
    size_t at = 0;
    while (at < subject->size && strchr(" \t\r\n", subject->bytes[at]) && subject->bytes[at])
        at++;
    return at < subject->size && subject->bytes[at] == '{';
}

static lcal_status fail_unknown(const lcal__subject *subject, lcal_error *err)
{
    static const struct {
        const char *bytes, *what;
    } others[] = {
        {"PK\003\004", "a zip archive, perhaps a PyTorch file: convert it to safetensors"},
        {"\x80\x02", "a Python pickle, perhaps a PyTorch file: convert it to safetensors"},
        {"---", "perhaps a YAML configuration: try it with `lcal train FILE --dry-run`"},
    };
    const char *found = subject->size ? "something else" : "an empty file";
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
        if (begins(subject, others[i].bytes, strlen(others[i].bytes)))
            found = others[i].what;
    return lcal__fail(err, LCAL_FORMAT, "%s: not recognised: " KNOWN "; found %s", subject->path,
                      found);
}

static lcal_status inspect_file(const lcal__subject *subject, lcal__report *facts, lcal_error *err)
{
    lcal__report_count(facts, "bytes", subject->size);
    if (begins(subject, "\x89HDF\r\n\x1a\n", 8))
        return lcal__inspect_h5(subject, facts, err);
    if (is_safetensors(subject))
        return lcal__inspect_safetensors(subject, facts, err);
    if (begins(subject, "\x1f\x8b", 2) || is_json(subject))
        return lcal__inspect_records(subject, facts, err);
    if (begins(subject, "GGUF", 4))
        return lcal__inspect_gguf(subject, facts, err);
    return fail_unknown(subject, err);
}

static lcal_status inspect_directory(const lcal__subject *subject, lcal__report *facts,
                                     lcal_error *err)
{
    static const struct {
        const char *name;
        lcal__inspect_fn *fn;
    } marks[] = {
        {"config.resolved.yaml", lcal__inspect_run},
        {"adapter_config.json", lcal__inspect_adapter},
        {"config.json", lcal__inspect_model},
    };
    for (size_t i = 0; i < sizeof(marks) / sizeof(marks[0]); i++) {
        char *path = lcal__subject_join(subject, marks[i].name, err);
        if (!path)
            return LCAL_NOMEM;
        const bool found = lcal__path_is_file(path);
        lcal__free(path);
        if (found)
            return marks[i].fn(subject, facts, err);
    }
    return lcal__fail(err, LCAL_FORMAT,
                      "%s: not recognised: " KNOWN
                      "; found a directory without config.json, adapter_config.json and "
                      "config.resolved.yaml",
                      subject->path);
}

/* --- the public function --------------------------------------------------------------------- */

static lcal_status write_facts(const lcal__report *facts, lcal_inspect_style style, char **text,
                               lcal_error *err)
{
    LCAL_TRY(lcal__report_check(facts, err));
    if (style == LCAL_INSPECT_JSON)
        return lcal__json_write(facts->object, text, err);
    lcal__strbuf out = {0};
    lcal__report_layout(facts->object, 0, &out);
    return lcal__strbuf_take(&out, text, err);
}

lcal_status lcal_inspect(const char *path, lcal_inspect_style style, char **text, lcal_error *err)
{
    if (!path || !text)
        return lcal__fail(err, LCAL_INVALID, "lcal_inspect: path and text must be given");
    lcal__report facts = lcal__report_new();
    const lcal__subject directory = {path, NULL, 0};
    lcal__report_text(&facts, "path", path);
    lcal_status status = lcal__path_is_dir(path)
                             ? inspect_directory(&directory, &facts, err)
                             : lcal__inspect_file(path, inspect_file, &facts, err);
    if (status == LCAL_OK)
        status = write_facts(&facts, style, text, err);
    lcal__report_free(&facts);
    return status;
}
