/* load PORT CALLS WARM SECONDS EVERY FORMAT PACE PID: calls through a relay, both ways, and what becomes of
 * them. Reads the paths that the legs connect to from its standard input: for each call a line with the
 * agent's, then one with the provider's.
 *
 * Every call has a provider's leg (Twilio Media Streams) and an agent's leg (FORMAT `mulaw`; `pcm16` or
 * `pcm24`: PCM16 at 16 or 24 kHz; `twilio`: Media Streams, too). With PACE `live` each sends a frame every 20 ms, at a phase of its own; with
 * `closed` each sends a frame whenever it gets one, so that the relay never has nothing to do. Every
 * frame is numbered; its time of sending is remembered here, and its content is checked when it comes
 * out at the other side. Prints one line of JSON about the SECONDS after WARM seconds; PID is the
 * relay's process, whose CPU time is read at both ends of that window. If EVERY is not 0, a line comes
 * each so many seconds too: counts since the window's begin, latencies and CPU time of these seconds.
 *
 * A frame's number travels in its first four bytes where the bytes pass untouched (mu-law). Where
 * they are transcoded (pcm), frame n is 20 ms of one constant level, the nth modulo LEVELS: a filter
 * leaves the middle of it alone.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#include "websocket.h"

enum {
    FRAME = 160,        /* bytes of mu-law in 20 ms */
    MAX_SAMPLES = 480,  /* samples in 20 ms at 24 kHz */
    LONGEST = 2000000,  /* microseconds: what took longer counts as this */
    IN_FLIGHT = 1024,   /* sending times kept a leg: 20 s */
    LEVELS = 16,
    EVENTS = 64,
    SENDS_AT_ONCE = 32, /* before incoming frames are looked at again */
    BUFFER = 65536,
};
static const int64_t PERIOD = 20000000, START_PATIENCE = 20000000000, DRAIN = 1000000000; /* ns */

struct leg {
    int fd, call, provider;
    struct leg *other;
    int64_t phase;               /* ns after the beginning of each period */
    uint32_t sent, expected;     /* number of the next frame to send, and to receive */
    int64_t sent_at[IN_FLIGHT];  /* ns */
    unsigned char sound[FRAME];  /* what this leg says (mu-law) */
    char sid[40];                /* of the stream, as the provider or the relay named it */
    unsigned char in[BUFFER];
    size_t filled;
    unsigned char *out; /* what the socket did not take yet */
    size_t unsent, out_size;
};

static struct leg *legs, **by_phase;
static int leg_count, samples, twilio, closed, epoll, started; /* samples in a frame of PCM16; 0: mu-law */
static int64_t begin, end; /* of the measured window, ns */
static struct {
    uint64_t sent, received, in_window, mismatches, blocked;
} seen;
struct times {
    uint32_t of_us[LONGEST + 1]; /* how many took so many microseconds */
    uint64_t count;
    uint32_t longest;
};
static struct times latency, lateness;
static int64_t relay_cpu, client_cpu; /* ns, when the window or its last part began */
static unsigned char level_code[LEVELS]; /* mu-law */
static int level_value[LEVELS];          /* PCM16 */

static void fail(const char *what)
{
    fprintf(stderr, "load: %s%s%s\n", what, errno ? ": " : "", errno ? strerror(errno) : "");
    exit(1);
}

static int64_t clock_ns(clockid_t clock)
{
    struct timespec t;
    if (clock_gettime(clock, &t) < 0)
        fail("clock_gettime");
    return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static int64_t now(void) { return clock_ns(CLOCK_MONOTONIC); }

static void note(struct times *times, int64_t ns)
{
    int64_t us = ns / 1000;
    uint32_t at = us < 0 ? 0 : us > LONGEST ? LONGEST : (uint32_t)us;
    times->of_us[at]++;
    times->count++;
    if (at > times->longest)
        times->longest = at;
}

/* Sending */

static void flush(struct leg *leg)
{
    while (leg->unsent > 0) {
        ssize_t taken = send(leg->fd, leg->out, leg->unsent, MSG_NOSIGNAL);
        if (taken < 0) {
            if (errno != EAGAIN)
                fail("the relay closed a socket");
            seen.blocked++;
            return;
        }
        leg->unsent -= (size_t)taken;
        memmove(leg->out, leg->out + taken, leg->unsent);
    }
}

static void send_frame(struct leg *leg, int opcode, const void *payload, size_t length)
{
    static uint32_t mask = 2463534242u; /* a client must mask; xorshift is random enough */
    mask ^= mask << 13, mask ^= mask >> 17, mask ^= mask << 5;
    size_t needed = leg->unsent + MAX_HEADER + length;
    if (needed > leg->out_size && (leg->out = realloc(leg->out, leg->out_size = 2 * needed)) == NULL)
        fail("realloc");
    unsigned char *at = leg->out + leg->unsent;
    size_t header = ws_header(at, opcode, length);
    at[1] |= 128;
    memcpy(at + header, &mask, 4);
    memcpy(at + header + 4, payload, length);
    ws_mask(at + header + 4, length, mask);
    leg->unsent += header + 4 + length;
    flush(leg);
}

static void send_media(struct leg *leg, const unsigned char *ulaw, uint32_t number)
{
    char text[512], payload[FRAME * 2];
    int size = (int)base64_encode(ulaw, FRAME, payload), length;
    if (leg->provider)
        length = snprintf(text, sizeof text,
                          "{\"event\":\"media\",\"sequenceNumber\":\"%u\",\"media\":{\"track\":\"inbound\","
                          "\"chunk\":\"%u\",\"timestamp\":\"%u\",\"payload\":\"%.*s\"},\"streamSid\":\"%s\"}",
                          number + 2, number + 1, number * 20, size, payload, leg->sid);
    else
        length = snprintf(text, sizeof text,
                          "{\"event\":\"media\",\"streamSid\":\"%s\",\"media\":{\"payload\":\"%.*s\"}}", leg->sid,
                          size, payload);
    send_frame(leg, TEXT, text, (size_t)length);
}

static void speak(struct leg *leg, int64_t due)
{
    uint32_t number = leg->sent++;
    if (!samples)
        memcpy(leg->sound, &number, sizeof number);
    int64_t at = leg->sent_at[number % IN_FLIGHT] = now();
    if (at >= begin && at < end) {
        seen.sent++;
        note(&lateness, at - due);
    }
    if (leg->provider || twilio) {
        if (samples)
            memset(leg->sound, level_code[number % LEVELS], FRAME);
        send_media(leg, leg->sound, number);
    } else if (samples) {
        int16_t level[MAX_SAMPLES];
        for (int i = 0; i < samples; i++)
            level[i] = (int16_t)level_value[number % LEVELS];
        send_frame(leg, BINARY, level, (size_t)samples * sizeof *level);
    } else {
        send_frame(leg, BINARY, leg->sound, FRAME);
    }
}

/* Receiving */

/* True if `audio`, which came out at `leg`, is what the other leg sent as frame `*number`. */
static int right(struct leg *leg, const unsigned char *audio, size_t length, uint32_t *number)
{
    *number = leg->expected;
    if (!samples) {
        if (length != FRAME)
            return 0;
        memcpy(number, audio, sizeof *number);
        return *number == leg->expected && memcmp(audio + 4, leg->other->sound + 4, FRAME - 4) == 0;
    }
    int level = (int)(*number % LEVELS);
    if (leg->provider)
        return length == FRAME && abs(audio[FRAME / 2] - level_code[level]) <= 1;
    if (length != (size_t)samples * sizeof(int16_t))
        return 0;
    int16_t middle;
    memcpy(&middle, audio + samples / 2 * 2, sizeof middle);
    return abs(middle - level_value[level]) <= level_value[level] / 16 + 8;
}

static void hear(struct leg *leg, const unsigned char *audio, size_t length, int64_t at)
{
    uint32_t number;
    if (!right(leg, audio, length, &number))
        seen.mismatches++;
    leg->expected = number + 1;
    int64_t sent_at = leg->other->sent_at[number % IN_FLIGHT];
    if (at >= begin && at < end)
        seen.in_window++;
    if (sent_at >= begin && sent_at < end) {
        seen.received++;
        note(&latency, at - sent_at);
    }
    if (closed && at < end)
        speak(leg, at);
}

/* Takes the relay's `start`, if it is one, and the name that it gives to the stream of a Twilio agent. */
static void begin_agent(struct leg *leg, const struct frame *frame)
{
    static const char sid[] = "\"streamSid\":\"";
    if (!twilio) {
        started += memmem(frame->payload, frame->length, "\"type\":\"start\"", 14) != NULL;
        return;
    }
    const char *found = memmem(frame->payload, frame->length, sid, sizeof sid - 1);
    if (found == NULL || memmem(frame->payload, frame->length, "\"event\":\"start\"", 15) == NULL)
        return;
    found += sizeof sid - 1;
    for (size_t at = 0; at < sizeof leg->sid - 1 && found[at] != '"'; at++)
        leg->sid[at] = found[at];
    started++;
}

static void take(struct leg *leg, struct frame *frame, int64_t at)
{
    if (frame->opcode == CLOSE)
        fail("the relay closed a leg");
    if (frame->opcode == BINARY && !leg->provider) {
        hear(leg, frame->payload, frame->length, at);
    } else if (frame->opcode == TEXT) {
        unsigned char audio[BUFFER];
        size_t length;
        const char *payload = media_payload(frame->payload, frame->length, &length);
        if (payload != NULL && (leg->provider || twilio))
            hear(leg, audio, base64_decode(payload, length, audio), at);
        else if (!leg->provider)
            begin_agent(leg, frame);
    }
}

static void readable(struct leg *leg)
{
    ssize_t got = recv(leg->fd, leg->in + leg->filled, BUFFER - leg->filled, 0);
    if (got < 0 && errno == EAGAIN)
        return;
    if (got <= 0)
        fail("the relay closed a socket");
    int64_t at = now();
    leg->filled += (size_t)got;
    struct frame frame;
    size_t done = 0, size;
    while ((size = ws_parse(leg->in + done, leg->filled - done, &frame)) > 0) {
        take(leg, &frame, at);
        done += size;
    }
    leg->filled -= done;
    memmove(leg->in, leg->in + done, leg->filled);
    if (leg->unsent > 0)
        flush(leg);
}

/* Waits until `until` (ns) or until something came, and takes what came. */
static void listen_until(int64_t until)
{
    struct epoll_event events[EVENTS];
    int64_t left = until - now();
    if (left < 0)
        left = 0;
    struct timespec wait = {left / 1000000000, left % 1000000000};
    int ready = epoll_pwait2(epoll, events, EVENTS, &wait, NULL);
    for (int i = 0; i < ready; i++)
        readable(events[i].data.ptr);
}

/* Beginning */

static void upgrade(struct leg *leg, int port)
{
    char request[1024], answer[2048];
    char path[512];
    if (fgets(path, sizeof path, stdin) == NULL)
        fail("a leg has no path");
    path[strcspn(path, "\n")] = 0;
    int length = snprintf(request, sizeof request,
                          "GET %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nUpgrade: websocket\r\n"
                          "Connection: Upgrade\r\nSec-WebSocket-Key: " KEY "\r\n"
                          "Sec-WebSocket-Version: 13\r\nX-Twilio-Signature: bench\r\n\r\n",
                          path, port);
    if (send(leg->fd, request, (size_t)length, MSG_NOSIGNAL) != length)
        fail("send");
    /* Byte by byte, so that nothing behind the answer is taken with it. */
    size_t got = 0;
    while (got < 4 || memcmp(answer + got - 4, "\r\n\r\n", 4) != 0)
        if (got == sizeof answer || recv(leg->fd, answer + got++, 1, 0) != 1)
            fail("no answer to the upgrade");
    if (memcmp(answer, "HTTP/1.1 101", 12) != 0 || memmem(answer, got, ACCEPT, strlen(ACCEPT)) == NULL)
        fail("the upgrade was refused");
}

static void connect_leg(struct leg *leg, int port)
{
    int on = 1;
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    leg->fd = socket(AF_INET, SOCK_STREAM, 0);
    if (leg->fd < 0 || connect(leg->fd, (struct sockaddr *)&address, sizeof address) < 0)
        fail("connect");
    setsockopt(leg->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    upgrade(leg, port);
    fcntl(leg->fd, F_SETFL, O_NONBLOCK);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = leg};
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, leg->fd, &event) < 0)
        fail("epoll_ctl");
}

static void begin_stream(struct leg *leg)
{
    char text[512];
    static const char connected[] = "{\"event\":\"connected\",\"protocol\":\"Call\",\"version\":\"1.0.0\"}";
    send_frame(leg, TEXT, connected, sizeof connected - 1);
    int length = snprintf(text, sizeof text,
                          "{\"event\":\"start\",\"sequenceNumber\":\"1\",\"start\":{\"accountSid\":\"AC%032d\","
                          "\"streamSid\":\"MZ%032d\",\"callSid\":\"CA%032d\",\"tracks\":[\"inbound\"],"
                          "\"mediaFormat\":{\"encoding\":\"audio/x-mulaw\",\"sampleRate\":8000,"
                          "\"channels\":1},\"customParameters\":{}},\"streamSid\":\"MZ%032d\"}",
                          0, leg->call, leg->call, leg->call);
    send_frame(leg, TEXT, text, (size_t)length);
}

static void prepare_levels(void)
{
    for (int i = 0; i < LEVELS; i++) {
        /* Half a segment of G.711 apart, positive. */
        level_code[i] = (unsigned char)(0x84 + 7 * i);
        int inverted = ~level_code[i] & 0xFF;
        level_value[i] = ((((inverted & 15) << 3) + 132) << (inverted >> 4 & 7)) - 132;
    }
}

static int phase_order(const void *left, const void *right_)
{
    int64_t a = (*(struct leg *const *)left)->phase, b = (*(struct leg *const *)right_)->phase;
    return (a > b) - (a < b);
}

static void prepare(int calls, int port)
{
    base64_prepare();
    prepare_levels();
    leg_count = 2 * calls;
    legs = calloc((size_t)leg_count, sizeof *legs);
    by_phase = calloc((size_t)leg_count, sizeof *by_phase);
    epoll = epoll_create1(0);
    if (!legs || !by_phase || epoll < 0)
        fail("prepare");
    srandom(1); /* the same phases for every relay */
    for (int i = 0; i < leg_count; i++) {
        struct leg *leg = by_phase[i] = &legs[i];
        leg->call = i / 2;
        leg->provider = i % 2;
        leg->other = &legs[i ^ 1];
        leg->phase = random() % PERIOD;
        for (int at = 0; at < FRAME; at++)
            leg->sound[at] = (unsigned char)(at * 37 + leg->call * 11 + leg->provider * 101);
        if (leg->provider)
            snprintf(leg->sid, sizeof leg->sid, "MZ%032d", leg->call);
        connect_leg(leg, port);
        if (leg->provider)
            begin_stream(leg);
    }
    qsort(by_phase, (size_t)leg_count, sizeof *by_phase, phase_order);
    for (int64_t until = now() + START_PATIENCE; started < calls;) {
        if (now() > until)
            fail("not every agent had its start");
        listen_until(until);
    }
}

/* Measuring */

/* Milliseconds; `share` of all are no greater. */
static double quantile(const struct times *times, double share)
{
    uint64_t wanted = (uint64_t)(share * (double)times->count), passed = 0;
    if (times->count == 0)
        return -1;
    for (uint32_t us = 0; us < times->longest; us++)
        if ((passed += times->of_us[us]) > wanted)
            return us / 1000.0;
    return times->longest / 1000.0;
}

/* The relay's resident memory, in kilobytes. */
static long resident_kb(int pid)
{
    char path[64];
    long size, resident = -1;
    snprintf(path, sizeof path, "/proc/%d/statm", pid);
    FILE *file = fopen(path, "r");
    if (file == NULL)
        return -1;
    if (fscanf(file, "%ld %ld", &size, &resident) != 2)
        resident = -1;
    fclose(file);
    return resident < 0 ? -1 : resident * (sysconf(_SC_PAGESIZE) / 1024);
}

static void begin_part(clockid_t relay_clock)
{
    relay_cpu = clock_ns(relay_clock);
    client_cpu = clock_ns(CLOCK_PROCESS_CPUTIME_ID);
    memset(&latency, 0, sizeof latency);
    memset(&lateness, 0, sizeof lateness);
}

/* CPU times are those up to now. */
static void end_part(clockid_t relay_clock)
{
    relay_cpu = clock_ns(relay_clock) - relay_cpu;
    client_cpu = clock_ns(CLOCK_PROCESS_CPUTIME_ID) - client_cpu;
}

static void report(long rss_kb)
{
    printf("{\"sent\":%lu,\"lost\":%lu,\"delivered_in_window\":%lu,\"mismatches\":%lu,\"blocked\":%lu,"
           "\"relay_cpu_s\":%.6f,\"client_cpu_s\":%.6f,\"relay_rss_kb\":%ld,",
           seen.sent, seen.sent - seen.received, seen.in_window, seen.mismatches, seen.blocked,
           (double)relay_cpu / 1e9, (double)client_cpu / 1e9, rss_kb);
    printf("\"p50_ms\":%.3f,\"p95_ms\":%.3f,\"p99_ms\":%.3f,\"max_ms\":%.3f,\"client_late_p99_ms\":%.3f}\n",
           quantile(&latency, 0.5), quantile(&latency, 0.95), quantile(&latency, 0.99),
           quantile(&latency, 1), quantile(&lateness, 0.99));
    fflush(stdout);
}

/* Sends what is due. Returns when the next frame is, ns; `then` with the pace `closed`. */
static int64_t send_due(int64_t origin, int64_t then)
{
    static uint64_t turn;
    for (int i = 0; !closed && i < SENDS_AT_ONCE; i++) {
        struct leg *leg = by_phase[turn % (uint64_t)leg_count];
        then = origin + (int64_t)(turn / (uint64_t)leg_count) * PERIOD + leg->phase;
        if (then > now())
            break;
        speak(leg, then);
        turn++;
    }
    return then;
}

/* Carries calls until the end of the window, of which a part is reported each `every` ns, if not 0. */
static void carry(int64_t origin, int64_t every, clockid_t relay_clock, int pid)
{
    int measuring = 0;
    int64_t part_end = begin + every;
    for (int i = 0; closed && i < leg_count; i++)
        speak(&legs[i], origin);
    for (;;) {
        listen_until(send_due(origin, measuring ? end : begin));
        int64_t at = now();
        if (!measuring && at >= begin) {
            measuring = 1;
            begin_part(relay_clock);
        }
        if (every && at >= part_end) {
            end_part(relay_clock);
            report(resident_kb(pid));
            begin_part(relay_clock);
            part_end += every;
        }
        if (at >= end)
            return;
    }
}

int main(int count, char **arguments)
{
    if (count != 9)
        return 2;
    int port = atoi(arguments[1]), calls = atoi(arguments[2]), pid = atoi(arguments[8]);
    double warm = atof(arguments[3]), seconds = atof(arguments[4]), every = atof(arguments[5]);
    samples = strcmp(arguments[6], "pcm16") == 0 ? 320 : strcmp(arguments[6], "pcm24") == 0 ? 480 : 0;
    twilio = strcmp(arguments[6], "twilio") == 0;
    closed = strcmp(arguments[7], "closed") == 0;
    clockid_t relay_clock;
    if (clock_getcpuclockid(pid, &relay_clock) != 0)
        fail("no such process");
    prctl(PR_SET_TIMERSLACK, 1000); /* ns: wake up when asked */
    prepare(calls, port);

    int64_t origin = now();
    begin = origin + (int64_t)(warm * 1e9);
    end = begin + (int64_t)(seconds * 1e9);
    carry(origin, (int64_t)(every * 1e9), relay_clock, pid);
    end_part(relay_clock);
    long rss_kb = resident_kb(pid);
    for (int64_t until = now() + DRAIN; now() < until && seen.received < seen.sent;)
        listen_until(until);
    report(rss_kb);
    return 0;
}
