/*
 * A conversation over one sequence of the decoder. Every answer is asked for with the whole
 * conversation; what of it the decoder holds already, mostly all but the new message, is not run
 * again. So a chat needs no rules of its own for what stays in the cache, and an answer is the same
 * as to the whole conversation at once.
 */
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "engine/decoder.h"
#include "eval/generate_setup.h"

/* The shortest conversation worth having, and the part of the memory left that a cache may take. */
#define LENGTH_LEAST ((size_t)64)
#define MEMORY_PART 2

struct lcal_chat {
    lcal__generate_setup setup;
    lcal__generator *generator; /* one lane */
    size_t length;              /* most tokens of the conversation */
    lcal_message *messages;     /* [count]; texts are owned */
    size_t count, capacity;
    int32_t *held; /* [held_count], begins with what the decoder's sequence holds */
    size_t held_count, held_capacity;
    uint64_t drawn; /* random numbers used */
};

/* One call of lcal_chat_say. */
typedef struct turn {
    lcal_chat *chat;
    lcal_piece_fn *fn;
    void *user;
    lcal__strbuf answer;
    size_t tokens;
} turn;

/* The model's longest sequence, halved until its cache is a fair part of the memory left. */
static lcal_status choose_length(lcal_chat *chat, lcal_error *err)
{
    lcal__composition *model = chat->setup.model;
    LCAL_TRY(lcal__composition_assemble(model, err));
    const uint64_t available = lcal__memory_available();
    const size_t most = lcal__composition_base(model)->config.max_positions;
    chat->length = most;
    while (available && chat->length > LENGTH_LEAST) {
        const lcal__decoder_options options = {1, chat->length, 1};
        size_t cache, workspace;
        if (lcal__decoder_bytes(lcal__composition_network(model), lcal__composition_exec(model),
                                &options, &cache, &workspace)
            && cache <= available / MEMORY_PART)
            break;
        chat->length /= 2;
    }
    if (chat->length < most)
        lcal__log(lcal__composition_log(model), LCAL_LOG_NOTICE,
                  "memory is short: room for %zu tokens of conversation instead of %zu",
                  chat->length, most);
    return LCAL_OK;
}

lcal_status lcal_chat_open(lcal_model *model, const lcal_generate_options *options, lcal_chat **out,
                           lcal_error *err)
{
    if (!model || !out)
        return lcal__fail(err, LCAL_INVALID, "lcal_chat_open: model and out must be given");
    lcal_chat *chat = lcal__calloc(1, sizeof(*chat));
    if (!chat)
        return lcal__fail_nomem(err, "the chat");
    lcal_status status = lcal__generate_setup_init(&chat->setup, model, options, false, err);
    if (status == LCAL_OK)
        status = choose_length(chat, err);
    if (status == LCAL_OK)
        status = lcal__generate_setup_open(&chat->setup, 1, chat->length, &chat->generator, err);
    if (status == LCAL_OK)
        *out = chat;
    else
        lcal_chat_close(&chat);
    return status;
}

static void forget_from(lcal_chat *chat, size_t count)
{
    while (chat->count > count)
        lcal__free((char *)chat->messages[--chat->count].text);
}

void lcal_chat_reset(lcal_chat *chat)
{
    if (!chat)
        return;
    forget_from(chat, 0);
    chat->drawn = 0;
}

void lcal_chat_close(lcal_chat **chat)
{
    lcal_chat *c = chat ? *chat : NULL;
    if (!c)
        return;
    lcal__generator_close(&c->generator);
    lcal__generate_setup_free(&c->setup);
    forget_from(c, 0);
    lcal__free(c->messages);
    lcal__free(c->held);
    lcal__free(c);
    *chat = NULL;
}

static lcal_status remember(lcal_chat *chat, const char *role, const char *text, lcal_error *err)
{
    char *copy = lcal__strdup(text);
    if (!copy
        || !lcal__grow((void **)&chat->messages, &chat->capacity, chat->count + 1,
                       sizeof(*chat->messages))) {
        lcal__free(copy);
        return lcal__fail_nomem(err, "the conversation");
    }
    chat->messages[chat->count++] = (lcal_message){role, copy};
    return LCAL_OK;
}

static lcal_status hold(lcal_chat *chat, int32_t id, lcal_error *err)
{
    if (!lcal__grow((void **)&chat->held, &chat->held_capacity, chat->held_count + 1,
                    sizeof(*chat->held)))
        return lcal__fail_nomem(err, "the conversation");
    chat->held[chat->held_count++] = id;
    return LCAL_OK;
}

/* How many leading ids of a prompt are in the decoder's sequence. */
static size_t common(const lcal_chat *chat, const lcal__chat_ids *ids)
{
    const size_t in_use = lcal__generator_held(chat->generator);
    size_t count = 0;
    while (count < ids->count && count < chat->held_count && count < in_use
           && chat->held[count] == ids->ids[count])
        count++;
    return count;
}

static lcal_status listen(void *user, const lcal__news *news, bool *stop, lcal_error *err)
{
    turn *t = user;
    t->tokens = news->piece.tokens;
    if (news->id >= 0)
        LCAL_TRY(hold(t->chat, news->id, err));
    lcal__strbuf_add_bytes(&t->answer, news->piece.text, news->piece.length);
    if (t->answer.failed)
        return lcal__fail_nomem(err, "an answer");
    *stop = !t->fn(t->user, &news->piece);
    return LCAL_OK;
}

static lcal_status answer_ids(turn *t, const lcal__chat_ids *ids, lcal_error *err)
{
    lcal_chat *chat = t->chat;
    if (ids->count == 0)
        return lcal__fail(err, LCAL_INVALID, "no tokens to answer: say at least a word");
    if (ids->count >= chat->length)
        return lcal__fail(err, LCAL_INVALID,
                          "the conversation has %zu tokens with this message: expected fewer than "
                          "%zu; begin anew",
                          ids->count, chat->length);
    const lcal__id_prompt prompt = {
        .ids = ids->ids,
        .count = ids->count,
        .cached = common(chat, ids),
        .drawn = chat->drawn,
    };
    chat->held_count = prompt.cached;
    for (size_t i = prompt.cached; i < ids->count; i++)
        LCAL_TRY(hold(chat, ids->ids[i], err));
    return lcal__generator_run(chat->generator, &prompt, 1, listen, t, err);
}

static lcal_status say(turn *t, const char *message, lcal_error *err)
{
    lcal_chat *chat = t->chat;
    lcal__chat_ids ids = {0};
    LCAL_TRY(remember(chat, "user", message, err));
    lcal_status status =
        lcal__generate_setup_encode(&chat->setup, chat->messages, chat->count, &ids, err);
    if (status == LCAL_OK)
        status = answer_ids(t, &ids, err);
    if (status == LCAL_OK)
        status = remember(chat, "assistant", t->answer.text ? t->answer.text : "", err);
    lcal__chat_ids_free(&ids);
    return status;
}

lcal_status lcal_chat_say(lcal_chat *chat, const char *message, lcal_piece_fn *fn, void *user,
                          lcal_error *err)
{
    if (!chat || !message || !fn)
        return lcal__fail(err, LCAL_INVALID,
                          "lcal_chat_say: chat, message and a function to call must be given");
    if (!lcal__utf8_all(message, strlen(message)))
        return lcal__fail(err, LCAL_INVALID,
                          "the message: expected text in UTF-8, found other bytes");
    turn t = {.chat = chat, .fn = fn, .user = user};
    const size_t before = chat->count;
    lcal_status status = say(&t, message, err);
    if (status == LCAL_OK)
        chat->drawn += t.tokens;
    else {
        forget_from(chat, before);
        chat->held_count = 0; /* it is not known what the sequence holds */
    }
    lcal__strbuf_free(&t.answer);
    return status;
}
