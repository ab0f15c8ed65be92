
/*
 * Copyright (C) ngx_egress authors
 *
 * The balancer of the core's upstream, with one peer: the connection that the
 * task has opened.  Decides what becomes of it: kept for another request,
 * closed, or, when the answer never came, replaced by a fresh one.
 *
 * The core would answer a failure with a page of its own.  Therefore it is
 * always told to try the next peer, gets the failed connection once more as
 * one that is still connecting, and an event posted meanwhile goes on: with a
 * retry, or with our own answer.
 */


#include "ngx_http_egress_forward.h"
#include "../connect/ngx_egress_keepalive.h"


/* asking twice does no harm, RFC 9110, section 9.2.2 */

#define NGX_HTTP_EGRESS_IDEMPOTENT                                            \
    (NGX_HTTP_GET|NGX_HTTP_HEAD|NGX_HTTP_OPTIONS|NGX_HTTP_TRACE               \
     |NGX_HTTP_PUT|NGX_HTTP_DELETE|NGX_HTTP_PROPFIND)


static ngx_int_t ngx_http_egress_forward_init_peer(ngx_http_request_t *r,
    ngx_http_upstream_srv_conf_t *us);
static ngx_int_t ngx_http_egress_forward_get_peer(ngx_peer_connection_t *pc,
    void *data);
static void ngx_http_egress_forward_free_peer(ngx_peer_connection_t *pc,
    void *data, ngx_uint_t state);
static ngx_uint_t ngx_http_egress_forward_reusable(
    ngx_http_egress_forward_t *fwd, ngx_connection_t *c);
static void ngx_http_egress_forward_peer_failed(
    ngx_http_egress_forward_t *fwd, ngx_connection_t *c);
static ngx_uint_t ngx_http_egress_forward_can_retry(
    ngx_http_egress_forward_t *fwd, ngx_connection_t *c);
static void ngx_http_egress_forward_silence(ngx_connection_t *c);
static void ngx_http_egress_forward_event(ngx_event_t *ev);

#if (NGX_HTTP_SSL)
static ngx_int_t ngx_http_egress_forward_set_session(
    ngx_peer_connection_t *pc, void *data);
static void ngx_http_egress_forward_save_session(ngx_peer_connection_t *pc,
    void *data);
#endif


ngx_http_upstream_srv_conf_t  ngx_http_egress_forward_upstream = {
    .peer.init = ngx_http_egress_forward_init_peer,
    .host = ngx_string("egress")
};


/* The core wants to see an address; it looks at nothing but the family. */

static struct sockaddr  ngx_http_egress_forward_sockaddr = {
    .sa_family = AF_UNSPEC
};


static ngx_int_t
ngx_http_egress_forward_init_peer(ngx_http_request_t *r,
    ngx_http_upstream_srv_conf_t *us)
{
    ngx_http_upstream_t    *u;
    ngx_http_egress_ctx_t  *ctx;

    u = r->upstream;
    ctx = ngx_http_get_module_ctx(r, ngx_http_egress_module);

    u->peer.data = ctx->forward;
    u->peer.get = ngx_http_egress_forward_get_peer;
    u->peer.free = ngx_http_egress_forward_free_peer;
    u->peer.tries = 1;

#if (NGX_HTTP_SSL)
    u->peer.set_session = ngx_http_egress_forward_set_session;
    u->peer.save_session = ngx_http_egress_forward_save_session;
#endif

    return NGX_OK;
}


static ngx_int_t
ngx_http_egress_forward_get_peer(ngx_peer_connection_t *pc, void *data)
{
    ngx_http_egress_forward_t *fwd = data;

    ngx_str_t          *name;
    ngx_egress_task_t  *task;

    task = fwd->task;
    name = &fwd->names[fwd->attempts++];

    pc->name = name;
    pc->sockaddr = &ngx_http_egress_forward_sockaddr;
    pc->socklen = sizeof(struct sockaddr);
    pc->cached = 0;

    if (fwd->dead == NULL) {
        *name = task->hop->peer;

        if (ngx_http_egress_forward_limit(fwd, task->peer) != NGX_OK) {
            return NGX_ERROR;
        }

        pc->connection = task->peer;
        task->peer = NULL;

        return NGX_DONE;
    }

    pc->connection = fwd->dead;
    fwd->dead = NULL;

    fwd->event.handler = ngx_http_egress_forward_event;
    fwd->event.data = fwd;
    fwd->event.log = fwd->request->connection->log;

    ngx_post_event(&fwd->event, &ngx_posted_events);

    return NGX_AGAIN;
}


static void
ngx_http_egress_forward_free_peer(ngx_peer_connection_t *pc, void *data,
    ngx_uint_t state)
{
    ngx_http_egress_forward_t *fwd = data;

    ngx_connection_t  *c;

    c = pc->connection;

    if (c == NULL) {
        return;
    }

    pc->connection = NULL;

    ngx_http_egress_forward_unlimit(fwd, c);

    if (state & NGX_PEER_FAILED) {
        ngx_http_egress_forward_peer_failed(fwd, c);
        return;
    }

    if (ngx_http_egress_forward_reusable(fwd, c)) {
        ngx_egress_keepalive_put(fwd->task->hop, c,
                                 fwd->conf->keepalive_timeout,
                                 fwd->conf->keepalive);
        return;
    }

    ngx_egress_close_connection(c);
}


static ngx_uint_t
ngx_http_egress_forward_reusable(ngx_http_egress_forward_t *fwd,
    ngx_connection_t *c)
{
    ngx_http_upstream_t  *u;

    u = fwd->request->upstream;

    return fwd->complete
           && u->keepalive
           && u->request_body_sent
           && !u->upgrade
           && !fwd->excess
           && !fwd->unwritable
           && !c->read->timedout
           && !c->write->timedout
           && !c->write->error;
}


static void
ngx_http_egress_forward_peer_failed(ngx_http_egress_forward_t *fwd,
    ngx_connection_t *c)
{
    ngx_http_request_t   *r;
    ngx_http_upstream_t  *u;

    r = fwd->request;
    u = r->upstream;

    fwd->retry = ngx_http_egress_forward_can_retry(fwd, c);

    if (fwd->reason == NGX_EGRESS_NONE) {

        if (c->read->timedout || c->write->timedout) {
            fwd->reason = NGX_EGRESS_UPSTREAM_TIMEOUT;

        } else if (u->buffer.start && u->buffer.last == u->buffer.end) {
            fwd->reason = NGX_EGRESS_UPSTREAM_INVALID;

        } else {
            fwd->reason = NGX_EGRESS_UPSTREAM_CLOSED;
        }
    }

    ngx_http_egress_forward_silence(c);

    fwd->dead = c;

    /* the core goes on to get_peer() only with a body it can send again */

    r->request_body_no_buffering = 0;

    if (!fwd->retry) {
        u->request_bufs = NULL;
        r->read_event_handler = ngx_http_block_reading;
        r->write_event_handler = ngx_http_request_empty_handler;
    }
}


static ngx_uint_t
ngx_http_egress_forward_can_retry(ngx_http_egress_forward_t *fwd,
    ngx_connection_t *c)
{
    ngx_http_request_t  *r;

    r = fwd->request;

    if (!fwd->task->reused || fwd->body || fwd->attempts > 1) {
        return 0;
    }

    if (fwd->reason != NGX_EGRESS_NONE
        || c->read->timedout
        || c->write->timedout
        || c->close
        || r->upstream->state->bytes_received)
    {
        return 0;
    }

    return c->sent == 0 || (r->method & NGX_HTTP_EGRESS_IDEMPOTENT);
}


/* No event of it may reach the core any more. */

static void
ngx_http_egress_forward_silence(ngx_connection_t *c)
{
    if (c->read->timer_set) {
        ngx_del_timer(c->read);
    }

    if (c->write->timer_set) {
        ngx_del_timer(c->write);
    }

    if (c->read->posted) {
        ngx_delete_posted_event(c->read);
    }

    if (c->write->posted) {
        ngx_delete_posted_event(c->write);
    }

    if (!c->read->active && !c->write->active) {
        return;
    }

    if (ngx_del_conn) {
        (void) ngx_del_conn(c, 0);
        return;
    }

    if (c->read->active) {
        (void) ngx_del_event(c->read, NGX_READ_EVENT, 0);
    }

    if (c->write->active) {
        (void) ngx_del_event(c->write, NGX_WRITE_EVENT, 0);
    }
}


static void
ngx_http_egress_forward_event(ngx_event_t *ev)
{
    ngx_connection_t           *c;
    ngx_http_request_t         *r;
    ngx_http_egress_forward_t  *fwd;

    fwd = ev->data;
    r = fwd->request;
    c = r->connection;

    ngx_http_set_log_request(c->log, r);

    /* the core waits for a connection */

    ngx_http_egress_forward_silence(r->upstream->peer.connection);

    if (!fwd->retry) {
        ngx_http_egress_forward_fail(fwd, fwd->reason);
        ngx_http_run_posted_requests(c);
        return;
    }

    ngx_log_error(NGX_LOG_INFO, c->log, 0,
                  "kept connection was closed, trying a fresh one");

    fwd->retry = 0;
    fwd->waiting = 1;
    fwd->reason = NGX_EGRESS_NONE;

    ngx_egress_task_again(fwd->task, 1);
}


void
ngx_http_egress_forward_swap(ngx_http_egress_forward_t *fwd)
{
    ngx_connection_t     *c, *dead;
    ngx_http_request_t   *r;
    ngx_http_upstream_t  *u;

    r = fwd->request;
    u = r->upstream;

    c = fwd->task->peer;
    fwd->task->peer = NULL;
    fwd->waiting = 0;

    if (ngx_http_egress_forward_limit(fwd, c) != NGX_OK) {
        ngx_egress_close_connection(c);
        ngx_http_egress_forward_fail(fwd, NGX_EGRESS_INTERNAL);
        return;
    }

    fwd->names[fwd->attempts - 1] = fwd->task->hop->peer;

    dead = u->peer.connection;

    c->requests++;
    c->data = r;
    c->read->handler = dead->read->handler;
    c->write->handler = dead->write->handler;

    c->log = r->connection->log;
    c->read->log = c->log;
    c->write->log = c->log;

    c->sendfile &= r->connection->sendfile;

    u->output.sendfile = c->sendfile;
    u->peer.connection = c;
    u->writer.connection = c;

    ngx_egress_close_connection(dead);

    c->write->handler(c->write);
}


void
ngx_http_egress_forward_drop(ngx_http_egress_forward_t *fwd)
{
    if (fwd->event.posted) {
        ngx_delete_posted_event(&fwd->event);
    }

    if (fwd->dead) {
        ngx_egress_close_connection(fwd->dead);
        fwd->dead = NULL;
    }
}


#if (NGX_HTTP_SSL)

/* Sessions belong to the connector. */

static ngx_int_t
ngx_http_egress_forward_set_session(ngx_peer_connection_t *pc, void *data)
{
    return NGX_OK;
}


static void
ngx_http_egress_forward_save_session(ngx_peer_connection_t *pc, void *data)
{
    /* nothing to keep */
}

#endif
