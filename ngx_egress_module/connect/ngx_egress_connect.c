
/*
 * Copyright (C) ngx_egress authors
 *
 * From a hop to an open connection: the race for a connected socket, then the
 * stages that were asked for, then one answer.  How addresses are found and
 * what a TLS handshake does is told elsewhere.
 */


#include "ngx_egress_connector.h"
#include "ngx_egress_keepalive.h"
#include "ngx_egress_tls.h"


#define NGX_EGRESS_CONNECTION_POOL  512


typedef ngx_int_t (*ngx_egress_stage_pt)(ngx_egress_connector_t *cn,
    ngx_uint_t *reason);


static ngx_int_t ngx_egress_connector_adopt(ngx_egress_hop_t *hop,
    ngx_egress_attempt_t *at);
static ngx_int_t ngx_egress_connector_local(ngx_egress_hop_t *hop);
static void ngx_egress_connector_run(ngx_egress_connector_t *cn);
static void ngx_egress_connector_ready(ngx_egress_connector_t *cn);
static void ngx_egress_connector_release(ngx_egress_connector_t *cn);
static void ngx_egress_connector_deadline(ngx_event_t *ev);
static void ngx_egress_connector_read_handler(ngx_event_t *rev);
static void ngx_egress_connector_write_handler(ngx_event_t *wev);
static void ngx_egress_connector_quiet(ngx_event_t *ev);

static ngx_int_t ngx_egress_connector_header(ngx_egress_connector_t *cn,
    ngx_uint_t *reason);
static ngx_int_t ngx_egress_connector_negotiate(ngx_egress_connector_t *cn,
    ngx_uint_t *reason);
static ngx_int_t ngx_egress_connector_peer_tls(ngx_egress_connector_t *cn,
    ngx_uint_t *reason);
static ngx_int_t ngx_egress_connector_target_tls(ngx_egress_connector_t *cn,
    ngx_uint_t *reason);
static ngx_int_t ngx_egress_connector_tls(ngx_egress_connector_t *cn,
    ngx_egress_tls_t *tls, ngx_str_t *name, ngx_uint_t *reason);
#if (NGX_SSL)
static void ngx_egress_connector_tls_done(ngx_connection_t *c, void *data,
    ngx_uint_t reason);
#endif


/* in the order of ngx_egress_stage_e */

static struct {
    ngx_egress_stage_pt   run;
    ngx_egress_reason_e   timeout;
} ngx_egress_connector_stages[] = {
    { NULL, NGX_EGRESS_CONNECTION_TIMEOUT },
    { ngx_egress_connector_header, NGX_EGRESS_CONNECTION_TIMEOUT },
    { ngx_egress_connector_peer_tls, NGX_EGRESS_TLS_TIMEOUT },
    { ngx_egress_connector_negotiate, NGX_EGRESS_PROXY_TIMEOUT },
    { ngx_egress_connector_target_tls, NGX_EGRESS_TLS_TIMEOUT }
};


ngx_egress_hop_t *
ngx_egress_hop_create(ngx_egress_task_t *task)
{
    ngx_egress_hop_t  *hop;

    hop = ngx_pcalloc(task->pool, sizeof(ngx_egress_hop_t));
    if (hop == NULL) {
        return NULL;
    }

    hop->task = task;
    hop->escaper = task->escaper;
    hop->conf = &task->escaper->connect;
    hop->addr = task->target;
    hop->done = ngx_egress_task_hop_done;

    return hop;
}


void
ngx_egress_connect(ngx_egress_hop_t *hop)
{
    ngx_int_t                rc;
    ngx_egress_connector_t  *cn;

    cn = ngx_pcalloc(hop->task->pool, sizeof(ngx_egress_connector_t));
    if (cn == NULL) {
        hop->done(hop, NGX_EGRESS_INTERNAL);
        return;
    }

    hop->connector = cn;

    cn->hop = hop;
    cn->log = hop->task->log;
    cn->ident = -1;
    cn->addr = hop->addr;

    ngx_queue_init(&cn->attempts);

    rc = ngx_egress_redirect(hop->conf->redirection, hop->task->pool,
                             &cn->addr, &cn->redirected);

    if (rc == NGX_ERROR) {
        ngx_egress_connector_done(cn, NGX_EGRESS_INTERNAL);
        return;
    }

    if (rc == NGX_OK) {
        ngx_log_debug2(NGX_LOG_DEBUG_CORE, cn->log, 0,
                       "egress redirected \"%V\" to \"%V\"",
                       &hop->addr.host, &cn->addr.host);
    }

    ngx_egress_race_start(cn);
}


void
ngx_egress_connect_abort(ngx_egress_hop_t *hop)
{
    ngx_egress_connector_t  *cn;

    cn = hop->connector;

    if (cn == NULL || cn->stage == ngx_egress_stage_done) {
        return;
    }

    ngx_egress_connector_release(cn);
}


void
ngx_egress_connector_won(ngx_egress_connector_t *cn, ngx_egress_attempt_t *at)
{
    ngx_egress_hop_t  *hop;

    hop = cn->hop;

    ngx_queue_remove(&at->queue);
    ngx_egress_race_stop(cn);

    hop->connection = at->connection;
    hop->task->times.connected = ngx_current_msec;

    ngx_log_debug2(NGX_LOG_DEBUG_CORE, cn->log, 0,
                   "egress connected to %*s", at->len, at->text);

    if (ngx_egress_connector_adopt(hop, at) != NGX_OK) {
        ngx_egress_connector_done(cn, NGX_EGRESS_INTERNAL);
        return;
    }

    cn->timer.handler = ngx_egress_connector_deadline;
    cn->stage = ngx_egress_stage_header;

    ngx_egress_connector_run(cn);
}


static ngx_int_t
ngx_egress_connector_adopt(ngx_egress_hop_t *hop, ngx_egress_attempt_t *at)
{
    ngx_pool_t         *pool;
    ngx_connection_t   *c;
    ngx_egress_task_t  *task;

    c = hop->connection;
    task = hop->task;

    if (c->write->timer_set) {
        ngx_del_timer(c->write);
    }

    c->data = hop->connector;
    c->read->handler = ngx_egress_connector_read_handler;
    c->write->handler = ngx_egress_connector_write_handler;

    hop->peer.len = at->len;
    hop->peer.data = at->text;

    c->sockaddr = &at->sockaddr.sockaddr;
    c->socklen = at->socklen;

    if (hop->tls || (task->tls && !hop->no_target_tls) || task->reusable) {

        pool = ngx_create_pool(NGX_EGRESS_CONNECTION_POOL, task->log);
        if (pool == NULL) {
            return NGX_ERROR;
        }

        c->pool = pool;

        /* it may outlive the task */

        c->sockaddr = ngx_palloc(pool, at->socklen);
        if (c->sockaddr == NULL) {
            return NGX_ERROR;
        }

        ngx_memcpy(c->sockaddr, &at->sockaddr, at->socklen);
    }

    return ngx_egress_connector_local(hop);
}


static ngx_int_t
ngx_egress_connector_local(ngx_egress_hop_t *hop)
{
    u_char             text[NGX_SOCKADDR_STRLEN];
    socklen_t          socklen;
    ngx_pool_t        *pool;
    ngx_sockaddr_t     sa;
    ngx_connection_t  *c;

    c = hop->connection;
    socklen = sizeof(ngx_sockaddr_t);

    if (getsockname(c->fd, &sa.sockaddr, &socklen) == -1) {
        ngx_log_error(NGX_LOG_CRIT, c->log, ngx_socket_errno,
                      "getsockname() failed");
        return NGX_ERROR;
    }

    pool = c->pool ? c->pool : hop->task->pool;

    c->local_sockaddr = ngx_palloc(pool, socklen);
    if (c->local_sockaddr == NULL) {
        return NGX_ERROR;
    }

    ngx_memcpy(c->local_sockaddr, &sa, socklen);
    c->local_socklen = socklen;

    hop->local.len = ngx_sock_ntop(&sa.sockaddr, socklen, text,
                                   NGX_SOCKADDR_STRLEN, 1);

    hop->local.data = ngx_pnalloc(hop->task->pool, hop->local.len);
    if (hop->local.data == NULL) {
        return NGX_ERROR;
    }

    ngx_memcpy(hop->local.data, text, hop->local.len);

    return NGX_OK;
}


/* Runs the stages until one has to wait; cn may be gone when it returns. */

static void
ngx_egress_connector_run(ngx_egress_connector_t *cn)
{
    ngx_int_t   rc;
    ngx_uint_t  reason;

    while (cn->stage != ngx_egress_stage_done) {

        reason = NGX_EGRESS_INTERNAL;

        rc = ngx_egress_connector_stages[cn->stage].run(cn, &reason);

        if (rc == NGX_ERROR) {
            ngx_egress_connector_done(cn, reason);
            return;
        }

        if (rc == NGX_AGAIN) {
            if (!cn->timer.timer_set) {
                ngx_add_timer(&cn->timer, cn->hop->conf->negotiation_timeout);
            }

            return;
        }

        ngx_log_debug1(NGX_LOG_DEBUG_CORE, cn->log, 0,
                       "egress connector stage %d is through", cn->stage);

        cn->stage++;
    }

    ngx_egress_connector_ready(cn);
}


static void
ngx_egress_connector_ready(ngx_egress_connector_t *cn)
{
    ngx_egress_hop_t  *hop;
    ngx_connection_t  *c;

    hop = cn->hop;
    c = hop->connection;

    if (cn->timer.timer_set) {
        ngx_del_timer(&cn->timer);
    }

    c->data = NULL;
    c->read->handler = ngx_egress_connector_quiet;
    c->write->handler = ngx_egress_connector_quiet;

    hop->done(hop, NGX_EGRESS_NONE);
}


void
ngx_egress_connector_done(ngx_egress_connector_t *cn, ngx_uint_t reason)
{
    ngx_egress_hop_t  *hop;

    hop = cn->hop;

    ngx_egress_connector_release(cn);

    hop->done(hop, reason);
}


static void
ngx_egress_connector_release(ngx_egress_connector_t *cn)
{
    ngx_egress_hop_t  *hop;

    hop = cn->hop;

    cn->stage = ngx_egress_stage_done;

    ngx_egress_race_stop(cn);

    if (hop->connection) {
        ngx_egress_close_connection(hop->connection);
        hop->connection = NULL;
    }
}


static void
ngx_egress_connector_deadline(ngx_event_t *ev)
{
    ngx_egress_connector_t  *cn;

    cn = ev->data;

    ngx_log_error(NGX_LOG_INFO, cn->log, NGX_ETIMEDOUT,
                  "negotiation with %V timed out", &cn->hop->peer);

    ngx_egress_connector_done(cn,
                              ngx_egress_connector_stages[cn->stage].timeout);
}


static void
ngx_egress_connector_read_handler(ngx_event_t *rev)
{
    ngx_connection_t  *c;

    c = rev->data;

    if (c->close) {
        ngx_egress_connector_done(c->data, NGX_EGRESS_SHUTDOWN);
        return;
    }

    ngx_egress_connector_quiet(rev);
}


static void
ngx_egress_connector_write_handler(ngx_event_t *wev)
{
    ngx_connection_t        *c;
    ngx_egress_connector_t  *cn;

    c = wev->data;
    cn = c->data;

    if (cn->stage == ngx_egress_stage_header) {
        ngx_egress_connector_run(cn);
    }
}


/* Leaves the event to whoever comes next: ready stays set. */

static void
ngx_egress_connector_quiet(ngx_event_t *ev)
{
    if ((ngx_event_flags & NGX_USE_LEVEL_EVENT) && ev->active) {
        (void) ngx_del_event(ev, ev->write ? NGX_WRITE_EVENT : NGX_READ_EVENT,
                             0);
    }
}


static ngx_int_t
ngx_egress_connector_header(ngx_egress_connector_t *cn, ngx_uint_t *reason)
{
    ssize_t            n;
    ngx_connection_t  *c;
    ngx_egress_hop_t  *hop;

    hop = cn->hop;
    c = hop->connection;

    if (cn->header.data == NULL) {

        if (hop->header.len) {
            cn->header = hop->header;

        } else if (hop->proxy_protocol == 0) {
            return NGX_OK;

        } else if (ngx_egress_header_make(hop, &cn->header) != NGX_OK) {
            return NGX_ERROR;
        }

        cn->log->action = "sending PROXY header";
    }

    while (cn->header.len) {
        n = c->send(c, cn->header.data, cn->header.len);

        if (n == NGX_AGAIN) {
            return ngx_handle_write_event(c->write, 0) == NGX_OK ? NGX_AGAIN
                                                                 : NGX_ERROR;
        }

        if (n == NGX_ERROR) {
            *reason = NGX_EGRESS_CONNECTION_RESET;
            return NGX_ERROR;
        }

        cn->header.data += n;
        cn->header.len -= n;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_egress_connector_negotiate(ngx_egress_connector_t *cn, ngx_uint_t *reason)
{
    ngx_int_t          rc;
    ngx_egress_hop_t  *hop;

    hop = cn->hop;

    if (!hop->negotiate) {
        return NGX_OK;
    }

    cn->log->action = "negotiating with next proxy";

    rc = hop->escaper->type->negotiate(hop);

    if (rc == NGX_ERROR && hop->task->reason != NGX_EGRESS_NONE) {
        *reason = hop->task->reason;
    }

    return rc;
}


void
ngx_egress_hop_negotiated(ngx_egress_hop_t *hop, ngx_uint_t reason)
{
    ngx_egress_connector_t  *cn;

    cn = hop->connector;

    if (reason != NGX_EGRESS_NONE) {
        ngx_egress_connector_done(cn, reason);
        return;
    }

    /* the escaper's handlers have done their work */

    hop->connection->data = cn;
    hop->connection->read->handler = ngx_egress_connector_read_handler;
    hop->connection->write->handler = ngx_egress_connector_write_handler;

    cn->stage++;

    ngx_egress_connector_run(cn);
}


static ngx_int_t
ngx_egress_connector_peer_tls(ngx_egress_connector_t *cn, ngx_uint_t *reason)
{
    ngx_str_t         *name;
    ngx_egress_hop_t  *hop;

    hop = cn->hop;

    if (hop->tls == NULL) {
        return NGX_OK;
    }

    name = hop->tls_name.len ? &hop->tls_name : &hop->addr.host;

    cn->log->action = "handshaking with next hop";

    return ngx_egress_connector_tls(cn, hop->tls, name, reason);
}


static ngx_int_t
ngx_egress_connector_target_tls(ngx_egress_connector_t *cn, ngx_uint_t *reason)
{
    ngx_str_t          *name;
    ngx_egress_hop_t   *hop;
    ngx_egress_task_t  *task;

    hop = cn->hop;
    task = hop->task;

    if (task->tls == NULL || hop->no_target_tls) {
        return NGX_OK;
    }

    name = task->tls_name.len ? &task->tls_name : &task->target.host;

    cn->log->action = "handshaking with target";

    return ngx_egress_connector_tls(cn, task->tls, name, reason);
}


#if (NGX_SSL)

static ngx_int_t
ngx_egress_connector_tls(ngx_egress_connector_t *cn, ngx_egress_tls_t *tls,
    ngx_str_t *name, ngx_uint_t *reason)
{
    ngx_int_t                    rc;
    ngx_egress_hop_t            *hop;
    ngx_connection_t            *c;
    ngx_egress_tls_handshake_t  *hs;

    hop = cn->hop;
    c = hop->connection;

    hs = ngx_pcalloc(c->pool, sizeof(ngx_egress_tls_handshake_t));
    if (hs == NULL) {
        return NGX_ERROR;
    }

    hs->tls = tls;
    hs->name = *name;
    hs->owner = hop->escaper->object.name;
    hs->handler = ngx_egress_connector_tls_done;
    hs->data = cn;

    rc = ngx_egress_tls_handshake(hs, c);

    if (rc == NGX_ERROR) {
        *reason = hs->reason;
    }

    if (rc == NGX_OK) {
        hop->task->times.tls = ngx_current_msec;
    }

    return rc;
}


static void
ngx_egress_connector_tls_done(ngx_connection_t *c, void *data,
    ngx_uint_t reason)
{
    ngx_egress_connector_t *cn = data;

    if (reason != NGX_EGRESS_NONE) {
        ngx_egress_connector_done(cn, reason);
        return;
    }

    c->data = cn;
    c->read->handler = ngx_egress_connector_read_handler;
    c->write->handler = ngx_egress_connector_write_handler;

    cn->hop->task->times.tls = ngx_current_msec;
    cn->stage++;

    ngx_egress_connector_run(cn);
}

#else

static ngx_int_t
ngx_egress_connector_tls(ngx_egress_connector_t *cn, ngx_egress_tls_t *tls,
    ngx_str_t *name, ngx_uint_t *reason)
{
    *reason = NGX_EGRESS_UNSUPPORTED;

    return NGX_ERROR;
}

#endif
