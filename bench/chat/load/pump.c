/* The load client's inner loop: say messages, and count who received them.

   The same as `pump` in pump.py, which explains it, but quick enough to be no bottleneck beside
   a server written in C. Layouts match the ctypes structures there. */

#define _GNU_SOURCE
#include <errno.h>
#include <math.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { DIGITS = 9, MOST_MESSAGES = 1 << 20, ROOM = 1 << 20, EVENTS = 1024 };
enum { TEXT = 1, BYE = 8, PING = 9, PONG = 10 };

struct client {
    int fd;
    int deaf;                   /* it does not read */
    int held;                   /* bytes of an unfinished frame, in `rest` */
    int length;                 /* of `say` */
    const unsigned char *say;   /* its message, with zeros for the number */
    unsigned char *rest;
};

struct plan {
    int count, in_flight, first;
    int places[2];              /* where the number goes in `say`; -1: nowhere */
    double interval, seconds, grace;
};

struct found {
    double seconds, cpu;
    long deliveries, all, said, lost;
    int closed;
};

static const unsigned char KEY[4] = {0x37, 0xfa, 0x21, 0x3d};

static double seconds_of(clockid_t clock)
{
    struct timespec time;
    clock_gettime(clock, &time);
    return time.tv_sec + time.tv_nsec / 1e9;
}

static double now(void) { return seconds_of(CLOCK_MONOTONIC); }

/* Send one masked frame whole. Returns 0 if the socket does not take it. */
static int send_frame(int fd, int opcode, const unsigned char *payload, int length)
{
    static unsigned char frame[1 << 17];
    int at = 0;
    frame[at++] = 0x80 | opcode;
    if (length < 126) {
        frame[at++] = 0x80 | length;
    } else {
        frame[at++] = 0x80 | 126;
        frame[at++] = length >> 8;
        frame[at++] = length & 0xff;
    }
    memcpy(frame + at, KEY, 4);
    at += 4;
    for (int i = 0; i < length; i++)
        frame[at + i] = payload[i] ^ KEY[i & 3];
    return send(fd, frame, at + length, MSG_NOSIGNAL) == at + length;
}

static int say(const struct client *client, const struct plan *plan, int number)
{
    static unsigned char payload[1 << 16];
    memcpy(payload, client->say, client->length);
    for (int place = 0; place < 2; place++) {
        int rest = number;
        for (int digit = DIGITS - 1; digit >= 0 && plan->places[place] >= 0; digit--) {
            payload[plan->places[place] + digit] = '0' + rest % 10;
            rest /= 10;
        }
    }
    int whole = send_frame(client->fd, TEXT, payload, client->length), yes = 1;
    setsockopt(client->fd, IPPROTO_TCP, TCP_QUICKACK, &yes, sizeof yes); /* see pump.py */
    return whole;
}

/* Return the number after '#', or -1. */
static int number_in(const unsigned char *payload, int length)
{
    const unsigned char *sign = memchr(payload, '#', length);
    if (!sign || sign + DIGITS >= payload + length)
        return -1;
    int number = 0;
    for (int digit = 1; digit <= DIGITS; digit++)
        number = number * 10 + (sign[digit] - '0');
    return number;
}

/* The server has ended a connection: this client speaks and hears no more. */
static void cut_off(int poll, struct client *client, struct found *found)
{
    found->closed++;
    client->deaf = 1;
    epoll_ctl(poll, EPOLL_CTL_DEL, client->fd, NULL);
}

void pump(struct client *clients, const struct plan *plan, struct found *found, float *delays,
          long room, float *slowest)
{
    static unsigned char data[ROOM];
    static struct epoll_event events[EVENTS];
    int *left = calloc(MOST_MESSAGES, sizeof *left);
    double *said_at = calloc(MOST_MESSAGES, sizeof *said_at);
    int poll = epoll_create1(0), receivers = -1, said = 0, speaker = 0, ended = 0;
    long outstanding = 0; /* messages that somebody still waits for */

    memset(found, 0, sizeof *found);
    for (int i = 0; i < plan->count; i++) {
        struct epoll_event event = {.events = EPOLLIN, .data.u32 = i};
        if (clients[i].deaf)
            continue;
        receivers++;
        epoll_ctl(poll, EPOLL_CTL_ADD, clients[i].fd, &event);
    }
    double begin = now(), cpu = seconds_of(CLOCK_THREAD_CPUTIME_ID), next = begin;
    double end = begin + plan->seconds, last = end + plan->grace;
    int paced = plan->interval > 0;
    int most = paced ? (int)round(plan->seconds / plan->interval) : MOST_MESSAGES;
    for (;;) {
        double time = now();
        if (!ended && time >= end && (paced ? said == most : found->all || time >= last)) {
            ended = 1;
            last = time + plan->grace;
            found->seconds = time - begin;
            found->cpu = seconds_of(CLOCK_THREAD_CPUTIME_ID) - cpu;
            found->deliveries = found->all;
        }
        if (ended && (!outstanding || time >= last))
            break;
        while (said < most && (paced ? time >= next : time < end && outstanding < plan->in_flight)) {
            for (int tries = 0; clients[speaker].deaf && tries < plan->count; tries++)
                speaker = (speaker + 1) % plan->count;
            left[said] = receivers;
            said_at[said] = now();
            if (say(&clients[speaker], plan, plan->first + said))
                outstanding++;
            else if (!paced)
                found->closed++;
            speaker = (speaker + 1) % plan->count;
            said++;
            next += plan->interval;
        }
        if (found->closed && (!paced || found->closed > receivers))
            break;
        double until = paced && said < most ? next : time < end ? end : last;
        int ready = epoll_wait(poll, events, EVENTS, (int)fmax(0, ceil((until - time) * 1e3)));
        for (int e = 0; e < ready; e++) {
            struct client *client = &clients[events[e].data.u32];
            memcpy(data, client->rest, client->held);
            ssize_t got = recv(client->fd, data + client->held, ROOM - client->held, 0);
            if (got <= 0) {
                if (got < 0 && errno == EAGAIN)
                    continue;
                cut_off(poll, client, found);
                continue;
            }
            double heard_at = now();
            long have = client->held + got, at = 0;
            while (have - at >= 2) {
                long length = data[at + 1], head = 2;
                if (length == 126) {
                    if (have - at < 4)
                        break;
                    length = data[at + 2] << 8 | data[at + 3];
                    head = 4;
                } else if (length > 126) { /* over 64 kB, or masked: no server here says that */
                    cut_off(poll, client, found);
                    break;
                }
                if (have - at < head + length)
                    break;
                unsigned char *payload = data + at + head;
                int opcode = data[at] & 15;
                at += head + length;
                if (opcode == BYE) {
                    cut_off(poll, client, found);
                    break;
                }
                if (opcode == PING)
                    send_frame(client->fd, PONG, payload, length);
                if (opcode != TEXT)
                    continue;
                if (length == 1 && *payload == '2') /* Socket.IO's own ping */
                    send_frame(client->fd, TEXT, (const unsigned char *)"3", 1);
                int number = number_in(payload, length) - plan->first;
                if (number < 0 || number >= said)
                    continue;
                float delay = heard_at - said_at[number];
                if (delays && found->all < room)
                    delays[found->all] = delay;
                found->all++;
                if (slowest && delay > slowest[number])
                    slowest[number] = delay;
                if (--left[number] == 0)
                    outstanding--;
            }
            client->held = have - at;
            memmove(client->rest, data + at, client->held);
        }
    }
    for (int i = 0; i < said; i++)
        found->lost += left[i];
    found->said = said;
    close(poll);
    free(left);
    free(said_at);
}
