
/*
 * Copyright (C) ngx_egress authors
 *
 * The client of the measurements.  It drives connections through a proxy and
 * counts; what the proxy spent on them is measured by bench/run from outside.
 *
 *     load MODE [-p PROXY_PORT] [-t TARGET_PORT] [-c CONNECTIONS] [-s SIZE]
 *               [-d SECONDS] [-n OPERATIONS] [-r RATE]
 *
 * With -t the first thing on a connection is CONNECT 127.0.0.1:TARGET_PORT;
 * without it the proxy knows the target.  An operation is in MODE
 *
 *     handshake   connect, CONNECT, SIZE bytes echoed, close
 *     pingpong    SIZE bytes echoed on an open connection
 *     up, down    SIZE bytes moved on an open connection
 *     idle        a connection that was used once (pingpong of SIZE) and waits
 *     get         an absolute-form request on a connection that stays open
 *
 * It prints "ready" when the connections are open, starts at a line on its
 * input, ends after SECONDS or OPERATIONS, prints one line of results, and
 * closes at the end of its input.
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
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>


#define LOAD_BUFFER  (256 * 1024)
#define LOAD_EVENTS  256
#define LOAD_HEAD    1024


typedef enum {
    load_handshake = 0,
    load_pingpong,
    load_up,
    load_down,
    load_idle,
    load_get
} load_mode_e;


typedef enum {
    load_closed = 0,
    load_connecting,
    load_head,                        /* the answer to CONNECT is awaited */
    load_open,                        /* waits for the start */
    load_sending,
    load_receiving
} load_state_e;


typedef struct {
    int            fd;
    load_state_e   state;
    uint32_t       events;            /* what epoll was told */
    size_t         done;              /* of the message of this state */
    size_t         length;            /* of the answer, once it is known */
    char           head[LOAD_HEAD];
} load_conn_t;


static void load_arguments(int argc, char *const *argv);
static void load_usage(void);
static void load_run(void);
static void load_limit_files(void);
static int load_finished(uint64_t start);
static void load_tick(uint64_t start);

static void load_connect(load_conn_t *c);
static void load_reopen(load_conn_t *c, int ok);
static int load_step(load_conn_t *c);
static int load_connected(load_conn_t *c);
static int load_read_head(load_conn_t *c);
static int load_begin(load_conn_t *c);
static int load_send(load_conn_t *c);
static int load_receive(load_conn_t *c);
static int load_response_length(load_conn_t *c, size_t n);
static int load_done(load_conn_t *c);
static int load_stream(load_conn_t *c);
static void load_watch(load_conn_t *c, uint32_t events);
static uint64_t load_now(void);


static const char   *load_names[] = {
    "handshake", "pingpong", "up", "down", "idle", "get", NULL
};

static load_mode_e   load_mode;
static int           load_proxy_port;
static int           load_target_port;
static size_t        load_connections = 1;
static size_t        load_size = 64;
static double        load_seconds = 1;
static uint64_t      load_limit;
static double        load_rate;

static int           load_ep;
static int           load_started;
static size_t        load_ready;      /* connections that are open */
static uint64_t      load_begun;      /* handshakes, to hold the rate */
static uint64_t      load_operations;
static uint64_t      load_bytes;
static uint64_t      load_failed;

static char          load_request[LOAD_HEAD];
static size_t        load_request_length;
static char          load_message[LOAD_BUFFER];
static char          load_buffer[LOAD_BUFFER];
static load_conn_t  *load_conns;


int
main(int argc, char *const *argv)
{
    size_t    i;
    uint64_t  start, ns;

    load_arguments(argc, argv);
    load_limit_files();

    signal(SIGPIPE, SIG_IGN);
    setvbuf(stdout, NULL, _IOLBF, 0);
    memset(load_message, 'x', LOAD_BUFFER);

    load_ep = epoll_create1(0);
    load_conns = calloc(load_connections, sizeof(load_conn_t));

    if (load_conns == NULL) {
        return 1;
    }

    if (load_mode != load_handshake) {
        for (i = 0; i < load_connections; i++) {
            load_connect(&load_conns[i]);

            /* a listen queue is not endless */

            while (i - load_ready > 100 && load_failed == 0) {
                load_run();
            }
        }

        while (load_ready < load_connections && load_failed == 0) {
            load_run();
        }
    }

    printf("ready\n");

    if (getchar() == EOF) {
        return 1;
    }

    load_started = 1;
    start = load_now();

    for (i = 0; i < load_connections; i++) {
        if (load_mode == load_handshake) {
            if (load_rate == 0) {
                load_connect(&load_conns[i]);
            }

        } else if (load_mode != load_idle) {
            load_begin(&load_conns[i]);
        }
    }

    while (!load_finished(start)) {
        load_tick(start);
        load_run();
    }

    ns = load_now() - start;

    printf("operations=%llu bytes=%llu failed=%llu seconds=%.6f\n",
           (unsigned long long) load_operations,
           (unsigned long long) load_bytes,
           (unsigned long long) load_failed, (double) ns / 1e9);

    while (getchar() != EOF) { /* void */ }

    return load_failed != 0;
}


static void
load_arguments(int argc, char *const *argv)
{
    int  o;

    if (argc < 2) {
        load_usage();
    }

    for (o = 0; load_names[o] != NULL; o++) {
        if (strcmp(argv[1], load_names[o]) == 0) {
            break;
        }
    }

    if (load_names[o] == NULL) {
        load_usage();
    }

    load_mode = (load_mode_e) o;
    optind = 2;

    while ((o = getopt(argc, argv, "p:t:c:s:d:n:r:")) != -1) {
        switch (o) {
        case 'p': load_proxy_port = atoi(optarg); break;
        case 't': load_target_port = atoi(optarg); break;
        case 'c': load_connections = strtoul(optarg, NULL, 10); break;
        case 's': load_size = strtoul(optarg, NULL, 10); break;
        case 'd': load_seconds = atof(optarg); break;
        case 'n': load_limit = strtoull(optarg, NULL, 10); break;
        case 'r': load_rate = atof(optarg); break;
        default: load_usage();
        }
    }

    if (load_size == 0 || load_size > LOAD_BUFFER) {
        load_usage();
    }

    if (load_mode == load_get) {
        load_request_length = snprintf(load_message, LOAD_HEAD,
            "GET http://127.0.0.1:%d/ HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n\r\n",
            load_target_port, load_target_port);
        memcpy(load_request, load_message, load_request_length);

    } else if (load_target_port) {
        load_request_length = snprintf(load_request, LOAD_HEAD,
            "CONNECT 127.0.0.1:%d HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n\r\n",
            load_target_port, load_target_port);
    }
}


static void
load_usage(void)
{
    fprintf(stderr, "usage: load handshake|pingpong|up|down|idle|get "
                    "[-p PORT] [-t PORT] [-c N] [-s SIZE] [-d SECONDS] "
                    "[-n OPERATIONS] [-r RATE]\n");
    exit(2);
}


static void
load_limit_files(void)
{
    struct rlimit  limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
}


static void
load_run(void)
{
    int                 i, n;
    load_conn_t        *c;
    struct epoll_event  events[LOAD_EVENTS];

    n = epoll_wait(load_ep, events, LOAD_EVENTS, 1);

    for (i = 0; i < n; i++) {
        c = events[i].data.ptr;

        if (load_step(c) == -1) {
            load_reopen(c, 0);
        }
    }
}


static int
load_finished(uint64_t start)
{
    /* a connection that stays open and did not is not made again */

    if (load_mode == load_idle
        || (load_mode != load_handshake && load_failed))
    {
        return 1;
    }

    if (load_limit) {
        return load_operations + load_failed >= load_limit;
    }

    return (double) (load_now() - start) >= load_seconds * 1e9;
}


/* With a rate, handshakes begin when they are due. */

static void
load_tick(uint64_t start)
{
    size_t    i;
    uint64_t  due;

    if (load_rate == 0) {
        return;
    }

    due = (uint64_t) ((double) (load_now() - start) / 1e9 * load_rate);

    for (i = 0; i < load_connections && load_begun < due; i++) {
        if (load_conns[i].state == load_closed) {
            load_begun++;
            load_connect(&load_conns[i]);
        }
    }
}


static void
load_connect(load_conn_t *c)
{
    int                 on;
    struct sockaddr_in  sin;

    memset(&sin, 0, sizeof(struct sockaddr_in));
    sin.sin_family = AF_INET;
    sin.sin_port = htons((uint16_t) load_proxy_port);
    sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);

    c->events = 0;
    c->done = 0;
    c->state = load_connecting;
    c->fd = socket(AF_INET, SOCK_STREAM|SOCK_NONBLOCK, 0);

    on = 1;
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(int));

    if (c->fd == -1
        || (connect(c->fd, (struct sockaddr *) &sin, sizeof(sin)) == -1
            && errno != EINPROGRESS))
    {
        perror("load: connect");
        exit(1);
    }

    load_watch(c, EPOLLOUT);
}


/* The end of a connection, wanted or not; the next handshake follows. */

static void
load_reopen(load_conn_t *c, int ok)
{
    if (!ok) {
        load_failed++;
    }

    close(c->fd);
    c->state = load_closed;

    if (load_mode == load_handshake && load_rate == 0) {
        load_connect(c);
    }
}


static int
load_step(load_conn_t *c)
{
    switch (c->state) {

    case load_connecting:
        return load_connected(c);

    case load_head:
        return load_read_head(c);

    case load_sending:
        return load_mode == load_up ? load_stream(c) : load_send(c);

    case load_receiving:
        return load_mode == load_down ? load_stream(c) : load_receive(c);

    case load_open:
        return -1;                    /* closed by the proxy */

    case load_closed:
        break;
    }

    return 0;
}


static int
load_connected(load_conn_t *c)
{
    int        err;
    socklen_t  len;

    err = 0;
    len = sizeof(int);

    if (getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &err, &len) == -1 || err) {
        return -1;
    }

    if (load_mode == load_get || load_target_port == 0) {
        return load_begin(c);
    }

    if (send(c->fd, load_request, load_request_length, 0)
        != (ssize_t) load_request_length)
    {
        return -1;
    }

    c->state = load_head;
    load_watch(c, EPOLLIN);

    return 0;
}


static int
load_read_head(load_conn_t *c)
{
    ssize_t  n;

    n = recv(c->fd, c->head + c->done, LOAD_HEAD - 1 - c->done, 0);

    if (n <= 0) {
        return (n == -1 && errno == EAGAIN) ? 0 : -1;
    }

    c->done += n;
    c->head[c->done] = '\0';

    if (strstr(c->head, "\r\n\r\n") == NULL) {
        return 0;
    }

    if (strncmp(c->head, "HTTP/1.1 200", 12) != 0) {
        return -1;
    }

    return load_begin(c);
}


/* The tunnel is open: the first message, or the start is awaited. */

static int
load_begin(load_conn_t *c)
{
    int  first;

    first = (c->state == load_connecting || c->state == load_head);

    if (first && load_mode != load_handshake && load_mode != load_idle) {
        load_ready++;
        c->state = load_open;
        load_watch(c, EPOLLRDHUP);
        return 0;
    }

    c->done = 0;
    c->length = 0;

    if (load_mode == load_down) {
        c->state = load_receiving;
        load_watch(c, EPOLLIN);
        return 0;
    }

    c->state = load_sending;

    if (load_mode == load_up) {
        load_watch(c, EPOLLOUT);
        return 0;
    }

    return load_send(c);
}


static int
load_send(load_conn_t *c)
{
    size_t   size;
    ssize_t  n;

    size = (load_mode == load_get) ? load_request_length : load_size;

    n = send(c->fd, (load_mode == load_get ? load_request : load_message)
                    + c->done,
             size - c->done, 0);

    if (n == -1) {
        if (errno != EAGAIN) {
            return -1;
        }

        n = 0;
    }

    c->done += n;

    if (c->done < size) {
        load_watch(c, EPOLLOUT);
        return 0;
    }

    c->done = 0;
    c->state = load_receiving;
    load_watch(c, EPOLLIN);

    return 0;
}


static int
load_receive(load_conn_t *c)
{
    ssize_t  n;

    n = recv(c->fd, load_buffer, LOAD_BUFFER - 1, 0);

    if (n <= 0) {
        return (n == -1 && errno == EAGAIN) ? 0 : -1;
    }

    if (load_mode == load_get && c->length == 0) {
        if (load_response_length(c, n) == -1) {
            return -1;
        }
    }

    c->done += n;
    load_bytes += n;

    if (c->done < (load_mode == load_get ? c->length : load_size)) {
        return 0;
    }

    return load_done(c);
}


/* The head and Content-Length of a response are expected in one piece. */

static int
load_response_length(load_conn_t *c, size_t n)
{
    char  *end, *length;

    load_buffer[n] = '\0';

    end = strstr(load_buffer, "\r\n\r\n");
    length = strcasestr(load_buffer, "\r\ncontent-length:");

    if (end == NULL || length == NULL
        || strncmp(load_buffer, "HTTP/1.1 200", 12) != 0)
    {
        return -1;
    }

    c->length = end + 4 - load_buffer + strtoul(length + 17, NULL, 10);

    return 0;
}


static int
load_done(load_conn_t *c)
{
    load_operations++;

    switch (load_mode) {

    case load_handshake:
        load_reopen(c, 1);
        return 0;

    case load_idle:
        load_ready++;
        c->state = load_open;
        load_watch(c, EPOLLRDHUP);
        return 0;

    default:
        return load_begin(c);
    }
}


static int
load_stream(load_conn_t *c)
{
    ssize_t  n;

    if (load_mode == load_up) {
        n = send(c->fd, load_message, LOAD_BUFFER, 0);

    } else {
        n = recv(c->fd, load_buffer, LOAD_BUFFER, 0);
    }

    if (n <= 0) {
        return (n == -1 && errno == EAGAIN) ? 0 : -1;
    }

    load_bytes += n;
    load_operations = load_bytes / load_size;

    return 0;
}


static void
load_watch(load_conn_t *c, uint32_t events)
{
    struct epoll_event  ee;

    if (c->events == events) {
        return;
    }

    memset(&ee, 0, sizeof(struct epoll_event));
    ee.events = events;
    ee.data.ptr = c;

    epoll_ctl(load_ep, c->events ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, c->fd, &ee);
    c->events = events;
}


static uint64_t
load_now(void)
{
    struct timespec  ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);

    return (uint64_t) ts.tv_sec * 1000000000 + ts.tv_nsec;
}
