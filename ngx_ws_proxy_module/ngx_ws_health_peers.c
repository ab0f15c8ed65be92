
/*
 * Copyright (C) ngx_egress authors
 *
 * Where health meets nginx's balancers: they all skip a peer whose "down" is
 * not zero, so that is where the state goes, with or without the upstream's
 * "zone".  Requests look whether the state has changed before they choose.
 */


#include <ngx_ws_health.h>


/* seconds between two complaints of a worker about a zone that is full */
#define NGX_WS_HEALTH_COMPLAIN      60


typedef struct {
    ngx_ws_health_conf_t            *conf;
    ngx_http_request_t              *request;
    ngx_event_t                      event;

    void                            *data;
    ngx_event_get_peer_pt            get;
    ngx_event_free_peer_pt           free;
    ngx_event_notify_peer_pt         notify;
#if (NGX_SSL || NGX_COMPAT)
    ngx_event_set_peer_session_pt    set_session;
    ngx_event_save_peer_session_pt   save_session;
#endif
} ngx_ws_health_peer_t;


static ngx_int_t ngx_ws_health_wrap(ngx_http_request_t *r,
    ngx_ws_health_conf_t *conf);
static ngx_int_t ngx_ws_health_get_peer(ngx_peer_connection_t *pc, void *data);
static ngx_int_t ngx_ws_health_none(ngx_peer_connection_t *pc,
    ngx_ws_health_peer_t *hp);
static void ngx_ws_health_none_handler(ngx_event_t *ev);
static void ngx_ws_health_cleanup(void *data);
static void ngx_ws_health_free_peer(ngx_peer_connection_t *pc, void *data,
    ngx_uint_t state);
static void ngx_ws_health_notify_peer(ngx_peer_connection_t *pc, void *data,
    ngx_uint_t type);
#if (NGX_SSL || NGX_COMPAT)
static ngx_int_t ngx_ws_health_set_session(ngx_peer_connection_t *pc,
    void *data);
static void ngx_ws_health_save_session(ngx_peer_connection_t *pc, void *data);
#endif
static ngx_uint_t ngx_ws_health_config(ngx_ws_health_conf_t *conf);
static ngx_int_t ngx_ws_health_targets(ngx_ws_health_conf_t *conf);
static ngx_int_t ngx_ws_health_target(ngx_ws_health_conf_t *conf,
    ngx_http_upstream_rr_peer_t *peer, ngx_uint_t backup);
static ngx_int_t ngx_ws_health_copy(ngx_pool_t *pool, ngx_str_t *dst,
    ngx_str_t *src);
static void ngx_ws_health_full(ngx_ws_health_conf_t *conf,
    ngx_ws_health_target_t *target);
static void ngx_ws_health_look(ngx_ws_health_conf_t *conf);
static void ngx_ws_health_apply(ngx_ws_health_conf_t *conf);


ngx_int_t
ngx_ws_health_init_peer(ngx_http_request_t *r,
    ngx_http_upstream_srv_conf_t *us)
{
    ngx_int_t              rc;
    ngx_ws_health_conf_t  *conf;

    conf = ngx_http_conf_upstream_srv_conf(us, ngx_http_ws_health_module);

    ngx_ws_health_sync(conf);

    rc = conf->original_init(r, us);

    if (rc != NGX_OK) {
        return rc;
    }

    /* what is down is no other server to try */

    if (r->upstream->peer.tries > conf->usable) {
        r->upstream->peer.tries = ngx_max(conf->usable, 1);
    }

    return ngx_ws_health_wrap(r, conf);
}


static ngx_int_t
ngx_ws_health_wrap(ngx_http_request_t *r, ngx_ws_health_conf_t *conf)
{
    ngx_peer_connection_t  *pc;
    ngx_ws_health_peer_t   *hp;

    hp = ngx_pcalloc(r->pool, sizeof(ngx_ws_health_peer_t));
    if (hp == NULL) {
        return NGX_ERROR;
    }

    pc = &r->upstream->peer;

    hp->conf = conf;
    hp->request = r;
    hp->data = pc->data;
    hp->get = pc->get;
    hp->free = pc->free;

    pc->data = hp;
    pc->get = ngx_ws_health_get_peer;
    pc->free = ngx_ws_health_free_peer;

    if (pc->notify) {
        hp->notify = pc->notify;
        pc->notify = ngx_ws_health_notify_peer;
    }

#if (NGX_SSL || NGX_COMPAT)

    if (pc->set_session) {
        hp->set_session = pc->set_session;
        pc->set_session = ngx_ws_health_set_session;
    }

    if (pc->save_session) {
        hp->save_session = pc->save_session;
        pc->save_session = ngx_ws_health_save_session;
    }

#endif

    return NGX_OK;
}


static ngx_int_t
ngx_ws_health_get_peer(ngx_peer_connection_t *pc, void *data)
{
    ngx_ws_health_peer_t *hp = data;

    ngx_int_t  rc;

    ngx_ws_health_sync(hp->conf);

    rc = hp->get(pc, hp->data);

    if (rc == NGX_BUSY && hp->conf->ready && hp->conf->healthy == 0
        && !hp->conf->any)
    {
        return ngx_ws_health_none(pc, hp);
    }

    return rc;
}


/*
 * Core makes a 502 of NGX_BUSY.  So that a 503 comes out, with error_page and
 * all, the connection appears to be under way until this event ends it.
 */

static ngx_int_t
ngx_ws_health_none(ngx_peer_connection_t *pc, ngx_ws_health_peer_t *hp)
{
    ngx_event_t         *ev;
    ngx_socket_t         s;
    ngx_connection_t    *c;
    ngx_pool_cleanup_t  *cln;

    ngx_log_error(NGX_LOG_ERR, pc->log, 0, "no healthy server in upstream "
                  "\"%V\"", &hp->conf->upstream->host);

    cln = ngx_pool_cleanup_add(hp->request->pool, 0);
    if (cln == NULL) {
        return NGX_ERROR;
    }

    s = ngx_socket(AF_UNIX, SOCK_STREAM, 0);

    if (s == (ngx_socket_t) -1) {
        ngx_log_error(NGX_LOG_ALERT, pc->log, ngx_socket_errno,
                      ngx_socket_n " failed");
        return NGX_ERROR;
    }

    c = ngx_get_connection(s, pc->log);

    if (c == NULL) {
        (void) ngx_close_socket(s);
        return NGX_ERROR;
    }

    c->log = pc->log;
    c->read->log = pc->log;
    c->write->log = pc->log;
    c->type = SOCK_STREAM;

    pc->connection = c;
    pc->cached = 0;
    pc->sockaddr = NULL;
    pc->name = &hp->conf->upstream->host;

    cln->handler = ngx_ws_health_cleanup;
    cln->data = hp;

    ev = &hp->event;
    ev->data = hp;
    ev->handler = ngx_ws_health_none_handler;
    ev->log = pc->log;

    ngx_post_event(ev, &ngx_posted_events);

    return NGX_AGAIN;
}


static void
ngx_ws_health_none_handler(ngx_event_t *ev)
{
    ngx_connection_t      *c;
    ngx_http_request_t    *r;
    ngx_http_upstream_t   *u;
    ngx_ws_health_peer_t  *hp;

    hp = ev->data;
    r = hp->request;
    c = r->connection;
    u = r->upstream;

    ngx_http_set_log_request(c->log, r);

    if (u == NULL || u->cleanup == NULL) {
        return;
    }

    if (u->state) {
        u->state->status = NGX_HTTP_SERVICE_UNAVAILABLE;
    }

    r->main->count++;
    (*u->cleanup)(r);

    ngx_http_finalize_request(r, NGX_HTTP_SERVICE_UNAVAILABLE);
    ngx_http_run_posted_requests(c);
}


static void
ngx_ws_health_cleanup(void *data)
{
    ngx_ws_health_peer_t *hp = data;

    if (hp->event.posted) {
        ngx_delete_posted_event(&hp->event);
    }
}


static void
ngx_ws_health_free_peer(ngx_peer_connection_t *pc, void *data,
    ngx_uint_t state)
{
    ngx_ws_health_peer_t *hp = data;

    hp->free(pc, hp->data, state);
}


static void
ngx_ws_health_notify_peer(ngx_peer_connection_t *pc, void *data,
    ngx_uint_t type)
{
    ngx_ws_health_peer_t *hp = data;

    hp->notify(pc, hp->data, type);
}


#if (NGX_SSL || NGX_COMPAT)

static ngx_int_t
ngx_ws_health_set_session(ngx_peer_connection_t *pc, void *data)
{
    ngx_ws_health_peer_t *hp = data;

    return hp->set_session(pc, hp->data);
}


static void
ngx_ws_health_save_session(ngx_peer_connection_t *pc, void *data)
{
    ngx_ws_health_peer_t *hp = data;

    hp->save_session(pc, hp->data);
}

#endif


void
ngx_ws_health_sync(ngx_ws_health_conf_t *conf)
{
    ngx_uint_t         config;
    ngx_atomic_uint_t  generation;

    generation = ngx_ws_health_generation(ngx_ws_health_zone());
    config = ngx_ws_health_config(conf);

    if (conf->ready && conf->generation == generation
        && conf->config == config)
    {
        return;
    }

    if (!conf->ready || conf->config != config) {

        if (ngx_ws_health_targets(conf) != NGX_OK) {
            return;
        }

        conf->config = config;
        conf->ready = 1;
    }

    conf->generation = generation;

    ngx_ws_health_look(conf);
    ngx_ws_health_apply(conf);
}


/* changes when servers come and go at run time */

static ngx_uint_t
ngx_ws_health_config(ngx_ws_health_conf_t *conf)
{
#if (NGX_WS_PEERS_CONFIG && NGX_HTTP_UPSTREAM_ZONE)
    ngx_http_upstream_rr_peers_t  *peers;

    peers = conf->upstream->peer.data;

    return peers->config ? *peers->config : 0;
#else
    return 0;
#endif
}


static ngx_int_t
ngx_ws_health_targets(ngx_ws_health_conf_t *conf)
{
    ngx_int_t                      rc;
    ngx_uint_t                     backup;
    ngx_pool_t                    *pool, *old;
    ngx_http_upstream_rr_peer_t   *peer;
    ngx_http_upstream_rr_peers_t  *peers;

    pool = ngx_create_pool(1024, ngx_cycle->log);
    if (pool == NULL) {
        return NGX_ERROR;
    }

    old = conf->pool;
    conf->pool = pool;

    rc = ngx_array_init(&conf->targets, pool, 8,
                        sizeof(ngx_ws_health_target_t));

    peers = conf->upstream->peer.data;

    for (backup = 0; peers && rc == NGX_OK; backup = 1) {

        ngx_http_upstream_rr_peers_rlock(peers);

        for (peer = peers->peer; peer && rc == NGX_OK; peer = peer->next) {
            rc = ngx_ws_health_target(conf, peer, backup);
        }

        ngx_http_upstream_rr_peers_unlock(peers);

        peers = peers->next;
    }

    if (old) {
        ngx_destroy_pool(old);
    }

    if (rc != NGX_OK) {
        conf->targets.nelts = 0;
    }

    return rc;
}


static ngx_int_t
ngx_ws_health_target(ngx_ws_health_conf_t *conf,
    ngx_http_upstream_rr_peer_t *peer, ngx_uint_t backup)
{
    ngx_md5_t                md5;
    ngx_uint_t               i, n;
    ngx_ws_health_check_t   *check;
    ngx_ws_health_target_t  *t;

    t = ngx_array_push(&conf->targets);
    if (t == NULL) {
        return NGX_ERROR;
    }

    ngx_memzero(t, sizeof(ngx_ws_health_target_t));

    t->backup = backup;
    t->down = (peer->down & ~NGX_WS_HEALTH_DOWN) ? 1 : 0;
    t->socklen = peer->socklen;
    t->sockaddr = ngx_palloc(conf->pool, peer->socklen);
    if (t->sockaddr == NULL) {
        return NGX_ERROR;
    }

    ngx_memcpy(t->sockaddr, peer->sockaddr, peer->socklen);

    n = conf->checks->nelts;
    t->states = ngx_pcalloc(conf->pool, n * sizeof(void *));
    t->ids = ngx_palloc(conf->pool, n * 16);

    if (t->states == NULL || t->ids == NULL
        || ngx_ws_health_copy(conf->pool, &t->name, &peer->name) != NGX_OK
        || ngx_ws_health_copy(conf->pool, &t->server, &peer->server)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    check = conf->checks->elts;

    for (i = 0; i < n; i++) {
        ngx_md5_init(&md5);
        ngx_md5_update(&md5, conf->upstream->host.data,
                       conf->upstream->host.len);
        ngx_md5_update(&md5, "", 1);
        ngx_md5_update(&md5, t->name.data, t->name.len);
        ngx_md5_update(&md5, "", 1);
        ngx_md5_update(&md5, t->server.data, t->server.len);
        ngx_md5_update(&md5, "", 1);
        ngx_md5_update(&md5, check[i].id.data, check[i].id.len);
        ngx_md5_update(&md5, &check[i].twin, sizeof(ngx_uint_t));
        ngx_md5_final(t->ids[i], &md5);
    }

    return NGX_OK;
}


static ngx_int_t
ngx_ws_health_copy(ngx_pool_t *pool, ngx_str_t *dst, ngx_str_t *src)
{
    dst->len = src->len;
    dst->data = ngx_pstrdup(pool, src);

    return dst->data ? NGX_OK : NGX_ERROR;
}


ngx_int_t
ngx_ws_health_target_info(ngx_ws_health_conf_t *conf,
    ngx_ws_health_target_t *target, ngx_uint_t i, ngx_ws_health_info_t *info)
{
    ngx_shm_zone_t         *zone;
    ngx_ws_health_check_t  *check;

    zone = ngx_ws_health_zone();
    check = conf->checks->elts;

    if (target->states[i]
        && ngx_ws_health_read(zone, target->states[i], target->ids[i], info)
           == NGX_OK)
    {
        return NGX_OK;
    }

    target->states[i] = ngx_ws_health_state(zone, target->ids[i], &check[i]);

    if (target->states[i] == NULL) {
        ngx_ws_health_full(conf, target);
        return NGX_ERROR;
    }

    return ngx_ws_health_read(zone, target->states[i], target->ids[i], info);
}


/* such a server is trusted, and asked for again and again */

static void
ngx_ws_health_full(ngx_ws_health_conf_t *conf, ngx_ws_health_target_t *target)
{
    static time_t  next;

    if (ngx_time() < next) {
        return;
    }

    next = ngx_time() + NGX_WS_HEALTH_COMPLAIN;

    ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                  "no memory for the health of server \"%V\" of upstream "
                  "\"%V\", increase ws_proxy_health_zone",
                  &target->name, &conf->upstream->host);
}


/* what the states say: one bad check is enough */

static void
ngx_ws_health_look(ngx_ws_health_conf_t *conf)
{
    ngx_uint_t               i, j;
    ngx_ws_health_info_t     info;
    ngx_ws_health_target_t  *t;

    t = conf->targets.elts;
    conf->healthy = 0;

    for (i = 0; i < conf->targets.nelts; i++) {
        t[i].up = 1;

        if (t[i].down) {
            continue;
        }

        for (j = 0; j < conf->checks->nelts; j++) {

            if (ngx_ws_health_target_info(conf, &t[i], j, &info) == NGX_OK
                && !info.up)
            {
                t[i].up = 0;
            }
        }

        conf->healthy += t[i].up;
    }
}


static void
ngx_ws_health_apply(ngx_ws_health_conf_t *conf)
{
    ngx_uint_t                     i, ignore;
    ngx_ws_health_target_t        *t;
    ngx_http_upstream_rr_peer_t   *peer;
    ngx_http_upstream_rr_peers_t  *first, *peers;

    first = conf->upstream->peer.data;
    t = conf->targets.elts;
    i = 0;

    ignore = (conf->healthy == 0 && conf->any);
    conf->usable = 0;

    /* "peers->next" has a lock of its own, which balancers take in turn */

    for (peers = first; peers; peers = peers->next) {

        ngx_http_upstream_rr_peers_wlock(peers);

        for (peer = peers->peer; peer; peer = peer->next, i++) {

            if (i >= conf->targets.nelts
                || peer->name.len != t[i].name.len
                || ngx_strncmp(peer->name.data, t[i].name.data,
                               t[i].name.len)
                   != 0)
            {
                /* it has changed meanwhile: next time */

                conf->ready = 0;
                break;
            }

            if (t[i].up || ignore) {
                peer->down &= ~NGX_WS_HEALTH_DOWN;

            } else {
                peer->down |= NGX_WS_HEALTH_DOWN;
            }

            conf->usable += (peer->down == 0);
        }

        ngx_http_upstream_rr_peers_unlock(peers);
    }
}
