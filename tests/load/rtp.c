/* rtp PORT CALLS: the callers' sound, both ways, and what comes back of it.
 *
 * Call N has a UDP socket at 127.0.0.1, PORT + 2 N. Where its far end is it learns from the first RTP
 * packet that comes; from then on it sends 20 ms of mu-law fifty times a second. It wakes up once a
 * millisecond, sends what is due then and takes what has come, so as to cost little.
 * Every frame says which it is: a mark, the call, the frame's number, and bytes that follow from both.
 * All codes used survive being decoded and encoded again; those of the mark occur nowhere else. What
 * comes back is read as one stream of bytes a call, since whoever echoes need not keep packets whole:
 * a frame counts as intact if all its 160 bytes are there, in order and in one piece.
 *
 * Callers are elsewhere in earnest, and do not wait until a busy gateway leaves them a core: where that
 * is allowed this runs before everything else.
 *
 * On the standard input, a line each: `up` prints how many far ends are known; `open` begins a
 * window; `shut` ends it and, once what is still under way had two seconds to arrive, prints what
 * became of the window's frames as one line of JSON. The end of the input ends the program.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <sched.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
    FRAME = 160,         /* bytes of mu-law in 20 ms */
    HEAD = 12,           /* bytes of an RTP header without extras */
    MARK = 4,
    KEPT = 4096,         /* frames a call remembers: 82 s, hence the longest window */
    MAX_CALLS = 1024,
    EVENTS = 64,
    SLOTS = 20,          /* of a millisecond: calls do not all send at once */
    BUFFER = 2048,
    SOCKET_BUFFER = 262144,
};
static const int64_t SLOT = 1000000, DRAIN = 2000000000; /* ns */
static const unsigned char mark[MARK] = {0x21, 0x0C, 0x33, 0x05};

struct frame {
    int64_t sent_at; /* ns */
    unsigned char counts, back;
};

struct call {
    int fd, up;
    struct sockaddr_in far;
    struct call *next; /* that sends at the same time */
    uint32_t number, ssrc;
    struct frame frames[KEPT];
    /* What comes back: a frame as far as it is here, and the number it says. */
    size_t filled;
    unsigned char piece[FRAME], expected[FRAME];
    /* Of the packets. */
    int heard;
    uint16_t last;
    int64_t last_at;
    uint64_t sent, intact, packets, gaps; /* in the window */
};

static struct call *calls, *by_slot[SLOTS];
static int call_count, epoll, window, realtime;
static struct {
    uint32_t *rtt_us, *late_us;
    size_t rtts, lates, room;
    uint64_t again, broken;
    int64_t longest; /* ns without a packet, of any call */
    int64_t opened;
} seen;

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

/* The frame of this number: codes from 0x80 to 0xBF, but for the mark. */
static void compose(unsigned char *frame, uint32_t call, uint32_t number)
{
    uint32_t state = (call + 1) * 2654435761u ^ number * 40503u;
    memcpy(frame, mark, MARK);
    for (int i = 0; i < 2; i++)
        frame[4 + i] = (unsigned char)(0x80 | (call >> 6 * i & 63));
    for (int i = 0; i < 4; i++)
        frame[6 + i] = (unsigned char)(0x80 | (number >> 6 * i & 63));
    for (int i = 10; i < FRAME; i++) {
        state = state * 1664525u + 1013904223u;
        frame[i] = (unsigned char)(0x80 | state >> 26);
    }
}

static uint32_t number_in(const unsigned char *frame)
{
    uint32_t number = 0;
    for (int i = 0; i < 4; i++)
        number |= (uint32_t)(frame[6 + i] & 63) << 6 * i;
    return number;
}

/* A frame is back, whole. */
static void back(struct call *call, uint32_t number, int64_t at)
{
    struct frame *frame = &call->frames[number % KEPT];
    if (!frame->counts || number >= call->number || call->number - number > KEPT)
        return;
    if (frame->back) {
        seen.again++;
        return;
    }
    frame->back = 1;
    call->intact++;
    if (seen.rtts < seen.room)
        seen.rtt_us[seen.rtts++] = (uint32_t)((at - frame->sent_at) / 1000);
}

static void take(struct call *call, unsigned char code, int64_t at)
{
    if (call->filled == 10)
        compose(call->expected, (uint32_t)(call - calls), number_in(call->piece));
    unsigned char wanted = call->filled < MARK ? mark[call->filled] : call->expected[call->filled];
    int any = call->filled >= 6 && call->filled < 10 && (code & 0xC0) == 0x80; /* the number's digits */
    if (code != wanted && !any) {
        seen.broken += window && call->filled >= 10;
        call->filled = 0;
        if (code != mark[0])
            return;
    }
    call->piece[call->filled++] = code;
    if (call->filled == FRAME) {
        call->filled = 0;
        back(call, number_in(call->piece), at);
    }
}

static void count(struct call *call, uint16_t sequence, int64_t at)
{
    if (call->heard && window) {
        int16_t ahead = (int16_t)(sequence - call->last);
        if (ahead > 1)
            call->gaps += (uint64_t)(ahead - 1);
        int64_t since = call->last_at > seen.opened ? call->last_at : seen.opened;
        if (at - since > seen.longest)
            seen.longest = at - since;
    }
    call->packets += (uint64_t)window;
    call->heard = 1;
    call->last = sequence;
    call->last_at = at;
}

static void readable(struct call *call, int64_t at)
{
    unsigned char packet[BUFFER];
    struct sockaddr_in from;
    socklen_t size = sizeof from;
    ssize_t got =
        recvfrom(call->fd, packet, sizeof packet, MSG_DONTWAIT, (struct sockaddr *)&from, &size);
    size_t head = HEAD + 4u * (packet[0] & 15);
    if (got < HEAD || packet[0] >> 6 != 2 || (packet[1] & 0x7F) != 0 || (size_t)got < head)
        return; /* no mu-law */
    if (!call->up) {
        call->up = 1;
        call->far = from;
    }
    count(call, (uint16_t)(packet[2] << 8 | packet[3]), at);
    for (size_t i = head; i < (size_t)got; i++)
        take(call, packet[i], at);
}

static void speak(struct call *call, int64_t due)
{
    unsigned char packet[HEAD + FRAME] = {0x80, call->number == 0 ? 0x80 : 0};
    uint16_t sequence = htons((uint16_t)call->number);
    uint32_t timestamp = htonl(call->number * FRAME);
    memcpy(packet + 2, &sequence, 2);
    memcpy(packet + 4, &timestamp, 4);
    memcpy(packet + 8, &call->ssrc, 4);
    compose(packet + HEAD, (uint32_t)(call - calls), call->number);
    int64_t at = now();
    call->frames[call->number % KEPT] = (struct frame){at, (unsigned char)window, 0};
    call->number++;
    call->sent += (uint64_t)window;
    /* An error is a packet lost, and shows as one. */
    sendto(call->fd, packet, sizeof packet, MSG_DONTWAIT, (struct sockaddr *)&call->far, sizeof call->far);
    if (window && seen.lates < seen.room)
        seen.late_us[seen.lates++] = (uint32_t)((at - due) / 1000);
}

/* Commands */

static int ascending(const void *left, const void *right)
{
    uint32_t a = *(const uint32_t *)left, b = *(const uint32_t *)right;
    return (a > b) - (a < b);
}

/* Milliseconds; `share` of the sorted values are no greater. */
static double quantile(const uint32_t *sorted, size_t count, double share)
{
    size_t at = (size_t)(share * (double)count);
    return count == 0 ? -1 : sorted[at < count ? at : count - 1] / 1000.0;
}

static void list(const char *name, size_t offset)
{
    printf("\"%s\":[", name);
    for (int i = 0; i < call_count; i++)
        printf("%s%lu", i ? "," : "", *(uint64_t *)((char *)&calls[i] + offset));
    printf("],");
}

static void begin_window(void)
{
    seen.rtts = seen.lates = 0;
    seen.again = seen.broken = 0;
    seen.longest = 0;
    seen.opened = now();
    window = 1;
    for (int i = 0; i < call_count; i++) {
        struct call *call = &calls[i];
        call->sent = call->intact = call->packets = call->gaps = 0;
        for (int at = 0; at < KEPT; at++)
            call->frames[at].counts = 0;
    }
}

static void end_window(void)
{
    int64_t at = now();
    for (int i = 0; i < call_count; i++) {
        /* A call that fell silent has no packet that would tell. */
        int64_t since = calls[i].last_at > seen.opened ? calls[i].last_at : seen.opened;
        if (calls[i].up && at - since > seen.longest)
            seen.longest = at - since;
    }
    window = 0;
}

static void report(void)
{
    qsort(seen.rtt_us, seen.rtts, sizeof(uint32_t), ascending);
    qsort(seen.late_us, seen.lates, sizeof(uint32_t), ascending);
    printf("{");
    list("sent", offsetof(struct call, sent));
    list("intact", offsetof(struct call, intact));
    list("packets", offsetof(struct call, packets));
    list("gaps", offsetof(struct call, gaps));
    printf("\"realtime\":%d,\"again\":%lu,\"broken\":%lu,\"longest_gap_ms\":%.1f,", realtime, seen.again,
           seen.broken, (double)seen.longest / 1e6);
    printf("\"p50_ms\":%.3f,\"p95_ms\":%.3f,\"p99_ms\":%.3f,\"max_ms\":%.3f,\"late_p99_ms\":%.3f}\n",
           quantile(seen.rtt_us, seen.rtts, 0.5), quantile(seen.rtt_us, seen.rtts, 0.95),
           quantile(seen.rtt_us, seen.rtts, 0.99), quantile(seen.rtt_us, seen.rtts, 1),
           quantile(seen.late_us, seen.lates, 0.99));
}

/* Does what the bench asks for; the time at which to report, 0 for never. */
static int64_t obey(int64_t report_at)
{
    char line[64];
    ssize_t got = read(STDIN_FILENO, line, sizeof line); /* one line each time: the bench waits */
    if (got <= 0)
        exit(0);
    if (memcmp(line, "up", 2) == 0) {
        int up = 0;
        for (int i = 0; i < call_count; i++)
            up += calls[i].up;
        printf("%d\n", up);
    } else if (memcmp(line, "open", 4) == 0) {
        begin_window();
        printf("opened\n");
    } else if (memcmp(line, "shut", 4) == 0) {
        end_window();
        report_at = now() + DRAIN;
    } else {
        exit(2);
    }
    fflush(stdout);
    return report_at;
}

/* Beginning */

static void watch(int fd, void *what)
{
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = what};
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) < 0)
        fail("epoll_ctl");
}

static void prepare(int port)
{
    calls = calloc((size_t)call_count, sizeof *calls);
    seen.room = (size_t)call_count * KEPT;
    seen.rtt_us = calloc(seen.room, sizeof(uint32_t));
    seen.late_us = calloc(seen.room, sizeof(uint32_t));
    epoll = epoll_create1(0);
    if (!calls || !seen.rtt_us || !seen.late_us || epoll < 0)
        fail("prepare");
    for (int i = 0; i < call_count; i++) {
        struct call *call = &calls[i];
        struct sockaddr_in here = {.sin_family = AF_INET,
                                   .sin_port = htons((uint16_t)(port + 2 * i)),
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
        int size = SOCKET_BUFFER;
        call->next = by_slot[i * 7 % SLOTS];
        by_slot[i * 7 % SLOTS] = call;
        compose(call->expected, (uint32_t)i, 0);
        call->ssrc = htonl((uint32_t)(0x10000 + i));
        call->fd = socket(AF_INET, SOCK_DGRAM, 0);
        setsockopt(call->fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
        if (call->fd < 0 || bind(call->fd, (struct sockaddr *)&here, sizeof here) < 0)
            fail("bind");
        watch(call->fd, call);
    }
    watch(STDIN_FILENO, NULL);
}

static void rest_until(int64_t when)
{
    struct timespec at = {when / 1000000000, when % 1000000000};
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL) != 0)
        ;
}

static void listen_now(int64_t *report_at)
{
    struct epoll_event events[EVENTS];
    int ready;
    do {
        ready = epoll_wait(epoll, events, EVENTS, 0);
        int64_t at = now();
        for (int i = 0; i < ready; i++)
            if (events[i].data.ptr == NULL)
                *report_at = obey(*report_at);
            else
                readable(events[i].data.ptr, at);
    } while (ready == EVENTS);
}

int main(int count, char **arguments)
{
    if (count != 3)
        return 2;
    call_count = atoi(arguments[2]);
    if (call_count < 1 || call_count > MAX_CALLS)
        return 2;
    prctl(PR_SET_TIMERSLACK, 1000); /* ns: wake up when asked */
    realtime = sched_setscheduler(0, SCHED_FIFO, &(struct sched_param){.sched_priority = 1}) == 0;
    prepare(atoi(arguments[1]));
    int64_t report_at = 0, slot = now() / SLOT;
    for (;; slot++) {
        rest_until(slot * SLOT);
        struct call *call = by_slot[slot % SLOTS];
        for (; call != NULL; call = call->next)
            if (call->up)
                speak(call, slot * SLOT);
        listen_now(&report_at);
        if (report_at != 0 && now() >= report_at) {
            report_at = 0;
            report();
            fflush(stdout);
        }
    }
}
