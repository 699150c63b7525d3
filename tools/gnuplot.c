#define _POSIX_C_SOURCE 200809L /* posix_spawnp, nanosleep, kill */
#include "gnuplot.h"

#include <errno.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "exit.h"

#define SECONDS_MAX 60
#define NOT_FOUND 127 /* what a child exits with where the program cannot be run */

extern char **environ;

/* Unnamed files: the script, the image, the messages. No pipe can fill up and no name can be taken.
 */
typedef struct streams {
    FILE *in, *out, *messages;
} streams;

static bool open_streams(streams *s)
{
    s->in = tmpfile();
    s->out = tmpfile();
    s->messages = tmpfile();
    return s->in && s->out && s->messages;
}

static void close_streams(streams *s)
{
    FILE *all[] = {s->in, s->out, s->messages};
    for (size_t i = 0; i < 3; i++)
        if (all[i])
            fclose(all[i]);
}

static bool put_script(FILE *out, const char *script, gnuplot_format format, size_t width,
                       size_t height)
{
    if (format == GNUPLOT_SVG)
        fprintf(
            out,
            "set terminal svg size %zu,%zu noenhanced font 'DejaVu Sans,Helvetica,sans-serif,13' "
            "background rgb 'white'\n",
            width, height);
    else
        fprintf(
            out,
            "if (strstrt(GPVAL_TERMINALS, 'pngcairo') > 0) {\n"
            "set terminal pngcairo size %zu,%zu noenhanced font 'DejaVu Sans,10.5' background rgb "
            "'white'\n"
            "} else {\n"
            "set terminal png size %zu,%zu noenhanced truecolor\n"
            "}\n",
            width, height, width, height);
    fputs(script, out);
    fputs("exit\n", out);
    return fflush(out) == 0 && fseek(out, 0, SEEK_SET) == 0;
}

/* --- the process ----------------------------------------------------------------------------- */

static int start(const streams *s, pid_t *child)
{
    char program[] = "gnuplot", defaults[] = "--default-settings", input[] = "-";
    char *const arguments[] = {program, defaults, input, NULL};
    posix_spawn_file_actions_t actions;
    int failure = posix_spawn_file_actions_init(&actions);
    if (failure)
        return failure;
    failure = posix_spawn_file_actions_adddup2(&actions, fileno(s->in), STDIN_FILENO);
    if (!failure)
        failure = posix_spawn_file_actions_adddup2(&actions, fileno(s->out), STDOUT_FILENO);
    if (!failure)
        failure = posix_spawn_file_actions_adddup2(&actions, fileno(s->messages), STDERR_FILENO);
    if (!failure)
        failure = posix_spawnp(child, arguments[0], &actions, NULL, arguments, environ);
    posix_spawn_file_actions_destroy(&actions);
    return failure;
}

/* False: it was stopped after SECONDS_MAX. */
static bool wait_for(pid_t child, int *status)
{
    const struct timespec pause = {0, 5000000};
    for (long waited = 0; waited < SECONDS_MAX * 200L; waited++) {
        pid_t done = waitpid(child, status, WNOHANG);
        if (done == child)
            return true;
        if (done < 0 && errno != EINTR)
            break;
        nanosleep(&pause, NULL);
    }
    kill(child, SIGKILL);
    while (waitpid(child, status, 0) < 0 && errno == EINTR)
        ;
    return false;
}

static lcal_status not_installed(lcal_error *err)
{
    return exit_error(
        err, LCAL_IO,
        "gnuplot: not found; it draws the plots: install it (Debian: gnuplot-nox), or "
        "give --out FILE.gp for the script alone");
}

/* Why: the last line that gnuplot left; before it stand the command and a mark below it. */
static lcal_status failed(const streams *s, int status, lcal_error *err)
{
    char line[256], text[256] = "no message";
    rewind(s->messages);
    while (fgets(line, sizeof(line), s->messages))
        if (line[0] != '\n' && !strchr(line, '^')) {
            line[strcspn(line, "\n")] = '\0';
            snprintf(text, sizeof(text), "%s", line);
        }
    if (WIFSIGNALED(status))
        return exit_error(err, LCAL_IO, "gnuplot: ended by signal %d: %s", WTERMSIG(status), text);
    return exit_error(err, LCAL_IO, "gnuplot: exit status %d: %s", WEXITSTATUS(status), text);
}

static lcal_status run(const streams *s, lcal_error *err)
{
    pid_t child;
    int status = 0, failure = start(s, &child);
    if (failure == ENOENT)
        return not_installed(err);
    if (failure)
        return exit_error(err, LCAL_IO, "gnuplot: cannot start: %s", strerror(failure));
    if (!wait_for(child, &status))
        return exit_error(err, LCAL_IO, "gnuplot: not done after %d seconds: stopped", SECONDS_MAX);
    if (WIFEXITED(status) && WEXITSTATUS(status) == NOT_FOUND)
        return not_installed(err);
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
        return failed(s, status, err);
    return LCAL_OK;
}

/* --- the image ------------------------------------------------------------------------------- */

static bool has(const unsigned char *bytes, size_t size, size_t at, const void *what, size_t length)
{
    return size >= length && at <= size - length && memcmp(bytes + at, what, length) == 0;
}

/* From its first mark to its last: a full disk or a killed child cuts an image short. */
static bool is_whole(const unsigned char *b, size_t size, gnuplot_format format)
{
    static const unsigned char png_begin[] = {0x89, 'P', 'N', 'G', '\r', '\n', 0x1A, '\n'};
    static const unsigned char png_end[] = {0, 0, 0, 0, 'I', 'E', 'N', 'D', 0xAE, 0x42, 0x60, 0x82};
    if (format == GNUPLOT_PNG)
        return has(b, size, 0, png_begin, sizeof(png_begin)) && size >= sizeof(png_end)
               && has(b, size, size - sizeof(png_end), png_end, sizeof(png_end));
    while (size && (b[size - 1] == '\n' || b[size - 1] == '\r'))
        size--;
    return has(b, size, 0, "<?xml", 5) && size >= 6 && has(b, size, size - 6, "</svg>", 6);
}

static lcal_status read_image(FILE *file, gnuplot_format format, unsigned char **image,
                              size_t *size, lcal_error *err)
{
    long end = fseek(file, 0, SEEK_END) == 0 ? ftell(file) : -1;
    if (end < 0)
        return exit_error(err, LCAL_IO, "gnuplot: cannot read its image: %s", strerror(errno));
    *size = (size_t)end;
    *image = malloc(*size + 1);
    if (!*image)
        return exit_error(err, LCAL_NOMEM, "gnuplot: its image: out of memory");
    rewind(file);
    if (fread(*image, 1, *size, file) == *size && is_whole(*image, *size, format))
        return LCAL_OK;
    free(*image);
    *image = NULL;
    return exit_error(err, LCAL_IO,
                      "gnuplot: expected a whole %s image, found %zu bytes that are none",
                      format == GNUPLOT_PNG ? "PNG" : "SVG", *size);
}

lcal_status gnuplot_draw(const char *script, gnuplot_format format, size_t width, size_t height,
                         unsigned char **image, size_t *size, lcal_error *err)
{
    streams s = {0};
    lcal_status status = LCAL_OK;
    if (!open_streams(&s) || !put_script(s.in, script, format, width, height))
        status =
            exit_error(err, LCAL_IO, "gnuplot: cannot write its script to a temporary file: %s",
                       strerror(errno));
    if (status == LCAL_OK)
        status = run(&s, err);
    if (status == LCAL_OK)
        status = read_image(s.out, format, image, size, err);
    close_streams(&s);
    return status;
}
