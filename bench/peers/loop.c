/* A peer of bench/pipeline: the same flow as a C program on libmosquitto, the practical limit.
 *
 *     loop HOST PORT IP_ADDRESS
 *
 * One thread, TCP_NODELAY, QoS 1 in and out. It gives less than our runtime: libmosquitto
 * acknowledges an input as soon as it has come, before this program has seen it, so what is in its
 * hands when it dies is lost. JSON is not parsed but searched for three known text fields, and
 * nothing is checked.
 */
#include <mosquitto.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <signal.h>
#include <time.h>

#define TITLE "Demo event assembled by lambda python function"
#define FIELD 72

static const char *ip_address;

/* Copy the text of `"name": "text"` out of a payload that ends in NUL. */
static bool text_field(const char *payload, const char *name, char *text) {
    const char *p = strstr(payload, name);
    if (!p) return false;
    p += strlen(name);
    while (*p == ' ' || *p == ':') p++;
    if (*p++ != '"') return false;
    size_t length = strcspn(p, "\"\\");
    if (length >= FIELD || p[length] != '"') return false;
    memcpy(text, p, length);
    text[length] = 0;
    return true;
}

static const char *timestamp(void) {
    static time_t second;
    static char text[40];
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    if (t.tv_sec != second) {
        struct tm parts;
        second = t.tv_sec;
        gmtime_r(&second, &parts);
        strftime(text, 20, "%Y-%m-%dT%H:%M:%S", &parts);
    }
    snprintf(text + 19, sizeof text - 19, ".%03dZ", (int)(t.tv_nsec / 1000000));
    return text;
}

static void on_connect(struct mosquitto *client, void *context, int reason) {
    (void)context;
    if (reason) {
        fprintf(stderr, "loop: %s\n", mosquitto_connack_string(reason));
        exit(1);
    }
    mosquitto_subscribe(client, NULL, "iotbutton/+", 1);
}

static void on_message(struct mosquitto *client, void *context, const struct mosquitto_message *m) {
    char click[1024], out[1024], serial[FIELD], battery[FIELD], type[FIELD], event_id[FIELD];
    (void)context;
    if (m->payloadlen >= (int)sizeof click) return;
    memcpy(click, m->payload, (size_t)m->payloadlen);
    click[m->payloadlen] = 0;
    if (!text_field(click, "\"serialNumber\"", serial) ||
        !text_field(click, "\"batteryVoltage\"", battery) ||
        !text_field(click, "\"clickType\"", type))
        return;
    int length = snprintf(out, sizeof out,
                          "{\"title\": \"" TITLE "\", \"timestamp\": \"%s\", \"ipAddress\": \"%s\", "
                          "\"serialNumber\": \"%s\", \"batteryVoltage\": \"%s\", "
                          "\"clickType\": \"%s\"",
                          timestamp(), ip_address, serial, battery, type);
    if (text_field(click, "\"eventId\"", event_id))
        length += snprintf(out + length, sizeof out - (size_t)length, ", \"eventId\": \"%s\"",
                           event_id);
    out[length++] = '}';
    mosquitto_publish(client, NULL, "iotprocessed", length, out, 1, false);
}

int main(int argc, char **argv) {
    if (argc != 4) {
        fprintf(stderr, "usage: loop HOST PORT IP_ADDRESS\n");
        return 2;
    }
    ip_address = argv[3];
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    mosquitto_lib_init();
    struct mosquitto *client = mosquitto_new("bench-peer-c", true, NULL);
    mosquitto_int_option(client, MOSQ_OPT_TCP_NODELAY, 1);
    /* Its default of 20 outputs under way would make a window of 200 wait in its own queue. */
    mosquitto_int_option(client, MOSQ_OPT_SEND_MAXIMUM, 1000);
    mosquitto_connect_callback_set(client, on_connect);
    mosquitto_message_callback_set(client, on_message);
    int error = mosquitto_connect(client, argv[1], atoi(argv[2]), 60);
    if (!error) error = mosquitto_loop_forever(client, -1, 1);
    fprintf(stderr, "loop: %s\n", mosquitto_strerror(error));
    return 1;
}
