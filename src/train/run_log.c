#include "train/run_log.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/file.h"

#define LOG_LINE_MAX (LCAL_ERROR_MESSAGE_MAX + 16)

static int format_line(char line[LOG_LINE_MAX], lcal_log_level level, const char *message)
{
    return snprintf(line, LOG_LINE_MAX, "%s%s\n", level == LCAL_LOG_NOTICE ? "notice: " : "",
                    message);
}

/* A line that cannot be written is no reason to end a run: the caller has it too. */
static void write_line(void *user, lcal_log_level level, const char *message)
{
    lcal__run_log *run = user;
    char line[LOG_LINE_MAX];
    int length = format_line(line, level, message);
    if (run->path)
        (void)lcal__file_append(run->path, line, (size_t)length, NULL);
    else
        lcal__strbuf_add_bytes(&run->pending, line, (size_t)length);
    if (run->outer && run->outer->fn)
        run->outer->fn(run->outer->user, level, message);
}

void lcal__run_log_note(const lcal__run_log *run, lcal_log_level level, const char *format, ...)
{
    char message[LCAL_ERROR_MESSAGE_MAX], line[LOG_LINE_MAX];
    va_list args;
    if (!run->path)
        return;
    va_start(args, format);
    vsnprintf(message, sizeof(message), format, args);
    va_end(args);
    (void)lcal__file_append(run->path, line, (size_t)format_line(line, level, message), NULL);
}

void lcal__run_log_init(lcal__run_log *run, const lcal_log *outer)
{
    *run = (lcal__run_log){.log = {write_line, run}, .outer = outer};
}

lcal_status lcal__run_log_open(lcal__run_log *run, const char *path, lcal_error *err)
{
    run->path = path;
    lcal_status status = LCAL_OK;
    if (run->pending.length)
        status = lcal__file_append(path, run->pending.text, run->pending.length, err);
    lcal__strbuf_clear(&run->pending);
    return status;
}

void lcal__run_log_free(lcal__run_log *run)
{
    lcal__strbuf_free(&run->pending);
}
