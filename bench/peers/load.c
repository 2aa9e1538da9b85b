/* The load of bench/pipeline: clicks out, processed clicks in, how long each took.
 *
 *     load HOST PORT [--event-ids]
 *
 * Two connections: one publishes clicks, one subscribes to `iotprocessed`. It obeys commands on
 * standard input and answers each with one JSON line on standard output; at the end of its input
 * it ends.
 *
 *     first INTERVAL_MS TIMEOUT_S      click until the first answer comes
 *     closed WINDOW WARM_S SECONDS     the next click goes out when an answer comes in
 *     open RATE WARM_S SECONDS         clicks per second, evenly spaced, whatever comes back
 *
 * MQTT 3.1.1 is spoken here by hand: one recv for all the frames that have come, one send for all
 * that they call for. A client library costs a system call or more per frame, and on two cores the
 * load must not take the processor from what it measures.
 *
 * Which answer belongs to which click is told by the battery voltage: "<n>mV" with n from 0 to
 * 999999 is valid in a click, every peer passes it through, and it leaves serial number and topic
 * free to be those of ten devices. n goes round after a million clicks; far fewer are under way.
 *
 * The subscription is at QoS 1: at QoS 0 a broker may drop what a busy subscriber does not take at
 * once, and a loss could not be told from one at the peer.
 *
 * Times are CLOCK_MONOTONIC; a latency runs from just before the click's send to just after the
 * recv that brought its answer.
 */
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define DEVICES 10
#define NUMBERS 1000000
#define BUFFER (1 << 20)
#define DRAIN 2000000000LL /* ns that answers may come late, at the end of a load */

typedef int64_t ns;

struct link {
    int socket;
    size_t in, out;
    unsigned char in_bytes[BUFFER], out_bytes[BUFFER];
};

static struct link publisher, subscriber;
static bool with_event_ids;
static uint32_t run;
static uint64_t next_click;           /* counts every click ever sent */
static uint64_t first_of_load;        /* what came before is of an earlier load */
static ns sent_at[NUMBERS];           /* 0: not sent, or answered already */

static ns *latencies;
static size_t latency_count, latency_space;
static struct {
    ns from, to; /* latencies are kept of answers within */
    uint64_t sent, acknowledged, answered, unexpected;
    ns last_answer;
} load;

static void fail(const char *what) {
    fprintf(stderr, "load: %s: %s\n", what, errno ? strerror(errno) : "failed");
    exit(1);
}

static ns now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static double own_cpu(void) {
    struct rusage used;
    getrusage(RUSAGE_SELF, &used);
    return used.ru_utime.tv_sec + used.ru_stime.tv_sec +
           (used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6;
}

/* --- frames ------------------------------------------------------------------------------- */

static void flush(struct link *link) {
    size_t done = 0;
    while (done < link->out) {
        ssize_t n = send(link->socket, link->out_bytes + done, link->out - done, MSG_NOSIGNAL);
        if (n > 0) {
            done += (size_t)n;
        } else if (errno == EAGAIN) { /* the broker always reads, so this wait is short */
            struct pollfd writable = {link->socket, POLLOUT, 0};
            if (poll(&writable, 1, 5000) == 0) { errno = 0; fail("the broker does not read"); }
        } else if (errno != EINTR) {
            fail("send");
        }
    }
    link->out = 0;
}

static void put(struct link *link, const void *bytes, size_t length) {
    if (link->out + length > BUFFER) flush(link);
    memcpy(link->out_bytes + link->out, bytes, length);
    link->out += length;
}

static void put_text(unsigned char *at, const char *text) {
    size_t length = strlen(text);
    at[0] = (unsigned char)(length >> 8);
    at[1] = (unsigned char)length;
    memcpy(at + 2, text, length);
}

/* Find the next whole frame at `at`; return its length with header, or 0 while it is incomplete. */
static size_t frame(const unsigned char *at, size_t there, size_t *header) {
    size_t length = 0, i = 1;
    for (int shift = 0;; shift += 7, i++) {
        if (i >= there) return 0;
        length |= (size_t)(at[i] & 127) << shift;
        if (at[i] < 128) break;
        if (shift == 21) { errno = 0; fail("a malformed frame"); }
    }
    *header = i + 1;
    if (*header + length > BUFFER) { errno = 0; fail("a frame that is too long"); }
    return there < *header + length ? 0 : *header + length;
}

/* --- clicks ------------------------------------------------------------------------------- */

static void send_click(void) {
    unsigned number = (unsigned)(next_click % NUMBERS), device = (unsigned)(next_click % DEVICES);
    char topic[40], payload[256], event_id[64] = "";
    if (with_event_ids)
        snprintf(event_id, sizeof event_id, ", \"eventId\": \"%08x-%04x-7%03x-8000-%012llx\"",
                 run, (unsigned)(next_click >> 12 & 0xffff), (unsigned)(next_click & 0xfff),
                 (unsigned long long)next_click);
    int topic_length = snprintf(topic, sizeof topic, "iotbutton/G030JF05536400D%u", device);
    int length = snprintf(payload, sizeof payload,
                          "{\"serialNumber\": \"G030JF05536400D%u\", \"batteryVoltage\": \"%umV\", "
                          "\"clickType\": \"SINGLE\"%s}", device, number, event_id);
    int rest = 2 + topic_length + 2 + length;
    unsigned char bytes[512];
    size_t at = 0;
    unsigned packet_id = (unsigned)(next_click % 65535) + 1;
    bytes[at++] = 0x32; /* PUBLISH, QoS 1 */
    if (rest > 127) bytes[at++] = (unsigned char)(rest & 127) | 128;
    bytes[at++] = (unsigned char)(rest > 127 ? rest >> 7 : rest);
    put_text(bytes + at, topic);
    at += 2 + (size_t)topic_length;
    bytes[at++] = (unsigned char)(packet_id >> 8);
    bytes[at++] = (unsigned char)packet_id;
    memcpy(bytes + at, payload, (size_t)length);
    sent_at[number] = now();
    put(&publisher, bytes, at + (size_t)length);
    next_click++;
    load.sent++;
}

static void keep(ns latency) {
    if (latency_count == latency_space) {
        latency_space = latency_space ? 2 * latency_space : 1 << 16;
        latencies = realloc(latencies, latency_space * sizeof *latencies);
        if (!latencies) fail("memory");
    }
    latencies[latency_count++] = latency;
}

/* Return whether this is the answer to a click of this load, the first time that it comes. */
static bool take_answer(const unsigned char *payload, size_t length, ns at) {
    static const char field[] = "\"batteryVoltage\"";
    const unsigned char *end = payload + length;
    const unsigned char *p = memmem(payload, length, field, sizeof field - 1);
    unsigned number = NUMBERS;
    if (p) {
        for (p += sizeof field - 1; p < end && (*p == ':' || *p == ' ' || *p == '"');) p++;
        for (number = 0; p < end && *p >= '0' && *p <= '9' && number < NUMBERS; p++)
            number = number * 10 + *p - '0';
    }
    /* `back`: how many clicks ago it was sent. Answers to an earlier load count for nothing. */
    uint64_t back = number < NUMBERS ? (next_click + NUMBERS - number) % NUMBERS : 0;
    if (number >= NUMBERS || !sent_at[number]) { load.unexpected++; return false; }
    ns latency = at - sent_at[number];
    sent_at[number] = 0;
    if (back > next_click - first_of_load) return false;
    load.answered++;
    load.last_answer = at;
    if (at >= load.from && at < load.to) keep(latency);
    return true;
}

/* Read what has come on one connection; return how many answers were in it. */
static unsigned take(struct link *link) {
    ssize_t n = recv(link->socket, link->in_bytes + link->in, BUFFER - link->in, 0);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) return 0;
    if (n <= 0) { errno = n ? errno : 0; fail("the broker has closed the connection"); }
    ns at = now();
    unsigned answers = 0;
    size_t there = link->in + (size_t)n, pos = 0, header, whole;
    while ((whole = frame(link->in_bytes + pos, there - pos, &header))) {
        const unsigned char *f = link->in_bytes + pos, *p = f + header;
        if ((f[0] & 0xf6) == 0x32) { /* PUBLISH, QoS 1: topic, packet id, payload */
            p += 2 + (p[0] << 8 | p[1]);
            unsigned char acknowledgement[] = {0x40, 2, p[0], p[1]};
            put(link, acknowledgement, sizeof acknowledgement);
            answers += take_answer(p + 2, (size_t)(f + whole - p - 2), at);
        } else if (f[0] == 0x40) {
            load.acknowledged++;
        }
        pos += whole;
    }
    memmove(link->in_bytes, link->in_bytes + pos, there - pos);
    link->in = there - pos;
    return answers;
}

/* Wait until something comes or `until` is there; return how many answers came. */
static unsigned wait_for_answers(ns until) {
    ns left = until - now();
    if (left < 0) left = 0;
    struct timespec length = {left / 1000000000, left % 1000000000};
    struct pollfd both[] = {{publisher.socket, POLLIN, 0}, {subscriber.socket, POLLIN, 0}};
    if (ppoll(both, 2, &length, NULL) < 0 && errno != EINTR) fail("poll");
    unsigned answers = 0;
    if (both[0].revents) take(&publisher);
    if (both[1].revents) answers = take(&subscriber);
    return answers;
}

/* --- loads -------------------------------------------------------------------------------- */

static void begin(ns warm, ns length) {
    memset(&load, 0, sizeof load);
    load.from = now() + warm;
    load.to = load.from + length;
    first_of_load = next_click;
    latency_count = 0;
}

static void drain(void) {
    for (ns end = now() + DRAIN; load.answered < load.sent && now() < end;) {
        wait_for_answers(end);
        flush(&subscriber);
    }
    flush(&subscriber);
}

static int by_size(const void *a, const void *b) {
    ns x = *(const ns *)a, y = *(const ns *)b;
    return (x > y) - (x < y);
}

static double percentile(double share) { /* in ms; the nearest rank */
    if (!latency_count) return -1;
    size_t rank = (size_t)(share * (double)latency_count + 0.999999);
    return (double)latencies[rank ? rank - 1 : 0] / 1e6;
}

static void report(double seconds, double cpu, ns latest) {
    qsort(latencies, latency_count, sizeof *latencies, by_size);
    printf("{\"messages_per_s\": %.3f, \"p50_ms\": %.4f, \"p99_ms\": %.4f, \"max_ms\": %.4f, "
           "\"measured\": %zu, \"sent\": %llu, \"acknowledged\": %llu, \"answered\": %llu, "
           "\"lost\": %llu, \"unexpected\": %llu, \"latest_send_ms\": %.4f, \"cpu_s\": %.6f}\n",
           (double)latency_count / seconds, percentile(0.5), percentile(0.99), percentile(1),
           latency_count, (unsigned long long)load.sent, (unsigned long long)load.acknowledged,
           (unsigned long long)load.answered, (unsigned long long)(load.sent - load.answered),
           (unsigned long long)load.unexpected, (double)latest / 1e6, cpu);
    fflush(stdout);
}

static void closed_loop(unsigned window, double warm, double seconds) {
    double cpu = own_cpu();
    begin((ns)(warm * 1e9), (ns)(seconds * 1e9));
    for (unsigned i = 0; i < window; i++) send_click();
    flush(&publisher);
    while (now() < load.to) {
        for (unsigned answers = wait_for_answers(load.to); answers; answers--) send_click();
        flush(&publisher);
        flush(&subscriber);
    }
    drain();
    report(seconds, own_cpu() - cpu, 0);
}

static void open_loop(double rate, double warm, double seconds) {
    double cpu = own_cpu();
    begin((ns)(warm * 1e9), (ns)(seconds * 1e9));
    ns start = now(), latest = 0;
    for (uint64_t i = 0;; i++) {
        ns due = start + (ns)((double)i / rate * 1e9);
        if (due >= load.to) break;
        do {
            wait_for_answers(due);
            flush(&subscriber);
        } while (now() < due);
        if (now() - due > latest) latest = now() - due;
        send_click();
        flush(&publisher);
    }
    load.to = INT64_MAX; /* every click of an open loop counts, also the slow ones at the end */
    drain();
    report(seconds, own_cpu() - cpu, latest);
}

static void until_first(double interval_ms, double timeout) {
    begin(0, INT64_MAX / 4);
    ns end = now() + (ns)(timeout * 1e9);
    for (ns due = now(); !load.answered && now() < end; due += (ns)(interval_ms * 1e6)) {
        send_click();
        flush(&publisher);
        do {
            wait_for_answers(due + (ns)(interval_ms * 1e6));
            flush(&subscriber);
        } while (!load.answered && now() < due + (ns)(interval_ms * 1e6));
    }
    first_of_load = next_click;
    printf("{\"answered_at_s\": %.6f, \"sent\": %llu}\n",
           load.answered ? (double)load.last_answer / 1e9 : -1.0, (unsigned long long)load.sent);
    fflush(stdout);
}

/* --- connections --------------------------------------------------------------------------- */

static void open_link(struct link *link, const char *host, const char *port, const char *name) {
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *address;
    if (getaddrinfo(host, port, &hints, &address)) fail("the broker's address");
    link->socket = socket(address->ai_family, SOCK_STREAM, 0);
    if (link->socket < 0 || connect(link->socket, address->ai_addr, address->ai_addrlen))
        fail("connect");
    freeaddrinfo(address);
    int on = 1;
    setsockopt(link->socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    fcntl(link->socket, F_SETFL, O_NONBLOCK);
    unsigned char connect_frame[64] = {0x10, 0, 0, 4, 'M', 'Q', 'T', 'T', 4, 2, 0, 0};
    put_text(connect_frame + 12, name); /* MQTT 3.1.1, clean session, no keep-alive */
    connect_frame[1] = (unsigned char)(12 + strlen(name));
    put(link, connect_frame, 14 + strlen(name));
    flush(link);
}

/* Read exactly one short answer to a packet of ours. */
static void expect(struct link *link, unsigned char kind, size_t length) {
    unsigned char bytes[8];
    for (size_t got = 0; got < length;) {
        struct pollfd readable = {link->socket, POLLIN, 0};
        errno = 0;
        if (poll(&readable, 1, 5000) <= 0) fail("the broker does not answer");
        ssize_t n = recv(link->socket, bytes + got, length - got, 0);
        if (n <= 0) fail("the broker has closed the connection");
        got += (size_t)n;
    }
    errno = 0;
    if (bytes[0] != kind || bytes[length - 1] > 1) fail("the broker refuses");
}

static void subscribe(struct link *link, const char *filter) {
    unsigned char bytes[64] = {0x82, 0, 0, 1};
    put_text(bytes + 4, filter);
    size_t length = 4 + 2 + strlen(filter);
    bytes[length++] = 1; /* QoS 1 */
    bytes[1] = (unsigned char)(length - 2);
    put(link, bytes, length);
    flush(link);
    expect(link, 0x90, 5);
}

int main(int argc, char **argv) {
    if (argc < 3) {
        fprintf(stderr, "usage: load HOST PORT [--event-ids]\n");
        return 2;
    }
    with_event_ids = argc > 3 && !strcmp(argv[3], "--event-ids");
    run = (uint32_t)now() ^ (uint32_t)getpid() << 16;
    prctl(PR_SET_TIMERSLACK, 1000); /* ns; the default of 50 us would be part of each latency */
    open_link(&publisher, argv[1], argv[2], "bench-clicks");
    expect(&publisher, 0x20, 4);
    open_link(&subscriber, argv[1], argv[2], "bench-processed");
    expect(&subscriber, 0x20, 4);
    subscribe(&subscriber, "iotprocessed");
    puts("{\"ready\": true}");
    fflush(stdout);
    char line[128];
    while (fgets(line, sizeof line, stdin)) {
        double a, b, c;
        if (sscanf(line, "first %lf %lf", &a, &b) == 2) until_first(a, b);
        else if (sscanf(line, "closed %lf %lf %lf", &a, &b, &c) == 3) closed_loop((unsigned)a, b, c);
        else if (sscanf(line, "open %lf %lf %lf", &a, &b, &c) == 3) open_loop(a, b, c);
        else { errno = 0; fail("no such command"); }
    }
    return 0;
}
