#include "base/status.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

const char *lcal_status_text(lcal_status status)
{
    static const char *const texts[] = {
#define LCAL_STATUS_TEXT(name, text) text,
        LCAL_STATUS_MAP(LCAL_STATUS_TEXT)
#undef LCAL_STATUS_TEXT
    };
    size_t index = (size_t)status;
    return index < sizeof(texts) / sizeof(texts[0]) ? texts[index] : "unknown status";
}

static void mark_cut(char *buffer, int written)
{
    if (written >= LCAL_ERROR_MESSAGE_MAX)
        memcpy(buffer + LCAL_ERROR_MESSAGE_MAX - 4, "...", 4);
}

lcal_status lcal__fail(lcal_error *err, lcal_status status, const char *format, ...)
{
    if (err) {
        err->status = status;
        va_list args;
        va_start(args, format);
        mark_cut(err->message, vsnprintf(err->message, sizeof(err->message), format, args));
        va_end(args);
    }
    return status;
}

lcal_status lcal__fail_nomem(lcal_error *err, const char *what)
{
    return lcal__fail(err, LCAL_NOMEM, "out of memory: cannot allocate %s", what);
}

lcal_status lcal__fail_in(lcal_error *err, lcal_status status, const char *format, ...)
{
    if (err) {
        char old[LCAL_ERROR_MESSAGE_MAX];
        memcpy(old, err->message, sizeof(old));
        va_list args;
        va_start(args, format);
        int prefix = vsnprintf(err->message, sizeof(err->message), format, args);
        va_end(args);
        mark_cut(err->message, prefix);
        if (prefix >= 0 && (size_t)prefix < sizeof(err->message)) {
            size_t left = sizeof(err->message) - (size_t)prefix;
            int added = snprintf(err->message + prefix, left, ": %s", old);
            mark_cut(err->message, prefix + added);
        }
        err->status = status;
    }
    return status;
}

void lcal__log(const lcal_log *log, lcal_log_level level, const char *format, ...)
{
    if (!log || !log->fn)
        return;
    char line[LCAL_ERROR_MESSAGE_MAX];
    va_list args;
    va_start(args, format);
    mark_cut(line, vsnprintf(line, sizeof(line), format, args));
    va_end(args);
    log->fn(log->user, level, line);
}
