#include "export/subject.h"

#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "format/gguf.h"

static lcal_status kind_of_directory(const char *path, lcal__subject_kind *out, lcal_error *err)
{
    char *config = lcal__path_join(path, "config.json");
    if (!config)
        return lcal__fail_nomem(err, path);
    /* An adapter may lie one directory below: its reader finds it, or says what is missing. */
    *out = lcal__path_is_file(config) ? LCAL__SUBJECT_MODEL : LCAL__SUBJECT_ADAPTER;
    lcal__free(config);
    return LCAL_OK;
}

static lcal_status kind_of_gguf(const lcal__map *map, const char *path, lcal__subject_kind *out,
                                lcal_error *err)
{
    lcal__gguf file;
    lcal__gguf_string type = {"", 0};
    LCAL_TRY(lcal__gguf_parse(map->data, map->size, path, &file, err));
    lcal_status status = lcal__gguf_get_string(&file, "general.type", &type, err);
    const bool adapter = type.length == 7 && memcmp(type.text, "adapter", 7) == 0;
    *out = adapter ? LCAL__SUBJECT_ADAPTER : LCAL__SUBJECT_MODEL;
    lcal__gguf_free(&file);
    return status;
}

lcal_status lcal__export_subject(const char *path, lcal__subject_kind *out, lcal_error *err)
{
    if (lcal__path_is_dir(path))
        return kind_of_directory(path, out, err);
    lcal__map map;
    LCAL_TRY(lcal__map_open(path, &map, err));
    lcal_status status = LCAL_OK;
    *out = LCAL__SUBJECT_CALIBRATION;
    if (map.size >= 4 && memcmp(map.data, "GGUF", 4) == 0)
        status = kind_of_gguf(&map, path, out, err);
    lcal__map_close(&map);
    return status;
}

const char *lcal__subject_name(lcal__subject_kind kind)
{
    static const char *const names[] = {"model", "adapter", "calibration"};
    return names[kind];
}
