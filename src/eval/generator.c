#include "eval/generator.h"

#include "base/file.h"
#include "base/mem.h"
#include "base/rng.h"
#include "engine/decoder.h"
#include "eval/reply_text.h"

/* Tokens of prompts that are read in one run: products get no faster beyond. */
#define READ_TOKENS ((size_t)256)

typedef struct lane_state {
    const lcal__id_prompt *prompt; /* NULL: the lane is free */
    size_t number;                 /* of the prompt */
    size_t fed;                    /* of the prompt's ids, to the decoder */
    size_t tokens, limit;          /* of the answer */
    int32_t last;                  /* newest token, not yet fed */
    lcal__reply_text text;
    lcal__seen seen;
} lane_state;

struct lcal__generator {
    lcal__generator_options options;
    size_t vocab, run_tokens;
    lcal__decoder *decoder;
    lcal__sampler sampler;
    uint8_t *barred;            /* [tokens to choose from]; NULL: none */
    lane_state *lanes;          /* [options.lanes] */
    lcal__decode_input *inputs; /* [options.lanes], of one run */
    float *logits;              /* [options.lanes, vocab] */
    lcal__strbuf certain;       /* text of one piece */
};

/* One call of lcal__generator_run. */
typedef struct job {
    lcal__generator *g;
    const lcal__id_prompt *prompts;
    size_t count, next; /* prompts, and which takes a lane next */
    lcal__news_fn *fn;
    void *user;
    bool stop;
} job;

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

static lcal__decoder_options decoder_options(size_t lanes, size_t length)
{
    size_t tokens;
    if (!lcal__size_mul(lanes, length, &tokens))
        tokens = SIZE_MAX;
    tokens = smaller(tokens, READ_TOKENS);
    return (lcal__decoder_options){lanes, length, tokens < lanes ? lanes : tokens};
}

size_t lcal__generator_lanes(const lcal__network *network, const lcal__exec *exec, size_t length,
                             size_t wanted)
{
    const uint64_t available = lcal__memory_available();
    for (size_t lanes = wanted; available && lanes > 1; lanes /= 2) {
        const lcal__decoder_options options = decoder_options(lanes, length);
        size_t cache, workspace, logits;
        if (lcal__decoder_bytes(network, exec, &options, &cache, &workspace)
            && lcal__size_mul(lanes, network->config.vocab * sizeof(float), &logits)
            && lcal__size_add(cache, workspace, &cache) && lcal__size_add(cache, logits, &cache)
            && cache <= available / 4 * 3)
            return lanes;
    }
    return available ? 1 : wanted;
}

/* Ids of the tokenizer that are no tokens must not be chosen; nor may those behind its last, rows
 * that only pad the embedding (METHODS.md D.3). */
static lcal_status find_choices(lcal__generator *g, size_t *choices, lcal_error *err)
{
    const lcal__tokenizer *tokenizer = g->options.tokenizer;
    *choices = g->vocab;
    if (!tokenizer)
        return LCAL_OK;
    *choices = smaller(g->vocab, lcal__tokenizer_size(tokenizer));
    g->barred = lcal__calloc(*choices, 1);
    if (!g->barred)
        return lcal__fail_nomem(err, "the tokens to choose from");
    for (size_t id = 0; id < *choices; id++)
        g->barred[id] = !lcal__tokenizer_token(tokenizer, (int32_t)id, NULL);
    return LCAL_OK;
}

static lcal_status open_lanes(lcal__generator *g, lcal_error *err)
{
    const lcal__generator_options *o = &g->options;
    size_t floats;
    g->lanes = lcal__calloc(o->lanes, sizeof(*g->lanes));
    g->inputs = lcal__calloc(o->lanes, sizeof(*g->inputs));
    if (lcal__size_mul(o->lanes, g->vocab, &floats))
        g->logits = lcal__alloc_aligned(floats, sizeof(float));
    if (!g->lanes || !g->inputs || !g->logits)
        return lcal__fail_nomem(err, "the logits of the prompts side by side");
    for (size_t i = 0; i < o->lanes; i++) {
        LCAL_TRY(lcal__reply_text_init(&g->lanes[i].text, o->tokenizer, o->stops, err));
        LCAL_TRY(lcal__seen_init(&g->lanes[i].seen, g->vocab, err));
    }
    return LCAL_OK;
}

static lcal_status open_parts(lcal__generator *g, const lcal__network *network,
                              const lcal__exec *exec, lcal_error *err)
{
    const lcal__decoder_options options = decoder_options(g->options.lanes, g->options.length);
    size_t choices;
    g->run_tokens = options.tokens;
    LCAL_TRY(lcal__decoder_open(network, exec, &options, &g->decoder, err));
    LCAL_TRY(find_choices(g, &choices, err));
    LCAL_TRY(lcal__sampler_init(&g->sampler, &g->options.sampling, choices, g->barred, err));
    return open_lanes(g, err);
}

lcal_status lcal__generator_open(const lcal__network *network, const lcal__exec *exec,
                                 const lcal__generator_options *options, lcal__generator **out,
                                 lcal_error *err)
{
    lcal__generator *g = lcal__calloc(1, sizeof(*g));
    if (!g)
        return lcal__fail_nomem(err, "the generator");
    g->options = *options;
    g->vocab = network->config.vocab;
    lcal_status status = open_parts(g, network, exec, err);
    if (status == LCAL_OK)
        *out = g;
    else
        lcal__generator_close(&g);
    return status;
}

void lcal__generator_close(lcal__generator **generator)
{
    lcal__generator *g = *generator;
    if (!g)
        return;
    for (size_t i = 0; g->lanes && i < g->options.lanes; i++) {
        lcal__reply_text_free(&g->lanes[i].text);
        lcal__seen_free(&g->lanes[i].seen);
    }
    lcal__strbuf_free(&g->certain);
    lcal__free(g->logits);
    lcal__free(g->inputs);
    lcal__free(g->lanes);
    lcal__sampler_free(&g->sampler);
    lcal__free(g->barred);
    lcal__decoder_close(&g->decoder);
    lcal__free(g);
    *generator = NULL;
}

size_t lcal__generator_held(const lcal__generator *g)
{
    return lcal__decoder_length(g->decoder, 0);
}

/* Tells what is new of a lane's answer; an answer that ended leaves the lane. */
static lcal_status tell(job *j, lane_state *lane, int32_t id, lcal_finish finish, lcal_error *err)
{
    lcal__strbuf *certain = &j->g->certain;
    if (finish == LCAL_FINISH_END || finish == LCAL_FINISH_LENGTH)
        LCAL_TRY(lcal__reply_text_end(&lane->text, certain, err));
    const lcal__news news = {
        .piece = {lane->number, certain->text ? certain->text : "", certain->length, finish,
                  lane->prompt->count, lane->tokens},
        .id = id,
    };
    if (finish != LCAL_FINISH_NOT)
        lane->prompt = NULL;
    lcal_status status = j->fn(j->user, &news, &j->stop, err);
    lcal__strbuf_clear(certain);
    return status;
}

/* Whether an answer to these ids goes on in the middle of a text: a space that its first token
 * begins with is one then. */
static bool has_text(const lcal__tokenizer *tokenizer, const lcal__id_prompt *prompt)
{
    for (size_t i = 0; tokenizer && i < prompt->count; i++) {
        bool special = false;
        if (lcal__tokenizer_token(tokenizer, prompt->ids[i], &special) && !special)
            return true;
    }
    return false;
}

static lcal_status begin(job *j, lane_state *lane, lcal_error *err)
{
    const lcal__id_prompt *prompt = &j->prompts[j->next];
    lcal__generator *g = j->g;
    const size_t room = g->options.length > prompt->count ? g->options.length - prompt->count : 0;
    lane->prompt = prompt;
    lane->number = j->next++;
    /* The logits are those of the last id, thus that one is fed again. */
    lane->fed = smaller(prompt->cached, prompt->count - 1);
    lane->tokens = 0;
    lane->limit = smaller(g->options.max_tokens, room);
    lcal__decoder_truncate(g->decoder, (size_t)(lane - g->lanes), lane->fed);
    lcal__reply_text_clear(&lane->text, has_text(g->options.tokenizer, prompt));
    lcal__seen_clear(&lane->seen);
    lcal__seen_add(&lane->seen, prompt->ids, prompt->count);
    return lane->limit ? LCAL_OK : tell(j, lane, -1, LCAL_FINISH_LENGTH, err);
}

static lcal_status fill_lanes(job *j, lcal_error *err)
{
    for (size_t i = 0; i < j->g->options.lanes; i++)
        while (!j->g->lanes[i].prompt && j->next < j->count && !j->stop)
            LCAL_TRY(begin(j, &j->g->lanes[i], err));
    return LCAL_OK;
}

/* What the next run is fed: the newest token of every answer, then prompts as far as there is room.
 * Returns the number of inputs; *wanted: logits of any are needed. */
static size_t gather(lcal__generator *g, bool *wanted)
{
    size_t inputs = 0, left = g->run_tokens;
    *wanted = false;
    for (size_t i = 0; i < g->options.lanes; i++) {
        const lane_state *lane = &g->lanes[i];
        if (lane->prompt && lane->fed == lane->prompt->count) {
            g->inputs[inputs++] = (lcal__decode_input){i, &lane->last, 1};
            *wanted = true;
            left--;
        }
    }
    for (size_t i = 0; i < g->options.lanes && left; i++) {
        lane_state *lane = &g->lanes[i];
        if (!lane->prompt || lane->fed == lane->prompt->count)
            continue;
        const size_t count = smaller(lane->prompt->count - lane->fed, left);
        g->inputs[inputs++] = (lcal__decode_input){i, lane->prompt->ids + lane->fed, count};
        lane->fed += count;
        left -= count;
        *wanted = *wanted || lane->fed == lane->prompt->count;
    }
    return inputs;
}

static bool is_end(const lcal__generator_options *o, int32_t id)
{
    for (size_t i = 0; i < o->end_count; i++)
        if (o->ends[i] == id)
            return true;
    return false;
}

static lcal_status choose(job *j, const lane_state *lane, const float *logits, int32_t *id,
                          lcal_error *err)
{
    lcal__generator *g = j->g;
    lcal__rng rng = {g->options.seed, lcal__rng_stream("generate") + lane->prompt->stream,
                     lane->prompt->drawn + lane->tokens};
    lcal_status status =
        lcal__sampler_next(&g->sampler, logits, &lane->seen, lcal__rng_uniform(&rng), id, err);
    if (status == LCAL_NUMERIC)
        lcal__fail_in(err, status, "prompt %zu: token %zu of the answer", lane->number + 1,
                      lane->tokens + 1);
    return status;
}

/* The next token of a lane's answer. logits: [vocab]. */
static lcal_status advance(job *j, lane_state *lane, const float *logits, lcal_error *err)
{
    int32_t id;
    bool stopped;
    LCAL_TRY(choose(j, lane, logits, &id, err));
    if (is_end(&j->g->options, id))
        return tell(j, lane, -1, LCAL_FINISH_END, err);
    lane->last = id;
    lane->tokens++;
    lcal__seen_add(&lane->seen, &id, 1);
    LCAL_TRY(lcal__reply_text_add(&lane->text, id, &j->g->certain, &stopped, err));
    return tell(j, lane, id,
                stopped                       ? LCAL_FINISH_STOP
                : lane->tokens == lane->limit ? LCAL_FINISH_LENGTH
                                              : LCAL_FINISH_NOT,
                err);
}

static lcal_status answer(job *j, lcal_error *err)
{
    lcal__generator *g = j->g;
    while (!j->stop) {
        LCAL_TRY(fill_lanes(j, err));
        bool wanted;
        const size_t inputs = gather(g, &wanted);
        if (inputs == 0 || j->stop)
            break;
        lcal__decoder_run(g->decoder, g->inputs, inputs, wanted ? g->logits : NULL);
        for (size_t i = 0; i < inputs && !j->stop; i++) {
            lane_state *lane = &g->lanes[g->inputs[i].sequence];
            if (lane->fed == lane->prompt->count)
                LCAL_TRY(advance(j, lane, g->logits + i * g->vocab, err));
        }
    }
    return LCAL_OK;
}

lcal_status lcal__generator_run(lcal__generator *g, const lcal__id_prompt *prompts, size_t count,
                                lcal__news_fn *fn, void *user, lcal_error *err)
{
    job j = {.g = g, .prompts = prompts, .count = count, .fn = fn, .user = user};
    for (size_t i = 0; i < g->options.lanes; i++)
        g->lanes[i].prompt = NULL; /* of an earlier run that was ended */
    lcal__strbuf_clear(&g->certain);
    return answer(&j, err);
}
