/* The yardstick of publish.py: libmosquitto publishing with QoS 1, a window of messages in flight, one thread.
 *
 *     libmosquitto_publisher PORT COUNT WINDOW VERSION        VERSION 4: MQTT 3.1.1; 5: MQTT 5 with user properties
 *     libmosquitto_publisher PORT COUNT 0 0                   receive COUNT messages instead
 *
 * Prints "SECONDS CPU_SECONDS" from the first message to the last acknowledgement (or arrival).
 */
#include <mosquitto.h>
#include <mqtt_protocol.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#define TOPIC "jitney/alice/event/home/state_changed"
#define PAYLOAD_BYTES 400
#define PROPERTIES 10

static bool ready = false;
static long done = 0;

static double wall(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec + now.tv_nsec * 1e-9;
}

static double cpu(void) {
    struct rusage used;
    getrusage(RUSAGE_SELF, &used);
    return used.ru_utime.tv_sec + used.ru_stime.tv_sec + (used.ru_utime.tv_usec + used.ru_stime.tv_usec) * 1e-6;
}

static void on_connect(struct mosquitto *client, void *data, int code) {
    const int *listening = data;
    if (code) {
        fprintf(stderr, "the broker refused the connection: %d\n", code);
        exit(1);
    }
    if (*listening) {
        mosquitto_subscribe(client, NULL, "jitney/#", 0);
    } else {
        ready = true;
    }
}

static void on_subscribe(struct mosquitto *client, void *data, int id, int count, const int *granted) {
    (void)client, (void)data, (void)id, (void)count, (void)granted;
    ready = true;
    puts("listening");
    fflush(stdout);
}

static void on_publish(struct mosquitto *client, void *data, int id) {
    (void)client, (void)data, (void)id;
    done++;
}

static void on_message(struct mosquitto *client, void *data, const struct mosquitto_message *message) {
    (void)client, (void)data, (void)message;
    done++;
}

/* Ten user properties, as long as those of an event; the first one differs from message to message. */
static mosquitto_property *properties(long number) {
    static const char *names[PROPERTIES] = {"id",    "specversion", "source", "type", "subject",
                                            "time",  "observed",    "owner",  "seq",  "datacontenttype"};
    static const char *values[PROPERTIES] = {"",
                                             "1.0",
                                             "/home",
                                             "homeassistant.state_changed",
                                             "light.kitchen",
                                             "2026-11-21T05:41:00.120Z",
                                             "2026-11-21T05:41:00.480Z",
                                             "alice",
                                             "1842",
                                             "application/json"};
    mosquitto_property *list = NULL;
    char id[40];
    snprintf(id, sizeof id, "01JD7Z6Q1V9K3M%012ld", number);
    mosquitto_property_add_string(&list, MQTT_PROP_CONTENT_TYPE, "application/cloudevents+json");
    mosquitto_property_add_int32(&list, MQTT_PROP_MESSAGE_EXPIRY_INTERVAL, 86400);
    for (int index = 0; index < PROPERTIES; index++)
        mosquitto_property_add_string_pair(&list, MQTT_PROP_USER_PROPERTY, names[index], index ? values[index] : id);
    return list;
}

static void publish(struct mosquitto *client, long number, int version) {
    static char payload[PAYLOAD_BYTES + 1];
    int used = snprintf(payload, sizeof payload, "{\"number\":%ld,\"padding\":\"", number);
    memset(payload + used, 'x', PAYLOAD_BYTES - used);
    memcpy(payload + PAYLOAD_BYTES - 2, "\"}", 2);
    mosquitto_property *list = version == 5 ? properties(number) : NULL;
    int code = mosquitto_publish_v5(client, NULL, TOPIC, PAYLOAD_BYTES, payload, 1, false, list);
    mosquitto_property_free_all(&list);
    if (code) {
        fprintf(stderr, "publish: %s\n", mosquitto_strerror(code));
        exit(1);
    }
}

int main(int count, char **words) {
    if (count != 5) {
        fputs("usage: libmosquitto_publisher PORT COUNT WINDOW VERSION\n", stderr);
        return 2;
    }
    int port = atoi(words[1]), window = atoi(words[3]), version = atoi(words[4]), listening = version == 0;
    long total = atol(words[2]);
    mosquitto_lib_init();
    struct mosquitto *client = mosquitto_new(NULL, true, &listening);
    mosquitto_connect_callback_set(client, on_connect);
    mosquitto_subscribe_callback_set(client, on_subscribe);
    mosquitto_publish_callback_set(client, on_publish);
    mosquitto_message_callback_set(client, on_message);
    mosquitto_int_option(client, MOSQ_OPT_TCP_NODELAY, 1);
    mosquitto_int_option(client, MOSQ_OPT_PROTOCOL_VERSION, version == 5 ? MQTT_PROTOCOL_V5 : MQTT_PROTOCOL_V311);
    mosquitto_max_inflight_messages_set(client, window);
    if (mosquitto_connect(client, "127.0.0.1", port, 60)) {
        fputs("no broker\n", stderr);
        return 1;
    }
    while (!ready)
        mosquitto_loop(client, 100, 1);
    double began = wall(), used = cpu();
    long sent = 0;
    while (done < total) {
        while (!listening && sent < total && sent - done < window)
            publish(client, sent++, version);
        if (mosquitto_loop(client, 1000, 1)) {
            fputs("the connection was lost\n", stderr);
            return 1;
        }
    }
    printf("%.6f %.6f\n", wall() - began, cpu() - used);
    mosquitto_disconnect(client);
    mosquitto_destroy(client);
    mosquitto_lib_cleanup();
    return 0;
}
