
/*
 * Copyright (C) ngx_egress authors
 *
 * The open session: takes both connections over from ngx_http_upstream, runs
 * its two directions (_move.c) when events come, and finds out when it is
 * over.  How it comes to its end is decided in _close.c.
 */


#include <ngx_http_ws_proxy.h>


static void ngx_http_ws_proxy_setup(ngx_http_ws_proxy_ctx_t *ctx,
    ngx_http_ws_proxy_dir_t *dir);
static ngx_int_t ngx_http_ws_proxy_preload(ngx_http_ws_proxy_dir_t *dir,
    u_char *data, size_t len);
static void ngx_http_ws_proxy_read_client(ngx_http_request_t *r);
static void ngx_http_ws_proxy_write_client(ngx_http_request_t *r);
static void ngx_http_ws_proxy_read_backend(ngx_http_request_t *r,
    ngx_http_upstream_t *u);
static void ngx_http_ws_proxy_write_backend(ngx_http_request_t *r,
    ngx_http_upstream_t *u);
static void ngx_http_ws_proxy_pass(ngx_http_ws_proxy_ctx_t *ctx,
    ngx_http_ws_proxy_dir_t *dir);
static ngx_uint_t ngx_http_ws_proxy_is_over(ngx_http_ws_proxy_ctx_t *ctx);
static ngx_uint_t ngx_http_ws_proxy_dir_over(ngx_http_ws_proxy_ctx_t *ctx,
    ngx_http_ws_proxy_dir_t *dir);
static ngx_int_t ngx_http_ws_proxy_wait(ngx_http_ws_proxy_ctx_t *ctx);
static void ngx_http_ws_proxy_end(ngx_http_ws_proxy_ctx_t *ctx);


ngx_int_t
ngx_http_ws_proxy_open(ngx_http_ws_proxy_ctx_t *ctx)
{
    ngx_buf_t                *b;
    ngx_connection_t         *client, *backend;
    ngx_http_request_t       *r;
    ngx_http_upstream_t      *u;
    ngx_http_ws_proxy_dir_t  *dir;

    r = ctx->request;
    u = r->upstream;
    client = r->connection;
    backend = u->peer.connection;

    if (ngx_tcp_nodelay(client) != NGX_OK || ngx_tcp_nodelay(backend) != NGX_OK)
    {
        return NGX_ERROR;
    }

    dir = ctx->dir;

    dir[NGX_HTTP_WS_CLIENT].src = client;
    dir[NGX_HTTP_WS_CLIENT].dst = backend;
    dir[NGX_HTTP_WS_BACKEND].src = backend;
    dir[NGX_HTTP_WS_BACKEND].dst = client;

    ngx_http_ws_proxy_setup(ctx, &dir[NGX_HTTP_WS_CLIENT]);
    ngx_http_ws_proxy_setup(ctx, &dir[NGX_HTTP_WS_BACKEND]);

    /* frames that came right behind the headers */

    b = r->header_in;

    if (ngx_http_ws_proxy_preload(&dir[NGX_HTTP_WS_CLIENT], b->pos,
                                  b->last - b->pos)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    b->pos = b->last;
    b = &u->buffer;

    if (ngx_http_ws_proxy_preload(&dir[NGX_HTTP_WS_BACKEND], b->pos,
                                  b->last - b->pos)
        != NGX_OK)
    {
        ngx_http_ws_proxy_empty(&dir[NGX_HTTP_WS_CLIENT]);
        return NGX_ERROR;
    }

    b->last = b->pos;
    u->length = -1;

    r->keepalive = 0;
    r->read_event_handler = ngx_http_ws_proxy_read_client;
    r->write_event_handler = ngx_http_ws_proxy_write_client;
    u->read_event_handler = ngx_http_ws_proxy_read_backend;
    u->write_event_handler = ngx_http_ws_proxy_write_backend;

    /*
     * Core goes on as if it had a response body to pass.  It finds none, and
     * leaves the backend's bytes to us, as long as this event is not ready.
     */

    ctx->read_ready = backend->read->ready;
    backend->read->ready = 0;

    ctx->open = 1;
    ctx->opened = ngx_current_msec;
    ctx->moved = ngx_current_msec;

    ngx_http_ws_proxy_timer_init(ctx);
    ngx_http_ws_proxy_run_later(ctx);

    return NGX_OK;
}


static void
ngx_http_ws_proxy_setup(ngx_http_ws_proxy_ctx_t *ctx,
    ngx_http_ws_proxy_dir_t *dir)
{
    ngx_uint_t                     client, no_takeover;
    ngx_ws_watch_t                *w;
    ngx_http_ws_proxy_loc_conf_t  *conf;

    conf = ctx->conf;
    client = (dir == &ctx->dir[NGX_HTTP_WS_CLIENT]);
    w = &dir->watch;

    w->limit = client ? conf->client_max : conf->server_max;
    w->text = conf->utf8 && !ctx->accepted.unknown;
    w->frame.masked = client;
    w->frame.any_rsv = ctx->accepted.unknown;
    w->frame.rsv1 = ctx->accepted.deflate;

    if (ctx->accepted.deflate && !ctx->accepted.unknown && conf->inflate
        && (w->limit || w->text))
    {
        no_takeover = client ? ctx->accepted.client_no_takeover
                             : ctx->accepted.server_no_takeover;

        dir->inflate.takeover = !no_takeover;

        w->inflate = &dir->inflate;
        w->frame.slice = NGX_WS_INFLATE_SLICE;
    }

    dir->heard = ngx_current_msec;
    ngx_http_ws_proxy_empty(dir);
}


static ngx_int_t
ngx_http_ws_proxy_preload(ngx_http_ws_proxy_dir_t *dir, u_char *data,
    size_t len)
{
    if (len == 0) {
        return NGX_OK;
    }

    dir->start = ngx_alloc(len, dir->src->log);
    if (dir->start == NULL) {
        return NGX_ERROR;
    }

    ngx_memcpy(dir->start, data, len);

    dir->pos = dir->start;
    dir->seen = dir->start;
    dir->keep = dir->start;
    dir->last = dir->start + len;
    dir->end = dir->last;

    return NGX_OK;
}


static void
ngx_http_ws_proxy_read_client(ngx_http_request_t *r)
{
    ngx_http_ws_proxy_ctx_t  *ctx;

    ctx = ngx_http_get_module_ctx(r, ngx_http_ws_proxy_module);
    ngx_http_ws_proxy_pass(ctx, &ctx->dir[NGX_HTTP_WS_CLIENT]);
}


static void
ngx_http_ws_proxy_write_client(ngx_http_request_t *r)
{
    ngx_http_ws_proxy_ctx_t  *ctx;

    ctx = ngx_http_get_module_ctx(r, ngx_http_ws_proxy_module);
    ngx_http_ws_proxy_pass(ctx, &ctx->dir[NGX_HTTP_WS_BACKEND]);
}


static void
ngx_http_ws_proxy_read_backend(ngx_http_request_t *r, ngx_http_upstream_t *u)
{
    ngx_http_ws_proxy_ctx_t  *ctx;

    ctx = ngx_http_get_module_ctx(r, ngx_http_ws_proxy_module);

    if (u->peer.connection->close) {
        ngx_http_ws_proxy_end(ctx);
        return;
    }

    ngx_http_ws_proxy_pass(ctx, &ctx->dir[NGX_HTTP_WS_BACKEND]);
}


static void
ngx_http_ws_proxy_write_backend(ngx_http_request_t *r, ngx_http_upstream_t *u)
{
    ngx_http_ws_proxy_ctx_t  *ctx;

    ctx = ngx_http_get_module_ctx(r, ngx_http_ws_proxy_module);
    ngx_http_ws_proxy_pass(ctx, &ctx->dir[NGX_HTTP_WS_CLIENT]);
}


void
ngx_http_ws_proxy_run_later(ngx_http_ws_proxy_ctx_t *ctx)
{
    ngx_post_event(&ctx->timer, &ngx_posted_events);
}


void
ngx_http_ws_proxy_run(ngx_http_ws_proxy_ctx_t *ctx)
{
    ngx_connection_t     *client, *backend;
    ngx_http_upstream_t  *u;

    client = ctx->dir[NGX_HTTP_WS_CLIENT].src;
    backend = ctx->dir[NGX_HTTP_WS_BACKEND].src;

    if (ctx->read_ready) {
        ctx->read_ready = 0;
        backend->read->ready = 1;
    }

    /* the head of the backend's answer has been copied and sent */

    u = ctx->request->upstream;

    if (u->buffer.start) {
        (void) ngx_pfree(ctx->request->pool, u->buffer.start);
        ngx_memzero(&u->buffer, sizeof(ngx_buf_t));
    }

    client->log->action = ctx->closing ? "closing websocket"
                                       : "proxying websocket";

    /* those that core has set; ours is ctx->timer */

    if (client->write->timer_set) {
        ngx_del_timer(client->write);
    }

    if (backend->read->timer_set) {
        ngx_del_timer(backend->read);
    }

    if (ngx_http_ws_proxy_move(ctx, &ctx->dir[NGX_HTTP_WS_CLIENT]) != NGX_OK) {
        ngx_http_ws_proxy_end(ctx);
        return;
    }

    ngx_http_ws_proxy_pass(ctx, &ctx->dir[NGX_HTTP_WS_BACKEND]);
}


/* one direction, and the other one if it has got something to say */

static void
ngx_http_ws_proxy_pass(ngx_http_ws_proxy_ctx_t *ctx,
    ngx_http_ws_proxy_dir_t *dir)
{
    ngx_uint_t                closing;
    ngx_http_ws_proxy_dir_t  *other;

    closing = ctx->closing;
    other = ngx_http_ws_proxy_other(ctx, dir);

    if (ngx_http_ws_proxy_move(ctx, dir) != NGX_OK) {
        ngx_http_ws_proxy_end(ctx);
        return;
    }

    if (other->inject_len || ctx->closing != closing) {

        if (ngx_http_ws_proxy_move(ctx, other) != NGX_OK
            || ngx_http_ws_proxy_move(ctx, dir) != NGX_OK)
        {
            ngx_http_ws_proxy_end(ctx);
            return;
        }
    }

    if (ngx_http_ws_proxy_is_over(ctx)
        || ngx_http_ws_proxy_wait(ctx) != NGX_OK)
    {
        ngx_http_ws_proxy_end(ctx);
    }
}


static ngx_uint_t
ngx_http_ws_proxy_is_over(ngx_http_ws_proxy_ctx_t *ctx)
{
    ngx_uint_t                i;
    ngx_http_ws_proxy_dir_t  *dir;

    if (ctx->late || ctx->request->connection->timedout) {
        return 1;
    }

    for (i = 0; i < 2; i++) {
        dir = &ctx->dir[i];

        /* src is gone without a word: so is the session, once dst has all */

        if (dir->eof && !ctx->closing
            && dir->pos == ngx_http_ws_proxy_safe(dir))
        {
            return 1;
        }
    }

    return ngx_http_ws_proxy_dir_over(ctx, &ctx->dir[0])
           && ngx_http_ws_proxy_dir_over(ctx, &ctx->dir[1]);
}


/* dst has been told all that it will be told, and src has no more to say */

static ngx_uint_t
ngx_http_ws_proxy_dir_over(ngx_http_ws_proxy_ctx_t *ctx,
    ngx_http_ws_proxy_dir_t *dir)
{
    ngx_http_ws_proxy_dir_t  *other;

    if (!dir->cut
        && (!dir->dst_closed || dir->inject_len
            || dir->pos != ngx_http_ws_proxy_safe(dir)))
    {
        return 0;
    }

    other = ngx_http_ws_proxy_other(ctx, dir);

    /*
     * No answer is awaited to a Close that could not be sent.  That of a
     * client to a Close of ours is left to the lingering close of core.
     */

    return dir->eof || dir->src_closed || other->cut
           || (dir == &ctx->dir[NGX_HTTP_WS_CLIENT]
               && ctx->closed_by == NGX_HTTP_WS_BY_PROXY
               && other->dst_closed && other->inject_len == 0);
}


static ngx_int_t
ngx_http_ws_proxy_wait(ngx_http_ws_proxy_ctx_t *ctx)
{
    ngx_uint_t                i, flags;
    ngx_connection_t         *c;
    ngx_http_ws_proxy_dir_t  *dir;

    for (i = 0; i < 2; i++) {

        dir = &ctx->dir[i];
        c = dir->src;

        if (dir->bad && !dir->shut && !dir->eof
            && ctx->dir[1 - i].dst_closed && ctx->dir[1 - i].inject_len == 0)
        {
            /* it has our Close; its end of file is all we still wait for */

            dir->shut = 1;

#if (NGX_SSL)
            if (c->ssl == NULL)
#endif
            {
                (void) ngx_shutdown_socket(c->fd, NGX_WRITE_SHUTDOWN);
            }
        }

        flags = (dir->eof || c->read->error) ? NGX_CLOSE_EVENT : 0;

        if (ngx_handle_read_event(c->read, flags) != NGX_OK
            || ngx_handle_write_event(c->write, 0) != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


static void
ngx_http_ws_proxy_end(ngx_http_ws_proxy_ctx_t *ctx)
{
    ngx_int_t             rc;
    ngx_connection_t     *c;
    ngx_http_request_t   *r;
    ngx_http_upstream_t  *u;

    r = ctx->request;
    u = r->upstream;
    c = r->connection;

    rc = (c->error || c->timedout) ? NGX_ERROR : NGX_OK;

    /* what the client sends still must not undo our last frame to it */

    r->lingering_close = !ctx->dir[NGX_HTTP_WS_CLIENT].eof;

    r->main->count++;
    (*u->cleanup)(r);

    if (rc == NGX_OK) {
        rc = ngx_http_send_special(r, NGX_HTTP_LAST);
    }

    ngx_http_finalize_request(r, rc);
}


void
ngx_http_ws_proxy_finalize(ngx_http_request_t *r, ngx_int_t rc)
{
    ngx_uint_t                i;
    ngx_http_ws_proxy_ctx_t  *ctx;

    ctx = ngx_http_get_module_ctx(r, ngx_http_ws_proxy_module);

    if (ctx == NULL || !ctx->open || ctx->over) {
        return;
    }

    ngx_http_ws_proxy_goodbye(ctx);

    ctx->over = 1;
    ctx->ended = ngx_current_msec;

    ngx_http_ws_proxy_timer_done(ctx);

    for (i = 0; i < 2; i++) {
        ngx_http_ws_proxy_empty(&ctx->dir[i]);
        ngx_ws_inflate_done(&ctx->dir[i].inflate);
    }
}
