#define _DEFAULT_SOURCE /* TIOCGWINSZ, clock_gettime */
#include "progress.h"

#include <math.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "terminal.h"

#define REWRITE_SECONDS 0.1

progress progress_init(bool quiet)
{
    return (progress){
        .quiet = quiet,
        .rewrites = terminal_is_capable(stderr),
        .colour = terminal_has_colour(stderr),
    };
}

static double now_seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static size_t terminal_width(void)
{
    struct winsize size;
    return ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 1 ? size.ws_col : 80;
}

/* "1:02:03", "0:07" */
static void print_duration(char *text, size_t size, double seconds)
{
    if (!isfinite(seconds) || seconds < 0 || seconds > 1e9) {
        snprintf(text, size, "-");
        return;
    }
    unsigned long whole = (unsigned long)(seconds + 0.5);
    unsigned long hours = whole / 3600, minutes = whole / 60 % 60;
    if (hours)
        snprintf(text, size, "%lu:%02lu:%02lu", hours, minutes, whole % 60);
    else
        snprintf(text, size, "%lu:%02lu", minutes, whole % 60);
}

static void format_step(char *line, size_t size, const lcal_progress *now)
{
    char left[32];
    print_duration(left, sizeof(left), now->seconds_left);
    int at =
        snprintf(line, size, "step %llu/%llu  loss %.4f  lr %.2e  %.0f tokens/s  ETA %s  %.0f MiB",
                 (unsigned long long)now->step, (unsigned long long)now->steps, now->loss, now->lr,
                 now->tokens_per_s, left, (double)now->peak_rss / 1048576.0);
    if (!isnan(now->valid_loss) && at > 0 && (size_t)at < size)
        snprintf(line + at, size - (size_t)at, "  valid %.4f", now->valid_loss);
}

void progress_step(void *user, const lcal_progress *now)
{
    progress *p = user;
    char line[256];
    if (p->quiet)
        return;
    const bool evaluated = !isnan(now->valid_loss);
    if (!p->rewrites) {
        if (!now->logged)
            return;
        format_step(line, sizeof(line), now);
        fprintf(stderr, "%s\n", line);
        return;
    }
    double time = now_seconds();
    if (!evaluated && now->step != now->steps && time - p->shown < REWRITE_SECONDS)
        return;
    p->shown = time;
    format_step(line, sizeof(line), now);
    /* A line as wide as the terminal would wrap and could not be rewritten. */
    fprintf(stderr, "\r%.*s\033[K", (int)(terminal_width() - 1), line);
    p->open = true;
    if (evaluated)
        progress_end(p);
    fflush(stderr);
}

void progress_answers(void *user, size_t done, size_t count)
{
    progress *p = user;
    if (p->quiet)
        return;
    fprintf(stderr, p->rewrites ? "\r%zu of %zu answered\033[K" : "%zu of %zu answered\n", done,
            count);
    p->open = p->rewrites;
    fflush(stderr);
}

void progress_log(void *user, lcal_log_level level, const char *message)
{
    progress *p = user;
    if (level == LCAL_LOG_INFO && p->quiet)
        return;
    if (p->open)
        fputs("\r\033[K", stderr);
    p->open = false;
    if (level == LCAL_LOG_NOTICE)
        fputs(p->colour ? "\033[33mnotice:\033[0m " : "notice: ", stderr);
    fprintf(stderr, "%s\n", message);
}

void progress_end(progress *p)
{
    if (p->open)
        fputc('\n', stderr);
    p->open = false;
}
