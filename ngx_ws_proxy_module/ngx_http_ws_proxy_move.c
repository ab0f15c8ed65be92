
/*
 * Copyright (C) ngx_egress authors
 *
 * Moves the bytes of one direction, unchanged, while ngx_ws_watch.h looks at
 * them.  One buffer serves all sessions of a worker; a direction owns memory
 * only for bytes that cannot be sent yet.  What to do about a violation, a
 * control frame or an end of file is decided in _close.c.
 */


#include <ngx_http_ws_proxy.h>


/* a frame of 64k and its header fit */
#define NGX_HTTP_WS_BUFFER_SIZE  (65536 + NGX_WS_HEADER_MAX)

/* reads of one direction in a row before others get their turn */
#define NGX_HTTP_WS_MAX_READS    8


static ngx_int_t ngx_http_ws_proxy_read(ngx_http_ws_proxy_ctx_t *ctx,
    ngx_http_ws_proxy_dir_t *dir);
static ngx_int_t ngx_http_ws_proxy_room(ngx_http_ws_proxy_dir_t *dir);
static ngx_int_t ngx_http_ws_proxy_watch(ngx_http_ws_proxy_ctx_t *ctx,
    ngx_http_ws_proxy_dir_t *dir);
static ngx_int_t ngx_http_ws_proxy_replace(ngx_http_ws_proxy_dir_t *dir,
    size_t len, u_char *data, size_t n);
static ngx_int_t ngx_http_ws_proxy_send(ngx_http_ws_proxy_ctx_t *ctx,
    ngx_http_ws_proxy_dir_t *dir);
static ngx_int_t ngx_http_ws_proxy_settle(ngx_http_ws_proxy_dir_t *dir);


static u_char  ngx_http_ws_proxy_buffer[NGX_HTTP_WS_BUFFER_SIZE];


ngx_int_t
ngx_http_ws_proxy_move(ngx_http_ws_proxy_ctx_t *ctx,
    ngx_http_ws_proxy_dir_t *dir)
{
    ngx_int_t   rc, watch;
    ngx_uint_t  reads;

    dir->watch.budget = NGX_WS_INFLATE_BUDGET;

    for (reads = 0; /* void */ ; reads++) {

        watch = ngx_http_ws_proxy_watch(ctx, dir);

        if (watch == NGX_ERROR) {
            return NGX_ERROR;
        }

        rc = ngx_http_ws_proxy_send(ctx, dir);

        if (watch == NGX_BUSY) {
            ngx_http_ws_proxy_run_later(ctx);
            break;
        }

        if (rc == NGX_AGAIN || dir->eof || !dir->src->read->ready) {
            break;
        }

        if (reads == NGX_HTTP_WS_MAX_READS) {
            ngx_http_ws_proxy_run_later(ctx);
            break;
        }

        rc = ngx_http_ws_proxy_read(ctx, dir);

        if (rc == NGX_ERROR) {
            return NGX_ERROR;
        }

        if (rc == NGX_AGAIN) {
            break;
        }
    }

    return ngx_http_ws_proxy_settle(dir);
}


/* NGX_OK: there are new bytes, or the end of them; NGX_AGAIN: none for now */

static ngx_int_t
ngx_http_ws_proxy_read(ngx_http_ws_proxy_ctx_t *ctx,
    ngx_http_ws_proxy_dir_t *dir)
{
    ssize_t            n;
    ngx_connection_t  *c;

    c = dir->src;

    if (ngx_http_ws_proxy_room(dir) != NGX_OK) {
        return NGX_ERROR;
    }

    n = c->recv(c, dir->last, dir->end - dir->last);

    if (n == NGX_AGAIN) {
        return NGX_AGAIN;
    }

    if (n > 0) {
        dir->last += n;
        dir->heard = ngx_current_msec;
        dir->awaits_pong = 0;

        if (dir == &ctx->dir[NGX_HTTP_WS_BACKEND]) {
            ctx->request->upstream->state->bytes_received += n;
        }

        return NGX_OK;
    }

    dir->eof = 1;
    ngx_http_ws_proxy_eof(ctx, dir);

    return NGX_OK;
}


/* the shared buffer if there is nothing to keep, else room behind it */

static ngx_int_t
ngx_http_ws_proxy_room(ngx_http_ws_proxy_dir_t *dir)
{
    u_char  *p;
    size_t   have, size;

    if (dir->pos == dir->last) {
        ngx_http_ws_proxy_empty(dir);
        dir->start = ngx_http_ws_proxy_buffer;
        return NGX_OK;
    }

    if (dir->end - dir->last >= 1024) {
        return NGX_OK;
    }

    have = dir->last - dir->pos;
    size = have + 4096;

    /* what is held is finite: NGX_WS_HOLD_MAX */

    if (size < have + ngx_ws_watch_due(&dir->watch)) {
        size = have + ngx_ws_watch_due(&dir->watch) + 1024;
    }

    p = ngx_alloc(size, dir->src->log);
    if (p == NULL) {
        return NGX_ERROR;
    }

    ngx_memcpy(p, dir->pos, have);

    dir->seen = p + (dir->seen - dir->pos);
    dir->keep = p + (dir->keep - dir->pos);

    if (dir->start != ngx_http_ws_proxy_buffer) {
        ngx_free(dir->start);
    }

    dir->start = p;
    dir->pos = p;
    dir->last = p + have;
    dir->end = p + size;

    return NGX_OK;
}


/* NGX_BUSY: there is more to look at, in the next pass */

static ngx_int_t
ngx_http_ws_proxy_watch(ngx_http_ws_proxy_ctx_t *ctx,
    ngx_http_ws_proxy_dir_t *dir)
{
    ngx_int_t         rc;
    ngx_ws_watch_t   *w;
    ngx_ws_verdict_e  verdict;

    w = &dir->watch;
    rc = NGX_OK;

    if (dir->closing && (dir->discard || ngx_ws_watch_between(w))) {
        ngx_http_ws_proxy_inject_close(ctx, dir);
    }

    while ((dir->seen < dir->last || dir->busy) && !dir->bad) {

        dir->busy = 0;
        verdict = ngx_ws_watch(w, &dir->seen, dir->last);

        switch (verdict) {

        case NGX_WS_WATCH_CONTROL:

            if (ngx_http_ws_proxy_control(ctx, dir) == NGX_DECLINED
                && !dir->discard)
            {
                (void) ngx_http_ws_proxy_replace(dir, w->control_size, NULL,
                                                 0);
            }

            break;

        case NGX_WS_WATCH_SPLIT:

            if (ngx_http_ws_proxy_replace(dir, w->replace, w->header,
                                          w->header_len)
                != NGX_OK)
            {
                return NGX_ERROR;
            }

            break;

        case NGX_WS_WATCH_BAD:

            if (w->frame.error) {
                dir->bad = 1;
            }

            if (!dir->discard) {
                ngx_http_ws_proxy_violation(ctx, dir);
            }

            break;

        case NGX_WS_WATCH_BUSY:
            dir->busy = 1;
            rc = NGX_BUSY;
            break;

        default: /* NGX_WS_WATCH_MORE, NGX_WS_WATCH_STOP */
            break;
        }

        if (dir->closing && (dir->discard || ngx_ws_watch_between(w))) {
            ngx_http_ws_proxy_inject_close(ctx, dir);
        }

        if (rc == NGX_BUSY) {
            return NGX_BUSY;
        }
    }

    if (dir->discard) {

        /* nothing behind "keep" is going anywhere */

        dir->last = dir->keep;
        dir->seen = dir->keep;
        w->held = 0;
    }

    return NGX_OK;
}


/* puts n bytes into the stream in place of the last len that were seen */

static ngx_int_t
ngx_http_ws_proxy_replace(ngx_http_ws_proxy_dir_t *dir, size_t len,
    u_char *data, size_t n)
{
    u_char  *p;

    if (n > len && (size_t) (dir->end - dir->last) < n - len
        && ngx_http_ws_proxy_room(dir) != NGX_OK)
    {
        return NGX_ERROR;
    }

    p = dir->seen - len + n;
    ngx_memmove(p, dir->seen, dir->last - dir->seen);

    if (n) {
        ngx_memcpy(p - n, data, n);
    }

    dir->last = p + (dir->last - dir->seen);
    dir->seen = p;

    return NGX_OK;
}


/* NGX_AGAIN: dst takes no more for now */

static ngx_int_t
ngx_http_ws_proxy_send(ngx_http_ws_proxy_ctx_t *ctx,
    ngx_http_ws_proxy_dir_t *dir)
{
    u_char            *p, *last;
    ssize_t            n;
    ngx_uint_t         inject;
    ngx_connection_t  *c;

    c = dir->dst;

    for ( ;; ) {

        last = ngx_http_ws_proxy_safe(dir);

        /* a frame of ours that has begun goes first */

        inject = dir->inject_sent
                 || (dir->pos == last && dir->inject_len
                     && (dir->discard || ngx_ws_watch_between(&dir->watch)));

        if (inject) {
            p = dir->inject + dir->inject_sent;
            last = dir->inject + dir->inject_len;

        } else {
            p = dir->pos;
        }

        if (p == last || dir->cut) {
            dir->is_stuck = 0;
            return NGX_OK;
        }

        if (!c->write->ready) {
            break;
        }

        n = c->send(c, p, last - p);

        if (n == NGX_ERROR) {
            ngx_http_ws_proxy_lost(ctx, dir);
            return NGX_OK;
        }

        if (n == NGX_AGAIN || n == 0) {
            break;
        }

        dir->is_stuck = 0;
        ctx->moved = ngx_current_msec;

        if (!inject) {
            dir->pos += n;
            continue;
        }

        dir->inject_sent += n;

        if (dir->inject_sent == dir->inject_len) {
            dir->inject_sent = 0;
            dir->inject_len = 0;

            if (dir->pinging) {
                ngx_http_ws_proxy_pinged(ctx, dir);
            }
        }
    }

    if (!dir->is_stuck) {
        dir->is_stuck = 1;
        dir->stuck = ngx_current_msec;
        ngx_http_ws_proxy_timer_set(ctx);
    }

    return NGX_AGAIN;
}


/* no bytes: all points into the shared buffer, which is not ours yet */

void
ngx_http_ws_proxy_empty(ngx_http_ws_proxy_dir_t *dir)
{
    if (dir->start && dir->start != ngx_http_ws_proxy_buffer) {
        ngx_free(dir->start);
    }

    dir->start = NULL;
    dir->pos = ngx_http_ws_proxy_buffer;
    dir->seen = ngx_http_ws_proxy_buffer;
    dir->last = ngx_http_ws_proxy_buffer;
    dir->keep = ngx_http_ws_proxy_buffer;
    dir->end = ngx_http_ws_proxy_buffer + NGX_HTTP_WS_BUFFER_SIZE;
}


/* leaves the shared buffer to others, with what is left moved elsewhere */

static ngx_int_t
ngx_http_ws_proxy_settle(ngx_http_ws_proxy_dir_t *dir)
{
    u_char  *p;
    size_t   len, size;

    if (dir->start == NULL) {
        return NGX_OK;
    }

    len = dir->last - dir->pos;

    if (len == 0) {
        ngx_http_ws_proxy_empty(dir);
        return NGX_OK;
    }

    if (dir->start != ngx_http_ws_proxy_buffer) {
        return NGX_OK;
    }

    size = len;

    if (dir->watch.hold) {
        size += ngx_ws_watch_due(&dir->watch) + 1024;
    }

    p = ngx_alloc(size, dir->src->log);
    if (p == NULL) {
        dir->start = NULL;
        return NGX_ERROR;
    }

    ngx_memcpy(p, dir->pos, len);

    dir->seen = p + (dir->seen - dir->pos);
    dir->keep = p + (dir->keep - dir->pos);
    dir->start = p;
    dir->pos = p;
    dir->last = p + len;
    dir->end = p + size;

    return NGX_OK;
}
