
/*
 * Copyright (C) ngx_egress authors
 *
 * The target of the measurements: three ports on loopback, one that echoes,
 * one that only reads and one that only writes.  One process, one thread; its
 * cost is the same for every proxy that is measured.
 *
 *     peer ECHO_PORT SINK_PORT SOURCE_PORT
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
#include <unistd.h>


#define PEER_BUFFER  (256 * 1024)
#define PEER_EVENTS  256
#define PEER_MAX_FD  65536


typedef enum {
    peer_none = 0,
    peer_echo,
    peer_sink,
    peer_source
} peer_kind_e;


typedef struct {
    peer_kind_e   kind;
    unsigned      listening:1;
    size_t        rest;               /* echoed bytes that were not taken */
    char         *bytes;
} peer_socket_t;


static void peer_listen(int ep, int port, peer_kind_e kind);
static void peer_accept(int ep, int fd);
static int peer_serve(int ep, int fd, uint32_t events);
static int peer_serve_echo(int ep, int fd);
static int peer_send_rest(int ep, int fd);
static void peer_watch(int ep, int fd, uint32_t events, int op);


static char           peer_buffer[PEER_BUFFER];
static peer_socket_t  peer_sockets[PEER_MAX_FD];


int
main(int argc, char *const *argv)
{
    int                 ep, i, n, fd;
    struct epoll_event  events[PEER_EVENTS];

    if (argc != 4) {
        fprintf(stderr, "usage: peer ECHO_PORT SINK_PORT SOURCE_PORT\n");
        return 2;
    }

    signal(SIGPIPE, SIG_IGN);

    ep = epoll_create1(0);

    peer_listen(ep, atoi(argv[1]), peer_echo);
    peer_listen(ep, atoi(argv[2]), peer_sink);
    peer_listen(ep, atoi(argv[3]), peer_source);

    printf("ready\n");
    fflush(stdout);

    for ( ;; ) {
        n = epoll_wait(ep, events, PEER_EVENTS, -1);

        for (i = 0; i < n; i++) {
            fd = events[i].data.fd;

            if (peer_sockets[fd].listening) {
                peer_accept(ep, fd);

            } else if (peer_serve(ep, fd, events[i].events) == -1) {
                free(peer_sockets[fd].bytes);
                memset(&peer_sockets[fd], 0, sizeof(peer_socket_t));
                close(fd);
            }
        }
    }
}


static void
peer_listen(int ep, int port, peer_kind_e kind)
{
    int                 fd, on;
    struct sockaddr_in  sin;

    fd = socket(AF_INET, SOCK_STREAM|SOCK_NONBLOCK, 0);

    memset(&sin, 0, sizeof(struct sockaddr_in));
    sin.sin_family = AF_INET;
    sin.sin_port = htons((uint16_t) port);
    sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);

    on = 1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(int));

    if (fd == -1
        || bind(fd, (struct sockaddr *) &sin, sizeof(sin)) == -1
        || listen(fd, 4096) == -1)
    {
        perror("peer");
        exit(1);
    }

    peer_sockets[fd].kind = kind;
    peer_sockets[fd].listening = 1;

    peer_watch(ep, fd, EPOLLIN, EPOLL_CTL_ADD);
}


static void
peer_accept(int ep, int fd)
{
    int  s, on;

    for ( ;; ) {
        s = accept4(fd, NULL, NULL, SOCK_NONBLOCK);
        if (s == -1) {
            return;
        }

        if (s >= PEER_MAX_FD) {
            close(s);
            continue;
        }

        on = 1;
        setsockopt(s, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(int));

        peer_sockets[s].kind = peer_sockets[fd].kind;

        peer_watch(ep, s, peer_sockets[s].kind == peer_source ? EPOLLOUT
                                                              : EPOLLIN,
                   EPOLL_CTL_ADD);
    }
}


static int
peer_serve(int ep, int fd, uint32_t events)
{
    ssize_t  n;

    if (peer_sockets[fd].kind == peer_echo) {
        return (events & EPOLLOUT) ? peer_send_rest(ep, fd)
                                   : peer_serve_echo(ep, fd);
    }

    if (peer_sockets[fd].kind == peer_sink) {
        n = recv(fd, peer_buffer, PEER_BUFFER, 0);
        return (n > 0 || (n == -1 && errno == EAGAIN)) ? 0 : -1;
    }

    if (events & (EPOLLERR|EPOLLHUP)) {
        return -1;
    }

    n = send(fd, peer_buffer, PEER_BUFFER, 0);

    return (n > 0 || errno == EAGAIN) ? 0 : -1;
}


static int
peer_serve_echo(int ep, int fd)
{
    ssize_t         n, sent;
    peer_socket_t  *s;

    n = recv(fd, peer_buffer, PEER_BUFFER, 0);

    if (n <= 0) {
        return (n == -1 && errno == EAGAIN) ? 0 : -1;
    }

    sent = send(fd, peer_buffer, n, 0);

    if (sent == n) {
        return 0;
    }

    if (sent == -1) {
        if (errno != EAGAIN) {
            return -1;
        }

        sent = 0;
    }

    s = &peer_sockets[fd];
    s->rest = n - sent;
    s->bytes = malloc(s->rest);

    if (s->bytes == NULL) {
        return -1;
    }

    memcpy(s->bytes, peer_buffer + sent, s->rest);
    peer_watch(ep, fd, EPOLLOUT, EPOLL_CTL_MOD);

    return 0;
}


static int
peer_send_rest(int ep, int fd)
{
    ssize_t         n;
    peer_socket_t  *s;

    s = &peer_sockets[fd];

    n = send(fd, s->bytes, s->rest, 0);

    if (n == -1) {
        return errno == EAGAIN ? 0 : -1;
    }

    s->rest -= n;
    memmove(s->bytes, s->bytes + n, s->rest);

    if (s->rest == 0) {
        free(s->bytes);
        s->bytes = NULL;
        peer_watch(ep, fd, EPOLLIN, EPOLL_CTL_MOD);
    }

    return 0;
}


static void
peer_watch(int ep, int fd, uint32_t events, int op)
{
    struct epoll_event  ee;

    memset(&ee, 0, sizeof(struct epoll_event));
    ee.events = events;
    ee.data.fd = fd;

    epoll_ctl(ep, op, fd, &ee);
}
