
/*
 * Copyright (C) ngx_egress authors
 *
 * The life of one request: walks the escaper chain, has the hop connected,
 * starts the relay, and ends it all once with one reason.  The only writer of
 * task->state.  Knows no client protocol and opens no socket.
 */


#include "../ngx_egress_module.h"
#include "ngx_egress_task_log.h"
#include "../connect/ngx_egress_keepalive.h"
#include "../relay/ngx_egress_udp.h"
#include "../proto/ngx_egress_uuid.h"

#include <openssl/rand.h>


static u_char *ngx_egress_task_random(void);
static void ngx_egress_task_set_state(ngx_egress_task_t *task,
    ngx_egress_task_state_e state);
static void ngx_egress_task_select(ngx_egress_task_t *task);
static void ngx_egress_task_connect(ngx_egress_task_t *task);
static void ngx_egress_task_udp(ngx_egress_task_t *task);
static void ngx_egress_task_is_ready(ngx_egress_task_t *task);
static void ngx_egress_task_failed(ngx_egress_task_t *task,
    ngx_uint_t reason);
static void ngx_egress_task_teardown(ngx_egress_task_t *task,
    ngx_uint_t reason);
static void ngx_egress_task_log_end(ngx_egress_task_t *task);
static void ngx_egress_task_cleanup(void *data);
static size_t ngx_egress_task_rate(size_t a, size_t b);


static char  *ngx_egress_task_actions[] = {
    "starting egress task",
    "choosing egress path",
    "connecting to target",
    "waiting for egress server",
    "relaying",
    "closing egress task"
};


ngx_egress_task_t *
ngx_egress_task_create(ngx_pool_t *pool, ngx_log_t *log,
    ngx_connection_t *client)
{
    u_char              *random;
    uint64_t             msec;
    ngx_time_t          *tp;
    ngx_egress_task_t   *task;
    ngx_pool_cleanup_t  *cln;

    cln = ngx_pool_cleanup_add(pool, sizeof(ngx_egress_task_t));
    if (cln == NULL) {
        return NULL;
    }

    task = cln->data;
    ngx_memzero(task, sizeof(ngx_egress_task_t));

    random = ngx_egress_task_random();

    if (random == NULL) {
        ngx_log_error(NGX_LOG_CRIT, log, 0, "RAND_bytes() failed");
        return NULL;
    }

    tp = ngx_timeofday();
    msec = (uint64_t) tp->sec * 1000 + tp->msec;

    ngx_egress_uuid7(task->id, msec, random);

    task->pool = pool;
    task->log = log;
    task->client = client;
    task->times.start = ngx_current_msec;

    cln->handler = ngx_egress_task_cleanup;

    ngx_egress_stat_created(task);

    return task;
}


/* The generator costs more to call than to run: many ids from one call. */

static u_char *
ngx_egress_task_random(void)
{
    static u_char      bytes[64 * NGX_EGRESS_UUID_RANDOM_LEN];
    static ngx_uint_t  left;

    if (left == 0) {

        if (RAND_bytes(bytes, sizeof(bytes)) != 1) {
            return NULL;
        }

        left = sizeof(bytes) / NGX_EGRESS_UUID_RANDOM_LEN;
    }

    left--;

    return &bytes[left * NGX_EGRESS_UUID_RANDOM_LEN];
}


void
ngx_egress_task_run(ngx_egress_task_t *task)
{
    task->links = 0;

    ngx_egress_task_select(task);
}


void
ngx_egress_task_again(ngx_egress_task_t *task, ngx_uint_t fresh)
{
    if (task->state == ngx_egress_task_closed) {
        return;
    }

    task->peer = NULL;
    task->reused = 0;
    task->reason = NGX_EGRESS_NONE;

    if (fresh) {
        task->fresh = 1;
    }

    task->escaper = task->chain[0];

    ngx_egress_task_run(task);
}


static void
ngx_egress_task_set_state(ngx_egress_task_t *task,
    ngx_egress_task_state_e state)
{
    ngx_log_debug2(NGX_LOG_DEBUG_CORE, task->log, 0,
                   "egress task state: %d->%d", task->state, state);

    task->state = state;
    task->log->action = ngx_egress_task_actions[state];
}


static void
ngx_egress_task_select(ngx_egress_task_t *task)
{
    ngx_int_t  rc;

    ngx_egress_task_set_state(task, ngx_egress_task_choosing);

    do {
        if (task->links == NGX_EGRESS_MAX_CHAIN) {
            ngx_egress_task_finish(task, NGX_EGRESS_LOOP);
            return;
        }

        task->chain[task->links++] = task->escaper;

        ngx_log_debug1(NGX_LOG_DEBUG_CORE, task->log, 0,
                       "egress escaper: \"%V\"", &task->escaper->object.name);

        rc = task->escaper->type->select(task);

    } while (rc == NGX_DECLINED);

    if (rc != NGX_AGAIN) {
        ngx_egress_task_select_done(task, rc);
    }
}


void
ngx_egress_task_select_done(ngx_egress_task_t *task, ngx_int_t rc)
{
    switch (rc) {

    case NGX_OK:
        ngx_egress_task_connect(task);
        return;

    case NGX_DECLINED:
        ngx_egress_task_select(task);
        return;

    default:
        ngx_egress_task_failed(task, NGX_EGRESS_INTERNAL);
    }
}


static void
ngx_egress_task_connect(ngx_egress_task_t *task)
{
    ngx_egress_task_set_state(task, ngx_egress_task_connecting);

    if (task->udp) {
        ngx_egress_task_udp(task);
        return;
    }

    if (task->reusable && !task->fresh && !task->hop->no_reuse) {

        task->peer = ngx_egress_keepalive_get(task->hop);

        if (task->peer) {
            task->reused = 1;
            ngx_egress_task_is_ready(task);
            return;
        }
    }

    ngx_egress_connect(task->hop);
}


/* There is nothing to connect: each datagram has a target of its own. */

static void
ngx_egress_task_udp(ngx_egress_task_t *task)
{
    if (!(task->escaper->type->flags & NGX_EGRESS_OFFERS_UDP)) {
        ngx_egress_task_failed(task, NGX_EGRESS_UNSUPPORTED);
        return;
    }

    if (!task->udp->seen) {
        ngx_egress_task_is_ready(task);
        return;
    }

    ngx_egress_task_set_state(task, ngx_egress_task_relaying);

    ngx_egress_udp_resume(task->udp);
}


void
ngx_egress_task_hop_done(ngx_egress_hop_t *hop, ngx_uint_t reason)
{
    ngx_egress_task_t  *task;

    task = hop->task;

    if (reason != NGX_EGRESS_NONE) {
        ngx_egress_task_failed(task, reason);
        return;
    }

    task->peer = hop->connection;
    hop->connection = NULL;

    ngx_egress_task_is_ready(task);
}


static void
ngx_egress_task_is_ready(ngx_egress_task_t *task)
{
    task->times.ready = ngx_current_msec;

    ngx_egress_task_set_state(task, ngx_egress_task_ready);

    task->connected(task);
}


/* One way did not work: the links that led to it may know another. */

static void
ngx_egress_task_failed(ngx_egress_task_t *task, ngx_uint_t reason)
{
    ngx_egress_escaper_t  *e;

    if (task->reason == NGX_EGRESS_NONE) {
        task->reason = reason;
    }

    while (task->links) {
        e = task->chain[task->links - 1];

        if (e->type->failed && e->type->failed(task, e) == NGX_DECLINED) {
            task->reason = NGX_EGRESS_NONE;
            ngx_egress_task_select(task);
            return;
        }

        task->links--;
    }

    if (task->another && task->another(task) == NGX_OK) {
        task->reason = NGX_EGRESS_NONE;
        task->escaper = task->chain[0];
        ngx_egress_task_select(task);
        return;
    }

    ngx_egress_task_finish(task, reason);
}


ngx_int_t
ngx_egress_task_relay_start(ngx_egress_task_t *task, ngx_str_t *early)
{
    ngx_egress_relay_t       *relay;
    ngx_egress_relay_side_t  *client, *upstream;

    relay = ngx_pcalloc(task->pool, sizeof(ngx_egress_relay_t));
    if (relay == NULL) {
        return NGX_ERROR;
    }

    client = &relay->side[NGX_EGRESS_RELAY_CLIENT];
    upstream = &relay->side[NGX_EGRESS_RELAY_UPSTREAM];

    client->connection = task->client;
    upstream->connection = task->peer;

    ngx_egress_task_rates(task, &client->limit.rate, &upstream->limit.rate);

    relay->pool = task->pool;
    relay->log = task->log;
    relay->idle_timeout = task->idle_timeout;
    relay->handler = ngx_egress_task_relay_done;
    relay->data = task;

    task->relay = relay;

    ngx_egress_task_set_state(task, ngx_egress_task_relaying);

    return ngx_egress_relay_start(relay, early);
}


void
ngx_egress_task_udp_start(ngx_egress_task_t *task)
{
    ngx_egress_task_set_state(task, ngx_egress_task_relaying);

    ngx_egress_udp_start(task->udp);
}


void
ngx_egress_task_udp_first(ngx_egress_udp_t *udp, ngx_egress_addr_t *target)
{
    u_char             *p;
    ngx_egress_task_t  *task;

    task = udp->task;

    p = ngx_pnalloc(task->pool, target->host.len);
    if (p == NULL) {
        ngx_egress_task_finish(task, NGX_EGRESS_INTERNAL);
        return;
    }

    task->target = *target;
    task->target.host.data = p;

    ngx_memcpy(p, target->host.data, target->host.len);

    if (task->links > 1) {
        ngx_egress_task_again(task, 0);
        return;
    }

    ngx_egress_udp_resume(udp);
}


void
ngx_egress_task_relay_done(ngx_egress_relay_t *relay, ngx_uint_t reason)
{
    ngx_egress_task_finish(relay->data, reason);
}


void
ngx_egress_task_finish(ngx_egress_task_t *task, ngx_uint_t reason)
{
    if (task->state == ngx_egress_task_closed) {
        return;
    }

    ngx_egress_task_teardown(task, reason);

    task->finish(task);
}


void
ngx_egress_task_close(ngx_egress_task_t *task, ngx_uint_t reason)
{
    if (task->state == ngx_egress_task_closed) {
        return;
    }

    ngx_egress_task_teardown(task, reason);
}


static void
ngx_egress_task_teardown(ngx_egress_task_t *task, ngx_uint_t reason)
{
    if (task->reason == NGX_EGRESS_NONE) {
        task->reason = reason;
    }

    task->times.end = ngx_current_msec;

    ngx_egress_task_log_stop(task);
    ngx_egress_task_log_end(task);

    if (task->relay) {
        ngx_egress_task_count(task);
        ngx_egress_relay_close(task->relay);
        task->relay = NULL;
    }

    if (task->udp) {
        ngx_egress_udp_close(task->udp);
    }

    if (task->hop) {
        ngx_egress_connect_abort(task->hop);
    }

    if (task->peer) {
        ngx_egress_close_connection(task->peer);
        task->peer = NULL;
    }

    ngx_egress_task_set_state(task, ngx_egress_task_closed);

    ngx_egress_stat_ended(task);
}


void
ngx_egress_task_count(ngx_egress_task_t *task)
{
    ngx_egress_relay_side_t  *client;

    if (task->relay) {
        client = &task->relay->side[NGX_EGRESS_RELAY_CLIENT];

        task->bytes_received = client->received;
        task->bytes_sent = client->sent;
    }
}


/* The one line a failed task earns; a relay that ends is no failure. */

static void
ngx_egress_task_log_end(ngx_egress_task_t *task)
{
    ngx_str_t                   peer, escaper;
    const ngx_egress_reason_t  *reason;

    if (task->reason == NGX_EGRESS_NONE
        || task->state == ngx_egress_task_ready
        || task->state == ngx_egress_task_relaying)
    {
        return;
    }

    reason = ngx_egress_reason(task->reason);

    ngx_str_set(&peer, "-");

    if (task->hop && task->hop->peer.len) {
        peer = task->hop->peer;
    }

    /* a server may refuse before it knows the way */

    ngx_str_set(&escaper, "-");

    if (task->escaper) {
        escaper = task->escaper->object.name;
    }

    ngx_log_error(reason->level, task->log, 0,
                  "egress failed: %V, %V, target: \"%V:%ui\", "
                  "escaper: \"%V\", peer: %V",
                  &reason->name, &reason->text, &task->target.host,
                  (ngx_uint_t) task->target.port,
                  &escaper, &peer);
}


static void
ngx_egress_task_cleanup(void *data)
{
    ngx_egress_task_close(data, NGX_EGRESS_CLIENT_ABORTED);
}


void
ngx_egress_task_rates(ngx_egress_task_t *task, size_t *upload,
    size_t *download)
{
    ngx_egress_connect_conf_t  *conf;

    conf = task->hop->conf;

    *upload = ngx_egress_task_rate(task->upload_rate, conf->upload_rate);
    *download = ngx_egress_task_rate(task->download_rate,
                                     conf->download_rate);
}


static size_t
ngx_egress_task_rate(size_t a, size_t b)
{
    if (a == 0 || b == 0) {
        return a ? a : b;
    }

    return ngx_min(a, b);
}


ngx_egress_path_t *
ngx_egress_task_path(ngx_egress_task_t *task, ngx_egress_escaper_t *escaper,
    ngx_egress_path_kind_e kind)
{
    ngx_uint_t          i;
    ngx_egress_path_t  *path, *found;

    if (task->path == NULL || !escaper->path_selection) {
        return NULL;
    }

    found = NULL;
    path = task->path->elts;

    for (i = 0; i < task->path->nelts; i++) {
        if (path[i].kind == kind
            && path[i].escaper.len == escaper->object.name.len
            && ngx_memcmp(path[i].escaper.data, escaper->object.name.data,
                          path[i].escaper.len)
               == 0)
        {
            found = &path[i];
        }
    }

    return found;
}


ngx_uint_t
ngx_egress_path_index(ngx_uint_t number, ngx_uint_t n)
{
    return number ? (number - 1) % n : n - 1;
}
