/* The least that a group chat can do: one encoded frame, one plain `send` for each receiver.

   It forwards a message as it came, without reading the JSON, and drops what a receiver has no
   room for. `fan_out` returns when somebody new knocks. */

#include <stddef.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

enum { ROOM = 1 << 17, EVENTS = 256, TEXT = 0x81 };

/* Pass one frame on, if it is there whole. Returns its length; 0 if it is not whole yet. */
static long pass_on(int from, unsigned char *data, long have, const int *fds, int count)
{
    static unsigned char frame[ROOM];
    long length = have < 2 ? 0 : data[1] & 127, head = 2;
    if (have >= 4 && length == 126) {
        length = data[2] << 8 | data[3];
        head = 4;
    }
    long end = head + 4 + length;
    if (have < end || length > ROOM - 4)
        return 0;
    if (data[0] != TEXT) {
        shutdown(from, SHUT_RDWR); /* somebody says goodbye */
    } else {
        memcpy(frame, data, head);
        frame[1] &= 127; /* a server does not mask */
        for (long i = 0; i < length; i++)
            frame[head + i] = data[head + 4 + i] ^ data[head + (i & 3)];
        for (int i = 0; i < count; i++)
            if (fds[i] != from)
                send(fds[i], frame, head + length, MSG_DONTWAIT | MSG_NOSIGNAL);
    }
    return end;
}

void fan_out(int listener, const int *fds, int count)
{
    static struct epoll_event events[EVENTS];
    static unsigned char data[ROOM];
    static int poll = -1, known = 0;
    struct epoll_event event = {.events = EPOLLIN, .data.fd = listener};

    if (poll < 0) {
        poll = epoll_create1(0);
        epoll_ctl(poll, EPOLL_CTL_ADD, listener, &event);
    }
    for (; known < count; known++) {
        event.data.fd = fds[known];
        epoll_ctl(poll, EPOLL_CTL_ADD, fds[known], &event);
    }
    for (;;) {
        int ready = epoll_wait(poll, events, EVENTS, -1), knocks = 0;
        for (int e = 0; e < ready; e++) {
            int fd = events[e].data.fd;
            if (fd == listener) {
                knocks = 1;
                continue;
            }
            /* What is not a whole frame yet stays in the kernel. */
            long have = recv(fd, data, ROOM, MSG_PEEK | MSG_DONTWAIT), at = 0, used;
            while (at < have && (used = pass_on(fd, data + at, have - at, fds, count)))
                at += used;
            if (have == 0 || (have > 0 && at && recv(fd, data, at, 0) != at))
                epoll_ctl(poll, EPOLL_CTL_DEL, fd, NULL);
        }
        if (knocks)
            return;
    }
}
