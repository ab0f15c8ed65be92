
/*
 * Copyright (C) ngx_egress authors
 *
 * How a session ends: Close frames that pass, Close frames of our own, sides
 * that leave without one, and the pongs to our pings.
 */


#include <ngx_http_ws_proxy.h>


static void ngx_http_ws_proxy_discard(ngx_http_ws_proxy_dir_t *dir,
    u_char *keep);
static void ngx_http_ws_proxy_start_closing(ngx_http_ws_proxy_ctx_t *ctx);
static void ngx_http_ws_proxy_due(ngx_http_ws_proxy_dir_t *dir,
    ngx_uint_t code, const char *reason);
static void ngx_http_ws_proxy_goodbye_to(ngx_http_ws_proxy_ctx_t *ctx,
    ngx_http_ws_proxy_dir_t *dir);
static u_char *ngx_http_ws_proxy_mask(ngx_http_ws_proxy_ctx_t *ctx,
    ngx_http_ws_proxy_dir_t *dir, u_char *mask);


ngx_int_t
ngx_http_ws_proxy_control(ngx_http_ws_proxy_ctx_t *ctx,
    ngx_http_ws_proxy_dir_t *dir)
{
    u_char           ping[NGX_HTTP_WS_PING_LEN];
    ngx_ws_frame_t  *f;

    f = &dir->watch.frame;

    if (f->opcode == NGX_WS_CLOSE) {
        dir->src_closed = 1;

        if (dir->discard) {
            return NGX_OK;
        }

        ngx_http_ws_proxy_closed(ctx, dir == &ctx->dir[NGX_HTTP_WS_CLIENT]
                                          ? NGX_HTTP_WS_BY_CLIENT
                                          : NGX_HTTP_WS_BY_BACKEND,
                                 f->close, NULL);

        /* nothing may follow a Close frame: RFC 6455, 5.5.1 */

        dir->dst_closed = 1;
        dir->closing = 0;
        ngx_http_ws_proxy_discard(dir, dir->seen);

        ngx_http_ws_proxy_start_closing(ctx);

        return NGX_OK;
    }

    if (f->opcode == NGX_WS_PONG && dir->ping_open) {

        ngx_http_ws_proxy_ping_payload(ping, dir->ping);

        if (f->payload_len == sizeof(ping)
            && ngx_memcmp(f->payload, ping, sizeof(ping)) == 0)
        {
            dir->ping_open = 0;
            return NGX_DECLINED;
        }
    }

    return NGX_OK;
}


void
ngx_http_ws_proxy_violation(ngx_http_ws_proxy_ctx_t *ctx,
    ngx_http_ws_proxy_dir_t *dir)
{
    ngx_uint_t       code, client;
    ngx_ws_watch_t  *w;

    w = &dir->watch;
    code = w->close;
    client = (dir == &ctx->dir[NGX_HTTP_WS_CLIENT]);

    ngx_http_ws_proxy_discard(dir, dir->seen - w->held);

    ngx_log_error(NGX_LOG_INFO, ctx->request->connection->log, 0,
                  "%s sent a websocket %s: %s, closing with %ui",
                  client ? "client" : "backend",
                  code == NGX_WS_CLOSE_PROTOCOL ? "frame" : "message",
                  w->error, code);

    /* too big is the sender's business, a broken stream is everybody's */

    if (code != NGX_WS_CLOSE_PROTOCOL && code != NGX_WS_CLOSE_INVALID) {
        ngx_http_ws_proxy_close(ctx, client ? code : NGX_WS_CLOSE_NORMAL,
                                client ? NGX_WS_CLOSE_NORMAL : code,
                                w->error);
        return;
    }

    ngx_http_ws_proxy_close(ctx, code, code, w->error);
}


void
ngx_http_ws_proxy_close(ngx_http_ws_proxy_ctx_t *ctx, ngx_uint_t client_code,
    ngx_uint_t backend_code, const char *reason)
{
    ngx_http_ws_proxy_closed(ctx, NGX_HTTP_WS_BY_PROXY,
                             client_code == NGX_WS_CLOSE_NORMAL
                             ? backend_code : client_code, reason);

    ngx_http_ws_proxy_due(&ctx->dir[NGX_HTTP_WS_BACKEND], client_code, reason);
    ngx_http_ws_proxy_due(&ctx->dir[NGX_HTTP_WS_CLIENT], backend_code, reason);

    ngx_http_ws_proxy_start_closing(ctx);
}


/* from here on src's Close frame is all that is of interest */

static void
ngx_http_ws_proxy_discard(ngx_http_ws_proxy_dir_t *dir, u_char *keep)
{
    dir->discard = 1;
    dir->keep = keep;

    dir->watch.held = 0;
    dir->watch.blind = 1;
    dir->watch.frame.slice = 0;
}


static void
ngx_http_ws_proxy_due(ngx_http_ws_proxy_dir_t *dir, ngx_uint_t code,
    const char *reason)
{
    if (dir->dst_closed || dir->cut) {
        return;
    }

    dir->closing = 1;
    dir->watch.stop = 1;
    dir->close_code = code;
    ngx_str_null(&dir->close_reason);

    if (code != NGX_WS_CLOSE_NORMAL) {
        dir->close_reason.data = (u_char *) reason;
        dir->close_reason.len = ngx_strlen(reason);
    }
}


void
ngx_http_ws_proxy_inject_close(ngx_http_ws_proxy_ctx_t *ctx,
    ngx_http_ws_proxy_dir_t *dir)
{
    u_char  *p, *last, mask[4];

    dir->closing = 0;

    if (!dir->discard) {
        ngx_http_ws_proxy_discard(dir, dir->seen - dir->watch.held);
    }

    /* a ping that has not left yet needs not leave at all */

    if (dir->inject_sent == 0) {
        dir->inject_len = 0;
        dir->pinging = 0;
    }

    p = dir->inject + dir->inject_len;

    if (dir->inject + sizeof(dir->inject) - p < NGX_WS_CONTROL_FRAME_MAX) {
        dir->close_reason.len = 0;
    }

    last = ngx_ws_frame_close(p, dir->close_code, &dir->close_reason,
                              ngx_http_ws_proxy_mask(ctx, dir, mask));

    dir->inject_len = last - dir->inject;
    dir->dst_closed = 1;
}


void
ngx_http_ws_proxy_eof(ngx_http_ws_proxy_ctx_t *ctx,
    ngx_http_ws_proxy_dir_t *dir)
{
    ngx_http_ws_proxy_closed(ctx, dir == &ctx->dir[NGX_HTTP_WS_CLIENT]
                                      ? NGX_HTTP_WS_BY_CLIENT
                                      : NGX_HTTP_WS_BY_BACKEND,
                             NGX_WS_CLOSE_ABNORMAL, NULL);

    if (!ctx->closing) {
        return;
    }

    if (!dir->dst_closed && !dir->cut && !dir->closing) {

        if (ctx->close_code == NGX_WS_CLOSE_ABNORMAL) {
            dir->cut = 1;
            return;
        }

        /* its answer to a Close frame did not come: give one in its name */

        ngx_http_ws_proxy_due(dir, ctx->close_code, "");
    }

    /* a frame that will never be complete leaves no place for it */

    if (dir->closing && !dir->discard && !ngx_ws_watch_between(&dir->watch)) {
        dir->closing = 0;
        dir->cut = 1;
    }
}


void
ngx_http_ws_proxy_lost(ngx_http_ws_proxy_ctx_t *ctx,
    ngx_http_ws_proxy_dir_t *dir)
{
    dir->cut = 1;
    dir->closing = 0;
    dir->pinging = 0;
    dir->inject_len = 0;
    dir->inject_sent = 0;

    ngx_http_ws_proxy_discard(dir, dir->pos);
    ngx_http_ws_proxy_start_closing(ctx);

    /* there is an error or a Close frame to be read */

    dir->dst->read->ready = 1;
    ngx_http_ws_proxy_run_later(ctx);
}


static void
ngx_http_ws_proxy_start_closing(ngx_http_ws_proxy_ctx_t *ctx)
{
    if (ctx->closing) {
        return;
    }

    ctx->closing = 1;
    ctx->close_at = ngx_current_msec + ctx->conf->close_timeout;

    ngx_http_ws_proxy_timer_set(ctx);
}


void
ngx_http_ws_proxy_closed(ngx_http_ws_proxy_ctx_t *ctx, ngx_uint_t by,
    ngx_uint_t code, const char *text)
{
    if (ctx->closed_by != NGX_HTTP_WS_NOBODY) {
        return;
    }

    ctx->closed_by = by;
    ctx->close_code = code;
    ctx->close_text = text;
}


void
ngx_http_ws_proxy_goodbye(ngx_http_ws_proxy_ctx_t *ctx)
{
    if (!ngx_exiting && !ngx_terminate && !ngx_quit) {
        return;
    }

    ngx_http_ws_proxy_closed(ctx, NGX_HTTP_WS_BY_PROXY,
                             NGX_WS_CLOSE_GOING_AWAY, "shutting down");

    ngx_http_ws_proxy_goodbye_to(ctx, &ctx->dir[0]);
    ngx_http_ws_proxy_goodbye_to(ctx, &ctx->dir[1]);
}


/* there is no later: it is sent now or never */

static void
ngx_http_ws_proxy_goodbye_to(ngx_http_ws_proxy_ctx_t *ctx,
    ngx_http_ws_proxy_dir_t *dir)
{
    u_char            *last, mask[4];
    u_char             frame[NGX_WS_CONTROL_FRAME_MAX];
    ngx_str_t          reason;
    ngx_connection_t  *c;

    c = dir->dst;

    if (dir->cut || dir->pos != ngx_http_ws_proxy_safe(dir)
        || (!dir->discard && !ngx_ws_watch_between(&dir->watch))
        || !c->write->ready || c->write->error)
    {
        return;
    }

    /* a Close that was about to leave */

    if (dir->inject_len) {
        (void) c->send(c, dir->inject + dir->inject_sent,
                       dir->inject_len - dir->inject_sent);
        dir->inject_len = 0;
    }

    if (dir->dst_closed) {
        return;
    }

    ngx_str_set(&reason, "shutting down");

    last = ngx_ws_frame_close(frame, NGX_WS_CLOSE_GOING_AWAY, &reason,
                              ngx_http_ws_proxy_mask(ctx, dir, mask));

    (void) c->send(c, frame, last - frame);

    dir->dst_closed = 1;
}


void
ngx_http_ws_proxy_send_ping(ngx_http_ws_proxy_ctx_t *ctx,
    ngx_http_ws_proxy_dir_t *dir)
{
    u_char  *last, mask[4], ping[NGX_HTTP_WS_PING_LEN];

    ngx_http_ws_proxy_dir_t  *from;

    from = ngx_http_ws_proxy_other(ctx, dir);

    from->ping = (uint32_t) ngx_random();

    ngx_http_ws_proxy_ping_payload(ping, from->ping);

    last = ngx_ws_frame_control(dir->inject, NGX_WS_PING, ping, sizeof(ping),
                                ngx_http_ws_proxy_mask(ctx, dir, mask));

    dir->inject_len = last - dir->inject;
    dir->pinging = 1;
}


/* the time for the pong begins when the ping has left, behind a long frame */

void
ngx_http_ws_proxy_pinged(ngx_http_ws_proxy_ctx_t *ctx,
    ngx_http_ws_proxy_dir_t *dir)
{
    ngx_http_ws_proxy_dir_t  *from;

    from = ngx_http_ws_proxy_other(ctx, dir);

    dir->pinging = 0;
    from->pinged = ngx_current_msec;
    from->ping_open = 1;
    from->awaits_pong = 1;

    ngx_http_ws_proxy_timer_set(ctx);
}


void
ngx_http_ws_proxy_ping_payload(u_char *p, uint32_t n)
{
    (void) ngx_sprintf(p, "nginx %08xD", n);
}


/* what goes to the backend is masked, as a client's frames are */

static u_char *
ngx_http_ws_proxy_mask(ngx_http_ws_proxy_ctx_t *ctx,
    ngx_http_ws_proxy_dir_t *dir, u_char *mask)
{
    uint32_t  n;

    if (dir == &ctx->dir[NGX_HTTP_WS_BACKEND]) {
        return NULL;
    }

    n = (uint32_t) ngx_random() ^ ((uint32_t) ngx_random() << 16);
    ngx_memcpy(mask, &n, 4);

    return mask;
}
