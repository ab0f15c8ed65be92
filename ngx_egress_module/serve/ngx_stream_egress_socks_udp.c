
/*
 * Copyright (C) ngx_egress authors
 *
 * UDP ASSOCIATE of SOCKS5: a socket for the client's datagrams, bound where it
 * came to; its address is the reply.  The association lives as long as the
 * connection that asked for it; what it relays is no concern of this file.
 */


#include "ngx_stream_egress_socks.h"


#define NGX_STREAM_EGRESS_SOCKS_PORTS  64      /* of a range, tried at most */


static ngx_egress_udp_t *ngx_stream_egress_socks_udp_create(
    ngx_stream_egress_ctx_t *ctx, ngx_uint_t *reason);
static ngx_int_t ngx_stream_egress_socks_udp_owner(
    ngx_stream_egress_ctx_t *ctx, ngx_egress_udp_t *udp,
    ngx_sockaddr_t *local, socklen_t *len);
static socklen_t ngx_stream_egress_socks_unmap(ngx_sockaddr_t *to,
    struct sockaddr *sa);
static ngx_int_t ngx_stream_egress_socks_udp_open(
    ngx_stream_egress_ctx_t *ctx, ngx_egress_udp_t *udp,
    ngx_sockaddr_t *local, socklen_t len);
static ngx_int_t ngx_stream_egress_socks_udp_bind(
    ngx_stream_egress_socks_conf_t *scf, ngx_socket_t s,
    ngx_sockaddr_t *local, socklen_t len, ngx_log_t *log);
static ngx_connection_t *ngx_stream_egress_socks_udp_connection(
    ngx_socket_t s, ngx_log_t *log);
static void ngx_stream_egress_socks_associated(ngx_stream_egress_ctx_t *ctx);
static void ngx_stream_egress_socks_echo(
    ngx_stream_egress_socks_conf_t *scf, ngx_egress_addr_t *addr,
    u_char *text);
static void ngx_stream_egress_socks_udp_start(ngx_stream_egress_ctx_t *ctx);
static void ngx_stream_egress_socks_control(ngx_event_t *ev);
static void ngx_stream_egress_socks_control_read(
    ngx_stream_egress_ctx_t *ctx);


void
ngx_stream_egress_socks_associate(ngx_stream_egress_ctx_t *ctx)
{
    ngx_uint_t          reason;
    ngx_egress_task_t  *task;

    task = ctx->task;

    /* what a client says here is where it will send from, and often wrong */

    ngx_memzero(&task->target, sizeof(ngx_egress_addr_t));

    task->udp = ngx_stream_egress_socks_udp_create(ctx, &reason);

    if (task->udp == NULL) {
        ngx_stream_egress_refuse(ctx, reason);
        return;
    }

    ctx->connected = ngx_stream_egress_socks_associated;

    ngx_stream_egress_connect(ctx);
}


static ngx_egress_udp_t *
ngx_stream_egress_socks_udp_create(ngx_stream_egress_ctx_t *ctx,
    ngx_uint_t *reason)
{
    socklen_t                        len;
    ngx_sockaddr_t                   local;
    ngx_egress_udp_t                *udp;
    ngx_stream_egress_socks_conf_t  *scf;

    *reason = NGX_EGRESS_INTERNAL;

    scf = ngx_stream_get_module_srv_conf(ctx->session,
                                         ngx_stream_egress_socks_module);

    udp = ngx_pcalloc(ctx->task->pool, sizeof(ngx_egress_udp_t));
    if (udp == NULL) {
        return NULL;
    }

    udp->task = ctx->task;
    udp->initial_timeout = scf->initial_timeout;
    udp->limit = scf->limit;
    udp->receive_buffer = scf->receive_buffer;
    udp->send_buffer = scf->send_buffer;
    udp->single = (scf->udp == NGX_STREAM_EGRESS_SOCKS_UDP_CONNECT);

    if (ngx_stream_egress_socks_udp_owner(ctx, udp, &local, &len) != NGX_OK) {
        *reason = NGX_EGRESS_UNSUPPORTED;
        return NULL;
    }

    if (ngx_stream_egress_socks_udp_open(ctx, udp, &local, len) != NGX_OK) {
        *reason = NGX_EGRESS_BIND_FAILED;
        return NULL;
    }

    return udp;
}


/* Who may send, and where to: an address of the same family. */

static ngx_int_t
ngx_stream_egress_socks_udp_owner(ngx_stream_egress_ctx_t *ctx,
    ngx_egress_udp_t *udp, ngx_sockaddr_t *local, socklen_t *len)
{
    ngx_addr_t                      *addr;
    ngx_array_t                     *bind;
    ngx_sockaddr_t                   sa;
    ngx_connection_t                *c;
    ngx_stream_egress_socks_conf_t  *scf;

    c = ctx->session->connection;

    scf = ngx_stream_get_module_srv_conf(ctx->session,
                                         ngx_stream_egress_socks_module);

    udp->owner_len = ngx_stream_egress_socks_unmap(&udp->owner, c->sockaddr);

    if (udp->owner_len == 0) {
        ngx_log_error(NGX_LOG_INFO, c->log, 0,
                      "client of UDP ASSOCIATE has no IP address");
        return NGX_ERROR;
    }

    ngx_inet_set_port(&udp->owner.sockaddr, 0);

    bind = (udp->owner.sockaddr.sa_family == AF_INET) ? scf->bind4
                                                      : scf->bind6;

    if (bind) {
        addr = bind->elts;
        addr += ngx_random() % bind->nelts;

        *len = addr->socklen;
        ngx_memcpy(local, addr->sockaddr, addr->socklen);

        return NGX_OK;
    }

    if (ngx_stream_egress_local(c, &sa) == 0) {
        return NGX_ERROR;
    }

    *len = ngx_stream_egress_socks_unmap(local, &sa.sockaddr);

    if (*len == 0
        || local->sockaddr.sa_family != udp->owner.sockaddr.sa_family)
    {
        ngx_log_error(NGX_LOG_INFO, c->log, 0,
                      "no local address for UDP ASSOCIATE");
        return NGX_ERROR;
    }

    return NGX_OK;
}


/* An IPv4 client of an IPv6 socket is one of IPv4; 0: neither */

static socklen_t
ngx_stream_egress_socks_unmap(ngx_sockaddr_t *to, struct sockaddr *sa)
{
#if (NGX_HAVE_INET6)
    struct sockaddr_in6  *sin6;
#endif

    ngx_memzero(to, sizeof(ngx_sockaddr_t));

    switch (sa->sa_family) {

    case AF_INET:
        ngx_memcpy(to, sa, sizeof(struct sockaddr_in));
        return sizeof(struct sockaddr_in);

#if (NGX_HAVE_INET6)
    case AF_INET6:
        sin6 = (struct sockaddr_in6 *) sa;

        if (IN6_IS_ADDR_V4MAPPED(&sin6->sin6_addr)) {
            to->sockaddr_in.sin_family = AF_INET;
            to->sockaddr_in.sin_port = sin6->sin6_port;
            ngx_memcpy(&to->sockaddr_in.sin_addr,
                       &sin6->sin6_addr.s6_addr[12], 4);

            return sizeof(struct sockaddr_in);
        }

        ngx_memcpy(to, sa, sizeof(struct sockaddr_in6));
        return sizeof(struct sockaddr_in6);
#endif

    default:
        return 0;
    }
}


static ngx_int_t
ngx_stream_egress_socks_udp_open(ngx_stream_egress_ctx_t *ctx,
    ngx_egress_udp_t *udp, ngx_sockaddr_t *local, socklen_t len)
{
    int                              one;
    ngx_log_t                       *log;
    ngx_socket_t                     s;
    ngx_stream_egress_socks_conf_t  *scf;

    log = ctx->session->connection->log;

    scf = ngx_stream_get_module_srv_conf(ctx->session,
                                         ngx_stream_egress_socks_module);

    s = socket(local->sockaddr.sa_family,
               SOCK_DGRAM|SOCK_NONBLOCK|SOCK_CLOEXEC, 0);

    if (s == (ngx_socket_t) -1) {
        ngx_log_error(NGX_LOG_CRIT, log, ngx_socket_errno,
                      ngx_socket_n " failed");
        return NGX_ERROR;
    }

    one = 1;

    if (local->sockaddr.sa_family == AF_INET6
        && setsockopt(s, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(int)) == -1)
    {
        ngx_log_error(NGX_LOG_CRIT, log, ngx_socket_errno,
                      "setsockopt(IPV6_V6ONLY) failed, ignored");
    }

    ngx_egress_udp_set_buffers(s, scf->receive_buffer, scf->send_buffer, log);

    if (ngx_stream_egress_socks_udp_bind(scf, s, local, len, log) == NGX_OK) {
        udp->client = ngx_stream_egress_socks_udp_connection(s, log);
    }

    if (udp->client) {
        return NGX_OK;
    }

    if (ngx_close_socket(s) == -1) {
        ngx_log_error(NGX_LOG_ALERT, log, ngx_socket_errno,
                      ngx_close_socket_n " failed");
    }

    return NGX_ERROR;
}


/* A range is tried from a random port on. */

static ngx_int_t
ngx_stream_egress_socks_udp_bind(ngx_stream_egress_socks_conf_t *scf,
    ngx_socket_t s, ngx_sockaddr_t *local, socklen_t len, ngx_log_t *log)
{
    u_char      text[NGX_SOCKADDR_STRLEN];
    size_t      n;
    ngx_uint_t  i, range, tries, first;

    range = (scf->port_max != 0) ? scf->port_max - scf->port_min + 1 : 1;
    tries = ngx_min(range, NGX_STREAM_EGRESS_SOCKS_PORTS);
    first = (range > 1) ? ngx_random() % range : 0;

    for (i = 0; i < tries; i++) {
        ngx_inet_set_port(&local->sockaddr,
                          (in_port_t) (scf->port_min + (first + i) % range));

        if (bind(s, &local->sockaddr, len) == 0) {
            return NGX_OK;
        }

        if (ngx_socket_errno != NGX_EADDRINUSE) {
            break;
        }
    }

    n = ngx_sock_ntop(&local->sockaddr, len, text, NGX_SOCKADDR_STRLEN, 1);

    ngx_log_error(NGX_LOG_ERR, log, ngx_socket_errno,
                  "bind(%*s) for UDP ASSOCIATE failed", n, text);

    return NGX_ERROR;
}


static ngx_connection_t *
ngx_stream_egress_socks_udp_connection(ngx_socket_t s, ngx_log_t *log)
{
    ngx_connection_t  *c;

    c = ngx_get_connection(s, log);
    if (c == NULL) {
        return NULL;
    }

    c->type = SOCK_DGRAM;
    c->log_error = NGX_ERROR_INFO;
    c->read->log = log;
    c->write->log = log;

    c->number = ngx_atomic_fetch_add(ngx_connection_counter, 1);
    c->start_time = ngx_current_msec;

    return c;
}


static void
ngx_stream_egress_socks_associated(ngx_stream_egress_ctx_t *ctx)
{
    u_char                           text[NGX_EGRESS_IP_LEN];
    socklen_t                        len;
    ngx_sockaddr_t                   sa;
    ngx_egress_addr_t                bound;
    ngx_stream_egress_socks_conf_t  *scf;

    scf = ngx_stream_get_module_srv_conf(ctx->session,
                                         ngx_stream_egress_socks_module);

    len = sizeof(ngx_sockaddr_t);

    if (getsockname(ctx->task->udp->client->fd, &sa.sockaddr, &len) == -1
        || ngx_egress_addr_from_sockaddr(&bound, text, &sa.sockaddr) != NGX_OK)
    {
        ngx_egress_task_finish(ctx->task, NGX_EGRESS_INTERNAL);
        return;
    }

    if (scf->transmute) {
        ngx_stream_egress_socks_echo(scf, &bound, text);
    }

    ngx_stream_egress_socks_grant(ctx, &bound,
                                  ngx_stream_egress_socks_udp_start);
}


/* What the client has to send to may not be what we are bound to. */

static void
ngx_stream_egress_socks_echo(ngx_stream_egress_socks_conf_t *scf,
    ngx_egress_addr_t *addr, u_char *text)
{
    size_t                           len;
    in_port_t                        port;
    ngx_uint_t                       i;
    ngx_stream_egress_socks_echo_t  *echo;
    static u_char                    unspecified[16];

    port = addr->port;
    len = (addr->family == AF_INET) ? 4 : 16;

    if (scf->echo) {
        echo = scf->echo->elts;

        for (i = 0; i < scf->echo->nelts; i++) {
            if (echo[i].local.family == addr->family
                && ngx_memcmp(echo[i].local.ip.bytes, addr->ip.bytes, len)
                   == 0)
            {
                *addr = echo[i].echo;
                addr->port = port;
                return;
            }
        }
    }

    if (addr->family == AF_INET) {
        ngx_egress_addr_in(addr, text, unspecified, port);

    } else {
        ngx_egress_addr_in6(addr, text, unspecified, port);
    }
}


static void
ngx_stream_egress_socks_udp_start(ngx_stream_egress_ctx_t *ctx)
{
    ngx_connection_t  *c;

    c = ctx->session->connection;

    (void) ngx_pfree(c->pool, ctx->data);
    ctx->data = NULL;

    ngx_free(ctx->buffer);
    ctx->buffer = NULL;

    ctx->relaying = 1;

    c->read->handler = ngx_stream_egress_socks_control;
    c->write->handler = ngx_stream_egress_socks_control;

    /* the client may have gone while it was answered */

    ngx_post_event(c->read, &ngx_posted_events);

    ngx_egress_task_udp_start(ctx->task);
}


static void
ngx_stream_egress_socks_control(ngx_event_t *ev)
{
    ngx_connection_t         *c;
    ngx_stream_egress_ctx_t  *ctx;

    c = ev->data;
    ctx = ngx_stream_egress_get_ctx(c->data);

    if (c->close) {
        ngx_egress_task_finish(ctx->task, NGX_EGRESS_SHUTDOWN);
        return;
    }

    if (!ev->write) {
        ngx_stream_egress_socks_control_read(ctx);
    }
}


/* Nothing more is to be said there; but it ends, and the association too. */

static void
ngx_stream_egress_socks_control_read(ngx_stream_egress_ctx_t *ctx)
{
    u_char             buf[512];
    ssize_t            n;
    ngx_connection_t  *c;

    c = ctx->session->connection;

    n = c->recv(c, buf, sizeof(buf));

    if (n == 0) {
        ngx_egress_task_finish(ctx->task, NGX_EGRESS_NONE);
        return;
    }

    if (n == NGX_ERROR) {
        ngx_egress_task_finish(ctx->task, NGX_EGRESS_CLIENT_ABORTED);
        return;
    }

    if (n > 0) {
        ngx_post_event(c->read, &ngx_posted_next_events);
        return;
    }

    if (ngx_handle_read_event(c->read, 0) != NGX_OK) {
        ngx_egress_task_finish(ctx->task, NGX_EGRESS_INTERNAL);
    }
}
