/* floor PORT: the least that a relay of one core can cost. For comparison only.
 *
 * An epoll loop that carries mu-law between `/media/provider/call_N…` (Twilio Media Streams) and
 * `/media/agent/call_N` (binary): unmask, find the payload, base64, frame, send. It checks no token,
 * bounds no queue, knows no marks; a socket that does not take a whole frame at once ends it.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "websocket.h"

enum { MAX_CALLS = 65536, IN_SIZE = 16384, OUT_SIZE = 4096, EVENTS = 256 };

struct leg {
    int fd, call;
    int provider, open;
    struct leg *other;
    char prefix[128]; /* of a media message to this leg */
    size_t prefix_length, filled;
    unsigned char in[IN_SIZE];
};

static struct leg *waiting[MAX_CALLS];
static int epoll;

static void fail(const char *what)
{
    perror(what);
    exit(1);
}

/* `out` has MAX_HEADER bytes of room before the payload, so that one send does. */
static void send_frame(struct leg *leg, int opcode, unsigned char *payload, size_t length)
{
    unsigned char header[MAX_HEADER];
    size_t size = ws_header(header, opcode, length);
    memcpy(payload - size, header, size);
    if (send(leg->fd, payload - size, size + length, MSG_NOSIGNAL) != (ssize_t)(size + length))
        fail("send");
}

static void to_agent(struct leg *agent, struct frame *frame)
{
    static unsigned char out[MAX_HEADER + OUT_SIZE];
    size_t length;
    const char *payload = media_payload(frame->payload, frame->length, &length);
    if (payload != NULL && length <= OUT_SIZE)
        send_frame(agent, BINARY, out + MAX_HEADER, base64_decode(payload, length, out + MAX_HEADER));
}

static void to_provider(struct leg *provider, struct frame *frame)
{
    static unsigned char out[MAX_HEADER + OUT_SIZE];
    static const char suffix[] = "\"}}";
    unsigned char *text = out + MAX_HEADER;
    if (frame->length > 2048)
        return;
    memcpy(text, provider->prefix, provider->prefix_length);
    size_t length = provider->prefix_length;
    length += base64_encode(frame->payload, frame->length, (char *)text + length);
    memcpy(text + length, suffix, sizeof suffix - 1);
    send_frame(provider, TEXT, text, length + sizeof suffix - 1);
}

static void meet(struct leg *leg)
{
    struct leg *other = waiting[leg->call];
    if (other == NULL) {
        waiting[leg->call] = leg;
        return;
    }
    waiting[leg->call] = NULL;
    leg->other = other;
    other->other = leg;
    unsigned char out[MAX_HEADER + 32];
    static const char start[] = "{\"type\":\"start\"}";
    memcpy(out + MAX_HEADER, start, sizeof start - 1);
    send_frame(leg->provider ? other : leg, TEXT, out + MAX_HEADER, sizeof start - 1);
}

/* Answers the upgrade request once all of it is there. */
static void upgrade(struct leg *leg)
{
    static const char answer[] = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
                                 "Connection: Upgrade\r\nSec-WebSocket-Accept: " ACCEPT "\r\n\r\n";
    char kind[16];
    if (memmem(leg->in, leg->filled, "\r\n\r\n", 4) == NULL)
        return;
    if (sscanf((char *)leg->in, "GET /media/%15[a-z]/%*[a-z]%*[-_]%d", kind, &leg->call) != 2 ||
        leg->call < 0 || leg->call >= MAX_CALLS)
        exit(2);
    leg->provider = kind[0] == 'p';
    leg->prefix_length = (size_t)snprintf(
        leg->prefix, sizeof leg->prefix,
        "{\"event\":\"media\",\"streamSid\":\"MZ%032d\",\"media\":{\"payload\":\"", leg->call);
    leg->open = 1;
    leg->filled = 0;
    if (send(leg->fd, answer, sizeof answer - 1, MSG_NOSIGNAL) < 0)
        fail("send");
    meet(leg);
}

static void readable(struct leg *leg)
{
    ssize_t got = recv(leg->fd, leg->in + leg->filled, IN_SIZE - leg->filled, 0);
    if (got <= 0) {
        if (leg->other != NULL)
            leg->other->other = NULL;
        close(leg->fd); /* and out of the epoll set; a few bytes are kept, the process is short-lived */
        return;
    }
    leg->filled += (size_t)got;
    if (!leg->open) {
        upgrade(leg);
        return;
    }
    struct frame frame;
    size_t done = 0, size;
    while ((size = ws_parse(leg->in + done, leg->filled - done, &frame)) > 0) {
        if (leg->other != NULL && leg->provider && frame.opcode == TEXT)
            to_agent(leg->other, &frame);
        else if (leg->other != NULL && !leg->provider && frame.opcode == BINARY)
            to_provider(leg->other, &frame);
        done += size;
    }
    leg->filled -= done;
    memmove(leg->in, leg->in + done, leg->filled);
}

static void watch(int fd, struct leg *leg)
{
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = leg};
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) < 0)
        fail("epoll_ctl");
}

static void welcome(int listener)
{
    int on = 1, fd = accept(listener, NULL, NULL);
    struct leg *leg = calloc(1, sizeof *leg);
    if (fd < 0 || leg == NULL)
        fail("accept");
    fcntl(fd, F_SETFL, O_NONBLOCK);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    leg->fd = fd;
    watch(fd, leg);
}

int main(int count, char **arguments)
{
    if (count != 2)
        return 2;
    base64_prepare();
    int on = 1, listener = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)atoi(arguments[1])),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(listener, (struct sockaddr *)&address, sizeof address) < 0 || listen(listener, 1024) < 0)
        fail("listen");
    epoll = epoll_create1(0);
    watch(listener, NULL);
    struct epoll_event events[EVENTS];
    for (;;) {
        int ready = epoll_wait(epoll, events, EVENTS, -1);
        for (int i = 0; i < ready; i++)
            if (events[i].data.ptr == NULL)
                welcome(listener);
            else
                readable(events[i].data.ptr);
    }
}
