
/*
 * Copyright (C) ngx_egress authors
 *
 * CONNECT: has the task connect, answers 200, and becomes the client's end of
 * the relay.  Bytes after the head are tunnel data; after a refusal they are
 * nobody's: the connection is closed.
 */


#include "ngx_http_egress.h"
#include "../relay/ngx_egress_relay.h"


#define NGX_HTTP_EGRESS_ESTABLISHED                                           \
    "HTTP/1.1 200 Connection established" CRLF CRLF

#define NGX_HTTP_EGRESS_ESTABLISHED_LEN                                       \
    (sizeof(NGX_HTTP_EGRESS_ESTABLISHED) - 1)


static void ngx_http_egress_wait(ngx_http_request_t *r);
static ngx_int_t ngx_http_egress_client_gone(ngx_http_request_t *r);
static void ngx_http_egress_connected(ngx_egress_task_t *task);
static void ngx_http_egress_send_established(ngx_http_request_t *r);
static void ngx_http_egress_tunnel(ngx_http_request_t *r,
    ngx_http_egress_ctx_t *ctx);
static void ngx_http_egress_tunnel_read(ngx_http_request_t *r);
static void ngx_http_egress_tunnel_write(ngx_http_request_t *r);
static void ngx_http_egress_finished(ngx_egress_task_t *task);
static void ngx_http_egress_finalize(ngx_http_egress_ctx_t *ctx,
    ngx_int_t rc);


ngx_int_t
ngx_http_egress_connect(ngx_http_request_t *r, ngx_http_egress_ctx_t *ctx)
{
    ngx_uint_t          reason;
    ngx_event_t        *rev;
    ngx_egress_task_t  *task;

    task = ctx->task;
    rev = r->connection->read;

    reason = ngx_http_egress_prepare(r, ctx, NGX_EGRESS_PORT_REQUIRED);

    if (reason) {
        return ngx_http_egress_error(r, ctx, reason);
    }

    if (r->headers_in.content_length_n > 0 || r->headers_in.chunked) {
        ngx_log_error(NGX_LOG_INFO, r->connection->log, 0,
                      "client sent CONNECT request with body");

        /* the answer does not wait for it */

        r->headers_in.content_length_n = -1;
        r->headers_in.chunked = 0;

        return ngx_http_egress_error(r, ctx, NGX_EGRESS_BAD_REQUEST);
    }

    /* no event will tell what came together with the head */

    if (rev->ready && ngx_http_egress_client_gone(r) == NGX_OK) {
        return ngx_http_egress_error(r, ctx, NGX_EGRESS_CLIENT_ABORTED);
    }

    task->connected = ngx_http_egress_connected;
    task->finish = ngx_http_egress_finished;
    task->data = ctx;

    r->read_event_handler = ngx_http_egress_wait;
    r->write_event_handler = ngx_http_request_empty_handler;

    r->main->count++;

    ngx_http_egress_log(ctx, ngx_egress_task_log_created);
    ngx_egress_task_run(task);

    ctx->async = 1;

    return NGX_DONE;
}


/* The client has done something while its target is being connected. */

static void
ngx_http_egress_wait(ngx_http_request_t *r)
{
    ngx_event_t            *rev;
    ngx_http_egress_ctx_t  *ctx;

    rev = r->connection->read;

    if (ngx_http_egress_client_gone(r) == NGX_OK) {
        ctx = ngx_http_get_module_ctx(r, ngx_http_egress_module);
        ngx_egress_task_finish(ctx->task, NGX_EGRESS_CLIENT_ABORTED);
        return;
    }

    /* the relay reads it */

    if ((ngx_event_flags & NGX_USE_LEVEL_EVENT) && rev->active) {
        if (ngx_del_event(rev, NGX_READ_EVENT, 0) != NGX_OK) {
            ngx_http_finalize_request(r, NGX_ERROR);
        }
    }
}


/*
 * A client that half-closes after its last byte is served if there are bytes
 * for the target; a close with nothing said is an abort.
 */

static ngx_int_t
ngx_http_egress_client_gone(ngx_http_request_t *r)
{
    int                n;
    char               buf[1];
    ngx_connection_t  *c;

    c = r->connection;

    n = recv(c->fd, buf, 1, MSG_PEEK);

    if (n == -1) {
        return ngx_socket_errno == NGX_EAGAIN ? NGX_DECLINED : NGX_OK;
    }

    if (r->header_in->pos < r->header_in->last) {
        return NGX_DECLINED;
    }

#if (NGX_HTTP_SSL)
    if (c->ssl && c->read->pending_eof) {
        /* what can be read is most likely a close_notify */
        return NGX_OK;
    }
#endif

    return (n == 0) ? NGX_OK : NGX_DECLINED;
}


static void
ngx_http_egress_connected(ngx_egress_task_t *task)
{
    ngx_http_request_t     *r;
    ngx_http_egress_ctx_t  *ctx;

    ctx = task->data;
    r = ctx->request;

    /* header filters would add what a tunnel must not have */

    r->headers_out.status = NGX_HTTP_OK;
    r->header_sent = 1;
    r->header_size = NGX_HTTP_EGRESS_ESTABLISHED_LEN;

    ctx->tunnel = 1;

    r->write_event_handler = ngx_http_egress_send_established;

    ngx_http_egress_send_established(r);
}


static void
ngx_http_egress_send_established(ngx_http_request_t *r)
{
    ssize_t                    n;
    ngx_connection_t          *c;
    ngx_http_egress_ctx_t     *ctx;
    ngx_http_core_loc_conf_t  *clcf;

    c = r->connection;
    ctx = ngx_http_get_module_ctx(r, ngx_http_egress_module);

    if (c->write->timedout) {
        c->timedout = 1;
        ngx_egress_task_finish(ctx->task, NGX_EGRESS_CLIENT_ABORTED);
        return;
    }

    n = c->send(c, (u_char *) NGX_HTTP_EGRESS_ESTABLISHED + ctx->sent,
                NGX_HTTP_EGRESS_ESTABLISHED_LEN - ctx->sent);

    if (n == NGX_ERROR) {
        ngx_egress_task_finish(ctx->task, NGX_EGRESS_CLIENT_ABORTED);
        return;
    }

    if (n > 0) {
        ctx->sent += n;
    }

    if (ctx->sent == NGX_HTTP_EGRESS_ESTABLISHED_LEN) {
        ngx_http_egress_tunnel(r, ctx);
        return;
    }

    /* the socket is full of an earlier response */

    if (!c->write->timer_set) {
        clcf = ngx_http_get_module_loc_conf(r, ngx_http_core_module);
        ngx_add_timer(c->write, clcf->send_timeout);
    }

    if (ngx_handle_write_event(c->write, 0) != NGX_OK) {
        ngx_egress_task_finish(ctx->task, NGX_EGRESS_INTERNAL);
    }
}


static void
ngx_http_egress_tunnel(ngx_http_request_t *r, ngx_http_egress_ctx_t *ctx)
{
    ngx_str_t          early;
    ngx_buf_t         *b;
    ngx_connection_t  *c;

    c = r->connection;

    if (c->write->timer_set) {
        ngx_del_timer(c->write);
    }

    b = r->header_in;

    early.data = b->pos;
    early.len = b->last - b->pos;

    /* else it would be parsed as a request, or keep the close lingering */
    b->pos = b->last;

    r->read_event_handler = ngx_http_egress_tunnel_read;
    r->write_event_handler = ngx_http_egress_tunnel_write;

    ngx_http_egress_log(ctx, ngx_egress_task_log_connected);

    if (ngx_egress_task_relay_start(ctx->task, &early) != NGX_OK) {
        ngx_egress_task_finish(ctx->task, NGX_EGRESS_INTERNAL);
    }
}


static void
ngx_http_egress_tunnel_read(ngx_http_request_t *r)
{
    ngx_http_egress_ctx_t  *ctx;

    ctx = ngx_http_get_module_ctx(r, ngx_http_egress_module);

    ngx_egress_relay_event(ctx->task->relay, r->connection->read);
}


static void
ngx_http_egress_tunnel_write(ngx_http_request_t *r)
{
    ngx_http_egress_ctx_t  *ctx;

    ctx = ngx_http_get_module_ctx(r, ngx_http_egress_module);

    ngx_egress_relay_event(ctx->task->relay, r->connection->write);
}


static void
ngx_http_egress_finished(ngx_egress_task_t *task)
{
    ngx_connection_t       *c;
    ngx_http_request_t     *r;
    ngx_http_egress_ctx_t  *ctx;

    ctx = task->data;
    r = ctx->request;
    c = r->connection;

    r->read_event_handler = ngx_http_block_reading;
    r->write_event_handler = ngx_http_request_empty_handler;

    if (!ctx->tunnel) {
        ngx_http_egress_finalize(ctx,
                              ngx_http_egress_error(r, ctx, task->reason));
        return;
    }

    if (task->reason != NGX_EGRESS_NONE) {
        c->timedout = (task->reason == NGX_EGRESS_IDLE_TIMEOUT);
        ngx_http_egress_finalize(ctx, NGX_ERROR);
        return;
    }

    /* both ways were closed: there is nothing to linger for */

    c->read->eof = 1;

    ngx_http_egress_finalize(ctx, NGX_OK);
}


static void
ngx_http_egress_finalize(ngx_http_egress_ctx_t *ctx, ngx_int_t rc)
{
    ngx_uint_t         async;
    ngx_connection_t  *c;

    c = ctx->request->connection;
    async = ctx->async;

    ngx_http_finalize_request(ctx->request, rc);

    if (async) {
        ngx_http_run_posted_requests(c);
    }
}
