
/*
 * Copyright (C) ngx_egress authors
 *
 * Speed limits of forwarded requests.  The core's own limit does not work
 * with what is passed on unbuffered; therefore the connection to the origin
 * reads and writes no faster than allowed, and what is read slowly is sent
 * slowly.
 */


#include "ngx_http_egress_forward.h"


static ngx_http_egress_limits_t *ngx_http_egress_forward_get_limits(
    ngx_connection_t *c);
static ssize_t ngx_http_egress_forward_recv(ngx_connection_t *c, u_char *buf,
    size_t size);
static ssize_t ngx_http_egress_forward_slow_send(ngx_connection_t *c,
    u_char *buf, size_t size);
static ngx_chain_t *ngx_http_egress_forward_send_chain(ngx_connection_t *c,
    ngx_chain_t *in, off_t limit);
static void ngx_http_egress_forward_delayed(ngx_event_t *ev);


ngx_int_t
ngx_http_egress_forward_limit(ngx_http_egress_forward_t *fwd,
    ngx_connection_t *c)
{
    size_t                     upload, download;
    ngx_http_egress_limits_t  *limits;

    ngx_egress_task_rates(fwd->task, &upload, &download);

    if (upload == 0 && download == 0) {
        return NGX_OK;
    }

    limits = ngx_pcalloc(fwd->request->pool, sizeof(ngx_http_egress_limits_t));
    if (limits == NULL) {
        return NGX_ERROR;
    }

    fwd->limits = limits;

    limits->upload.rate = upload;
    limits->upload.delay.handler = ngx_http_egress_forward_delayed;
    limits->upload.delay.data = c->write;
    limits->upload.delay.log = fwd->request->connection->log;

    limits->download.rate = download;
    limits->download.delay.handler = ngx_http_egress_forward_delayed;
    limits->download.delay.data = c->read;
    limits->download.delay.log = fwd->request->connection->log;

    limits->recv = c->recv;
    limits->send = c->send;
    limits->send_chain = c->send_chain;

    c->recv = ngx_http_egress_forward_recv;
    c->send = ngx_http_egress_forward_slow_send;
    c->send_chain = ngx_http_egress_forward_send_chain;

    return NGX_OK;
}


void
ngx_http_egress_forward_unlimit(ngx_http_egress_forward_t *fwd,
    ngx_connection_t *c)
{
    ngx_http_egress_limits_t  *limits;

    limits = fwd->limits;

    if (limits == NULL) {
        return;
    }

    if (limits->upload.delay.timer_set) {
        ngx_del_timer(&limits->upload.delay);
    }

    if (limits->download.delay.timer_set) {
        ngx_del_timer(&limits->download.delay);
    }

    c->recv = limits->recv;
    c->send = limits->send;
    c->send_chain = limits->send_chain;

    fwd->limits = NULL;
}


static ngx_http_egress_limits_t *
ngx_http_egress_forward_get_limits(ngx_connection_t *c)
{
    ngx_http_request_t         *r;
    ngx_http_egress_ctx_t      *ctx;
    ngx_http_egress_forward_t  *fwd;

    /* while the core has the connection, its data is the request */

    r = c->data;
    ctx = ngx_http_get_module_ctx(r, ngx_http_egress_module);
    fwd = ctx->forward;

    return fwd->limits;
}


static ssize_t
ngx_http_egress_forward_recv(ngx_connection_t *c, u_char *buf, size_t size)
{
    ssize_t                    n;
    ngx_http_egress_limits_t  *limits;

    limits = ngx_http_egress_forward_get_limits(c);

    size = ngx_egress_limit(&limits->download, size);

    if (size == 0) {
        c->read->ready = 0;
        return NGX_AGAIN;
    }

    n = limits->recv(c, buf, size);

    if (n > 0) {
        ngx_egress_limit_used(&limits->download, n);
    }

    return n;
}


/*
 * The core takes a socket that is still ready for one that has taken all:
 * what is left waits for a socket that is full, or for credit.
 */

static ssize_t
ngx_http_egress_forward_slow_send(ngx_connection_t *c, u_char *buf,
    size_t size)
{
    size_t                     part, sent;
    ssize_t                    n;
    ngx_http_egress_limits_t  *limits;

    limits = ngx_http_egress_forward_get_limits(c);

    for (sent = 0; sent < size; sent += n) {

        part = ngx_egress_limit(&limits->upload, size - sent);

        if (part == 0) {
            c->write->ready = 0;
            break;
        }

        n = limits->send(c, buf + sent, part);

        if (n == NGX_ERROR) {
            return NGX_ERROR;
        }

        if (n <= 0) {
            break;
        }

        ngx_egress_limit_used(&limits->upload, n);
    }

    return sent ? (ssize_t) sent : NGX_AGAIN;
}


static ngx_chain_t *
ngx_http_egress_forward_send_chain(ngx_connection_t *c, ngx_chain_t *in,
    off_t limit)
{
    off_t                      before;
    size_t                     part;
    ngx_http_egress_limits_t  *limits;

    limits = ngx_http_egress_forward_get_limits(c);

    if (limit == 0) {
        limit = NGX_MAX_INT32_VALUE;
    }

    while (in) {
        part = ngx_egress_limit(&limits->upload, limit);

        if (part == 0) {
            c->write->ready = 0;
            break;
        }

        before = c->sent;

        in = limits->send_chain(c, in, part);

        if (in == NGX_CHAIN_ERROR) {
            return NGX_CHAIN_ERROR;
        }

        ngx_egress_limit_used(&limits->upload, c->sent - before);

        if (!c->write->ready || c->sent == before) {
            break;
        }
    }

    return in;
}


static void
ngx_http_egress_forward_delayed(ngx_event_t *ev)
{
    ngx_event_t  *waiting;

    waiting = ev->data;

    waiting->ready = 1;

    ngx_post_event(waiting, &ngx_posted_events);
}
