/* sip_echo PORT: an application's end of media streams that sends every frame straight back.
 *
 * But for those of the first second: what the caller said before the stream was open comes at once,
 * and, sent back, it would stand in the gateway's queue for as long as the call lasts. No application
 * talks ahead of itself like that; a mere echo would.
 *
 * It is in C so that it costs little: an application is elsewhere in earnest. For the same reason it
 * runs before everything else, where that is allowed.
 */
#define _GNU_SOURCE
#include "websocket.h"
#include <arpa/inet.h>
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { PING = 9, PONG = 10, BUFFER = 65536, SID = 64, EVENTS = 64, LONGEST = 2048, BACKLOG = 1024 };
static const int64_t SILENT = 1000000000; /* ns */

struct stream {
    int fd, open;
    char sid[SID];
    int64_t begins;
    size_t filled;
    unsigned char buffer[BUFFER];
};

static int epoll;

static void fail(const char *what)
{
    perror(what);
    exit(1);
}

static int64_t now(void)
{
    struct timespec at;
    clock_gettime(CLOCK_MONOTONIC, &at);
    return at.tv_sec * 1000000000LL + at.tv_nsec;
}

/* SHA-1 (RFC 3174) of a text shorter than 120 bytes: the handshake needs no more. */
static uint32_t rotated(uint32_t value, int bits)
{
    return value << bits | value >> (32 - bits);
}

static void sha1_block(uint32_t *hash, const unsigned char *block)
{
    uint32_t w[80], a = hash[0], b = hash[1], c = hash[2], d = hash[3], e = hash[4];
    for (int i = 0; i < 16; i++)
        w[i] = (uint32_t)block[4 * i] << 24 | (uint32_t)block[4 * i + 1] << 16 |
               (uint32_t)block[4 * i + 2] << 8 | block[4 * i + 3];
    for (int i = 16; i < 80; i++)
        w[i] = rotated(w[i - 3] ^ w[i - 8] ^ w[i - 14] ^ w[i - 16], 1);
    for (int i = 0; i < 80; i++) {
        uint32_t f = i < 20   ? ((b & c) | (~b & d)) + 0x5A827999
                     : i < 40 ? (b ^ c ^ d) + 0x6ED9EBA1
                     : i < 60 ? ((b & c) | (b & d) | (c & d)) + 0x8F1BBCDC
                              : (b ^ c ^ d) + 0xCA62C1D6;
        uint32_t next = rotated(a, 5) + f + e + w[i];
        e = d, d = c, c = rotated(b, 30), b = a, a = next;
    }
    hash[0] += a, hash[1] += b, hash[2] += c, hash[3] += d, hash[4] += e;
}

static void sha1(const char *text, size_t length, unsigned char *digest)
{
    uint32_t hash[5] = {0x67452301, 0xEFCDAB89, 0x98BADCFE, 0x10325476, 0xC3D2E1F0};
    unsigned char blocks[128] = {0};
    size_t size = length < 56 ? 64 : 128;
    memcpy(blocks, text, length);
    blocks[length] = 0x80;
    blocks[size - 2] = (unsigned char)(8 * length >> 8);
    blocks[size - 1] = (unsigned char)(8 * length);
    for (size_t at = 0; at < size; at += 64)
        sha1_block(hash, blocks + at);
    for (int i = 0; i < 20; i++)
        digest[i] = (unsigned char)(hash[i / 4] >> (24 - 8 * (i % 4)));
}

static void end(struct stream *stream)
{
    close(stream->fd); /* and so it is not watched any more */
    free(stream);
}

/* Sends all of it, or nothing of use: a gateway that does not read for so long is at an end. */
static int give(struct stream *stream, const void *data, size_t length)
{
    return send(stream->fd, data, length, MSG_DONTWAIT | MSG_NOSIGNAL) == (ssize_t)length;
}

static int give_frame(struct stream *stream, int opcode, const void *payload, size_t length)
{
    unsigned char out[MAX_HEADER + LONGEST];
    if (length > LONGEST)
        return 0;
    size_t header = ws_header(out, opcode, length);
    memcpy(out + header, payload, length);
    return give(stream, out, header + length);
}

static int shake_hands(struct stream *stream)
{
    static const char field[] = "Sec-WebSocket-Key:", guid[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
    unsigned char *head_end = memmem(stream->buffer, stream->filled, "\r\n\r\n", 4);
    if (head_end == NULL)
        return 1;
    *head_end = 0;
    char *key = strcasestr((char *)stream->buffer, field);
    char text[120], accept[32] = {0}, answer[256];
    unsigned char digest[20];
    if (key == NULL)
        return 0;
    key += sizeof field - 1;
    key += strspn(key, " ");
    int length = snprintf(text, sizeof text, "%.*s%s", (int)strcspn(key, "\r\n "), key, guid);
    if (length >= 118)
        return 0;
    sha1(text, (size_t)length, digest);
    base64_encode(digest, sizeof digest, accept);
    length = snprintf(answer, sizeof answer,
                      "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
                      "Connection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n\r\n",
                      accept);
    size_t used = (size_t)(head_end - stream->buffer) + 4;
    stream->filled -= used;
    memmove(stream->buffer, stream->buffer + used, stream->filled);
    stream->open = 1;
    return give(stream, answer, (size_t)length);
}

static void begin(struct stream *stream, const unsigned char *text, size_t length)
{
    static const char field[] = "\"streamSid\":\"";
    const char *found = memmem(text, length, field, sizeof field - 1);
    if (found == NULL || memmem(text, length, "\"event\":\"start\"", 15) == NULL)
        return;
    found += sizeof field - 1;
    const char *quote = memchr(found, '"', length - (size_t)(found - (const char *)text));
    if (quote != NULL && quote - found < SID)
        memcpy(stream->sid, found, (size_t)(quote - found));
    stream->begins = now() + SILENT;
}

static int message(struct stream *stream, const unsigned char *text, size_t length)
{
    size_t size;
    const char *payload = media_payload(text, length, &size);
    if (payload == NULL) {
        begin(stream, text, length);
        return 1;
    }
    if (stream->sid[0] == 0 || now() < stream->begins || size > LONGEST / 2)
        return 1;
    char back[LONGEST];
    int wrote = snprintf(back, sizeof back,
                         "{\"event\":\"media\",\"streamSid\":\"%s\",\"media\":{\"payload\":\"%.*s\"}}",
                         stream->sid, (int)size, payload);
    return give_frame(stream, TEXT, back, (size_t)wrote);
}

static int take(struct stream *stream, struct frame frame)
{
    switch (frame.opcode) {
    case TEXT:
        return message(stream, frame.payload, frame.length);
    case PING:
        return give_frame(stream, PONG, frame.payload, frame.length);
    case CLOSE:
        give_frame(stream, CLOSE, frame.payload, frame.length);
        return 0;
    default:
        return 1;
    }
}

static int readable(struct stream *stream)
{
    ssize_t got = recv(stream->fd, stream->buffer + stream->filled, BUFFER - stream->filled, MSG_DONTWAIT);
    if (got <= 0)
        return got < 0 && (errno == EAGAIN || errno == EINTR);
    stream->filled += (size_t)got;
    if (!stream->open && !shake_hands(stream))
        return 0;
    size_t at = 0, used;
    struct frame frame;
    while (stream->open && (used = ws_parse(stream->buffer + at, stream->filled - at, &frame)) > 0) {
        if (!take(stream, frame))
            return 0;
        at += used;
    }
    stream->filled -= at;
    memmove(stream->buffer, stream->buffer + at, stream->filled);
    return stream->filled < BUFFER;
}

static void watch(int fd, void *what)
{
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = what};
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) < 0)
        fail("epoll_ctl");
}

static void welcome(int listener)
{
    int fd = accept(listener, NULL, NULL), yes = 1;
    struct stream *stream = fd < 0 ? NULL : calloc(1, sizeof *stream);
    if (stream == NULL)
        return;
    setsockopt(fd, IPPROTO_TCP, 1 /* TCP_NODELAY */, &yes, sizeof yes);
    stream->fd = fd;
    watch(fd, stream);
}

int main(int count, char **arguments)
{
    if (count != 2)
        return 2;
    struct sockaddr_in here = {.sin_family = AF_INET,
                               .sin_port = htons((uint16_t)atoi(arguments[1])),
                               .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int listener = socket(AF_INET, SOCK_STREAM, 0), yes = 1;
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    if (bind(listener, (struct sockaddr *)&here, sizeof here) < 0 || listen(listener, BACKLOG) < 0)
        fail("listen");
    sched_setscheduler(0, SCHED_FIFO, &(struct sched_param){.sched_priority = 1});
    epoll = epoll_create1(0);
    watch(listener, NULL);
    for (;;) {
        struct epoll_event events[EVENTS];
        int ready = epoll_wait(epoll, events, EVENTS, -1);
        for (int i = 0; i < ready; i++) {
            struct stream *stream = events[i].data.ptr;
            if (stream == NULL)
                welcome(listener);
            else if (!readable(stream))
                end(stream);
        }
    }
}
