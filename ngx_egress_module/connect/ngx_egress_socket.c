
/*
 * Copyright (C) ngx_egress authors
 *
 * Sockets towards peers, of TCP and of UDP: options and the local address of
 * a hop.  Does not connect them.
 */


#include "ngx_egress_connector.h"


static ngx_connection_t *ngx_egress_socket_make(ngx_egress_hop_t *hop,
    int type, ngx_uint_t family, ngx_egress_reason_e *reason);
static ngx_int_t ngx_egress_socket_options(ngx_egress_hop_t *hop,
    ngx_socket_t s, int type, ngx_uint_t family);
static void ngx_egress_socket_tcp_options(ngx_egress_hop_t *hop,
    ngx_socket_t s);
static void ngx_egress_socket_keepalive(ngx_egress_tcp_keepalive_t *ka,
    ngx_socket_t s, ngx_log_t *log);
static ngx_int_t ngx_egress_socket_route(ngx_egress_connect_conf_t *conf,
    ngx_socket_t s, ngx_log_t *log);
static ngx_int_t ngx_egress_socket_bind(ngx_egress_hop_t *hop, ngx_socket_t s,
    int type, ngx_uint_t family);
static ngx_int_t ngx_egress_socket_set(ngx_socket_t s, int level, int option,
    int value, ngx_log_t *log);
static ngx_connection_t *ngx_egress_socket_connection(ngx_egress_hop_t *hop,
    ngx_socket_t s, int type);


ngx_connection_t *
ngx_egress_socket_open(ngx_egress_hop_t *hop, ngx_uint_t family,
    ngx_egress_reason_e *reason)
{
    return ngx_egress_socket_make(hop, SOCK_STREAM, family, reason);
}


ngx_connection_t *
ngx_egress_udp_socket(ngx_egress_hop_t *hop, ngx_uint_t family,
    ngx_egress_reason_e *reason)
{
    return ngx_egress_socket_make(hop, SOCK_DGRAM, family, reason);
}


static ngx_connection_t *
ngx_egress_socket_make(ngx_egress_hop_t *hop, int type, ngx_uint_t family,
    ngx_egress_reason_e *reason)
{
    ngx_log_t         *log;
    ngx_socket_t       s;
    ngx_connection_t  *c;

    log = hop->task->log;
    *reason = NGX_EGRESS_INTERNAL;

    s = socket(family, type|SOCK_NONBLOCK|SOCK_CLOEXEC, 0);

    if (s == (ngx_socket_t) -1) {
        ngx_log_error(NGX_LOG_CRIT, log, ngx_socket_errno,
                      ngx_socket_n " failed");

        if (ngx_socket_errno == EAFNOSUPPORT) {
            *reason = NGX_EGRESS_NETWORK_UNREACHABLE;
        }

        return NULL;
    }

    if (ngx_egress_socket_options(hop, s, type, family) != NGX_OK
        || ngx_egress_socket_bind(hop, s, type, family) != NGX_OK)
    {
        *reason = NGX_EGRESS_BIND_FAILED;
        goto failed;
    }

    c = ngx_egress_socket_connection(hop, s, type);

    if (c) {
        return c;
    }

failed:

    if (ngx_close_socket(s) == -1) {
        ngx_log_error(NGX_LOG_ALERT, log, ngx_socket_errno,
                      ngx_close_socket_n " failed");
    }

    return NULL;
}


static ngx_int_t
ngx_egress_socket_options(ngx_egress_hop_t *hop, ngx_socket_t s, int type,
    ngx_uint_t family)
{
    ngx_log_t              *log;
    ngx_egress_tcp_misc_t  *misc;

    log = hop->task->log;
    misc = &hop->conf->misc;

    if (type == SOCK_STREAM) {
        ngx_egress_socket_tcp_options(hop, s);
    }

    if (misc->ttl != NGX_CONF_UNSET) {
        (void) (family == AF_INET
                ? ngx_egress_socket_set(s, IPPROTO_IP, IP_TTL, misc->ttl, log)
                : ngx_egress_socket_set(s, IPPROTO_IPV6, IPV6_UNICAST_HOPS,
                                        misc->ttl, log));
    }

    if (misc->tos != NGX_CONF_UNSET) {
        (void) (family == AF_INET
                ? ngx_egress_socket_set(s, IPPROTO_IP, IP_TOS, misc->tos, log)
                : ngx_egress_socket_set(s, IPPROTO_IPV6, IPV6_TCLASS,
                                        misc->tos, log));
    }

    return ngx_egress_socket_route(hop->conf, s, log);
}


static void
ngx_egress_socket_tcp_options(ngx_egress_hop_t *hop, ngx_socket_t s)
{
    ngx_log_t              *log;
    ngx_egress_tcp_misc_t  *misc;

    log = hop->task->log;
    misc = &hop->conf->misc;

    if (misc->nodelay) {
        (void) ngx_egress_socket_set(s, IPPROTO_TCP, TCP_NODELAY, 1, log);
    }

    if (misc->mss != NGX_CONF_UNSET) {
        (void) ngx_egress_socket_set(s, IPPROTO_TCP, TCP_MAXSEG, misc->mss,
                                     log);
    }

    if (misc->congestion.len
        && setsockopt(s, IPPROTO_TCP, TCP_CONGESTION, misc->congestion.data,
                      misc->congestion.len)
           == -1)
    {
        ngx_log_error(NGX_LOG_CRIT, log, ngx_socket_errno,
                      "setsockopt(TCP_CONGESTION, \"%V\") failed",
                      &misc->congestion);
    }

    if (hop->conf->keepalive.keepalive == 1) {
        ngx_egress_socket_keepalive(&hop->conf->keepalive, s, log);
    }
}


static void
ngx_egress_socket_keepalive(ngx_egress_tcp_keepalive_t *ka, ngx_socket_t s,
    ngx_log_t *log)
{
    (void) ngx_egress_socket_set(s, SOL_SOCKET, SO_KEEPALIVE, 1, log);

    if (ka->idle) {
        (void) ngx_egress_socket_set(s, IPPROTO_TCP, TCP_KEEPIDLE, ka->idle,
                                     log);
    }

    if (ka->interval) {
        (void) ngx_egress_socket_set(s, IPPROTO_TCP, TCP_KEEPINTVL,
                                     ka->interval, log);
    }

    if (ka->count) {
        (void) ngx_egress_socket_set(s, IPPROTO_TCP, TCP_KEEPCNT, ka->count,
                                     log);
    }
}


/*
 * A mark and an interface choose the way packets take: without them the
 * connection would leave where nobody expects it, so there is none.
 */

static ngx_int_t
ngx_egress_socket_route(ngx_egress_connect_conf_t *conf, ngx_socket_t s,
    ngx_log_t *log)
{
    uint32_t  mark;

    if (conf->misc.mark != NGX_CONF_UNSET) {
        mark = (uint32_t) conf->misc.mark;

        if (setsockopt(s, SOL_SOCKET, SO_MARK, &mark, sizeof(uint32_t)) == -1) {
            ngx_log_error(NGX_LOG_CRIT, log, ngx_socket_errno,
                          "setsockopt(SO_MARK, %uD) failed", mark);
            return NGX_ERROR;
        }
    }

    if (conf->interface.len
        && setsockopt(s, SOL_SOCKET, SO_BINDTODEVICE, conf->interface.data,
                      conf->interface.len + 1)
           == -1)
    {
        ngx_log_error(NGX_LOG_CRIT, log, ngx_socket_errno,
                      "setsockopt(SO_BINDTODEVICE, \"%V\") failed",
                      &conf->interface);
        return NGX_ERROR;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_egress_socket_bind(ngx_egress_hop_t *hop, ngx_socket_t s, int type,
    ngx_uint_t family)
{
    u_char            text[NGX_SOCKADDR_STRLEN];
    size_t            len;
    socklen_t         socklen;
    ngx_err_t         err;
    struct sockaddr  *local;

    if (family == AF_INET) {
        local = hop->bind4;
        socklen = sizeof(struct sockaddr_in);

    } else {
        local = hop->bind6;
        socklen = sizeof(struct sockaddr_in6);
    }

    if (local == NULL) {
        return NGX_OK;
    }

    /* else bind() takes a port for itself, and 28000 connections are the end */

    if (type == SOCK_STREAM) {
        (void) ngx_egress_socket_set(s, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1,
                                     hop->task->log);
    }

    if (bind(s, local, socklen) == -1) {
        err = ngx_socket_errno;
        len = ngx_sock_ntop(local, socklen, text, NGX_SOCKADDR_STRLEN, 0);

        ngx_log_error(NGX_LOG_INFO, hop->task->log, err,
                      "bind(%*s) failed", len, text);
        return NGX_ERROR;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_egress_socket_set(ngx_socket_t s, int level, int option, int value,
    ngx_log_t *log)
{
    if (setsockopt(s, level, option, &value, sizeof(int)) == -1) {
        ngx_log_error(NGX_LOG_CRIT, log, ngx_socket_errno,
                      "setsockopt(%d, %d, %d) failed, ignored",
                      level, option, value);
        return NGX_ERROR;
    }

    return NGX_OK;
}


static ngx_connection_t *
ngx_egress_socket_connection(ngx_egress_hop_t *hop, ngx_socket_t s, int type)
{
    ngx_log_t         *log;
    ngx_connection_t  *c;

    log = hop->task->log;

    c = ngx_get_connection(s, log);
    if (c == NULL) {
        return NULL;
    }

    c->type = type;

    c->recv = ngx_recv;
    c->send = ngx_send;
    c->recv_chain = ngx_recv_chain;
    c->send_chain = ngx_send_chain;
    c->sendfile = 1;

    /* the core must not set what the configuration does not want */

    c->tcp_nodelay = hop->conf->misc.nodelay ? NGX_TCP_NODELAY_SET
                                             : NGX_TCP_NODELAY_DISABLED;

    c->log_error = NGX_ERROR_INFO;
    c->read->log = log;
    c->write->log = log;

    c->number = ngx_atomic_fetch_add(ngx_connection_counter, 1);
    c->start_time = ngx_current_msec;

    return c;
}
