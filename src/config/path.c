#include "config/path.h"

#include <string.h>

#include "base/file.h"
#include "base/mem.h"

/* Appends the components of `rest` to `*path` (owned, replaced). */
static void append_components(char **path, const char *rest)
{
    while (*path && *rest) {
        size_t length = strcspn(rest, "/");
        char *name = lcal__strndup(rest, length), *longer = NULL;
        if (name && strcmp(name, "..") == 0)
            longer = lcal__path_dir(*path);
        else if (name && length > 0 && strcmp(name, ".") != 0)
            longer = lcal__path_join(*path, name);
        else if (name)
            longer = lcal__strdup(*path);
        lcal__free(name);
        lcal__free(*path);
        *path = longer;
        rest += length;
        rest += *rest == '/';
    }
}

char *lcal__path_resolve(const char *directory, const char *text)
{
    char *from = lcal__path_absolute(*directory ? directory : ".");
    char *joined = from ? lcal__path_join(from, text) : NULL;
    char *head = joined ? lcal__strdup(joined) : NULL;
    char *resolved = NULL;
    if (head) {
        size_t cut = strlen(head);
        while (cut > 1 && !lcal__path_is_dir(head) && !lcal__path_is_file(head)) {
            while (cut > 1 && head[cut - 1] != '/')
                --cut;
            while (cut > 1 && head[cut - 1] == '/')
                --cut;
            head[cut] = '\0';
        }
        resolved = lcal__path_absolute(head);
        append_components(&resolved, joined + cut);
    }
    lcal__free(head);
    lcal__free(joined);
    lcal__free(from);
    return resolved;
}
