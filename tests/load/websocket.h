/* What floor.c and load.c share of WebSocket (RFC 6455) and base64: bytes in, bytes out, no I/O.
 *
 * Only what the benches need: frames of up to 65535 bytes, never fragmented.
 */
#ifndef WEBSOCKET_H
#define WEBSOCKET_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum { TEXT = 1, BINARY = 2, CLOSE = 8, MAX_HEADER = 8 };

/* The RFC's own example of a key and its answer: the load client always sends this key. */
#define KEY "dGhlIHNhbXBsZSBub25jZQ=="
#define ACCEPT "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="

struct frame {
    int opcode;
    unsigned char *payload;
    size_t length;
};

/* XOR with the mask; masking twice is unmasking. */
static inline void ws_mask(unsigned char *data, size_t length, uint32_t mask)
{
    size_t at = 0;
    uint64_t wide = (uint64_t)mask << 32 | mask, word;
    for (; at + 8 <= length; at += 8) {
        memcpy(&word, data + at, 8);
        word ^= wide;
        memcpy(data + at, &word, 8);
    }
    for (; at < length; at++)
        data[at] ^= (unsigned char)(mask >> 8 * (at & 3));
}

/* The frame that begins at `data`, unmasked in place. Returns its size on the wire, 0 if it is not
 * all there yet. */
static inline size_t ws_parse(unsigned char *data, size_t available, struct frame *frame)
{
    if (available < 2)
        return 0;
    size_t length = data[1] & 127, header = 2;
    int masked = data[1] & 128;
    if (length == 126) {
        if (available < 4)
            return 0;
        length = (size_t)data[2] << 8 | data[3];
        header = 4;
    }
    if (masked)
        header += 4;
    if (available < header + length)
        return 0;
    if (masked) {
        uint32_t mask;
        memcpy(&mask, data + header - 4, 4);
        ws_mask(data + header, length, mask);
    }
    *frame = (struct frame){data[0] & 15, data + header, length};
    return header + length;
}

/* Writes a frame's header (without mask) to `out`, which has room for MAX_HEADER. Its size. */
static inline size_t ws_header(unsigned char *out, int opcode, size_t length)
{
    out[0] = (unsigned char)(128 | opcode);
    if (length < 126) {
        out[1] = (unsigned char)length;
        return 2;
    }
    out[1] = 126;
    out[2] = (unsigned char)(length >> 8);
    out[3] = (unsigned char)length;
    return 4;
}

static const char BASE64[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
static unsigned char base64_value[256];

static inline void base64_prepare(void)
{
    for (int i = 0; i < 64; i++)
        base64_value[(unsigned char)BASE64[i]] = (unsigned char)i;
}

/* Returns the number of characters written (no terminating zero). */
static inline size_t base64_encode(const unsigned char *from, size_t length, char *to)
{
    char *out = to;
    size_t at = 0;
    for (; at + 3 <= length; at += 3) {
        uint32_t v = (uint32_t)from[at] << 16 | (uint32_t)from[at + 1] << 8 | from[at + 2];
        *out++ = BASE64[v >> 18];
        *out++ = BASE64[v >> 12 & 63];
        *out++ = BASE64[v >> 6 & 63];
        *out++ = BASE64[v & 63];
    }
    if (at < length) {
        int two = at + 1 < length;
        uint32_t v = (uint32_t)from[at] << 16 | (two ? (uint32_t)from[at + 1] << 8 : 0);
        *out++ = BASE64[v >> 18];
        *out++ = BASE64[v >> 12 & 63];
        *out++ = two ? BASE64[v >> 6 & 63] : '=';
        *out++ = '=';
    }
    return (size_t)(out - to);
}

/* Returns the number of bytes written. `length` is a multiple of four. */
static inline size_t base64_decode(const char *from, size_t length, unsigned char *to)
{
    const unsigned char *in = (const unsigned char *)from;
    unsigned char *out = to;
    for (size_t at = 0; at + 4 <= length; at += 4) {
        uint32_t v = (uint32_t)base64_value[in[at]] << 18 | (uint32_t)base64_value[in[at + 1]] << 12 |
                     (uint32_t)base64_value[in[at + 2]] << 6 | base64_value[in[at + 3]];
        *out++ = (unsigned char)(v >> 16);
        if (in[at + 2] != '=')
            *out++ = (unsigned char)(v >> 8);
        if (in[at + 3] != '=')
            *out++ = (unsigned char)v;
    }
    return (size_t)(out - to);
}

/* The base64 of a Media Streams `media` message, or NULL if it is none. */
static inline const char *media_payload(const unsigned char *text, size_t length, size_t *payload_length)
{
    static const char begin[] = "{\"event\":\"media\"", field[] = "\"payload\":\"";
    if (length < sizeof begin || memcmp(text, begin, sizeof begin - 1) != 0)
        return NULL;
    const char *found = memmem(text, length, field, sizeof field - 1);
    if (found == NULL)
        return NULL;
    found += sizeof field - 1;
    const char *end = memchr(found, '"', length - (size_t)(found - (const char *)text));
    if (end == NULL)
        return NULL;
    *payload_length = (size_t)(end - found);
    return found;
}

#endif
