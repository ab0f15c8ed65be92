
/*
 * Copyright (C) ngx_egress authors
 *
 * The idle connections of this worker.  A hash by key finds one, a queue by
 * age drops the oldest.  What a connection is used for is not known here.
 */


#include "ngx_egress_keepalive.h"


#define NGX_EGRESS_IDLE_BUCKETS  256       /* a power of 2 */


typedef struct {
    ngx_queue_t          bucket;
    ngx_queue_t          age;              /* the youngest is the head */
    ngx_connection_t    *connection;
    uint32_t             hash;
    size_t               key_len;
    u_char              *key;              /* behind this structure, and */
    ngx_str_t            peer;             /* so are these texts */
    ngx_str_t            local;
} ngx_egress_idle_t;


static ngx_egress_idle_t *ngx_egress_keepalive_find(uint32_t hash, u_char *key,
    size_t len);
static ngx_int_t ngx_egress_keepalive_take(ngx_egress_hop_t *hop,
    ngx_egress_idle_t *idle);
static ngx_int_t ngx_egress_keepalive_quiet(ngx_connection_t *c);
static ngx_egress_idle_t *ngx_egress_keepalive_create(ngx_egress_hop_t *hop);
static void ngx_egress_keepalive_park(ngx_egress_idle_t *idle,
    ngx_connection_t *c, ngx_msec_t timeout);
static void ngx_egress_keepalive_read_handler(ngx_event_t *rev);
static void ngx_egress_keepalive_write_handler(ngx_event_t *wev);
static void ngx_egress_keepalive_remove(ngx_egress_idle_t *idle);
static void ngx_egress_keepalive_drop(ngx_egress_idle_t *idle);

static size_t ngx_egress_keepalive_key_len(ngx_egress_hop_t *hop);
static u_char *ngx_egress_keepalive_key(u_char *p, ngx_egress_hop_t *hop);
static u_char *ngx_egress_keepalive_key_str(u_char *p, ngx_str_t *s);
static u_char *ngx_egress_keepalive_key_bytes(u_char *p, void *data,
    size_t len);
static u_char *ngx_egress_keepalive_key_bind(u_char *p, struct sockaddr *sa);


static ngx_queue_t  ngx_egress_idle_buckets[NGX_EGRESS_IDLE_BUCKETS];
static ngx_queue_t  ngx_egress_idle_age;
static ngx_uint_t   ngx_egress_idle_count;


ngx_connection_t *
ngx_egress_keepalive_get(ngx_egress_hop_t *hop)
{
    u_char             *key;
    size_t              len;
    uint32_t            hash;
    ngx_connection_t   *c;
    ngx_egress_idle_t  *idle;

    if (ngx_egress_idle_count == 0) {
        return NULL;
    }

    key = ngx_pnalloc(hop->task->pool, ngx_egress_keepalive_key_len(hop));
    if (key == NULL) {
        return NULL;
    }

    len = ngx_egress_keepalive_key(key, hop) - key;
    hash = ngx_murmur_hash2(key, len);

    for ( ;; ) {
        idle = ngx_egress_keepalive_find(hash, key, len);

        if (idle == NULL) {
            return NULL;
        }

        c = idle->connection;

        if (ngx_egress_keepalive_quiet(c) == NGX_OK
            && ngx_egress_keepalive_take(hop, idle) == NGX_OK)
        {
            return c;
        }

        ngx_egress_keepalive_drop(idle);
    }
}


static ngx_egress_idle_t *
ngx_egress_keepalive_find(uint32_t hash, u_char *key, size_t len)
{
    ngx_queue_t        *q, *bucket;
    ngx_egress_idle_t  *idle;

    bucket = &ngx_egress_idle_buckets[hash % NGX_EGRESS_IDLE_BUCKETS];

    for (q = ngx_queue_head(bucket);
         q != ngx_queue_sentinel(bucket);
         q = ngx_queue_next(q))
    {
        idle = ngx_queue_data(q, ngx_egress_idle_t, bucket);

        if (idle->hash == hash
            && idle->key_len == len
            && ngx_memcmp(idle->key, key, len) == 0)
        {
            return idle;
        }
    }

    return NULL;
}


/* makes the connection the task's; on NGX_ERROR it still is the pool's */

static ngx_int_t
ngx_egress_keepalive_take(ngx_egress_hop_t *hop, ngx_egress_idle_t *idle)
{
    ngx_log_t         *log;
    ngx_str_t          peer, local;
    ngx_connection_t  *c;

    peer.len = idle->peer.len;
    peer.data = ngx_pstrdup(hop->task->pool, &idle->peer);

    local.len = idle->local.len;
    local.data = ngx_pstrdup(hop->task->pool, &idle->local);

    if (peer.data == NULL || local.data == NULL) {
        return NGX_ERROR;
    }

    hop->peer = peer;
    hop->local = local;

    c = idle->connection;
    log = hop->task->log;

    ngx_egress_keepalive_remove(idle);

    c->idle = 0;
    c->sent = 0;
    c->data = NULL;
    c->log = log;
    c->read->log = log;
    c->write->log = log;
    c->pool->log = log;

    if (c->read->timer_set) {
        ngx_del_timer(c->read);
    }

    c->read->cancelable = 0;

    ngx_log_debug1(NGX_LOG_DEBUG_CORE, log, 0,
                   "egress keepalive: reuse of connection %p", c);

    return NGX_OK;
}


/* Neither closed by the peer nor with bytes that nobody has asked for. */

static ngx_int_t
ngx_egress_keepalive_quiet(ngx_connection_t *c)
{
    int   n;
    char  buf[1];

    if (c->close || c->read->timedout) {
        return NGX_DECLINED;
    }

#if (NGX_SSL)
    if (c->ssl && SSL_pending(c->ssl->connection)) {
        return NGX_DECLINED;
    }
#endif

    n = recv(c->fd, buf, 1, MSG_PEEK);

    return (n == -1 && ngx_socket_errno == NGX_EAGAIN) ? NGX_OK
                                                       : NGX_DECLINED;
}


void
ngx_egress_keepalive_put(ngx_egress_hop_t *hop, ngx_connection_t *c,
    ngx_msec_t timeout, ngx_uint_t limit)
{
    ngx_queue_t        *q;
    ngx_egress_idle_t  *idle;

    if (hop->no_reuse
        || limit == 0
        || c->pool == NULL
        || c->error
        || c->read->eof
        || c->read->error
        || c->write->error
        || ngx_terminate
        || ngx_exiting
        || ngx_handle_read_event(c->read, 0) != NGX_OK
        || ngx_egress_keepalive_quiet(c) != NGX_OK)
    {
        ngx_egress_close_connection(c);
        return;
    }

    while (ngx_egress_idle_count >= limit) {
        q = ngx_queue_last(&ngx_egress_idle_age);
        ngx_egress_keepalive_drop(ngx_queue_data(q, ngx_egress_idle_t, age));
    }

    idle = ngx_egress_keepalive_create(hop);
    if (idle == NULL) {
        ngx_egress_close_connection(c);
        return;
    }

    ngx_egress_keepalive_park(idle, c, timeout);
}


static ngx_egress_idle_t *
ngx_egress_keepalive_create(ngx_egress_hop_t *hop)
{
    u_char             *p;
    ngx_egress_idle_t  *idle;

    idle = ngx_alloc(sizeof(ngx_egress_idle_t) + hop->peer.len
                     + hop->local.len + ngx_egress_keepalive_key_len(hop),
                     hop->task->log);
    if (idle == NULL) {
        return NULL;
    }

    p = (u_char *) (idle + 1);

    idle->peer.data = p;
    idle->peer.len = hop->peer.len;
    p = ngx_cpymem(p, hop->peer.data, hop->peer.len);

    idle->local.data = p;
    idle->local.len = hop->local.len;
    p = ngx_cpymem(p, hop->local.data, hop->local.len);

    idle->key = p;
    idle->key_len = ngx_egress_keepalive_key(p, hop) - p;
    idle->hash = ngx_murmur_hash2(p, idle->key_len);

    return idle;
}


static void
ngx_egress_keepalive_park(ngx_egress_idle_t *idle, ngx_connection_t *c,
    ngx_msec_t timeout)
{
    ngx_log_debug1(NGX_LOG_DEBUG_CORE, c->log, 0,
                   "egress keepalive: connection %p is idle", c);

    idle->connection = c;

    ngx_queue_insert_head(
        &ngx_egress_idle_buckets[idle->hash % NGX_EGRESS_IDLE_BUCKETS],
        &idle->bucket);
    ngx_queue_insert_head(&ngx_egress_idle_age, &idle->age);
    ngx_egress_idle_count++;

    if (c->write->timer_set) {
        ngx_del_timer(c->write);
    }

    c->data = idle;
    c->idle = 1;
    c->log = ngx_cycle->log;
    c->read->log = ngx_cycle->log;
    c->write->log = ngx_cycle->log;
    c->pool->log = ngx_cycle->log;

    c->read->handler = ngx_egress_keepalive_read_handler;
    c->write->handler = ngx_egress_keepalive_write_handler;

    /* a worker that quits does not wait for idle connections */

    c->read->cancelable = 1;
    ngx_add_timer(c->read, timeout);

    if (c->read->ready) {
        ngx_post_event(c->read, &ngx_posted_events);
    }
}


static void
ngx_egress_keepalive_read_handler(ngx_event_t *rev)
{
    ngx_connection_t  *c;

    c = rev->data;

    if (!rev->timedout
        && ngx_egress_keepalive_quiet(c) == NGX_OK)
    {
        rev->ready = 0;

        if (ngx_handle_read_event(rev, 0) == NGX_OK) {
            return;
        }
    }

    ngx_egress_keepalive_drop(c->data);
}


static void
ngx_egress_keepalive_write_handler(ngx_event_t *wev)
{
    ngx_log_debug0(NGX_LOG_DEBUG_CORE, wev->log, 0,
                   "egress keepalive: idle connection is writable");
}


static void
ngx_egress_keepalive_remove(ngx_egress_idle_t *idle)
{
    ngx_queue_remove(&idle->bucket);
    ngx_queue_remove(&idle->age);
    ngx_egress_idle_count--;

    ngx_free(idle);
}


static void
ngx_egress_keepalive_drop(ngx_egress_idle_t *idle)
{
    ngx_connection_t  *c;

    c = idle->connection;

    ngx_egress_keepalive_remove(idle);
    ngx_egress_close_connection(c);
}


ngx_int_t
ngx_egress_keepalive_init_process(ngx_cycle_t *cycle)
{
    ngx_uint_t  i;

    for (i = 0; i < NGX_EGRESS_IDLE_BUCKETS; i++) {
        ngx_queue_init(&ngx_egress_idle_buckets[i]);
    }

    ngx_queue_init(&ngx_egress_idle_age);
    ngx_egress_idle_count = 0;

    return NGX_OK;
}


void
ngx_egress_keepalive_exit_process(ngx_cycle_t *cycle)
{
    ngx_queue_t  *q;

    while (ngx_egress_idle_count) {
        q = ngx_queue_head(&ngx_egress_idle_age);
        ngx_egress_keepalive_drop(ngx_queue_data(q, ngx_egress_idle_t, age));
    }
}


/*
 * The key: every part is preceded by its length, so that no two lists of
 * parts look alike.  Settings are told apart by their address, which lasts as
 * long as the worker.
 */

static size_t
ngx_egress_keepalive_key_len(ngx_egress_hop_t *hop)
{
    size_t              len;
    ngx_uint_t          i;
    ngx_egress_task_t  *task;
    ngx_egress_path_t  *path;

    task = hop->task;

    len = 16 * sizeof(uint32_t)
          + 3 * sizeof(void *)
          + 2 * sizeof(struct sockaddr_storage)
          + hop->addr.host.len + task->target.host.len + 2 * sizeof(in_port_t)
          + task->user.len + task->tls_name.len
          + hop->tls_name.len + hop->sticky_key.len;

    if (task->path) {
        path = task->path->elts;

        for (i = 0; i < task->path->nelts; i++) {
            len += 4 * sizeof(uint32_t) + 1 + path[i].escaper.len
                   + path[i].value.len + path[i].addr.host.len
                   + sizeof(ngx_uint_t) + sizeof(in_port_t);
        }
    }

    return len;
}


static u_char *
ngx_egress_keepalive_key(u_char *p, ngx_egress_hop_t *hop)
{
    ngx_uint_t          i;
    ngx_egress_task_t  *task;
    ngx_egress_path_t  *path;

    task = hop->task;

    p = ngx_egress_keepalive_key_bytes(p, &hop->escaper, sizeof(void *));
    p = ngx_egress_keepalive_key_str(p, &hop->addr.host);
    p = ngx_egress_keepalive_key_bytes(p, &hop->addr.port, sizeof(in_port_t));
    p = ngx_egress_keepalive_key_bind(p, hop->bind4);
    p = ngx_egress_keepalive_key_bind(p, hop->bind6);
    p = ngx_egress_keepalive_key_bytes(p, &hop->tls, sizeof(void *));
    p = ngx_egress_keepalive_key_str(p, &hop->tls_name);
    p = ngx_egress_keepalive_key_str(p, &hop->sticky_key);

    p = ngx_egress_keepalive_key_str(p, &task->target.host);
    p = ngx_egress_keepalive_key_bytes(p, &task->target.port,
                                       sizeof(in_port_t));
    p = ngx_egress_keepalive_key_str(p, &task->user);
    p = ngx_egress_keepalive_key_bytes(p, &task->tls, sizeof(void *));
    p = ngx_egress_keepalive_key_str(p, &task->tls_name);

    if (task->path == NULL) {
        return p;
    }

    path = task->path->elts;

    for (i = 0; i < task->path->nelts; i++) {
        *p++ = (u_char) path[i].kind;
        p = ngx_egress_keepalive_key_str(p, &path[i].escaper);
        p = ngx_egress_keepalive_key_bytes(p, &path[i].number,
                                           sizeof(ngx_uint_t));
        p = ngx_egress_keepalive_key_str(p, &path[i].value);
        p = ngx_egress_keepalive_key_str(p, &path[i].addr.host);
        p = ngx_cpymem(p, &path[i].addr.port, sizeof(in_port_t));
    }

    return p;
}


static u_char *
ngx_egress_keepalive_key_str(u_char *p, ngx_str_t *s)
{
    return ngx_egress_keepalive_key_bytes(p, s->data, s->len);
}


static u_char *
ngx_egress_keepalive_key_bytes(u_char *p, void *data, size_t len)
{
    uint32_t  n;

    n = (uint32_t) len;

    p = ngx_cpymem(p, &n, sizeof(uint32_t));

    return len ? ngx_cpymem(p, data, len) : p;
}


static u_char *
ngx_egress_keepalive_key_bind(u_char *p, struct sockaddr *sa)
{
    socklen_t  len;

    len = 0;

    if (sa) {
        len = (sa->sa_family == AF_INET) ? sizeof(struct sockaddr_in)
                                         : sizeof(struct sockaddr_in6);
    }

    return ngx_egress_keepalive_key_bytes(p, sa, len);
}
