
/*
 * Copyright (C) ngx_egress authors
 *
 * From a host to a connected socket: asks for the addresses of both families
 * at once and races attempts at them (RFC 8305, with g3's four parameters).
 * Every address is judged right before its connect(2).  What is said on the
 * connection afterwards is not decided here.
 */


#include "ngx_egress_connector.h"


static ngx_int_t ngx_egress_race_families(ngx_egress_connector_t *cn);
static void ngx_egress_race_family(ngx_egress_connector_t *cn,
    ngx_uint_t family);
static ngx_int_t ngx_egress_race_literal(ngx_egress_connector_t *cn);
static ngx_int_t ngx_egress_race_ask(ngx_egress_connector_t *cn,
    ngx_egress_candidates_t *cd);
static void ngx_egress_race_resolved(ngx_egress_resolve_t *rs);
static void ngx_egress_race_answer(ngx_egress_connector_t *cn,
    ngx_egress_candidates_t *cd);
static void ngx_egress_race_step(ngx_egress_connector_t *cn);
static ngx_egress_candidates_t *ngx_egress_race_pick(
    ngx_egress_connector_t *cn);
static void ngx_egress_race_wait(ngx_egress_connector_t *cn);
static void ngx_egress_race_set_timer(ngx_egress_connector_t *cn,
    ngx_msec_t delay);
static void ngx_egress_race_timer(ngx_event_t *ev);
static void ngx_egress_race_lost(ngx_egress_connector_t *cn);
static ngx_int_t ngx_egress_race_attempt(ngx_egress_connector_t *cn,
    ngx_egress_candidates_t *cd);
static ngx_int_t ngx_egress_race_judge(ngx_egress_connector_t *cn,
    ngx_egress_candidates_t *cd, ngx_egress_attempt_t *at);
static ngx_int_t ngx_egress_race_connect(ngx_egress_connector_t *cn,
    ngx_egress_attempt_t *at);
static void ngx_egress_race_read_handler(ngx_event_t *rev);
static void ngx_egress_race_write_handler(ngx_event_t *wev);
static void ngx_egress_race_failed(ngx_egress_attempt_t *at, ngx_err_t err);


#define ngx_egress_race_ready(cd)                                             \
    ((cd)->next < (cd)->naddrs && (cd)->tries)


void
ngx_egress_race_start(ngx_egress_connector_t *cn)
{
    ngx_int_t   rc;
    ngx_uint_t  i;

    ngx_queue_init(&cn->attempts);

    cn->due = 1;

    cn->timer.data = cn;
    cn->timer.log = cn->log;
    cn->timer.handler = ngx_egress_race_timer;

    rc = ngx_egress_race_families(cn);

    if (rc == NGX_OK && cn->nfamilies == 0) {
        ngx_log_error(NGX_LOG_INFO, cn->log, 0,
                      "no usable address family for \"%V\"", &cn->addr.host);

        ngx_egress_connector_done(cn, NGX_EGRESS_DNS_NO_ADDRESS);
        return;
    }

    if (rc == NGX_OK && cn->addr.family != AF_UNSPEC) {
        rc = ngx_egress_race_literal(cn);

    } else {
        cn->log->action = "resolving target";

        for (i = 0; rc == NGX_OK && i < cn->nfamilies; i++) {
            rc = ngx_egress_race_ask(cn, &cn->family[i]);
        }
    }

    if (rc != NGX_OK) {
        ngx_egress_connector_done(cn, NGX_EGRESS_INTERNAL);
        return;
    }

    ngx_egress_race_step(cn);
}


void
ngx_egress_race_stop(ngx_egress_connector_t *cn)
{
    ngx_uint_t             i;
    ngx_queue_t           *q;
    ngx_egress_attempt_t  *at;

    for (i = 0; i < cn->nfamilies; i++) {
        if (cn->family[i].pending) {
            cn->family[i].pending = 0;
            ngx_egress_resolve_cancel(&cn->family[i].question);
        }
    }

    if (cn->timer.timer_set) {
        ngx_del_timer(&cn->timer);
    }

    while (!ngx_queue_empty(&cn->attempts)) {
        q = ngx_queue_head(&cn->attempts);
        ngx_queue_remove(q);

        at = ngx_queue_data(q, ngx_egress_attempt_t, queue);
        ngx_close_connection(at->connection);
    }
}


/*
 * A strategy is about names: a literal is not changed by it, but it is
 * limited by no_ipv4, no_ipv6 and the local addresses as everything is.
 */

static ngx_int_t
ngx_egress_race_families(ngx_egress_connector_t *cn)
{
    ngx_uint_t                  strategy;
    ngx_egress_hop_t           *hop;
    ngx_egress_connect_conf_t  *conf;

    hop = cn->hop;
    conf = hop->conf;
    strategy = conf->family;

    if (cn->addr.family == AF_INET) {
        strategy = NGX_EGRESS_IPV4_ONLY;

    } else if (cn->addr.family == AF_INET6) {
        strategy = NGX_EGRESS_IPV6_ONLY;

    } else if (conf->resolver == NULL && cn->redirected == NULL) {
        ngx_log_error(NGX_LOG_INFO, cn->log, 0,
                      "no resolver for \"%V\"", &cn->addr.host);

        cn->family[0].reason = NGX_EGRESS_DNS_DENIED;
        cn->family[0].family = AF_INET;
        cn->nfamilies = 1;

        return NGX_OK;
    }

    if (strategy == NGX_EGRESS_IPV6_FIRST || strategy == NGX_EGRESS_IPV6_ONLY) {
        ngx_egress_race_family(cn, AF_INET6);
    }

    if (strategy != NGX_EGRESS_IPV6_ONLY) {
        ngx_egress_race_family(cn, AF_INET);
    }

    if (strategy == NGX_EGRESS_IPV4_FIRST) {
        ngx_egress_race_family(cn, AF_INET6);
    }

    return NGX_OK;
}


static void
ngx_egress_race_family(ngx_egress_connector_t *cn, ngx_uint_t family)
{
    ngx_egress_hop_t         *hop;
    ngx_egress_candidates_t  *cd;

    hop = cn->hop;

    if (family == AF_INET) {
        if (hop->conf->no_ipv4 || (hop->bind4 == NULL && hop->bind6)) {
            return;
        }

    } else if (hop->conf->no_ipv6 || (hop->bind6 == NULL && hop->bind4)) {
        return;
    }

    cd = &cn->family[cn->nfamilies++];

    cd->family = family;
    cd->tries = 1 + hop->conf->max_retry;
}


static ngx_int_t
ngx_egress_race_literal(ngx_egress_connector_t *cn)
{
    ngx_egress_ip_t  ip;

    ip.family = cn->addr.family;
    ngx_memcpy(ip.bytes, cn->addr.ip.bytes, 16);

    return ngx_egress_candidates_set(cn->hop, &cn->family[0], &ip, 1);
}


static ngx_int_t
ngx_egress_race_ask(ngx_egress_connector_t *cn, ngx_egress_candidates_t *cd)
{
    ngx_int_t              rc;
    ngx_egress_resolve_t  *rs;

    if (cd->reason != NGX_EGRESS_NONE) {
        return NGX_OK;
    }

    rs = &cd->question;

    rs->resolver = cn->hop->conf->resolver;
    rs->name = cn->addr.host;
    rs->family = cd->family;
    rs->log = cn->log;
    rs->handler = ngx_egress_race_resolved;
    rs->data = cn;

    rc = ngx_egress_resolve_to(rs, cn->redirected);

    if (rc == NGX_AGAIN) {
        cd->pending = 1;
        return NGX_OK;
    }

    if (rc == NGX_OK) {
        ngx_egress_race_answer(cn, cd);
    }

    return rc;
}


static void
ngx_egress_race_resolved(ngx_egress_resolve_t *rs)
{
    ngx_egress_connector_t   *cn;
    ngx_egress_candidates_t  *cd;

    cn = rs->data;
    cd = (rs == &cn->family[0].question) ? &cn->family[0] : &cn->family[1];

    ngx_egress_race_answer(cn, cd);
    ngx_egress_race_step(cn);
}


static void
ngx_egress_race_answer(ngx_egress_connector_t *cn, ngx_egress_candidates_t *cd)
{
    ngx_egress_resolve_t  *rs;

    rs = &cd->question;

    cd->pending = 0;
    cd->reason = rs->reason;

    if (cd->reason == NGX_EGRESS_NONE && rs->naddrs == 0) {
        cd->reason = NGX_EGRESS_DNS_NO_ADDRESS;
    }

    ngx_log_debug4(NGX_LOG_DEBUG_CORE, cn->log, 0,
                   "egress resolved \"%V\" family:%ui addresses:%ui reason:%d",
                   &rs->name, cd->family, rs->naddrs, cd->reason);

    if (cd->reason != NGX_EGRESS_NONE) {
        return;
    }

    if (ngx_egress_candidates_set(cn->hop, cd, rs->addrs, rs->naddrs)
        != NGX_OK)
    {
        cd->reason = NGX_EGRESS_INTERNAL;
        return;
    }

    cn->hop->task->times.resolved = ngx_current_msec;
}


/* Starts what may be started now; cn may be gone when it returns. */

static void
ngx_egress_race_step(ngx_egress_connector_t *cn)
{
    ngx_egress_candidates_t  *cd;

    while (cn->due || ngx_queue_empty(&cn->attempts)) {

        cd = ngx_egress_race_pick(cn);

        if (cd == NULL) {
            break;
        }

        if (ngx_egress_race_attempt(cn, cd) == NGX_DONE) {
            return;
        }
    }

    ngx_egress_race_wait(cn);
}


/* The family whose next address is to be tried; NULL: there is none now. */

static ngx_egress_candidates_t *
ngx_egress_race_pick(ngx_egress_connector_t *cn)
{
    ngx_egress_candidates_t  *first, *second;

    first = &cn->family[0];
    second = &cn->family[1];

    if (!ngx_egress_race_ready(second)) {
        return ngx_egress_race_ready(first) ? first : NULL;
    }

    if (!ngx_egress_race_ready(first)) {
        return (first->pending && !cn->waived) ? NULL : second;
    }

    if (cn->tried < cn->hop->conf->happy.first_count) {
        return first;
    }

    /* both are at hand: in turn, the other family first */

    cn->turn = !cn->turn;

    return cn->turn ? second : first;
}


static void
ngx_egress_race_wait(ngx_egress_connector_t *cn)
{
    ngx_egress_candidates_t     *first, *second;
    ngx_egress_happy_eyeballs_t *happy;

    first = &cn->family[0];
    second = &cn->family[1];
    happy = &cn->hop->conf->happy;

    if (!ngx_queue_empty(&cn->attempts)) {

        if (!cn->due && (ngx_egress_race_ready(first)
                         || ngx_egress_race_ready(second)
                         || first->pending || second->pending))
        {
            ngx_egress_race_set_timer(cn, happy->attempt_delay);
        }

        return;
    }

    if (!first->pending && !second->pending) {
        ngx_egress_race_lost(cn);
        return;
    }

    if (ngx_egress_race_ready(second)) {
        ngx_egress_race_set_timer(cn, happy->resolution_delay);

    } else if (cn->tried || cn->denied) {
        ngx_egress_race_set_timer(cn, happy->second_resolution_timeout);
    }
}


static void
ngx_egress_race_set_timer(ngx_egress_connector_t *cn, ngx_msec_t delay)
{
    if (!cn->timer.timer_set) {
        ngx_add_timer(&cn->timer, delay);
    }
}


/* One timer is enough: what it was for follows from what is under way. */

static void
ngx_egress_race_timer(ngx_event_t *ev)
{
    ngx_uint_t                i;
    ngx_egress_connector_t   *cn;
    ngx_egress_candidates_t  *cd;

    cn = ev->data;

    if (!ngx_queue_empty(&cn->attempts)) {
        cn->due = 1;

    } else if (cn->family[0].pending
               && ngx_egress_race_ready(&cn->family[1]))
    {
        cn->waived = 1;

    } else {
        for (i = 0; i < cn->nfamilies; i++) {
            cd = &cn->family[i];

            if (cd->pending) {
                ngx_egress_resolve_cancel(&cd->question);
                cd->pending = 0;
                cd->reason = NGX_EGRESS_DNS_TIMEOUT;
            }
        }
    }

    ngx_egress_race_step(cn);
}


/*
 * Nothing is left to try.  A peer that did not answer says more than an
 * address that was denied, and that more than a family without addresses.
 */

static void
ngx_egress_race_lost(ngx_egress_connector_t *cn)
{
    ngx_uint_t           i;
    ngx_egress_reason_e  reason;

    reason = cn->failure ? cn->failure : cn->denied;

    for (i = 0; i < cn->nfamilies; i++) {
        if (reason == NGX_EGRESS_NONE
            || (reason == NGX_EGRESS_DNS_NO_ADDRESS && cn->family[i].reason))
        {
            reason = cn->family[i].reason;
        }
    }

    ngx_egress_connector_done(cn, reason);
}


/* NGX_DONE: the race is over, cn is gone. */

static ngx_int_t
ngx_egress_race_attempt(ngx_egress_connector_t *cn,
    ngx_egress_candidates_t *cd)
{
    ngx_egress_hop_t      *hop;
    ngx_egress_attempt_t  *at;

    hop = cn->hop;

    at = ngx_palloc(hop->task->pool, sizeof(ngx_egress_attempt_t));
    if (at == NULL) {
        ngx_egress_connector_done(cn, NGX_EGRESS_INTERNAL);
        return NGX_DONE;
    }

    at->connector = cn;

    if (ngx_egress_race_judge(cn, cd, at) != NGX_OK) {
        return NGX_OK;
    }

    cn->tried++;
    cn->due = 0;
    cd->tries--;

    if (cn->timer.timer_set) {
        ngx_del_timer(&cn->timer);
    }

    hop->peer.data = at->text;
    hop->peer.len = at->len;

    at->connection = ngx_egress_socket_open(hop, cd->family, &cn->failure);

    if (at->connection == NULL) {
        cn->due = 1;
        return NGX_OK;
    }

    return ngx_egress_race_connect(cn, at);
}


/* Takes the next address; the verdict is about what connect(2) will get. */

static ngx_int_t
ngx_egress_race_judge(ngx_egress_connector_t *cn, ngx_egress_candidates_t *cd,
    ngx_egress_attempt_t *at)
{
    ngx_egress_ip_t      *ip;
    struct sockaddr_in   *sin;
    struct sockaddr_in6  *sin6;

    ip = &cd->addrs[cd->next++];

    ngx_memzero(&at->sockaddr, sizeof(ngx_sockaddr_t));

    if (cd->family == AF_INET) {
        at->socklen = sizeof(struct sockaddr_in);

        sin = &at->sockaddr.sockaddr_in;
        sin->sin_family = AF_INET;
        sin->sin_port = htons(cn->addr.port);
        ngx_memcpy(&sin->sin_addr, ip->bytes, 4);

    } else {
        at->socklen = sizeof(struct sockaddr_in6);

        sin6 = &at->sockaddr.sockaddr_in6;
        sin6->sin6_family = AF_INET6;
        sin6->sin6_port = htons(cn->addr.port);
        ngx_memcpy(&sin6->sin6_addr, ip->bytes, 16);
    }

    at->len = ngx_sock_ntop(&at->sockaddr.sockaddr, at->socklen, at->text,
                            NGX_SOCKADDR_STRLEN, 1);

    return ngx_egress_judge(cn->hop, &at->sockaddr.sockaddr, at->socklen,
                            &cn->denied);
}


static ngx_int_t
ngx_egress_race_connect(ngx_egress_connector_t *cn, ngx_egress_attempt_t *at)
{
    int                rc;
    ngx_err_t          err;
    ngx_connection_t  *c;

    c = at->connection;

    c->data = at;
    c->read->handler = ngx_egress_race_read_handler;
    c->write->handler = ngx_egress_race_write_handler;

    cn->log->action = cn->hop->negotiate ? "connecting to next proxy"
                                         : "connecting to target";

    ngx_queue_insert_tail(&cn->attempts, &at->queue);

    if (ngx_add_conn && ngx_add_conn(c) != NGX_OK) {
        ngx_egress_connector_done(cn, NGX_EGRESS_INTERNAL);
        return NGX_DONE;
    }

    ngx_log_debug4(NGX_LOG_DEBUG_EVENT, cn->log, 0,
                   "egress connect to %*s, fd:%d #%uA",
                   at->len, at->text, c->fd, c->number);

    rc = connect(c->fd, &at->sockaddr.sockaddr, at->socklen);
    err = (rc == -1) ? ngx_socket_errno : 0;

    if (err && err != NGX_EINPROGRESS) {
        ngx_egress_race_failed(at, err);
        return NGX_OK;
    }

    if (ngx_add_conn == NULL
        && (ngx_handle_read_event(c->read, 0) != NGX_OK
            || ngx_handle_write_event(c->write, 0) != NGX_OK))
    {
        ngx_egress_connector_done(cn, NGX_EGRESS_INTERNAL);
        return NGX_DONE;
    }

    if (err == 0) {
        c->write->ready = 1;
        ngx_egress_connector_won(cn, at);
        return NGX_DONE;
    }

    ngx_add_timer(c->write, cn->hop->conf->each_timeout);

    return NGX_OK;
}


/* A failed connect(2) reports both events: the write handler is enough. */

static void
ngx_egress_race_read_handler(ngx_event_t *rev)
{
    ngx_connection_t      *c;
    ngx_egress_attempt_t  *at;

    c = rev->data;
    at = c->data;

    if (c->close) {
        ngx_egress_connector_done(at->connector, NGX_EGRESS_SHUTDOWN);
    }
}


static void
ngx_egress_race_write_handler(ngx_event_t *wev)
{
    int                      err;
    socklen_t                len;
    ngx_connection_t        *c;
    ngx_egress_attempt_t    *at;
    ngx_egress_connector_t  *cn;

    c = wev->data;
    at = c->data;
    cn = at->connector;

    err = 0;

    if (wev->timedout) {
        err = NGX_ETIMEDOUT;

    } else {
        len = sizeof(int);

        if (getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &err, &len) == -1) {
            err = ngx_socket_errno;
        }
    }

    if (err == 0) {
        ngx_egress_connector_won(cn, at);
        return;
    }

    ngx_egress_race_failed(at, err);
    ngx_egress_race_step(cn);
}


static void
ngx_egress_race_failed(ngx_egress_attempt_t *at, ngx_err_t err)
{
    ngx_egress_connector_t  *cn;

    cn = at->connector;

    ngx_log_error(NGX_LOG_INFO, cn->log, err, "connect() to %*s failed",
                  at->len, at->text);

    cn->failure = ngx_egress_reason_errno(err);
    cn->due = 1;

    ngx_queue_remove(&at->queue);
    ngx_close_connection(at->connection);

    /* it was the pace of attempts, the next wait is another one */

    if (ngx_queue_empty(&cn->attempts) && cn->timer.timer_set) {
        ngx_del_timer(&cn->timer);
    }
}
