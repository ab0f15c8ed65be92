/*
 * Copyright (C) ngx_egress authors
 *
 * Load for bench/relay: clients and their origin in one epoll loop, which
 * measures what a proxy between them spends.
 *
 *     load MODE [NAME=VALUE ...]
 *
 *     handshake  connect, 64 bytes there and back, close
 *     pingpong   "size" bytes there and back over open tunnels
 *     down, up   "size" bytes from or to the origin over each tunnel
 *     idle       one "pingpong" over each tunnel, then they are left open
 *
 *     port=N     of the proxy on 127.0.0.1; 0: the origin itself (direct)
 *     connect=1  an HTTP proxy: CONNECT to the origin comes first
 *     origin=N   port of the origin, which listens on 127.0.0.1
 *     pid=N      the proxy's worker
 *     tunnels=N  at once (64)
 *     count=N    handshakes or messages in all (10000)
 *     size=N     bytes (64)
 *
 * Prints "ops=N cpu_ns=N wall_ns=N pss=N": operations or bytes moved, CPU time
 * of the worker meanwhile, by which many bytes its memory has grown.  Setting
 * up tunnels is counted for "handshake" only.  Exits with 1 on any failure.
 */

#define _GNU_SOURCE

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
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


#define CHUNK      (256 * 1024)
#define HEAD       16              /* what a client tells its origin first */
#define AT_ONCE    64              /* tunnels being opened */
#define TIMEOUT    60


typedef enum {
    client_proxy = 0,              /* waits for the reply to CONNECT */
    client_ready,                  /* open, waits for the others */
    client_echo,                   /* waits for "left" bytes of an echo */
    client_read,                   /* reads to the end */
    client_write,                  /* "left" bytes to go */
    client_end,                    /* waits for the origin's end */
    client_idle,
    origin_head,
    origin_echo,
    origin_sink,
    origin_source                  /* "left" bytes to go */
} state_e;


typedef struct {
    int         fd;
    state_e     state;
    uint64_t    left;
    uint32_t    events;
    size_t      got;
    char        text[512];         /* of a head */
} conn_t;


static void configure(int argc, char **argv);
static void listen_origin(void);
static void accept_origin(void);
static void start_clients(void);
static void start_client(void);
static void client_open(conn_t *c);
static void client_begin(conn_t *c);
static void send_echo(conn_t *c);
static void on_event(conn_t *c);
static void on_proxy(conn_t *c);
static void on_echo(conn_t *c);
static void echo_done(conn_t *c);
static void on_read(conn_t *c);
static void on_write(conn_t *c);
static void on_head(conn_t *c);
static void on_origin_echo(conn_t *c);
static void finished(conn_t *c);

static void watch(conn_t *c, uint32_t events);
static void drop(conn_t *c);
static void put(int fd, const void *p, size_t n);
static void begin_measuring(void);
static uint64_t cpu_ns(void);
static uint64_t pss(void);
static uint64_t now_ns(void);
static void die(const char *what);


static const char  *mode;
static long         port, use_connect, origin_port, pid;
static long         tunnels = 64, count = 10000, size = 64;

static char         chunk[CHUNK];
static int          ep, listener;
static long         started, opened, ended, sent;
static uint64_t     moved, cpu_0, wall_0, pss_0;


int
main(int argc, char **argv)
{
    int                 i, n;
    struct rlimit       rlmt;
    struct epoll_event  ee[256];

    configure(argc, argv);

    signal(SIGPIPE, SIG_IGN);
    alarm(TIMEOUT);

    if (getrlimit(RLIMIT_NOFILE, &rlmt) == 0) {
        rlmt.rlim_cur = rlmt.rlim_max;
        (void) setrlimit(RLIMIT_NOFILE, &rlmt);
    }

    ep = epoll_create1(0);
    listen_origin();

    if (mode[0] == 'h' || mode[0] == 'i') {
        begin_measuring();
    }

    while (ended < ((mode[0] == 'h') ? count : tunnels)) {

        start_clients();

        n = epoll_wait(ep, ee, 256, -1);

        for (i = 0; i < n; i++) {

            if (ee[i].data.ptr == NULL) {
                accept_origin();

            } else {
                on_event(ee[i].data.ptr);
            }
        }
    }

    printf("ops=%llu cpu_ns=%llu wall_ns=%llu pss=%lld\n",
           (unsigned long long) moved,
           (unsigned long long) (cpu_ns() - cpu_0),
           (unsigned long long) (now_ns() - wall_0),
           (long long) (pss() - pss_0));

    return 0;
}


static void
configure(int argc, char **argv)
{
    int     i;
    size_t  k;

    static struct {
        const char  *name;
        long        *value;
    } args[] = {
        { "port=", &port },
        { "connect=", &use_connect },
        { "origin=", &origin_port },
        { "pid=", &pid },
        { "tunnels=", &tunnels },
        { "count=", &count },
        { "size=", &size },
        { NULL, NULL }
    };

    if (argc < 2) {
        die("usage: load MODE [NAME=VALUE ...]");
    }

    mode = argv[1];

    for (i = 2; i < argc; i++) {

        for (k = 0; args[k].name; k++) {

            if (strncmp(argv[i], args[k].name, strlen(args[k].name)) == 0) {
                *args[k].value = atol(strchr(argv[i], '=') + 1);
                break;
            }
        }

        if (args[k].name == NULL) {
            die(argv[i]);
        }
    }

    if (port == 0) {
        port = origin_port;
    }
}


static void
listen_origin(void)
{
    int                 one;
    struct sockaddr_in  sin;
    struct epoll_event  ee;

    memset(&sin, 0, sizeof(sin));

    sin.sin_family = AF_INET;
    sin.sin_port = htons(origin_port);
    sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);

    one = 1;
    listener = socket(AF_INET, SOCK_STREAM|SOCK_NONBLOCK, 0);

    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(int));

    if (bind(listener, (struct sockaddr *) &sin, sizeof(sin)) == -1
        || listen(listener, 4096) == -1)
    {
        die("listen");
    }

    ee.events = EPOLLIN;
    ee.data.ptr = NULL;

    epoll_ctl(ep, EPOLL_CTL_ADD, listener, &ee);
}


static void
accept_origin(void)
{
    int      fd, one;
    conn_t  *c;

    one = 1;
    fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK);

    if (fd == -1) {
        return;
    }

    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(int));

    c = calloc(1, sizeof(conn_t));
    c->fd = fd;
    c->state = origin_head;

    watch(c, EPOLLIN);
}


static void
start_clients(void)
{
    if (mode[0] == 'h') {

        while (started < count && started - ended < tunnels) {
            start_client();
        }

        return;
    }

    while (started < tunnels && started - opened < AT_ONCE) {
        start_client();
    }
}


static void
start_client(void)
{
    int                 one, n;
    conn_t             *c;
    struct sockaddr_in  sin;

    c = calloc(1, sizeof(conn_t));

    memset(&sin, 0, sizeof(sin));

    sin.sin_family = AF_INET;
    sin.sin_port = htons(port);
    sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);

    one = 1;
    c->fd = socket(AF_INET, SOCK_STREAM, 0);

    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(int));

    /* on loopback this blocks for a full backlog only */

    if (connect(c->fd, (struct sockaddr *) &sin, sizeof(sin)) == -1) {
        die("connect");
    }

    fcntl(c->fd, F_SETFL, O_NONBLOCK);

    started++;
    watch(c, EPOLLIN);

    if (use_connect) {
        n = sprintf(c->text, "CONNECT 127.0.0.1:%ld HTTP/1.1\r\n"
                    "Host: 127.0.0.1:%ld\r\n\r\n", origin_port, origin_port);
        put(c->fd, c->text, n);

        c->state = client_proxy;
        return;
    }

    client_open(c);
}


/* Handshakes go on alone, everything else begins when all tunnels are open. */

static void
client_open(conn_t *c)
{
    static conn_t  **waiting;
    long             i;

    if (mode[0] == 'h' || mode[0] == 'i') {
        opened++;
        client_begin(c);
        return;
    }

    if (waiting == NULL) {
        waiting = calloc(tunnels, sizeof(conn_t *));
    }

    c->state = client_ready;
    waiting[opened++] = c;

    if (opened < tunnels) {
        return;
    }

    begin_measuring();

    for (i = 0; i < tunnels; i++) {
        client_begin(waiting[i]);
    }
}


static void
client_begin(conn_t *c)
{
    char  head[HEAD + 1];

    snprintf(head, sizeof(head), "%c%-15ld",
             (mode[0] == 'd' || mode[0] == 'u') ? mode[0] : 'e', size);

    put(c->fd, head, HEAD);

    switch (mode[0]) {

    case 'd':
        c->state = client_read;
        break;

    case 'u':
        c->state = client_write;
        c->left = size;
        watch(c, EPOLLOUT);
        break;

    default:
        c->state = client_echo;
        send_echo(c);
    }
}


static void
send_echo(conn_t *c)
{
    sent++;
    c->left = size;
    put(c->fd, chunk, size);
}


static void
on_event(conn_t *c)
{
    switch (c->state) {

    case client_proxy:
        on_proxy(c);
        return;

    case client_echo:
        on_echo(c);
        return;

    case client_read:
    case client_end:
    case origin_sink:
        on_read(c);
        return;

    case client_write:
    case origin_source:
        on_write(c);
        return;

    case origin_head:
        on_head(c);
        return;

    case origin_echo:
        on_origin_echo(c);
        return;

    default:
        die("a tunnel ended early");
    }
}


static void
on_proxy(conn_t *c)
{
    ssize_t  n;

    n = recv(c->fd, c->text + c->got, sizeof(c->text) - 1 - c->got, 0);

    if (n <= 0) {
        die("no reply to CONNECT");
    }

    c->got += n;
    c->text[c->got] = '\0';

    if (strstr(c->text, "\r\n\r\n") == NULL) {
        return;
    }

    if (strncmp(c->text + 8, " 200", 4) != 0) {
        die(c->text);
    }

    client_open(c);
}


static void
on_echo(conn_t *c)
{
    ssize_t  n;

    n = recv(c->fd, chunk, sizeof(chunk), 0);

    if (n == -1 && errno == EAGAIN) {
        return;
    }

    if (n <= 0) {
        die("echo");
    }

    c->left -= n;

    if (c->left == 0) {
        echo_done(c);
    }
}


static void
echo_done(conn_t *c)
{
    moved++;

    switch (mode[0]) {

    case 'h':
        drop(c);
        ended++;
        return;

    case 'i':
        c->state = client_idle;
        ended++;
        return;

    default:

        if (sent < count) {
            send_echo(c);
            return;
        }

        c->state = client_idle;
        ended++;
    }
}


/* Bytes are not copied out: the ends should cost little. */

static void
on_read(conn_t *c)
{
    ssize_t  n;

    n = recv(c->fd, chunk, sizeof(chunk), MSG_TRUNC);

    if (n == -1) {

        if (errno == EAGAIN) {
            return;
        }

        die("recv");
    }

    if (n > 0) {

        if (c->state == client_read || c->state == origin_sink) {
            moved += n;
        }

        return;
    }

    if (c->state != origin_sink) {
        ended++;
    }

    drop(c);
}


static void
on_write(conn_t *c)
{
    ssize_t  n;

    n = send(c->fd, chunk, (c->left < CHUNK) ? c->left : CHUNK, 0);

    if (n == -1) {

        if (errno == EAGAIN) {
            return;
        }

        die("send");
    }

    c->left -= n;

    if (c->left == 0) {
        finished(c);
    }
}


static void
finished(conn_t *c)
{
    if (c->state == client_write) {
        shutdown(c->fd, SHUT_WR);
        c->state = client_end;
        watch(c, EPOLLIN);
        return;
    }

    drop(c);
}


static void
on_head(conn_t *c)
{
    ssize_t  n;

    n = recv(c->fd, c->text + c->got, HEAD - c->got, 0);

    if (n <= 0) {

        if (n == -1 && errno == EAGAIN) {
            return;
        }

        drop(c);
        return;
    }

    c->got += n;

    if (c->got < HEAD) {
        return;
    }

    c->left = strtoul(c->text + 1, NULL, 10);

    switch (c->text[0]) {

    case 'd':
        c->state = origin_source;
        watch(c, EPOLLOUT);
        break;

    case 'u':
        c->state = origin_sink;
        break;

    default:
        c->state = origin_echo;
        on_origin_echo(c);
    }
}


static void
on_origin_echo(conn_t *c)
{
    ssize_t  n;

    n = recv(c->fd, chunk, sizeof(chunk), 0);

    if (n > 0) {
        put(c->fd, chunk, n);
        return;
    }

    if (n == -1 && errno == EAGAIN) {
        return;
    }

    drop(c);
}


static void
watch(conn_t *c, uint32_t events)
{
    struct epoll_event  ee;

    ee.events = events;
    ee.data.ptr = c;

    if (epoll_ctl(ep, c->events ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, c->fd, &ee)
        == -1)
    {
        die("epoll_ctl");
    }

    c->events = events;
}


static void
drop(conn_t *c)
{
    close(c->fd);
    free(c);
}


/* What is put is so little that socket buffers always take it. */

static void
put(int fd, const void *p, size_t n)
{
    if (send(fd, p, n, 0) != (ssize_t) n) {
        die("a short write");
    }
}


static void
begin_measuring(void)
{
    pss_0 = pss();
    cpu_0 = cpu_ns();
    wall_0 = now_ns();
}


/* What the scheduler counted is finer than the ticks of "stat". */

static uint64_t
cpu_ns(void)
{
    FILE                *f;
    char                 path[64];
    unsigned long        utime, stime;
    unsigned long long   ns;

    if (pid == 0) {
        return 0;
    }

    snprintf(path, sizeof(path), "/proc/%ld/schedstat", pid);
    f = fopen(path, "r");

    if (f && fscanf(f, "%llu", &ns) == 1 && ns) {
        fclose(f);
        return ns;
    }

    if (f) {
        fclose(f);
    }

    snprintf(path, sizeof(path), "/proc/%ld/stat", pid);
    f = fopen(path, "r");

    if (f == NULL
        || fscanf(f, "%*d (%*[^)]) %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u"
                     " %*u %lu %lu", &utime, &stime) != 2)
    {
        die("the worker is gone");
    }

    fclose(f);

    return (utime + stime) * (1000000000ull / sysconf(_SC_CLK_TCK));
}


static uint64_t
pss(void)
{
    FILE           *f;
    char            path[64], line[256];
    unsigned long   kb;

    if (pid == 0) {
        return 0;
    }

    snprintf(path, sizeof(path), "/proc/%ld/smaps_rollup", pid);

    f = fopen(path, "r");
    if (f == NULL) {
        die("smaps_rollup");
    }

    kb = 0;

    while (fgets(line, sizeof(line), f)) {

        if (sscanf(line, "Pss: %lu", &kb) == 1) {
            break;
        }
    }

    fclose(f);

    return (uint64_t) kb * 1024;
}


static uint64_t
now_ns(void)
{
    struct timespec  ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);

    return ts.tv_sec * 1000000000ull + ts.tv_nsec;
}


static void
die(const char *what)
{
    fprintf(stderr, "load: %s: %s\n", what, strerror(errno));
    exit(1);
}
