#include "format/lines.h"

#include <limits.h>
#include <stdint.h>
#include <string.h>
#include <zlib.h>

#include "base/mem.h"

#define CHUNK ((size_t)256 << 10)

struct lcal__lines {
    const unsigned char *bytes;
    size_t size;
    size_t taken; /* bytes of the source handed to the buffer or to zlib */
    bool gzip;
    bool ended; /* nothing more will come into the buffer */
    z_stream stream;
    char *buffer; /* [capacity]; text not yet handed out is buffer[start..end) */
    size_t capacity, start, end;
    size_t number;
    char *source;
};

static voidpf take_memory(voidpf opaque, uInt items, uInt size)
{
    (void)opaque;
    return lcal__calloc(items, size);
}

static void give_memory(voidpf opaque, voidpf address)
{
    (void)opaque;
    lcal__free(address);
}

static bool is_gzip(const unsigned char *bytes, size_t size)
{
    return size >= 2 && bytes[0] == 0x1F && bytes[1] == 0x8B;
}

lcal_status lcal__lines_open(const void *bytes, size_t size, const char *source, lcal__lines **out,
                             lcal_error *err)
{
    lcal__lines *lines = lcal__calloc(1, sizeof(*lines));
    if (!lines)
        return lcal__fail_nomem(err, source);
    lines->bytes = bytes;
    lines->size = size;
    lines->source = lcal__strdup(source);
    lines->gzip = is_gzip(bytes, size);
    lines->stream.zalloc = take_memory;
    lines->stream.zfree = give_memory;
    /* 16: a gzip wrapper, whose checksum zlib verifies, and nothing else. */
    if (!lines->source || (lines->gzip && inflateInit2(&lines->stream, 16 + MAX_WBITS) != Z_OK)) {
        lines->gzip = false;
        lcal__lines_close(&lines);
        return lcal__fail_nomem(err, source);
    }
    *out = lines;
    return LCAL_OK;
}

void lcal__lines_close(lcal__lines **lines)
{
    if (!*lines)
        return;
    if ((*lines)->gzip)
        inflateEnd(&(*lines)->stream);
    lcal__free((*lines)->buffer);
    lcal__free((*lines)->source);
    lcal__free(*lines);
    *lines = NULL;
}

/* After a member: another one, zero padding (tapes and tar leave it) or the end. */
static lcal_status next_member(lcal__lines *lines, lcal_error *err)
{
    const unsigned char *rest = lines->bytes + lines->taken;
    size_t left = lines->size - lines->taken;
    if (is_gzip(rest, left)) {
        inflateReset(&lines->stream);
        return LCAL_OK;
    }
    for (size_t i = 0; i < left; i++)
        if (rest[i] != 0)
            return lcal__fail(err, LCAL_FORMAT,
                              "%s: byte %zu: expected another gzip member or the end of the file, "
                              "found other data",
                              lines->source, lines->taken + i);
    lines->taken = lines->size;
    lines->ended = true;
    return LCAL_OK;
}

static lcal_status inflate_some(lcal__lines *lines, size_t room, lcal_error *err)
{
    z_stream *stream = &lines->stream;
    size_t left = lines->size - lines->taken;
    uInt given = left < UINT_MAX ? (uInt)left : UINT_MAX;
    stream->next_in = (z_const Bytef *)(lines->bytes + lines->taken);
    stream->avail_in = given;
    stream->next_out = (Bytef *)(lines->buffer + lines->end);
    stream->avail_out = (uInt)room;
    int result = inflate(stream, Z_NO_FLUSH);
    lines->taken += given - stream->avail_in;
    lines->end += room - stream->avail_out;
    if (result == Z_STREAM_END)
        return next_member(lines, err);
    if (result == Z_MEM_ERROR)
        return lcal__fail_nomem(err, lines->source);
    if (result != Z_OK && result != Z_BUF_ERROR)
        return lcal__fail(err, LCAL_FORMAT, "%s: byte %zu: damaged gzip stream (%s)", lines->source,
                          lines->taken, stream->msg ? stream->msg : "invalid data");
    if (lines->taken == lines->size && stream->avail_out == room)
        return lcal__fail(
            err, LCAL_FORMAT,
            "%s: byte %zu: the gzip stream ends before its end; the file is cut short",
            lines->source, lines->taken);
    return LCAL_OK;
}

static void copy_some(lcal__lines *lines, size_t room)
{
    size_t left = lines->size - lines->taken;
    size_t count = left < room ? left : room;
    if (count)
        memcpy(lines->buffer + lines->end, lines->bytes + lines->taken, count);
    lines->taken += count;
    lines->end += count;
    lines->ended = lines->taken == lines->size;
}

/* More text behind what the buffer still holds, which moves to its front. */
static lcal_status fill(lcal__lines *lines, lcal_error *err)
{
    if (lines->start > 0) {
        memmove(lines->buffer, lines->buffer + lines->start, lines->end - lines->start);
        lines->end -= lines->start;
        lines->start = 0;
    }
    /* One byte stays free for the zero after a last line that has no end. */
    if (!lcal__grow((void **)&lines->buffer, &lines->capacity, lines->end + CHUNK + 1, 1))
        return lcal__fail_nomem(err, lines->source);
    size_t room = lines->capacity - lines->end - 1;
    room = room < UINT_MAX ? room : UINT_MAX;
    if (lines->gzip)
        return inflate_some(lines, room, err);
    copy_some(lines, room);
    return LCAL_OK;
}

lcal_status lcal__lines_next(lcal__lines *lines, const char **text, size_t *length, lcal_error *err)
{
    size_t scanned = 0; /* of the current line, known to hold no "\n" */
    const char *newline = NULL;
    for (;;) {
        size_t held = lines->end - lines->start;
        if (held > scanned)
            newline = memchr(lines->buffer + lines->start + scanned, '\n', held - scanned);
        scanned = newline ? (size_t)(newline - (lines->buffer + lines->start)) : held;
        if (scanned > LCAL__LINE_MAX)
            return lcal__fail(err, LCAL_FORMAT,
                              "%s:%zu: expected a line of at most %zu bytes, "
                              "found a longer one",
                              lines->source, lines->number + 1, LCAL__LINE_MAX);
        if (newline || lines->ended)
            break;
        LCAL_TRY(fill(lines, err));
    }
    *text = NULL;
    *length = 0;
    if (!newline && scanned == 0)
        return LCAL_OK;
    char *line = lines->buffer + lines->start;
    lines->start += scanned + (newline ? 1 : 0);
    lines->number++;
    if (newline && scanned > 0 && line[scanned - 1] == '\r')
        scanned--;
    line[scanned] = '\0';
    *text = line;
    *length = scanned;
    return LCAL_OK;
}

size_t lcal__lines_number(const lcal__lines *lines)
{
    return lines->number;
}
