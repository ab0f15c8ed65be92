
/*
 * Copyright (C) ngx_egress authors
 *
 * The flow that all stream servers share: a task for the session, waiting
 * while it connects, the relay, the end.  Knows no client protocol.
 */


#include "ngx_stream_egress.h"
#include "ngx_stream_egress_log.h"
#include "../proto/ngx_egress_text.h"
#include "../relay/ngx_egress_relay.h"


#define NGX_STREAM_EGRESS_DRAIN     8192   /* unread bytes of the refused */
#define NGX_STREAM_EGRESS_PATIENCE  1000   /* ms, with silent clients */


static ngx_egress_escaper_t *ngx_stream_egress_find_escaper(
    ngx_stream_session_t *s, ngx_stream_egress_escaper_t *e);
static void ngx_stream_egress_wait(ngx_event_t *ev);
static void ngx_stream_egress_early(ngx_stream_egress_ctx_t *ctx,
    ngx_str_t *early);
static ngx_uint_t ngx_stream_egress_client_gone(ngx_connection_t *c);
static void ngx_stream_egress_connected(ngx_egress_task_t *task);
static void ngx_stream_egress_finished(ngx_egress_task_t *task);
static void ngx_stream_egress_relay_handler(ngx_event_t *ev);
static void ngx_stream_egress_free_buffer(void *data);


ngx_stream_egress_identity_pt  ngx_stream_egress_identity;


ngx_stream_egress_ctx_t *
ngx_stream_egress_create(ngx_stream_session_t *s)
{
    ngx_connection_t         *c;
    ngx_pool_cleanup_t       *cln;
    ngx_stream_egress_ctx_t  *ctx;

    c = s->connection;

    cln = ngx_pool_cleanup_add(c->pool, sizeof(ngx_stream_egress_ctx_t));
    if (cln == NULL) {
        ngx_stream_finalize_session(s, NGX_STREAM_INTERNAL_SERVER_ERROR);
        return NULL;
    }

    ctx = cln->data;
    ngx_memzero(ctx, sizeof(ngx_stream_egress_ctx_t));

    cln->handler = ngx_stream_egress_free_buffer;

    ctx->session = s;

    ctx->task = ngx_egress_task_create(c->pool, c->log, c);
    if (ctx->task == NULL) {
        ngx_stream_finalize_session(s, NGX_STREAM_INTERNAL_SERVER_ERROR);
        return NULL;
    }

    ctx->task->connected = ngx_stream_egress_connected;
    ctx->task->finish = ngx_stream_egress_finished;
    ctx->task->data = ctx;

    if (ngx_stream_egress_identity) {
        ngx_stream_egress_identity(s, ctx->task);
    }

    ngx_stream_set_ctx(s, ctx, ngx_stream_egress_module);

    /* until a type reads: nobody but the core has a say */

    ngx_stream_egress_hold(ctx);

    return ctx;
}


ngx_stream_egress_ctx_t *
ngx_stream_egress_get_ctx(ngx_stream_session_t *s)
{
    return ngx_stream_get_module_ctx(s, ngx_stream_egress_module);
}


socklen_t
ngx_stream_egress_local(ngx_connection_t *c, ngx_sockaddr_t *sa)
{
    socklen_t  len;

    len = sizeof(ngx_sockaddr_t);

    if (getsockname(c->fd, &sa->sockaddr, &len) == -1) {
        ngx_connection_error(c, ngx_socket_errno, "getsockname() failed");
        return 0;
    }

    return len;
}


void
ngx_stream_egress_connect(ngx_stream_egress_ctx_t *ctx)
{
    ngx_egress_task_t             *task;
    ngx_stream_session_t          *s;
    ngx_stream_egress_srv_conf_t  *escf;

    s = ctx->session;
    task = ctx->task;

    escf = ngx_stream_get_module_srv_conf(s, ngx_stream_egress_module);

    task->escaper = ngx_stream_egress_find_escaper(s, &escf->escaper);

    if (task->escaper == NULL) {
        ngx_stream_egress_refuse(ctx, NGX_EGRESS_ESCAPER_DENIED);
        return;
    }

    if (ngx_stream_egress_begin(ctx) == NGX_OK) {
        ngx_egress_task_run(task);
    }
}


ngx_int_t
ngx_stream_egress_begin(ngx_stream_egress_ctx_t *ctx)
{
    ngx_connection_t              *c;
    ngx_egress_task_t             *task;
    ngx_stream_egress_srv_conf_t  *escf;

    c = ctx->session->connection;
    task = ctx->task;

    escf = ngx_stream_get_module_srv_conf(ctx->session,
                                          ngx_stream_egress_module);

    task->idle_timeout = escf->idle_timeout;
    task->upload_rate = escf->upload_rate;
    task->download_rate = escf->download_rate;

    ngx_stream_egress_log(ctx, ngx_egress_task_log_created);

    ngx_stream_egress_hold(ctx);

    if (c->read->ready && ngx_stream_egress_client_gone(c)) {
        ngx_stream_egress_refuse(ctx, NGX_EGRESS_CLIENT_ABORTED);
        return NGX_DONE;
    }

    /* as long as nobody has read, nobody is told that the client goes */

    if (!c->read->active
        && ngx_add_event(c->read, NGX_READ_EVENT,
                         (ngx_event_flags & NGX_USE_CLEAR_EVENT)
                         ? NGX_CLEAR_EVENT : NGX_LEVEL_EVENT)
           != NGX_OK)
    {
        ngx_stream_egress_refuse(ctx, NGX_EGRESS_INTERNAL);
        return NGX_DONE;
    }

    return NGX_OK;
}


static ngx_egress_escaper_t *
ngx_stream_egress_find_escaper(ngx_stream_session_t *s,
    ngx_stream_egress_escaper_t *e)
{
    u_char                 text[NGX_EGRESS_TEXT_LEN];
    ngx_str_t              name;
    ngx_egress_escaper_t  *escaper;

    if (e->value == NULL) {
        return e->escaper;
    }

    if (ngx_stream_complex_value(s, e->value, &name) != NGX_OK) {
        return NULL;
    }

    escaper = ngx_egress_escaper_find((ngx_cycle_t *) ngx_cycle, &name);

    if (escaper == NULL) {
        ngx_egress_text(&name, text, &name);

        ngx_log_error(NGX_LOG_ERR, s->connection->log, 0,
                      "unknown escaper \"%V\"", &name);
    }

    return escaper;
}


void
ngx_stream_egress_hold(ngx_stream_egress_ctx_t *ctx)
{
    ngx_connection_t  *c;

    c = ctx->session->connection;

    c->read->handler = ngx_stream_egress_wait;
    c->write->handler = ngx_stream_egress_wait;
}


/* The client has done something while its target is being connected. */

static void
ngx_stream_egress_wait(ngx_event_t *ev)
{
    ngx_connection_t         *c;
    ngx_stream_egress_ctx_t  *ctx;

    c = ev->data;
    ctx = ngx_stream_egress_get_ctx(c->data);

    if (c->close) {
        ngx_egress_task_finish(ctx->task, NGX_EGRESS_SHUTDOWN);
        return;
    }

    if (ev->write) {
        return;
    }

    if (ngx_stream_egress_client_gone(c)) {
        ngx_egress_task_finish(ctx->task, NGX_EGRESS_CLIENT_ABORTED);
        return;
    }

    /* the relay reads it */

    if ((ngx_event_flags & NGX_USE_LEVEL_EVENT) && ev->active) {
        if (ngx_del_event(ev, NGX_READ_EVENT, 0) != NGX_OK) {
            ngx_egress_task_finish(ctx->task, NGX_EGRESS_INTERNAL);
        }
    }
}


/*
 * A client that half-closes after its last byte is served; one that closes
 * having said nothing for the target is gone.  Where no protocol is read, such
 * a client may still want to listen: it is gone if it waits for long.
 */

static ngx_uint_t
ngx_stream_egress_client_gone(ngx_connection_t *c)
{
    int                       n;
    char                      buf[1];
    ngx_str_t                 early;
    ngx_stream_egress_ctx_t  *ctx;

    n = recv(c->fd, buf, 1, MSG_PEEK);

    if (n == -1) {
        return ngx_socket_errno != NGX_EAGAIN;
    }

    ctx = ngx_stream_egress_get_ctx(c->data);

    ngx_stream_egress_early(ctx, &early);

    if (n > 0 || early.len) {
        return 0;
    }

#if (NGX_STREAM_SSL)
    /* the handshake may have read what came right behind it */

    if (c->ssl && SSL_has_pending(c->ssl->connection)) {
        return 0;
    }
#endif

    if (ctx->buffer == NULL && !c->read->timedout) {

        if (!c->read->timer_set) {
            ngx_add_timer(c->read, NGX_STREAM_EGRESS_PATIENCE);
        }

        return 0;
    }

    return 1;
}


/*
 * What the client has said for its target: a type that reads has taken over
 * the bytes of the preread phase, one that does not has left them there.
 */

static void
ngx_stream_egress_early(ngx_stream_egress_ctx_t *ctx, ngx_str_t *early)
{
    ngx_buf_t  *b;

    b = ctx->buffer ? ctx->buffer : ctx->session->connection->buffer;

    ngx_str_null(early);

    if (b) {
        early->data = b->pos;
        early->len = b->last - b->pos;
    }
}


static void
ngx_stream_egress_connected(ngx_egress_task_t *task)
{
    ngx_stream_egress_ctx_t  *ctx;

    ctx = task->data;

    ngx_stream_egress_log(ctx, ngx_egress_task_log_connected);

    ctx->connected(ctx);
}


void
ngx_stream_egress_relay(ngx_stream_egress_ctx_t *ctx)
{
    ngx_buf_t             *b;
    ngx_str_t              early;
    ngx_connection_t      *c;
    ngx_stream_session_t  *s;

    s = ctx->session;
    c = s->connection;

    ngx_stream_egress_early(ctx, &early);

    if (ctx->buffer) {
        /* the relay counts them again */
        s->received -= early.len;
    }

    if (c->read->timer_set) {
        ngx_del_timer(c->read);
    }

    c->read->handler = ngx_stream_egress_relay_handler;
    c->write->handler = ngx_stream_egress_relay_handler;

    ctx->relaying = 1;

    /*
     * What is not sent at once, the relay copies.  The buffer is freed here,
     * and not with the session, which may be gone when the relay returns.
     */

    b = ctx->buffer;
    ctx->buffer = NULL;

    if (ngx_egress_task_relay_start(ctx->task, &early) != NGX_OK) {
        ngx_egress_task_finish(ctx->task, NGX_EGRESS_INTERNAL);
    }

    if (b) {
        ngx_free(b);
    }
}


static void
ngx_stream_egress_relay_handler(ngx_event_t *ev)
{
    ngx_connection_t         *c;
    ngx_stream_egress_ctx_t  *ctx;

    c = ev->data;
    ctx = ngx_stream_egress_get_ctx(c->data);

    ngx_egress_relay_event(ctx->task->relay, ev);
}


static void
ngx_stream_egress_finished(ngx_egress_task_t *task)
{
    ngx_stream_egress_ctx_t  *ctx;

    ctx = task->data;

    if (ctx->relaying || ctx->failed == NULL) {
        ngx_stream_egress_finalize(ctx);
        return;
    }

    ctx->failed(ctx);
}


void
ngx_stream_egress_refuse(ngx_stream_egress_ctx_t *ctx, ngx_uint_t reason)
{
    ngx_egress_task_close(ctx->task, reason);

    ngx_stream_egress_finished(ctx->task);
}


void
ngx_stream_egress_finalize(ngx_stream_egress_ctx_t *ctx)
{
    ngx_uint_t             status;
    ngx_egress_task_t     *task;
    ngx_stream_session_t  *s;

    s = ctx->session;
    task = ctx->task;

    ngx_egress_task_close(task, NGX_EGRESS_NONE);

    s->received += task->bytes_received;

    if (task->udp) {
        s->connection->sent += task->bytes_sent;
    }

    status = ngx_egress_reason(task->reason)->status;

    ngx_stream_finalize_session(s, status && !ctx->relaying ? status
                                                            : NGX_STREAM_OK);
}


void
ngx_stream_egress_farewell(ngx_stream_egress_ctx_t *ctx, u_char *p, size_t len)
{
    u_char             buf[NGX_STREAM_EGRESS_DRAIN];
    ngx_connection_t  *c;

    c = ctx->session->connection;

    if (!c->error && !c->close) {
        (void) c->send(c, p, len);

        /* a socket closed with bytes in it resets, and the words are lost */

        if (c->read->ready) {
            (void) c->recv(c, buf, NGX_STREAM_EGRESS_DRAIN);
        }
    }

    ngx_stream_egress_finalize(ctx);
}


/* The buffer is malloc'ed: an open tunnel must not own it. */

static void
ngx_stream_egress_free_buffer(void *data)
{
    ngx_stream_egress_ctx_t *ctx = data;

    if (ctx->buffer) {
        ngx_free(ctx->buffer);
        ctx->buffer = NULL;
    }
}
