/*
 * Copyright (C) ngx_egress authors
 *
 * How sides end: in order, which is told to the other one; by a reset; by not
 * taking bytes any more.  Decides the reason, closes nothing.
 */

#include "ngx_egress_relay_side.h"


static void ngx_egress_relay_abort(ngx_egress_relay_side_t *side);
#if (NGX_SSL)
static ngx_uint_t ngx_egress_relay_was_reset(ngx_connection_t *c);
static ngx_int_t ngx_egress_relay_close_notify(ngx_connection_t *c);
#endif


void
ngx_egress_relay_eof(ngx_egress_relay_side_t *src)
{
    ngx_log_debug1(NGX_LOG_DEBUG_EVENT, src->relay->log, 0,
                   "egress relay: eof from fd:%d", src->connection->fd);

#if (NGX_SSL)

    if (src->connection->ssl && ngx_egress_relay_was_reset(src->connection)) {
        ngx_egress_relay_failed(src);
        return;
    }

#endif

    src->eof = 1;
}


#if (NGX_SSL)

/* The core's TLS reports a reset as an end. */

static ngx_uint_t
ngx_egress_relay_was_reset(ngx_connection_t *c)
{
#if (NGX_HAVE_TCP_INFO)

    socklen_t        len;
    struct tcp_info  ti;

    len = sizeof(struct tcp_info);
    ngx_memzero(&ti, sizeof(struct tcp_info));

    if (getsockopt(c->fd, IPPROTO_TCP, TCP_INFO, &ti, &len) == 0) {
        return ti.tcpi_state == TCP_CLOSE;
    }

#endif

    return 0;
}

#endif


/*
 * A reset must not go unseen because nothing is read from this side: its peer
 * is slow, the speed limit waits, or it has ended its own direction before.
 */

void
ngx_egress_relay_test_error(ngx_egress_relay_side_t *side)
{
    int        err;
    socklen_t  len;

    if (!side->connection->read->pending_eof
        || (!side->eof && side->peer->refused == NULL
            && side->peer->pipe == NULL && !side->limit.delay.timer_set))
    {
        return;
    }

    err = 0;
    len = sizeof(int);

    if (getsockopt(side->connection->fd, SOL_SOCKET, SO_ERROR, &err, &len)
        == -1)
    {
        err = ngx_errno;
    }

    if (err == 0) {
        return;
    }

    (void) ngx_connection_error(side->connection, err,
                                "connection failed while relaying");

    ngx_egress_relay_failed(side);
}


/*
 * Nothing comes from src any more, and nothing can be sent to it; or bytes of
 * it were lost for want of memory, which is the same to both ends.
 */

void
ngx_egress_relay_failed(ngx_egress_relay_side_t *src)
{
    ngx_egress_relay_side_t  *dst;

    dst = src->peer;
    src->eof = 1;

    if (src->relay->reason && src->relay->reason != NGX_EGRESS_INTERNAL) {
        /* src refused bytes before: what it still sent goes out first */
        return;
    }

    ngx_egress_relay_abort(src);

    ngx_egress_relay_drop(src);
    ngx_egress_relay_drop(dst);

#if (NGX_SSL)

    /* what the other side got must not look like all there was */

    if (dst->connection->ssl) {
        dst->connection->ssl->no_send_shutdown = 1;
    }

#endif

    src->shut = 1;
    dst->eof = 1;
    dst->shut = 1;
}


/* What the target sent before it refused ours, an answer say, still counts. */

void
ngx_egress_relay_broken(ngx_egress_relay_side_t *dst)
{
    ngx_event_t  *rev;

    ngx_egress_relay_abort(dst);
    ngx_egress_relay_drop(dst);

    dst->peer->eof = 1;
    dst->peer->shut = 1;

    rev = dst->connection->read;

    rev->ready = 1;
    rev->available = -1;
}


static void
ngx_egress_relay_abort(ngx_egress_relay_side_t *side)
{
    ngx_egress_relay_t  *relay;

    relay = side->relay;

    if (relay->reason == NGX_EGRESS_NONE) {
        relay->reason = (side == &relay->side[NGX_EGRESS_RELAY_CLIENT])
                        ? NGX_EGRESS_CLIENT_ABORTED
                        : NGX_EGRESS_UPSTREAM_ABORTED;
    }
}


void
ngx_egress_relay_drop(ngx_egress_relay_side_t *dst)
{
    ngx_egress_relay_copy_drop(dst);
    ngx_egress_relay_splice_drop(dst);
}


/* Tells the peer that src has ended; all of src's bytes are sent. */

void
ngx_egress_relay_shut(ngx_egress_relay_side_t *src)
{
    ngx_connection_t  *c;

    if (src->shut) {
        return;
    }

    ngx_egress_relay_drop(src->peer);

    c = src->peer->connection;

    /* after a failure, or at the very end, closing says it */

    if (src->relay->reason) {
        src->shut = 1;
        return;
    }

#if (NGX_SSL)

    if (c->ssl) {
        src->shut = (ngx_egress_relay_close_notify(c) != NGX_AGAIN);
        return;
    }

#endif

    src->shut = 1;

    if (src->peer->shut) {
        return;
    }

    if (ngx_shutdown_socket(c->fd, NGX_WRITE_SHUTDOWN) == -1) {
        (void) ngx_connection_error(c, ngx_socket_errno,
                                    ngx_shutdown_socket_n " failed");
    }
}


#if (NGX_SSL)

/*
 * Not ngx_ssl_shutdown(): it waits for the answer and frees the session, but
 * the other direction goes on.
 */

static ngx_int_t
ngx_egress_relay_close_notify(ngx_connection_t *c)
{
    int  n;

    ERR_clear_error();

    n = SSL_shutdown(c->ssl->connection);

    ngx_log_debug1(NGX_LOG_DEBUG_EVENT, c->log, 0, "SSL_shutdown: %d", n);

    if (n >= 0) {
        return NGX_OK;
    }

    if (SSL_get_error(c->ssl->connection, n) == SSL_ERROR_WANT_WRITE) {
        c->write->ready = 0;
        return NGX_AGAIN;
    }

    ERR_clear_error();

    return NGX_ERROR;
}

#endif
