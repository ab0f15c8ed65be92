
/*
 * Copyright (C) ngx_egress authors
 *
 * From the client's socket to the reader of a server type, and short messages
 * back.  Readers see the same bytes however they arrive.
 */


#include "ngx_stream_egress.h"


#define NGX_STREAM_EGRESS_READ  1024       /* a buffer to begin with */


struct ngx_stream_egress_io_s {
    ngx_stream_egress_reader_pt  reader;
    ngx_stream_egress_pt         done;
    size_t                       size;      /* of the buffer, at most */
    u_char                      *pos;       /* of a message being sent */
    u_char                      *last;
};


static ngx_stream_egress_io_t *ngx_stream_egress_io(
    ngx_stream_egress_ctx_t *ctx, ngx_msec_t timeout);
static ngx_int_t ngx_stream_egress_read_buffer(ngx_stream_egress_ctx_t *ctx);
static ngx_int_t ngx_stream_egress_read_grow(ngx_stream_egress_ctx_t *ctx,
    size_t size);
static void ngx_stream_egress_read_handler(ngx_event_t *rev);
static ngx_int_t ngx_stream_egress_read_more(ngx_stream_egress_ctx_t *ctx,
    ngx_uint_t *reason);
static void ngx_stream_egress_send_handler(ngx_event_t *wev);
static void ngx_stream_egress_ignore(ngx_event_t *ev);
static void ngx_stream_egress_io_done(ngx_stream_egress_ctx_t *ctx);


void
ngx_stream_egress_read(ngx_stream_egress_ctx_t *ctx,
    ngx_stream_egress_reader_pt reader, size_t size, ngx_msec_t timeout,
    ngx_stream_egress_pt done)
{
    ngx_connection_t        *c;
    ngx_stream_egress_io_t  *io;

    c = ctx->session->connection;

    io = ngx_stream_egress_io(ctx, timeout);

    if (io == NULL || ngx_stream_egress_read_buffer(ctx) != NGX_OK) {
        ngx_stream_egress_refuse(ctx, NGX_EGRESS_INTERNAL);
        return;
    }

    io->size = size;
    io->reader = reader;
    io->done = done;

    c->read->handler = ngx_stream_egress_read_handler;
    c->write->handler = ngx_stream_egress_ignore;

    ngx_stream_egress_read_handler(c->read);
}


static ngx_stream_egress_io_t *
ngx_stream_egress_io(ngx_stream_egress_ctx_t *ctx, ngx_msec_t timeout)
{
    ngx_connection_t  *c;

    c = ctx->session->connection;

    if (ctx->io == NULL) {
        ctx->io = ngx_pcalloc(c->pool, sizeof(ngx_stream_egress_io_t));
        if (ctx->io == NULL) {
            return NULL;
        }
    }

    /* one timer for the whole message, whatever the direction */

    ngx_add_timer(c->read, timeout);

    return ctx->io;
}


/* a small one, with what the preread phase has read already */

static ngx_int_t
ngx_stream_egress_read_buffer(ngx_stream_egress_ctx_t *ctx)
{
    size_t                 len;
    ngx_buf_t             *preread;
    ngx_stream_session_t  *s;

    if (ctx->buffer) {
        return NGX_OK;
    }

    s = ctx->session;
    preread = s->connection->buffer;
    len = preread ? preread->last - preread->pos : 0;

    if (ngx_stream_egress_read_grow(ctx, ngx_max(len, NGX_STREAM_EGRESS_READ))
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (len) {
        ctx->buffer->last = ngx_cpymem(ctx->buffer->last, preread->pos, len);
        preread->pos = preread->last;
        s->received += len;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_stream_egress_read_grow(ngx_stream_egress_ctx_t *ctx, size_t size)
{
    ngx_buf_t  *b, *old;

    old = ctx->buffer;

    b = ngx_alloc(sizeof(ngx_buf_t) + size, ctx->session->connection->log);
    if (b == NULL) {
        return NGX_ERROR;
    }

    ngx_memzero(b, sizeof(ngx_buf_t));

    b->start = (u_char *) (b + 1);
    b->end = b->start + size;
    b->pos = b->start;
    b->last = b->start;

    if (old) {
        b->last = ngx_cpymem(b->last, old->pos, old->last - old->pos);
        ngx_free(old);
    }

    ctx->buffer = b;

    return NGX_OK;
}


static void
ngx_stream_egress_read_handler(ngx_event_t *rev)
{
    ngx_int_t                 rc;
    ngx_buf_t                *b;
    ngx_uint_t                reason;
    ngx_connection_t         *c;
    ngx_stream_egress_io_t   *io;
    ngx_stream_egress_ctx_t  *ctx;

    c = rev->data;
    ctx = ngx_stream_egress_get_ctx(c->data);
    io = ctx->io;

    for ( ;; ) {
        b = ctx->buffer;

        rc = io->reader(ctx, &b->pos, b->last);

        if (rc == NGX_OK) {
            ngx_stream_egress_io_done(ctx);
            return;
        }

        if (rc == NGX_ERROR) {
            ngx_stream_egress_refuse(ctx, NGX_EGRESS_BAD_REQUEST);
            return;
        }

        rc = ngx_stream_egress_read_more(ctx, &reason);

        if (rc == NGX_AGAIN) {
            return;
        }

        if (rc == NGX_ERROR) {
            ngx_stream_egress_refuse(ctx, reason);
            return;
        }
    }
}


static ngx_int_t
ngx_stream_egress_read_more(ngx_stream_egress_ctx_t *ctx, ngx_uint_t *reason)
{
    size_t             size;
    ssize_t            n;
    ngx_buf_t         *b;
    ngx_event_t       *rev;
    ngx_connection_t  *c;

    c = ctx->session->connection;
    rev = c->read;
    b = ctx->buffer;

    if (c->close) {
        *reason = NGX_EGRESS_SHUTDOWN;
        return NGX_ERROR;
    }

    if (rev->timedout) {
        c->timedout = 1;
        *reason = NGX_EGRESS_CLIENT_TIMEOUT;
        return NGX_ERROR;
    }

    if (b->pos == b->last) {
        b->pos = b->start;
        b->last = b->start;
    }

    if (b->last == b->end) {
        size = b->end - b->start;

        if (size >= ctx->io->size) {
            *reason = NGX_EGRESS_BAD_REQUEST;
            return NGX_ERROR;
        }

        size = ngx_min(2 * size, ctx->io->size);

        if (ngx_stream_egress_read_grow(ctx, size) != NGX_OK) {
            *reason = NGX_EGRESS_INTERNAL;
            return NGX_ERROR;
        }

        b = ctx->buffer;
    }

    n = c->recv(c, b->last, b->end - b->last);

    if (n == NGX_AGAIN) {

        if (ngx_handle_read_event(rev, 0) != NGX_OK) {
            *reason = NGX_EGRESS_INTERNAL;
            return NGX_ERROR;
        }

        return NGX_AGAIN;
    }

    if (n == NGX_ERROR || n == 0) {
        *reason = NGX_EGRESS_CLIENT_ABORTED;
        return NGX_ERROR;
    }

    b->last += n;
    ctx->session->received += n;

    return NGX_OK;
}


void
ngx_stream_egress_send(ngx_stream_egress_ctx_t *ctx, u_char *p, size_t len,
    ngx_msec_t timeout, ngx_stream_egress_pt done)
{
    ngx_connection_t        *c;
    ngx_stream_egress_io_t  *io;

    c = ctx->session->connection;

    io = ngx_stream_egress_io(ctx, timeout);

    if (io == NULL) {
        ngx_stream_egress_refuse(ctx, NGX_EGRESS_INTERNAL);
        return;
    }

    io->pos = p;
    io->last = p + len;
    io->done = done;

    /* the timer is that of the read event: it means the exchange */

    c->read->handler = ngx_stream_egress_send_handler;
    c->write->handler = ngx_stream_egress_send_handler;

    ngx_stream_egress_send_handler(c->write);
}


static void
ngx_stream_egress_send_handler(ngx_event_t *ev)
{
    ssize_t                   n;
    ngx_connection_t         *c;
    ngx_stream_egress_io_t   *io;
    ngx_stream_egress_ctx_t  *ctx;

    c = ev->data;
    ctx = ngx_stream_egress_get_ctx(c->data);
    io = ctx->io;

    if (c->close) {
        ngx_stream_egress_refuse(ctx, NGX_EGRESS_SHUTDOWN);
        return;
    }

    if (ev->timedout) {
        c->timedout = 1;
        ngx_stream_egress_refuse(ctx, NGX_EGRESS_CLIENT_TIMEOUT);
        return;
    }

    if (!ev->write) {
        return;
    }

    n = c->send(c, io->pos, io->last - io->pos);

    if (n == NGX_ERROR) {
        ngx_stream_egress_refuse(ctx, NGX_EGRESS_CLIENT_ABORTED);
        return;
    }

    if (n > 0) {
        io->pos += n;
    }

    if (io->pos == io->last) {
        ngx_stream_egress_io_done(ctx);
        return;
    }

    if (ngx_handle_write_event(c->write, 0) != NGX_OK) {
        ngx_stream_egress_refuse(ctx, NGX_EGRESS_INTERNAL);
    }
}


static void
ngx_stream_egress_ignore(ngx_event_t *ev)
{
    ngx_connection_t         *c;
    ngx_stream_egress_ctx_t  *ctx;

    c = ev->data;

    if (c->close) {
        ctx = ngx_stream_egress_get_ctx(c->data);
        ngx_stream_egress_refuse(ctx, NGX_EGRESS_SHUTDOWN);
    }
}


static void
ngx_stream_egress_io_done(ngx_stream_egress_ctx_t *ctx)
{
    ngx_connection_t         *c;
    ngx_stream_egress_io_t   *io;

    c = ctx->session->connection;
    io = ctx->io;

    if (c->read->timer_set) {
        ngx_del_timer(c->read);
    }

    io->done(ctx);
}
