/*
 * A fuzz target without a fuzzer: TARGET PATH... runs over files, and over the files of folders.
 *
 * What a file's name begins with is what the parser must say: "ok_" accepted, "bad_" refused;
 * anything else, such as an input that once crashed it, only has to end well. Then every file goes
 * through again in damaged copies, the same ones every time. Each input is a heap block of its
 * exact size, so that sanitizers see a read beyond its end. Status 1 where a file was taken wrongly
 * or none was found; a broken property aborts.
 */
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/rng.h"
#include "fuzz.h"

#define COPIES 64 /* damaged ones of each file */
#define FILE_MAX ((size_t)1 << 20)

typedef struct tally {
    const char *directory; /* that is being visited */
    size_t files, wrong;
} tally;

static bool begins_with(const char *text, const char *prefix)
{
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

static lcal_status feed(const uint8_t *data, size_t size, lcal_error *err)
{
    uint8_t *exact = lcal__calloc(size, 1);
    if (!exact)
        return lcal__fail_nomem(err, "an input");
    if (size)
        memcpy(exact, data, size);
    LLVMFuzzerTestOneInput(exact, size);
    lcal__free(exact);
    return LCAL_OK;
}

/* Some bytes replaced, then perhaps the end cut off. Returns the new size. */
static size_t damage(uint8_t *data, size_t size, lcal__rng *rng)
{
    for (size_t i = lcal__rng_below(rng, 4) + 1; size && i-- > 0;)
        data[lcal__rng_below(rng, size)] ^= (uint8_t)(1 + lcal__rng_below(rng, 255));
    return size && lcal__rng_below(rng, 4) == 0 ? (size_t)lcal__rng_below(rng, size) : size;
}

static lcal_status run_damaged(const uint8_t *data, size_t size, lcal_error *err)
{
    uint8_t *copy = lcal__calloc(size, 1);
    lcal__rng rng = {.seed = size};
    lcal_status status = copy ? LCAL_OK : lcal__fail_nomem(err, "an input");
    for (int i = 0; status == LCAL_OK && i < COPIES; i++) {
        if (size)
            memcpy(copy, data, size);
        status = feed(copy, damage(copy, size, &rng), err);
    }
    lcal__free(copy);
    return status;
}

static lcal_status run_file(tally *sum, const char *path, const char *name, lcal_error *err)
{
    unsigned char *data = NULL;
    size_t size = 0;
    LCAL_TRY(lcal__file_read(path, FILE_MAX, &data, &size, err));
    lcal_status status = feed(data, size, err);
    bool accepted = fuzz_error.status == LCAL_OK;
    if (status == LCAL_OK && begins_with(name, accepted ? "bad_" : "ok_")) {
        fprintf(stderr, "%s: %s\n", path, accepted ? "accepted" : fuzz_error.message);
        sum->wrong++;
    }
    sum->files++;
    if (status == LCAL_OK)
        status = run_damaged(data, size, err);
    lcal__free(data);
    return status;
}

static lcal_status visit(void *context, const char *name, lcal_error *err)
{
    tally *t = context;
    char *path = lcal__path_join(t->directory, name);
    lcal_status status = path ? run_file(t, path, name, err) : lcal__fail_nomem(err, t->directory);
    lcal__free(path);
    return status;
}

static lcal_status run_path(tally *sum, const char *path, lcal_error *err)
{
    if (lcal__path_is_dir(path)) {
        sum->directory = path;
        return lcal__dir_visit(path, visit, sum, err);
    }
    const char *slash = strrchr(path, '/');
    return run_file(sum, path, slash ? slash + 1 : path, err);
}

int main(int argc, char **argv)
{
    tally sum = {0};
    lcal_error err = {0};
    for (int i = 1; i < argc; i++)
        if (run_path(&sum, argv[i], &err) != LCAL_OK) {
            fprintf(stderr, "%s\n", err.message);
            return 1;
        }
    printf("%zu files, %d damaged copies of each, %zu taken wrongly\n", sum.files, COPIES,
           sum.wrong);
    return sum.files == 0 || sum.wrong > 0;
}
