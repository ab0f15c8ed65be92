
/*
 * Copyright (C) ngx_egress authors
 *
 * Time: one timer per session for idle, blocked and closing sides and for
 * pings, and one per worker that notices that it is to exit.
 */


#include <ngx_http_ws_proxy.h>


#define NGX_HTTP_WS_WORKER_TICK  250


static void ngx_http_ws_proxy_timer_handler(ngx_event_t *ev);
static ngx_int_t ngx_http_ws_proxy_tick(ngx_http_ws_proxy_ctx_t *ctx);
static void ngx_http_ws_proxy_ping(ngx_http_ws_proxy_ctx_t *ctx,
    ngx_http_ws_proxy_dir_t *dir);
static ngx_msec_t ngx_http_ws_proxy_due_in(ngx_http_ws_proxy_ctx_t *ctx);
static ngx_msec_t ngx_http_ws_proxy_heard(ngx_http_ws_proxy_ctx_t *ctx);
static ngx_uint_t ngx_http_ws_proxy_past(ngx_msec_t since, ngx_msec_t limit);
static void ngx_http_ws_proxy_worker_handler(ngx_event_t *ev);
static ngx_msec_t ngx_http_ws_proxy_exit_delay(void);


static ngx_queue_t  ngx_http_ws_proxy_sessions;
static ngx_event_t  ngx_http_ws_proxy_worker;
static ngx_msec_t   ngx_http_ws_proxy_exit_at;


void
ngx_http_ws_proxy_timer_init(ngx_http_ws_proxy_ctx_t *ctx)
{
    ngx_event_t  *ev;

    static ngx_connection_t  dumb;

    ev = &ctx->timer;
    ev->handler = ngx_http_ws_proxy_timer_handler;
    ev->data = ctx;
    ev->log = ctx->request->connection->log;

    if (ngx_http_ws_proxy_sessions.next == NULL) {
        ngx_queue_init(&ngx_http_ws_proxy_sessions);
    }

    ngx_queue_insert_tail(&ngx_http_ws_proxy_sessions, &ctx->queue);
    ngx_http_ws_proxy_timer_set(ctx);

    ev = &ngx_http_ws_proxy_worker;

    if (!ev->timer_set) {
        dumb.fd = (ngx_socket_t) -1;
        ev->handler = ngx_http_ws_proxy_worker_handler;
        ev->data = &dumb;
        ev->log = ngx_cycle->log;
        ev->cancelable = 1;
        ngx_add_timer(ev, NGX_HTTP_WS_WORKER_TICK);
    }
}


void
ngx_http_ws_proxy_timer_done(ngx_http_ws_proxy_ctx_t *ctx)
{
    if (ctx->timer.timer_set) {
        ngx_del_timer(&ctx->timer);
    }

    if (ctx->timer.posted) {
        ngx_delete_posted_event(&ctx->timer);
    }

    ngx_queue_remove(&ctx->queue);
}


/* bytes that pass do not touch the timer: it looks back when it fires */

void
ngx_http_ws_proxy_timer_set(ngx_http_ws_proxy_ctx_t *ctx)
{
    ngx_add_timer(&ctx->timer, ngx_http_ws_proxy_due_in(ctx));
}


static void
ngx_http_ws_proxy_timer_handler(ngx_event_t *ev)
{
    ngx_connection_t         *c;
    ngx_http_ws_proxy_ctx_t  *ctx;

    ctx = ev->data;
    c = ctx->request->connection;

    ngx_http_set_log_request(c->log, ctx->request);

    if (ev->timedout) {
        ev->timedout = 0;

        if (ngx_http_ws_proxy_tick(ctx) != NGX_OK) {
            c->timedout = 1;
            c->error = 1;
        }
    }

    ngx_http_ws_proxy_run(ctx);
    ngx_http_run_posted_requests(c);
}


/* NGX_ERROR: waiting any longer makes no sense */

static ngx_int_t
ngx_http_ws_proxy_tick(ngx_http_ws_proxy_ctx_t *ctx)
{
    ngx_uint_t                     i;
    ngx_http_ws_proxy_dir_t       *dir;
    ngx_http_ws_proxy_loc_conf_t  *conf;

    conf = ctx->conf;
    dir = ctx->dir;

    if (ctx->closing) {

        if ((ngx_msec_int_t) (ctx->close_at - ngx_current_msec) <= 0) {
            ctx->late = 1;
            return NGX_OK;
        }

        ngx_http_ws_proxy_timer_set(ctx);
        return NGX_OK;
    }

    for (i = 0; i < 2; i++) {

        if (dir[i].is_stuck
            && ngx_http_ws_proxy_past(dir[i].stuck,
                                      conf->upstream.send_timeout))
        {
            ngx_connection_error(ctx->request->connection, NGX_ETIMEDOUT,
                                 i ? "client timed out"
                                   : "upstream timed out");
            ngx_http_ws_proxy_closed(ctx, NGX_HTTP_WS_BY_PROXY,
                                     NGX_WS_CLOSE_ABNORMAL, "send timeout");
            return NGX_ERROR;
        }

        if (dir[i].awaits_pong
            && ngx_http_ws_proxy_past(dir[i].pinged, conf->pong))
        {
            ngx_log_error(NGX_LOG_INFO, ctx->request->connection->log, 0,
                          "%s did not answer a websocket ping",
                          i ? "backend" : "client");
            ngx_http_ws_proxy_close(ctx, NGX_WS_CLOSE_GOING_AWAY,
                                    NGX_WS_CLOSE_GOING_AWAY, "ping timeout");
            return NGX_OK;
        }
    }

    if (ngx_http_ws_proxy_past(ngx_http_ws_proxy_heard(ctx),
                               conf->read_timeout))
    {
        ngx_log_error(NGX_LOG_INFO, ctx->request->connection->log,
                      NGX_ETIMEDOUT, "websocket is idle, closing");
        ngx_http_ws_proxy_close(ctx, NGX_WS_CLOSE_GOING_AWAY,
                                NGX_WS_CLOSE_GOING_AWAY, "idle timeout");
        return NGX_OK;
    }

    ngx_http_ws_proxy_ping(ctx, &dir[0]);
    ngx_http_ws_proxy_ping(ctx, &dir[1]);
    ngx_http_ws_proxy_timer_set(ctx);

    return NGX_OK;
}


static void
ngx_http_ws_proxy_ping(ngx_http_ws_proxy_ctx_t *ctx,
    ngx_http_ws_proxy_dir_t *dir)
{
    ngx_http_ws_proxy_dir_t  *to;

    to = ngx_http_ws_proxy_other(ctx, dir);

    if (ctx->conf->ping == 0 || dir->awaits_pong || to->inject_len
        || !ngx_http_ws_proxy_past(dir->heard, ctx->conf->ping))
    {
        return;
    }

    ngx_http_ws_proxy_send_ping(ctx, to);
}


static ngx_msec_t
ngx_http_ws_proxy_due_in(ngx_http_ws_proxy_ctx_t *ctx)
{
    ngx_uint_t                     i;
    ngx_msec_t                     at;
    ngx_msec_int_t                 left, next;
    ngx_http_ws_proxy_dir_t       *dir;
    ngx_http_ws_proxy_loc_conf_t  *conf;

    conf = ctx->conf;

    if (ctx->closing) {
        left = (ngx_msec_int_t) (ctx->close_at - ngx_current_msec);
        return left > 0 ? (ngx_msec_t) left : 1;
    }

    dir = ctx->dir;
    at = ngx_http_ws_proxy_heard(ctx) + conf->read_timeout;
    next = (ngx_msec_int_t) (at - ngx_current_msec);

    for (i = 0; i < 2; i++) {

        if (dir[i].is_stuck) {
            at = dir[i].stuck + conf->upstream.send_timeout;
            left = (ngx_msec_int_t) (at - ngx_current_msec);
            next = ngx_min(next, left);
        }

        /* a ping that waits for the end of a frame has no time yet */

        if (conf->ping && !dir[1 - i].pinging) {
            at = dir[i].awaits_pong ? dir[i].pinged + conf->pong
                                    : dir[i].heard + conf->ping;
            left = (ngx_msec_int_t) (at - ngx_current_msec);
            next = ngx_min(next, left);
        }
    }

    return next > 0 ? (ngx_msec_t) next : 1;
}


/* the last sign of life of either side: it sent, or took, some bytes */

static ngx_msec_t
ngx_http_ws_proxy_heard(ngx_http_ws_proxy_ctx_t *ctx)
{
    ngx_uint_t  i;
    ngx_msec_t  last;

    last = ctx->moved;

    for (i = 0; i < 2; i++) {

        if ((ngx_msec_int_t) (ctx->dir[i].heard - last) > 0) {
            last = ctx->dir[i].heard;
        }
    }

    return last;
}


static ngx_uint_t
ngx_http_ws_proxy_past(ngx_msec_t since, ngx_msec_t limit)
{
    return (ngx_msec_int_t) (since + limit - ngx_current_msec) <= 0;
}


/*
 * A worker that quits lets its sessions live, but with worker_shutdown_timeout
 * they will be cut: say goodbye while there is time for an answer.
 */

static void
ngx_http_ws_proxy_worker_handler(ngx_event_t *ev)
{
    ngx_queue_t              *q;
    ngx_msec_t                delay;
    ngx_http_ws_proxy_ctx_t  *ctx;

    if (ngx_queue_empty(&ngx_http_ws_proxy_sessions)) {
        return;
    }

    if (!ngx_exiting) {
        ngx_add_timer(ev, NGX_HTTP_WS_WORKER_TICK);
        return;
    }

    if (ngx_http_ws_proxy_exit_at == 0) {
        delay = ngx_http_ws_proxy_exit_delay();

        if (delay == 0) {
            return;
        }

        ngx_http_ws_proxy_exit_at = ngx_current_msec + delay;
        ngx_add_timer(ev, delay);
        return;
    }

    for (q = ngx_queue_head(&ngx_http_ws_proxy_sessions);
         q != ngx_queue_sentinel(&ngx_http_ws_proxy_sessions);
         q = ngx_queue_next(q))
    {
        ctx = ngx_queue_data(q, ngx_http_ws_proxy_ctx_t, queue);

        if (!ctx->closing) {
            ngx_http_ws_proxy_close(ctx, NGX_WS_CLOSE_GOING_AWAY,
                                    NGX_WS_CLOSE_GOING_AWAY,
                                    "shutting down");
            ngx_http_ws_proxy_run_later(ctx);
        }
    }

    /* handshakes that were under way become sessions still */

    ngx_add_timer(ev, NGX_HTTP_WS_WORKER_TICK);
}


/* 0: there is no deadline */

static ngx_msec_t
ngx_http_ws_proxy_exit_delay(void)
{
    ngx_msec_t        timeout, margin;
    ngx_core_conf_t  *ccf;

    ccf = (ngx_core_conf_t *) ngx_get_conf(ngx_cycle->conf_ctx,
                                           ngx_core_module);
    timeout = ccf->shutdown_timeout;

    if (timeout == 0 || timeout == NGX_CONF_UNSET_MSEC) {
        return 0;
    }

    margin = ngx_max(ngx_min(timeout / 4, 5000), 1000)
             + NGX_HTTP_WS_WORKER_TICK;

    return timeout > 2 * margin ? timeout - margin : ngx_max(timeout / 2, 1);
}


void
ngx_http_ws_proxy_exit_process(ngx_cycle_t *cycle)
{
    ngx_queue_t              *q;
    ngx_http_ws_proxy_ctx_t  *ctx;

    if (ngx_http_ws_proxy_sessions.next == NULL) {
        return;
    }

    for (q = ngx_queue_head(&ngx_http_ws_proxy_sessions);
         q != ngx_queue_sentinel(&ngx_http_ws_proxy_sessions);
         q = ngx_queue_next(q))
    {
        ctx = ngx_queue_data(q, ngx_http_ws_proxy_ctx_t, queue);
        ngx_http_ws_proxy_goodbye(ctx);
    }
}
