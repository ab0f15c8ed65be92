
/*
 * Copyright (C) ngx_egress authors
 *
 * Both ends of the WebSocket measurement.
 *
 *     ws peer PORT
 *         accepts any handshake with the key below and echoes messages
 *     ws load PORT PATH CONNECTIONS SIZE SECONDS
 *         sends binary messages of SIZE bytes, one after the other on each
 *         connection, when the last one has come back
 *
 * Frames are up to 64k.  "load" prints "ready" when its sessions are open,
 * starts at a line on its input, prints one line of results, and closes at
 * the end of its input.
 */


#define _GNU_SOURCE

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>


#define WS_FRAME   (65535 + 14)
#define WS_EVENTS  256
#define WS_KEY     "dGhlIHNhbXBsZSBub25jZQ=="
#define WS_ACCEPT  "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="


typedef struct {
    int             fd;
    int             open;
    size_t          have;
    unsigned char   buf[WS_FRAME + 1];
} ws_end_t;


static int   ws_epoll;
static long  ws_done;


static void
ws_fail(const char *what)
{
    perror(what);
    exit(1);
}


static void
ws_add(ws_end_t *end)
{
    int                 one;
    struct epoll_event  ev;

    one = 1;
    setsockopt(end->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));

    ev.events = EPOLLIN;
    ev.data.ptr = end;

    if (epoll_ctl(ws_epoll, EPOLL_CTL_ADD, end->fd, &ev) == -1) {
        ws_fail("epoll_ctl");
    }
}


static void
ws_send(ws_end_t *end, const void *data, size_t len)
{
    ssize_t               n;
    const unsigned char  *p;

    for (p = data; len; p += n, len -= n) {
        n = send(end->fd, p, len, MSG_NOSIGNAL);

        if (n <= 0) {
            ws_fail("send");
        }
    }
}


static size_t
ws_head(unsigned char *p, size_t size, int masked)
{
    size_t  n;

    p[0] = 0x82;
    n = 2;

    if (size < 126) {
        p[1] = size;

    } else {
        p[1] = 126;
        p[2] = size >> 8;
        p[3] = size;
        n = 4;
    }

    if (masked) {
        p[1] |= 0x80;
        memcpy(p + n, "mask", 4);
        n += 4;
    }

    return n;
}


/* the size of the payload of a whole frame in buf, -1 if there is none */

static long
ws_frame(ws_end_t *end, size_t *head, size_t *total)
{
    size_t  n, size;

    if (end->have < 2) {
        return -1;
    }

    n = 2;
    size = end->buf[1] & 0x7f;

    if (size == 126) {

        if (end->have < 4) {
            return -1;
        }

        size = end->buf[2] << 8 | end->buf[3];
        n = 4;
    }

    n += (end->buf[1] & 0x80) ? 4 : 0;

    if (end->have < n + size) {
        return -1;
    }

    *head = n;
    *total = n + size;

    return size;
}


static void
ws_drop(ws_end_t *end, size_t n)
{
    end->have -= n;
    memmove(end->buf, end->buf + n, end->have);
}


/* 0: the other side has gone */

static int
ws_read(ws_end_t *end)
{
    ssize_t  n;

    n = recv(end->fd, end->buf + end->have, WS_FRAME - end->have, 0);

    if (n <= 0) {
        return 0;
    }

    end->have += n;
    end->buf[end->have] = '\0';

    return 1;
}


static void
ws_echo(ws_end_t *end)
{
    char           *p;
    long            size, i;
    size_t          head, total;
    unsigned char   out[WS_FRAME];

    static const char  reply[] =
        "HTTP/1.1 101 Switching Protocols\r\n"
        "Upgrade: websocket\r\n"
        "Connection: Upgrade\r\n"
        "Sec-WebSocket-Accept: " WS_ACCEPT "\r\n\r\n";

    if (!end->open) {
        p = strstr((char *) end->buf, "\r\n\r\n");

        if (p == NULL) {
            return;
        }

        ws_drop(end, p + 4 - (char *) end->buf);
        ws_send(end, reply, sizeof(reply) - 1);
        end->open = 1;
    }

    while ((size = ws_frame(end, &head, &total)) >= 0) {

        if ((end->buf[0] & 0x0f) == 8) {
            ws_send(end, "\x88\x02\x03\xe8", 4);

        } else {
            total = ws_head(out, size, 0);

            for (i = 0; i < size; i++) {
                out[total + i] = end->buf[head + i]
                                 ^ end->buf[head - 4 + (i & 3)];
            }

            ws_send(end, out, total + size);
            total = head + size;
        }

        ws_drop(end, total);
    }
}


static void
ws_peer(int port)
{
    int                  fd, i, n, one;
    ws_end_t            *end;
    struct sockaddr_in   sin;
    struct epoll_event   events[WS_EVENTS], ev;

    fd = socket(AF_INET, SOCK_STREAM, 0);
    one = 1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));

    memset(&sin, 0, sizeof(sin));
    sin.sin_family = AF_INET;
    sin.sin_port = htons(port);
    sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);

    if (bind(fd, (struct sockaddr *) &sin, sizeof(sin)) == -1
        || listen(fd, 4096) == -1)
    {
        ws_fail("listen");
    }

    ev.events = EPOLLIN;
    ev.data.ptr = NULL;
    epoll_ctl(ws_epoll, EPOLL_CTL_ADD, fd, &ev);

    printf("ready\n");
    fflush(stdout);

    for ( ;; ) {
        n = epoll_wait(ws_epoll, events, WS_EVENTS, -1);

        for (i = 0; i < n; i++) {
            end = events[i].data.ptr;

            if (end == NULL) {
                end = calloc(1, sizeof(ws_end_t));
                end->fd = accept(fd, NULL, NULL);
                ws_add(end);

            } else if (ws_read(end)) {
                ws_echo(end);

            } else {
                close(end->fd);
                free(end);
            }
        }
    }
}


static ws_end_t *
ws_connect(int port, const char *path)
{
    char                *p, request[512];
    ws_end_t            *end;
    struct sockaddr_in   sin;

    end = calloc(1, sizeof(ws_end_t));
    end->fd = socket(AF_INET, SOCK_STREAM, 0);

    memset(&sin, 0, sizeof(sin));
    sin.sin_family = AF_INET;
    sin.sin_port = htons(port);
    sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);

    if (connect(end->fd, (struct sockaddr *) &sin, sizeof(sin)) == -1) {
        ws_fail("connect");
    }

    ws_add(end);

    snprintf(request, sizeof(request),
             "GET %s HTTP/1.1\r\nHost: bench\r\nUpgrade: websocket\r\n"
             "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
             "Sec-WebSocket-Key: " WS_KEY "\r\n\r\n", path);
    ws_send(end, request, strlen(request));

    do {
        if (!ws_read(end)) {
            ws_fail("handshake");
        }

        p = strstr((char *) end->buf, "\r\n\r\n");
    } while (p == NULL);

    if (strncmp((char *) end->buf, "HTTP/1.1 101", 12) != 0) {
        fprintf(stderr, "%.40s\n", end->buf);
        exit(1);
    }

    ws_drop(end, p + 4 - (char *) end->buf);

    return end;
}


static double
ws_now(void)
{
    struct timespec  ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);

    return ts.tv_sec + ts.tv_nsec / 1e9;
}


static void
ws_load(int port, const char *path, int count, size_t size, double seconds)
{
    int                  i, n;
    char                 line[16];
    double               start, end;
    size_t               len, head, total;
    ws_end_t           **ends, *e;
    struct epoll_event   events[WS_EVENTS];

    static unsigned char  frame[WS_FRAME];

    len = ws_head(frame, size, 1) + size;
    ends = calloc(count, sizeof(ws_end_t *));

    for (i = 0; i < count; i++) {
        ends[i] = ws_connect(port, path);
    }

    printf("ready\n");
    fflush(stdout);

    if (fgets(line, sizeof(line), stdin) == NULL) {
        exit(1);
    }

    start = ws_now();

    for (i = 0; i < count; i++) {
        ws_send(ends[i], frame, len);
    }

    do {
        n = epoll_wait(ws_epoll, events, WS_EVENTS, 100);

        for (i = 0; i < n; i++) {
            e = events[i].data.ptr;

            if (!ws_read(e)) {
                ws_fail("recv");
            }

            while (ws_frame(e, &head, &total) >= 0) {
                ws_drop(e, total);
                ws_done++;
                ws_send(e, frame, len);
            }
        }

        end = ws_now();
    } while (end - start < seconds);

    printf("operations=%ld seconds=%.3f\n", ws_done, end - start);
    fflush(stdout);

    (void) !fgets(line, sizeof(line), stdin);
}


int
main(int argc, char **argv)
{
    ws_epoll = epoll_create1(0);

    if (argc == 3 && strcmp(argv[1], "peer") == 0) {
        ws_peer(atoi(argv[2]));

    } else if (argc == 7 && strcmp(argv[1], "load") == 0) {
        ws_load(atoi(argv[2]), argv[3], atoi(argv[4]), atoi(argv[5]),
                atof(argv[6]));

    } else {
        fprintf(stderr, "usage: ws peer PORT\n"
                "       ws load PORT PATH CONNECTIONS SIZE SECONDS\n");
        return 1;
    }

    return 0;
}
