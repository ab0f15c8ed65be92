
/*
 * Copyright (C) ngx_egress authors
 *
 * A session of divert_pass: the header is made, a peer is connected
 * (ngx_stream_divert_peer.c), the header is sent, TLS is spoken where asked
 * for, and the common flow relays.  All that may go wrong with a peer ends in
 * ngx_stream_divert_peer_next(), all else in ngx_egress_task_finish().
 */


#include "ngx_stream_divert.h"
#include "../ngx_egress_module/proto/ngx_egress_text.h"


#define NGX_STREAM_DIVERT_POOL  512


static ngx_stream_divert_pass_t *ngx_stream_divert_pass_create(
    ngx_stream_egress_ctx_t *ctx);
static ngx_uint_t ngx_stream_divert_pass_target(ngx_stream_divert_pass_t *dp);
static ngx_int_t ngx_stream_divert_pass_header(ngx_stream_divert_pass_t *dp);
static ngx_int_t ngx_stream_divert_pass_tlvs(ngx_stream_divert_pass_t *dp,
    ngx_egress_divert_t *dv);
static void ngx_stream_divert_pass_finish(ngx_egress_task_t *task);
static void ngx_stream_divert_pass_timeout(ngx_event_t *ev);
static void ngx_stream_divert_pass_event(ngx_event_t *ev);
static void ngx_stream_divert_pass_send(ngx_stream_divert_pass_t *dp);
static void ngx_stream_divert_pass_secure(ngx_stream_divert_pass_t *dp);
static void ngx_stream_divert_pass_ready(ngx_stream_divert_pass_t *dp);
static ngx_int_t ngx_stream_divert_pass_local(ngx_stream_divert_pass_t *dp,
    ngx_connection_t *pc);
#if (NGX_SSL)
static ngx_int_t ngx_stream_divert_pass_name(ngx_stream_divert_pass_t *dp,
    ngx_str_t *name);
static void ngx_stream_divert_pass_secured(ngx_connection_t *pc, void *data,
    ngx_uint_t reason);
#endif


void
ngx_stream_divert_pass_handler(ngx_stream_session_t *s)
{
    ngx_uint_t                 reason;
    ngx_stream_egress_ctx_t   *ctx;
    ngx_stream_divert_pass_t  *dp;

    ctx = ngx_stream_egress_create(s);
    if (ctx == NULL) {
        return;
    }

    if (s->connection->type != SOCK_STREAM) {
        ngx_log_error(NGX_LOG_ERR, s->connection->log, 0,
                      "datagrams cannot be diverted");
        ngx_stream_egress_refuse(ctx, NGX_EGRESS_UNSUPPORTED);
        return;
    }

    dp = ngx_stream_divert_pass_create(ctx);
    if (dp == NULL) {
        ngx_stream_egress_refuse(ctx, NGX_EGRESS_INTERNAL);
        return;
    }

    reason = ngx_stream_divert_pass_target(dp);

    if (reason == NGX_EGRESS_NONE
        && ngx_stream_divert_pass_header(dp) != NGX_OK)
    {
        reason = NGX_EGRESS_INTERNAL;
    }

    if (reason) {
        ngx_stream_egress_refuse(ctx, reason);
        return;
    }

    if (ngx_stream_egress_begin(ctx) != NGX_OK) {
        return;
    }

    dp->task->idle_timeout = dp->conf->timeout;
    dp->finish = dp->task->finish;
    dp->task->finish = ngx_stream_divert_pass_finish;

    ngx_stream_divert_peer_start(dp);
}


static ngx_stream_divert_pass_t *
ngx_stream_divert_pass_create(ngx_stream_egress_ctx_t *ctx)
{
    ngx_pool_t                *pool;
    ngx_egress_hop_t          *hop;
    ngx_egress_task_t         *task;
    ngx_stream_divert_pass_t  *dp;

    task = ctx->task;
    pool = ctx->session->connection->pool;

    dp = ngx_pcalloc(pool, sizeof(ngx_stream_divert_pass_t));
    if (dp == NULL) {
        return NULL;
    }

    /* for the relay's limits and for variables: nobody connects it */

    hop = ngx_pcalloc(pool, sizeof(ngx_egress_hop_t));
    if (hop == NULL) {
        return NULL;
    }

    dp->session = ctx->session;
    dp->ctx = ctx;
    dp->task = task;
    dp->ident = -1;
    dp->conf = ngx_stream_get_module_srv_conf(ctx->session,
                                              ngx_stream_divert_module);

    dp->timer.data = dp;
    dp->timer.log = task->log;
    dp->timer.handler = ngx_stream_divert_pass_timeout;

    hop->task = task;
    hop->conf = &dp->conf->connect;
    task->hop = hop;

    ctx->data = dp;
    ctx->connected = ngx_stream_egress_relay;

    return dp;
}


static ngx_uint_t
ngx_stream_divert_pass_target(ngx_stream_divert_pass_t *dp)
{
    u_char             *buf, printable[NGX_EGRESS_TEXT_LEN];
    ngx_str_t           text;
    ngx_connection_t   *c;
    ngx_egress_task_t  *task;

    c = dp->session->connection;
    task = dp->task;

    if (ngx_stream_complex_value(dp->session, dp->conf->target, &text)
        != NGX_OK)
    {
        return NGX_EGRESS_INTERNAL;
    }

    buf = ngx_pnalloc(c->pool, ngx_max(text.len, NGX_EGRESS_IP_LEN));
    if (buf == NULL) {
        return NGX_EGRESS_INTERNAL;
    }

    if (ngx_egress_addr_parse(&task->target, buf, text.data, text.len,
                              NGX_EGRESS_PORT_REQUIRED)
        != NGX_OK)
    {
        ngx_egress_text(&text, printable, &text);

        ngx_log_error(NGX_LOG_INFO, c->log, 0,
                      "\"divert_target\" gave invalid \"%V\": %s", &text,
                      ngx_egress_addr_strerror(task->target.error));
        return NGX_EGRESS_BAD_TARGET;
    }

    return NGX_EGRESS_NONE;
}


static ngx_int_t
ngx_stream_divert_pass_header(ngx_stream_divert_pass_t *dp)
{
    ngx_connection_t               *c;
    ngx_egress_divert_t             dv;
    ngx_stream_divert_pass_conf_t  *conf;

    c = dp->session->connection;
    conf = dp->conf;

    ngx_memzero(&dv, sizeof(ngx_egress_divert_t));

    dv.target = &dp->task->target;
    dv.user = dp->task->user;
    dv.id = dp->task->id;
    dv.crc = conf->crc;

    if (conf->tls_name
        && ngx_stream_complex_value(dp->session, conf->tls_name, &dv.tls_name)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (conf->username) {
        if (ngx_stream_complex_value(dp->session, conf->username, &dv.user)
            != NGX_OK)
        {
            return NGX_ERROR;
        }

        dp->task->user = dv.user;
    }

    if (conf->tlvs && ngx_stream_divert_pass_tlvs(dp, &dv) != NGX_OK) {
        return NGX_ERROR;
    }

    return ngx_egress_divert_header(c->pool, c->log, c, &dv, &dp->header);
}


static ngx_int_t
ngx_stream_divert_pass_tlvs(ngx_stream_divert_pass_t *dp,
    ngx_egress_divert_t *dv)
{
    ngx_uint_t                i;
    ngx_connection_t         *c;
    ngx_egress_pp2_tlv_t     *tlv;
    ngx_stream_divert_tlv_t  *conf;

    c = dp->session->connection;
    conf = dp->conf->tlvs->elts;

    dv->ntlvs = dp->conf->tlvs->nelts;

    dv->tlvs = ngx_palloc(c->pool, dv->ntlvs * sizeof(ngx_egress_pp2_tlv_t));
    if (dv->tlvs == NULL) {
        return NGX_ERROR;
    }

    for (i = 0; i < dv->ntlvs; i++) {
        tlv = &dv->tlvs[i];
        tlv->type = conf[i].type;

        if (ngx_stream_complex_value(dp->session, &conf[i].value, &tlv->value)
            != NGX_OK)
        {
            return NGX_ERROR;
        }

        if (tlv->type == NGX_EGRESS_PP2_UNIQUE_ID
            && tlv->value.len > NGX_EGRESS_DIVERT_UNIQUE_ID)
        {
            ngx_log_error(NGX_LOG_ERR, c->log, 0,
                          "value of \"divert_tlv unique_id\" has %uz bytes, "
                          "at most %d are possible", tlv->value.len,
                          NGX_EGRESS_DIVERT_UNIQUE_ID);
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


/* The task is over: what the common flow does not know of ends as well. */

static void
ngx_stream_divert_pass_finish(ngx_egress_task_t *task)
{
    ngx_stream_egress_ctx_t   *ctx;
    ngx_stream_divert_pass_t  *dp;

    ctx = task->data;
    dp = ctx->data;

    if (dp->timer.timer_set) {
        ngx_del_timer(&dp->timer);
    }

    ngx_stream_divert_peer_stop(dp);

    dp->finish(task);
}


static void
ngx_stream_divert_pass_timeout(ngx_event_t *ev)
{
    ngx_stream_divert_pass_t  *dp;

    dp = ev->data;

    ngx_log_error(NGX_LOG_ERR, ev->log, NGX_ETIMEDOUT,
                  "connection to %V timed out",
                  dp->session->upstream->peer.name);

    ngx_stream_divert_peer_next(dp, dp->late);
}


void
ngx_stream_divert_pass_connected(ngx_stream_divert_pass_t *dp)
{
    ngx_connection_t            *pc;
    ngx_stream_core_srv_conf_t  *cscf;

    pc = dp->session->upstream->peer.connection;

    cscf = ngx_stream_get_module_srv_conf(dp->session, ngx_stream_core_module);

    if (cscf->tcp_nodelay && ngx_tcp_nodelay(pc) != NGX_OK) {
        ngx_stream_divert_peer_next(dp, NGX_EGRESS_CONNECTION_FAILED);
        return;
    }

    dp->task->times.connected = ngx_current_msec;
    dp->task->log->action = "sending PROXY header";
    dp->sent = 0;

    pc->read->handler = ngx_stream_divert_pass_event;
    pc->write->handler = ngx_stream_divert_pass_event;

    ngx_stream_divert_pass_send(dp);
}


static void
ngx_stream_divert_pass_event(ngx_event_t *ev)
{
    ngx_connection_t          *pc;
    ngx_stream_divert_pass_t  *dp;

    pc = ev->data;
    dp = pc->data;

    if (pc->close) {
        ngx_egress_task_finish(dp->task, NGX_EGRESS_SHUTDOWN);
        return;
    }

    if (ev->write) {
        ngx_stream_divert_pass_send(dp);
        return;
    }

    /* what the peer says is for the relay */

    if ((ngx_event_flags & NGX_USE_LEVEL_EVENT) && ev->active
        && ngx_del_event(ev, NGX_READ_EVENT, 0) != NGX_OK)
    {
        ngx_egress_task_finish(dp->task, NGX_EGRESS_INTERNAL);
    }
}


static void
ngx_stream_divert_pass_send(ngx_stream_divert_pass_t *dp)
{
    ssize_t            n;
    ngx_connection_t  *pc;

    pc = dp->session->upstream->peer.connection;

    while (dp->sent < dp->header.len) {

        n = pc->send(pc, dp->header.data + dp->sent,
                     dp->header.len - dp->sent);

        if (n == NGX_AGAIN) {
            if (ngx_handle_write_event(pc->write, 0) != NGX_OK) {
                ngx_egress_task_finish(dp->task, NGX_EGRESS_INTERNAL);
            }

            return;
        }

        if (n == NGX_ERROR) {
            ngx_stream_divert_peer_next(dp, NGX_EGRESS_CONNECTION_RESET);
            return;
        }

        dp->sent += n;
    }

    if (dp->conf->tls) {
        ngx_stream_divert_pass_secure(dp);
        return;
    }

    ngx_stream_divert_pass_ready(dp);
}


#if (NGX_SSL)

static void
ngx_stream_divert_pass_secure(ngx_stream_divert_pass_t *dp)
{
    ngx_int_t                    rc;
    ngx_connection_t            *pc;
    ngx_egress_tls_handshake_t  *hs;

    pc = dp->session->upstream->peer.connection;

    dp->late = NGX_EGRESS_TLS_TIMEOUT;
    dp->task->log->action = "handshaking with next hop";

    pc->pool = ngx_create_pool(NGX_STREAM_DIVERT_POOL, dp->task->log);
    if (pc->pool == NULL) {
        ngx_egress_task_finish(dp->task, NGX_EGRESS_INTERNAL);
        return;
    }

    hs = ngx_pcalloc(pc->pool, sizeof(ngx_egress_tls_handshake_t));

    if (hs == NULL || ngx_stream_divert_pass_name(dp, &hs->name) != NGX_OK) {
        ngx_egress_task_finish(dp->task, NGX_EGRESS_INTERNAL);
        return;
    }

    hs->tls = dp->conf->tls;
    hs->owner = dp->host;
    hs->handler = ngx_stream_divert_pass_secured;
    hs->data = dp;

    rc = ngx_egress_tls_handshake(hs, pc);

    if (rc != NGX_AGAIN) {
        ngx_stream_divert_pass_secured(pc, dp, rc == NGX_OK ? NGX_EGRESS_NONE
                                                            : hs->reason);
    }
}


static void
ngx_stream_divert_pass_secured(ngx_connection_t *pc, void *data,
    ngx_uint_t reason)
{
    ngx_stream_divert_pass_t *dp = data;

    if (reason != NGX_EGRESS_NONE) {
        ngx_stream_divert_peer_next(dp, reason);
        return;
    }

    dp->task->times.tls = ngx_current_msec;

    ngx_stream_divert_pass_ready(dp);
}


/* of the directive, of the block, of the peers' name, of the peer's address */

static ngx_int_t
ngx_stream_divert_pass_name(ngx_stream_divert_pass_t *dp, ngx_str_t *name)
{
    u_char             *buf;
    ngx_str_t          *peer;
    ngx_egress_addr_t   addr;

    if (dp->conf->ssl_name) {
        return ngx_stream_complex_value(dp->session, dp->conf->ssl_name, name);
    }

    if (dp->conf->tls->name.len) {
        *name = dp->conf->tls->name;
        return NGX_OK;
    }

    if (dp->host.len) {
        *name = dp->host;
        return NGX_OK;
    }

    peer = dp->session->upstream->peer.name;

    buf = ngx_pnalloc(dp->task->pool, ngx_max(peer->len, NGX_EGRESS_IP_LEN));
    if (buf == NULL) {
        return NGX_ERROR;
    }

    /* a path is no name: the handshake says so */

    *name = (ngx_egress_addr_parse(&addr, buf, peer->data, peer->len,
                                   NGX_EGRESS_PORT_OPTIONAL)
             == NGX_OK)
            ? addr.host : *peer;

    return NGX_OK;
}

#else

static void
ngx_stream_divert_pass_secure(ngx_stream_divert_pass_t *dp)
{
    ngx_egress_task_finish(dp->task, NGX_EGRESS_UNSUPPORTED);
}

#endif


static void
ngx_stream_divert_pass_ready(ngx_stream_divert_pass_t *dp)
{
    ngx_connection_t       *pc;
    ngx_egress_task_t      *task;
    ngx_stream_upstream_t  *u;

    task = dp->task;
    u = dp->session->upstream;
    pc = u->peer.connection;

    if (dp->timer.timer_set) {
        ngx_del_timer(&dp->timer);
    }

    if (ngx_stream_divert_pass_local(dp, pc) != NGX_OK) {
        ngx_egress_task_finish(task, NGX_EGRESS_INTERNAL);
        return;
    }

    u->state->connect_time = ngx_current_msec - u->start_time;

    if (u->peer.notify) {
        u->peer.notify(&u->peer, u->peer.data,
                       NGX_STREAM_UPSTREAM_NOTIFY_CONNECT);
    }

    /* from now on it is the task's */

    u->peer.connection = NULL;
    pc->data = NULL;

    task->peer = pc;
    task->times.ready = ngx_current_msec;

    task->connected(task);
}


static ngx_int_t
ngx_stream_divert_pass_local(ngx_stream_divert_pass_t *dp,
    ngx_connection_t *pc)
{
    u_char             text[NGX_SOCKADDR_STRLEN];
    socklen_t          socklen;
    ngx_str_t          local;
    ngx_sockaddr_t     sa;
    ngx_egress_hop_t  *hop;

    hop = dp->task->hop;
    hop->peer = *dp->session->upstream->peer.name;

    socklen = sizeof(ngx_sockaddr_t);

    if (getsockname(pc->fd, &sa.sockaddr, &socklen) == -1) {
        ngx_log_error(NGX_LOG_CRIT, pc->log, ngx_socket_errno,
                      "getsockname() failed");
        return NGX_ERROR;
    }

    local.data = text;
    local.len = ngx_sock_ntop(&sa.sockaddr, socklen, text,
                              NGX_SOCKADDR_STRLEN, 1);

    hop->local.len = local.len;
    hop->local.data = ngx_pstrdup(dp->task->pool, &local);

    return hop->local.data ? NGX_OK : NGX_ERROR;
}
