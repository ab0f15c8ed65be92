/*
 * Copyright (C) ngx_egress authors
 *
 * Moves bytes through one buffer per worker, by the connection's own recv and
 * send, hence also TLS.  Only what a socket refuses is kept, in memory of
 * exactly that size.
 */

#include "ngx_egress_relay_side.h"


static ssize_t ngx_egress_relay_write(ngx_egress_relay_side_t *dst, u_char *p,
    size_t n);
static ngx_int_t ngx_egress_relay_keep(ngx_egress_relay_side_t *dst,
    u_char *p, size_t n);


size_t           ngx_egress_relay_buffer_size;
static u_char   *ngx_egress_relay_buffer;


ssize_t
ngx_egress_relay_copy(ngx_egress_relay_side_t *src, size_t size)
{
    ssize_t            n;
    ngx_connection_t  *c;

    c = src->connection;

    n = c->recv(c, ngx_egress_relay_buffer, size);

    if (n <= 0) {
        return n;
    }

    src->received += n;

    if (ngx_egress_relay_send(src->peer, ngx_egress_relay_buffer, n)
        != NGX_OK)
    {
        /* out of memory: the stream has a hole now */

        src->relay->reason = NGX_EGRESS_INTERNAL;
        return NGX_ERROR;
    }

    return n;
}


ngx_int_t
ngx_egress_relay_send(ngx_egress_relay_side_t *dst, u_char *p, size_t n)
{
    size_t    window;
    ssize_t   sent;

    sent = ngx_egress_relay_write(dst, p, n);

    if (sent == NGX_ERROR) {
        return NGX_OK;
    }

    window = dst->peer->window;

    if ((size_t) sent == n) {

        if (window < ngx_egress_relay_buffer_size) {
            dst->peer->window = ngx_min(window * 2,
                                        ngx_egress_relay_buffer_size);
        }

        return NGX_OK;
    }

    /* a slow reader: what is read next should fit what it takes at once */

    if (window > NGX_EGRESS_RELAY_BULK) {
        dst->peer->window = ngx_max(window / 2, NGX_EGRESS_RELAY_BULK);
    }

    return ngx_egress_relay_keep(dst, p + sent, n - sent);
}


static ngx_int_t
ngx_egress_relay_keep(ngx_egress_relay_side_t *dst, u_char *p, size_t n)
{
    ngx_egress_relay_refused_t  *refused;

    refused = ngx_alloc(sizeof(ngx_egress_relay_refused_t) + n,
                        dst->relay->log);
    if (refused == NULL) {
        return NGX_ERROR;
    }

    refused->pos = (u_char *) refused + sizeof(ngx_egress_relay_refused_t);
    refused->last = ngx_cpymem(refused->pos, p, n);

    dst->refused = refused;

    return NGX_OK;
}


ngx_int_t
ngx_egress_relay_copy_flush(ngx_egress_relay_side_t *dst)
{
    ssize_t                      n;
    ngx_egress_relay_refused_t  *refused;

    if (!dst->connection->write->ready) {
        return NGX_AGAIN;
    }

    refused = dst->refused;

    n = ngx_egress_relay_write(dst, refused->pos, refused->last - refused->pos);

    if (n == NGX_ERROR) {
        return NGX_ERROR;
    }

    refused->pos += n;

    if (refused->pos < refused->last) {
        return NGX_AGAIN;
    }

    ngx_egress_relay_copy_drop(dst);

    return NGX_OK;
}


/* Returns how many bytes were taken, or NGX_ERROR: dst failed, recorded. */

static ssize_t
ngx_egress_relay_write(ngx_egress_relay_side_t *dst, u_char *p, size_t n)
{
    size_t             sent;
    ssize_t            rc;
    ngx_connection_t  *c;

    c = dst->connection;
    sent = 0;

    /* TLS takes a record at a time, a socket that took less is full */

    do {
        rc = c->send(c, p + sent, n - sent);

        if (rc == NGX_ERROR) {
            ngx_egress_relay_broken(dst);
            return NGX_ERROR;
        }

        if (rc <= 0) {
            break;
        }

        sent += rc;

    } while (sent < n && c->write->ready);

    if (sent) {
        dst->sent += sent;
        dst->relay->active = ngx_current_msec;
    }

    return sent;
}


void
ngx_egress_relay_copy_drop(ngx_egress_relay_side_t *dst)
{
    if (dst->refused) {
        ngx_free(dst->refused);
        dst->refused = NULL;
    }
}


ngx_int_t
ngx_egress_relay_copy_init(ngx_cycle_t *cycle, size_t size)
{
    ngx_egress_relay_buffer_size = size;

    ngx_egress_relay_buffer = ngx_memalign(ngx_pagesize, size, cycle->log);

    return ngx_egress_relay_buffer ? NGX_OK : NGX_ERROR;
}


void
ngx_egress_relay_copy_exit(void)
{
    if (ngx_egress_relay_buffer) {
        ngx_free(ngx_egress_relay_buffer);
        ngx_egress_relay_buffer = NULL;
    }
}
