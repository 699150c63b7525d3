#include "eval/seen.h"

#include "base/mem.h"

lcal_status lcal__seen_init(lcal__seen *seen, size_t vocab, lcal_error *err)
{
    *seen = (lcal__seen){
        .ids = lcal__calloc(vocab, sizeof(*seen->ids)),
        .marks = lcal__calloc(vocab, 1),
    };
    return seen->ids && seen->marks ? LCAL_OK : lcal__fail_nomem(err, "the tokens of a text");
}

void lcal__seen_free(lcal__seen *seen)
{
    lcal__free(seen->ids);
    lcal__free(seen->marks);
    *seen = (lcal__seen){0};
}

void lcal__seen_add(lcal__seen *seen, const int32_t *ids, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (seen->marks[ids[i]])
            continue;
        seen->marks[ids[i]] = 1;
        seen->ids[seen->count++] = ids[i];
    }
}

void lcal__seen_clear(lcal__seen *seen)
{
    for (size_t i = 0; i < seen->count; i++)
        seen->marks[seen->ids[i]] = 0;
    seen->count = 0;
}
