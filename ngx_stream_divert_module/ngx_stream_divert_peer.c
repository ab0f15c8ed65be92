
/*
 * Copyright (C) ngx_egress authors
 *
 * Whom divert_pass connects to: an upstream { } with its balancer, addresses,
 * or what a variable says.  Ends with an open connection; what is said on it
 * is not decided here.
 */


#include "ngx_stream_divert.h"


static ngx_int_t ngx_stream_divert_peer_create(ngx_stream_divert_pass_t *dp);
static ngx_int_t ngx_stream_divert_peer_eval(ngx_stream_divert_pass_t *dp);
static ngx_stream_upstream_srv_conf_t *ngx_stream_divert_peer_find(
    ngx_stream_session_t *s, ngx_stream_upstream_resolved_t *ur);
static void ngx_stream_divert_peer_balance(ngx_stream_divert_pass_t *dp,
    ngx_stream_upstream_srv_conf_t *uscf);
static void ngx_stream_divert_peer_resolved(ngx_stream_divert_pass_t *dp);
static void ngx_stream_divert_peer_resolve(ngx_stream_divert_pass_t *dp);
static void ngx_stream_divert_peer_answer(ngx_resolver_ctx_t *rctx);
static void ngx_stream_divert_peer_connect(ngx_stream_divert_pass_t *dp);
static ngx_int_t ngx_stream_divert_peer_state(ngx_stream_divert_pass_t *dp);
static void ngx_stream_divert_peer_handler(ngx_event_t *ev);
static void ngx_stream_divert_peer_release(ngx_stream_divert_pass_t *dp,
    ngx_uint_t state);


void
ngx_stream_divert_peer_start(ngx_stream_divert_pass_t *dp)
{
    ngx_stream_upstream_srv_conf_t  *uscf;
    ngx_stream_upstream_resolved_t  *ur;

    if (ngx_stream_divert_peer_create(dp) != NGX_OK
        || (dp->conf->upstream == NULL
            && ngx_stream_divert_peer_eval(dp) != NGX_OK))
    {
        ngx_egress_task_finish(dp->task, NGX_EGRESS_INTERNAL);
        return;
    }

    uscf = dp->conf->upstream;
    ur = dp->session->upstream->resolved;

    if (ur) {
        dp->host = ur->host;
        uscf = ngx_stream_divert_peer_find(dp->session, ur);
    }

    if (uscf) {
        ngx_stream_divert_peer_balance(dp, uscf);
        return;
    }

    if (ur->port == 0
        && (ur->sockaddr == NULL || ur->sockaddr->sa_family != AF_UNIX))
    {
        ngx_log_error(NGX_LOG_ERR, dp->task->log, 0,
                      "no port in upstream \"%V\"", &ur->host);
        ngx_egress_task_finish(dp->task, NGX_EGRESS_INTERNAL);
        return;
    }

    if (ur->sockaddr) {
        ngx_stream_divert_peer_resolved(dp);
        return;
    }

    ngx_stream_divert_peer_resolve(dp);
}


static ngx_int_t
ngx_stream_divert_peer_create(ngx_stream_divert_pass_t *dp)
{
    ngx_connection_t       *c;
    ngx_stream_session_t   *s;
    ngx_stream_upstream_t  *u;

    s = dp->session;
    c = s->connection;

    u = ngx_pcalloc(c->pool, sizeof(ngx_stream_upstream_t));
    if (u == NULL) {
        return NGX_ERROR;
    }

    s->upstream = u;

    s->upstream_states = ngx_array_create(c->pool, 1,
                                          sizeof(ngx_stream_upstream_state_t));
    if (s->upstream_states == NULL) {
        return NGX_ERROR;
    }

    u->requests = 1;
    u->start_sec = ngx_time();

    u->peer.log = c->log;
    u->peer.log_error = NGX_ERROR_ERR;
    u->peer.type = SOCK_STREAM;
    u->peer.start_time = ngx_current_msec;
    u->peer.so_keepalive = dp->conf->socket_keepalive;

    return NGX_OK;
}


static ngx_int_t
ngx_stream_divert_peer_eval(ngx_stream_divert_pass_t *dp)
{
    ngx_url_t                        url;
    ngx_connection_t                *c;
    ngx_stream_upstream_resolved_t  *ur;

    c = dp->session->connection;

    ngx_memzero(&url, sizeof(ngx_url_t));

    if (ngx_stream_complex_value(dp->session, dp->conf->upstream_value,
                                 &url.url)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    url.no_resolve = 1;

    if (ngx_parse_url(c->pool, &url) != NGX_OK) {
        ngx_log_error(NGX_LOG_ERR, c->log, 0, "%s in upstream \"%V\"",
                      url.err ? url.err : "error", &url.url);
        return NGX_ERROR;
    }

    ur = ngx_pcalloc(c->pool, sizeof(ngx_stream_upstream_resolved_t));
    if (ur == NULL) {
        return NGX_ERROR;
    }

    if (url.addrs) {
        ur->sockaddr = url.addrs[0].sockaddr;
        ur->socklen = url.addrs[0].socklen;
        ur->name = url.addrs[0].name;
        ur->naddrs = 1;
    }

    ur->host = url.host;
    ur->port = url.port;
    ur->no_port = url.no_port;

    dp->session->upstream->resolved = ur;

    return NGX_OK;
}


static ngx_stream_upstream_srv_conf_t *
ngx_stream_divert_peer_find(ngx_stream_session_t *s,
    ngx_stream_upstream_resolved_t *ur)
{
    ngx_uint_t                        i;
    ngx_stream_upstream_srv_conf_t  **uscfp;
    ngx_stream_upstream_main_conf_t  *umcf;

    umcf = ngx_stream_get_module_main_conf(s, ngx_stream_upstream_module);
    uscfp = umcf->upstreams.elts;

    for (i = 0; i < umcf->upstreams.nelts; i++) {

        if (uscfp[i]->host.len == ur->host.len
            && ((uscfp[i]->port == 0 && ur->no_port)
                || uscfp[i]->port == ur->port)
            && ngx_strncasecmp(uscfp[i]->host.data, ur->host.data,
                               ur->host.len)
               == 0)
        {
            return uscfp[i];
        }
    }

    return NULL;
}


static void
ngx_stream_divert_peer_balance(ngx_stream_divert_pass_t *dp,
    ngx_stream_upstream_srv_conf_t *uscf)
{
    ngx_uint_t              tries;
    ngx_stream_upstream_t  *u;

    u = dp->session->upstream;
    u->upstream = uscf;

    /* a list of addresses has no name of its own */

    if (uscf->port || uscf->no_port) {
        dp->host = uscf->host;
    }

    if (uscf->peer.init(dp->session, uscf) != NGX_OK) {
        ngx_egress_task_finish(dp->task, NGX_EGRESS_INTERNAL);
        return;
    }

    tries = dp->conf->next_upstream_tries;

    if (tries && u->peer.tries > tries) {
        u->peer.tries = tries;
    }

    ngx_stream_divert_peer_connect(dp);
}


static void
ngx_stream_divert_peer_resolved(ngx_stream_divert_pass_t *dp)
{
    ngx_uint_t              tries;
    ngx_stream_upstream_t  *u;

    u = dp->session->upstream;

    if (ngx_stream_upstream_create_round_robin_peer(dp->session, u->resolved)
        != NGX_OK)
    {
        ngx_egress_task_finish(dp->task, NGX_EGRESS_INTERNAL);
        return;
    }

    tries = dp->conf->next_upstream_tries;

    if (tries && u->peer.tries > tries) {
        u->peer.tries = tries;
    }

    ngx_stream_divert_peer_connect(dp);
}


/* by nginx's own "resolver", as proxy_pass does */

static void
ngx_stream_divert_peer_resolve(ngx_stream_divert_pass_t *dp)
{
    ngx_resolver_ctx_t              *rctx, temp;
    ngx_stream_core_srv_conf_t      *cscf;
    ngx_stream_upstream_resolved_t  *ur;

    ur = dp->session->upstream->resolved;
    cscf = ngx_stream_get_module_srv_conf(dp->session, ngx_stream_core_module);

    temp.name = ur->host;

    rctx = ngx_resolve_start(cscf->resolver, &temp);

    if (rctx == NULL || rctx == NGX_NO_RESOLVER) {
        ngx_log_error(NGX_LOG_ERR, dp->task->log, 0,
                      "no resolver defined to resolve %V", &ur->host);
        ngx_egress_task_finish(dp->task, NGX_EGRESS_DNS_DENIED);
        return;
    }

    rctx->name = ur->host;
    rctx->handler = ngx_stream_divert_peer_answer;
    rctx->data = dp;
    rctx->timeout = cscf->resolver_timeout;

    dp->task->log->action = "resolving next hop";

    ur->ctx = rctx;

    if (ngx_resolve_name(rctx) != NGX_OK) {
        ur->ctx = NULL;
        ngx_egress_task_finish(dp->task, NGX_EGRESS_DNS_ERROR);
    }
}


static void
ngx_stream_divert_peer_answer(ngx_resolver_ctx_t *rctx)
{
    ngx_stream_divert_pass_t        *dp;
    ngx_stream_upstream_resolved_t  *ur;

    dp = rctx->data;
    ur = dp->session->upstream->resolved;

    if (rctx->state) {
        ngx_log_error(NGX_LOG_ERR, dp->task->log, 0,
                      "%V could not be resolved (%i: %s)", &rctx->name,
                      rctx->state, ngx_resolver_strerror(rctx->state));

        ngx_egress_task_finish(dp->task, rctx->state == NGX_RESOLVE_NXDOMAIN
                                         ? NGX_EGRESS_DNS_NXDOMAIN
                                         : NGX_EGRESS_DNS_ERROR);
        return;
    }

    ur->naddrs = rctx->naddrs;
    ur->addrs = rctx->addrs;

    dp->task->times.resolved = ngx_current_msec;

    if (ngx_stream_upstream_create_round_robin_peer(dp->session, ur)
        != NGX_OK)
    {
        ngx_egress_task_finish(dp->task, NGX_EGRESS_INTERNAL);
        return;
    }

    ngx_resolve_name_done(rctx);
    ur->ctx = NULL;

    ngx_stream_divert_peer_connect(dp);
}


static void
ngx_stream_divert_peer_connect(ngx_stream_divert_pass_t *dp)
{
    ngx_int_t               rc;
    ngx_connection_t       *pc;
    ngx_stream_upstream_t  *u;

    u = dp->session->upstream;

    dp->task->log->action = "connecting to upstream";
    dp->late = NGX_EGRESS_CONNECTION_TIMEOUT;

    rc = ngx_stream_divert_peer_state(dp);

    if (rc == NGX_OK) {
        rc = ngx_event_connect_peer(&u->peer);
    }

    if (rc == NGX_ERROR) {
        ngx_egress_task_finish(dp->task, NGX_EGRESS_INTERNAL);
        return;
    }

    u->state->peer = u->peer.name;

    if (rc == NGX_BUSY) {
        ngx_log_error(NGX_LOG_ERR, dp->task->log, 0, "no live upstreams");
        ngx_egress_task_finish(dp->task, NGX_EGRESS_CONNECTION_FAILED);
        return;
    }

    if (rc == NGX_DECLINED) {
        ngx_stream_divert_peer_next(dp, NGX_EGRESS_CONNECTION_FAILED);
        return;
    }

    pc = u->peer.connection;

    pc->data = dp;
    pc->log = dp->task->log;
    pc->read->log = pc->log;
    pc->write->log = pc->log;

    ngx_add_timer(&dp->timer, dp->conf->connect_timeout);

    if (rc == NGX_AGAIN) {
        pc->read->handler = ngx_stream_divert_peer_handler;
        pc->write->handler = ngx_stream_divert_peer_handler;
        return;
    }

    ngx_stream_divert_pass_connected(dp);
}


static ngx_int_t
ngx_stream_divert_peer_state(ngx_stream_divert_pass_t *dp)
{
    ngx_stream_upstream_t  *u;

    u = dp->session->upstream;

    u->state = ngx_array_push(dp->session->upstream_states);
    if (u->state == NULL) {
        return NGX_ERROR;
    }

    ngx_memzero(u->state, sizeof(ngx_stream_upstream_state_t));

    u->start_time = ngx_current_msec;

    u->state->connect_time = (ngx_msec_t) -1;
    u->state->first_byte_time = (ngx_msec_t) -1;
    u->state->response_time = (ngx_msec_t) -1;

    return NGX_OK;
}


static void
ngx_stream_divert_peer_handler(ngx_event_t *ev)
{
    int                        err;
    socklen_t                  len;
    ngx_connection_t          *pc;
    ngx_stream_divert_pass_t  *dp;

    pc = ev->data;
    dp = pc->data;

    if (pc->close) {
        ngx_egress_task_finish(dp->task, NGX_EGRESS_SHUTDOWN);
        return;
    }

    err = 0;
    len = sizeof(int);

    if (getsockopt(pc->fd, SOL_SOCKET, SO_ERROR, &err, &len) == -1) {
        err = ngx_socket_errno;
    }

    if (err == 0) {
        ngx_stream_divert_pass_connected(dp);
        return;
    }

    ngx_log_error(NGX_LOG_ERR, pc->log, err, "connect() to %V failed",
                  dp->session->upstream->peer.name);

    ngx_stream_divert_peer_next(dp, ngx_egress_reason_errno(err));
}


void
ngx_stream_divert_peer_next(ngx_stream_divert_pass_t *dp, ngx_uint_t reason)
{
    ngx_msec_t              timeout;
    ngx_stream_upstream_t  *u;

    u = dp->session->upstream;
    timeout = dp->conf->next_upstream_timeout;

    if (dp->timer.timer_set) {
        ngx_del_timer(&dp->timer);
    }

    dp->task->hop->peer = *u->peer.name;

    ngx_stream_divert_peer_release(dp, NGX_PEER_FAILED);

    if (u->peer.tries == 0
        || !dp->conf->next_upstream
        || (timeout && ngx_current_msec - u->peer.start_time >= timeout))
    {
        ngx_egress_task_finish(dp->task, reason);
        return;
    }

    ngx_stream_divert_peer_connect(dp);
}


void
ngx_stream_divert_peer_stop(ngx_stream_divert_pass_t *dp)
{
    ngx_egress_task_t      *task;
    ngx_stream_upstream_t  *u;

    u = dp->session->upstream;
    task = dp->task;

    if (u == NULL) {
        return;
    }

    if (u->resolved && u->resolved->ctx) {
        ngx_resolve_name_done(u->resolved->ctx);
        u->resolved->ctx = NULL;
    }

    if (u->state && task->times.ready) {
        u->state->bytes_sent = dp->header.len + task->bytes_received;
        u->state->bytes_received = task->bytes_sent;
    }

    ngx_stream_divert_peer_release(dp, 0);
}


static void
ngx_stream_divert_peer_release(ngx_stream_divert_pass_t *dp, ngx_uint_t state)
{
    ngx_stream_upstream_t  *u;

    u = dp->session->upstream;

    if (u->state && u->state->response_time == (ngx_msec_t) -1) {
        u->state->response_time = ngx_current_msec - u->start_time;
    }

    if (u->peer.free && u->peer.sockaddr) {
        u->peer.free(&u->peer, u->peer.data, state);
        u->peer.sockaddr = NULL;
    }

    if (u->peer.connection) {
        ngx_egress_close_connection(u->peer.connection);
        u->peer.connection = NULL;
    }
}
