
/*
 * Copyright (C) ngx_egress authors
 *
 * From the client of an association to its peers: whose datagrams count, the
 * first of them, and the sockets they leave from.
 */


#include "ngx_egress_udp_peer.h"


static void ngx_egress_udp_wait_first(ngx_egress_udp_t *udp);
static ngx_int_t ngx_egress_udp_first(ngx_egress_udp_t *udp,
    ngx_egress_udp_datagram_t *d, ngx_egress_socks5_udp_t *u);
static void ngx_egress_udp_forward(ngx_egress_udp_t *udp,
    ngx_egress_udp_datagram_t *d);
static ngx_int_t ngx_egress_udp_read(ngx_egress_udp_t *udp,
    ngx_egress_udp_datagram_t *d, ngx_egress_socks5_udp_t *u);
static ngx_uint_t ngx_egress_udp_is_client(ngx_egress_udp_t *udp,
    ngx_egress_udp_datagram_t *d);
static ngx_int_t ngx_egress_udp_open(ngx_egress_udp_peer_t *peer,
    ngx_uint_t n);
static ngx_int_t ngx_egress_udp_connect(ngx_egress_udp_peer_t *peer,
    ngx_connection_t *c);
static void ngx_egress_udp_name_peer(ngx_egress_udp_peer_t *peer);


void
ngx_egress_udp_upload(ngx_egress_udp_t *udp)
{
    ngx_int_t                   n, i;
    ngx_uint_t                  turn, max;
    ngx_connection_t           *c;
    ngx_egress_udp_datagram_t  *d;

    if (udp->held) {
        return;
    }

    if (!udp->seen) {
        ngx_egress_udp_wait_first(udp);
        return;
    }

    c = udp->client;

    for (turn = 0; turn < NGX_EGRESS_UDP_TURNS; turn++) {

        max = ngx_egress_udp_meter(&udp->upload, NGX_EGRESS_UDP_BATCH);
        if (max == 0) {
            goto wait;
        }

        n = ngx_egress_udp_receive(c, max, 0, &d);

        if (n == NGX_AGAIN) {
            goto wait;
        }

        if (n == NGX_ERROR) {
            ngx_egress_task_finish(udp->task, NGX_EGRESS_INTERNAL);
            return;
        }

        for (i = 0; i < n; i++) {
            ngx_egress_udp_forward(udp, &d[i]);
        }

        ngx_egress_udp_send_all(udp);
    }

    ngx_post_event(c->read, &ngx_posted_next_events);
    return;

wait:

    if (ngx_handle_read_event(c->read, 0) != NGX_OK) {
        ngx_egress_task_finish(udp->task, NGX_EGRESS_INTERNAL);
    }
}


/*
 * The datagram that begins the association is only looked at: the way for its
 * target may have to be found first.
 */

static void
ngx_egress_udp_wait_first(ngx_egress_udp_t *udp)
{
    ngx_int_t                   n;
    ngx_uint_t                  turn;
    ngx_connection_t           *c;
    ngx_egress_socks5_udp_t     u;
    ngx_egress_udp_datagram_t  *d;

    c = udp->client;

    for (turn = 0; turn < NGX_EGRESS_UDP_TURNS; turn++) {
        n = ngx_egress_udp_receive(c, 1, 1, &d);

        if (n == NGX_AGAIN) {
            goto wait;
        }

        if (n == NGX_ERROR) {
            ngx_egress_task_finish(udp->task, NGX_EGRESS_INTERNAL);
            return;
        }

        if (ngx_egress_udp_first(udp, d, &u) == NGX_OK) {
            ngx_egress_task_udp_first(udp, &u.addr);
            return;
        }

        (void) ngx_egress_udp_receive(c, 1, 0, &d);
    }

    ngx_post_event(c->read, &ngx_posted_next_events);
    return;

wait:

    if (ngx_handle_read_event(c->read, 0) != NGX_OK) {
        ngx_egress_task_finish(udp->task, NGX_EGRESS_INTERNAL);
    }
}


/* From now on the system drops what others send. */

static ngx_int_t
ngx_egress_udp_first(ngx_egress_udp_t *udp, ngx_egress_udp_datagram_t *d,
    ngx_egress_socks5_udp_t *u)
{
    if (ngx_egress_udp_read(udp, d, u) != NGX_OK) {
        return NGX_DECLINED;
    }

    if (connect(udp->client->fd, d->from, d->fromlen) == -1) {
        ngx_log_error(NGX_LOG_CRIT, udp->task->log, ngx_socket_errno,
                      "connect() of a UDP association failed");
        return NGX_DECLINED;
    }

    ngx_memcpy(&udp->owner, d->from, d->fromlen);
    udp->owner_len = d->fromlen;

    udp->seen = 1;
    udp->held = 1;

    return NGX_OK;
}


static void
ngx_egress_udp_forward(ngx_egress_udp_t *udp, ngx_egress_udp_datagram_t *d)
{
    ngx_egress_udp_peer_t    *peer;
    ngx_egress_socks5_udp_t   u;

    if (ngx_egress_udp_read(udp, d, &u) != NGX_OK) {
        return;
    }

    peer = ngx_egress_udp_peer_get(udp, &u.addr);
    if (peer == NULL) {
        return;
    }

    switch (peer->state) {

    case ngx_egress_udp_peer_allowed:
        ngx_egress_udp_put(peer, d->data + u.size, d->len - u.size);
        break;

    case ngx_egress_udp_peer_asking:
        ngx_egress_udp_peer_hold(peer, d->data + u.size, d->len - u.size);
        break;

    default: /* ngx_egress_udp_peer_denied */
        break;
    }
}


static ngx_int_t
ngx_egress_udp_read(ngx_egress_udp_t *udp, ngx_egress_udp_datagram_t *d,
    ngx_egress_socks5_udp_t *u)
{
    if (!ngx_egress_udp_is_client(udp, d)) {
        ngx_log_debug0(NGX_LOG_DEBUG_EVENT, udp->task->log, 0,
                       "egress udp: datagram of somebody else dropped");
        return NGX_DECLINED;
    }

    if (ngx_egress_socks5_udp_read(u, d->data, d->len) != NGX_OK) {
        ngx_log_debug1(NGX_LOG_DEBUG_EVENT, udp->task->log, 0,
                       "egress udp: datagram dropped: %s",
                       ngx_egress_socks_strerror(u->error));
        return NGX_DECLINED;
    }

    if (u->frag || u->addr.port == 0) {
        ngx_log_debug1(NGX_LOG_DEBUG_EVENT, udp->task->log, 0,
                       "egress udp: fragment %ui, or port 0, dropped",
                       u->frag);
        return NGX_DECLINED;
    }

    return NGX_OK;
}


static ngx_uint_t
ngx_egress_udp_is_client(ngx_egress_udp_t *udp, ngx_egress_udp_datagram_t *d)
{
    return ngx_cmp_sockaddr(&udp->owner.sockaddr, udp->owner_len, d->from,
                            d->fromlen, udp->seen)
           == NGX_OK;
}


void
ngx_egress_udp_put(ngx_egress_udp_peer_t *peer, u_char *data, size_t len)
{
    ngx_uint_t         n;
    struct sockaddr   *sa;
    ngx_egress_udp_t  *udp;

    udp = peer->udp;
    sa = &peer->sockaddr.sockaddr;
    n = (sa->sa_family != AF_INET);

    if (udp->upstream[n] == NULL && ngx_egress_udp_open(peer, n) != NGX_OK) {
        return;
    }

    ngx_egress_udp_batch_add(ngx_egress_udp_batch(n), data, len,
                             udp->single ? NULL : sa, peer->socklen, NULL);
}


static ngx_int_t
ngx_egress_udp_open(ngx_egress_udp_peer_t *peer, ngx_uint_t n)
{
    ngx_connection_t     *c;
    ngx_egress_hop_t     *hop;
    ngx_egress_udp_t     *udp;
    ngx_egress_reason_e   reason;

    udp = peer->udp;
    hop = udp->task->hop;

    /* what failed once is not tried, and logged, for each datagram */

    if (udp->broken & (1 << n)) {
        return NGX_DECLINED;
    }

    c = ngx_egress_udp_socket(hop, peer->sockaddr.sockaddr.sa_family, &reason);

    if (c == NULL) {
        udp->broken |= 1 << n;
        return NGX_ERROR;
    }

    ngx_egress_udp_set_buffers(c->fd, udp->receive_buffer, udp->send_buffer,
                               udp->task->log);

    if ((udp->single && ngx_egress_udp_connect(peer, c) != NGX_OK)
        || ngx_handle_read_event(c->read, 0) != NGX_OK)
    {
        udp->broken |= 1 << n;
        ngx_close_connection(c);
        return NGX_ERROR;
    }

    c->data = udp;
    c->read->handler = ngx_egress_udp_upstream_handler;
    c->write->handler = ngx_egress_udp_write_handler;

    udp->upstream[n] = c;

    if (hop->peer.len == 0) {
        udp->task->times.connected = ngx_current_msec;
        ngx_egress_udp_name_peer(peer);
    }

    return NGX_OK;
}


static ngx_int_t
ngx_egress_udp_connect(ngx_egress_udp_peer_t *peer, ngx_connection_t *c)
{
    if (connect(c->fd, &peer->sockaddr.sockaddr, peer->socklen) == -1) {
        ngx_log_error(NGX_LOG_ERR, c->log, ngx_socket_errno,
                      "connect() of a UDP socket to \"%V\" failed",
                      &peer->addr.host);
        return NGX_ERROR;
    }

    return NGX_OK;
}


/* For the log: the first peer, and where its datagrams leave. */

static void
ngx_egress_udp_name_peer(ngx_egress_udp_peer_t *peer)
{
    u_char             *p;
    socklen_t           socklen;
    ngx_sockaddr_t      sa;
    ngx_egress_hop_t   *hop;
    ngx_connection_t   *c;

    hop = peer->udp->task->hop;
    c = peer->udp->upstream[peer->sockaddr.sockaddr.sa_family != AF_INET];

    p = ngx_pnalloc(hop->task->pool, 2 * NGX_SOCKADDR_STRLEN);
    if (p == NULL) {
        return;
    }

    hop->peer.data = p;
    hop->peer.len = ngx_sock_ntop(&peer->sockaddr.sockaddr, peer->socklen, p,
                                  NGX_SOCKADDR_STRLEN, 1);

    p += NGX_SOCKADDR_STRLEN;
    socklen = sizeof(ngx_sockaddr_t);

    if (getsockname(c->fd, &sa.sockaddr, &socklen) == 0) {
        hop->local.data = p;
        hop->local.len = ngx_sock_ntop(&sa.sockaddr, socklen, p,
                                       NGX_SOCKADDR_STRLEN, 1);
    }
}


void
ngx_egress_udp_send_all(ngx_egress_udp_t *udp)
{
    size_t      bytes;
    ngx_uint_t  i, n;

    for (i = 0; i < 2; i++) {

        if (udp->upstream[i] == NULL) {
            continue;
        }

        n = ngx_egress_udp_batch_send(ngx_egress_udp_batch(i),
                                      udp->upstream[i], &bytes);
        if (n) {
            ngx_egress_udp_meter_used(&udp->upload, n, bytes);
            udp->task->bytes_received += bytes;
            udp->active = ngx_current_msec;
        }
    }
}
