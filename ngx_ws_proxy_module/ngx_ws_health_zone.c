
/*
 * Copyright (C) ngx_egress authors
 *
 * The states of all servers in shared memory.  They are found by a digest of
 * upstream, server and check, so they outlive a reload; nothing else in here
 * knows what a server or a check is.
 *
 * A state is probed by the worker that holds its lease.  A lease ends by
 * itself: nobody waits for a worker that was killed.  States that no worker
 * has touched for long are used again for new ones, and never given back to
 * the slab allocator: a pointer to one stays a pointer to a state, and its id
 * tells whose.
 */


#include <ngx_ws_health.h>


/* seconds; workers touch theirs every minute */
#define NGX_WS_HEALTH_STALE         600

/* how long a lease lasts beyond the timeout of the probe */
#define NGX_WS_HEALTH_GRACE         2000

/* the first probes of new servers are spread over this time */
#define NGX_WS_HEALTH_SPREAD        500


typedef struct {
    ngx_rbtree_t                rbtree;
    ngx_rbtree_node_t           sentinel;
    ngx_atomic_t                generation;
    uint64_t                    tickets;
} ngx_ws_health_shared_t;


static void ngx_ws_health_insert(ngx_rbtree_node_t *temp,
    ngx_rbtree_node_t *node, ngx_rbtree_node_t *sentinel);
static ngx_ws_health_state_t *ngx_ws_health_find(ngx_ws_health_shared_t *sh,
    u_char *id);
static ngx_ws_health_state_t *ngx_ws_health_alloc(ngx_slab_pool_t *shpool,
    ngx_ws_health_shared_t *sh);
static ngx_rbtree_key_t ngx_ws_health_key(u_char *id);
static void ngx_ws_health_count(ngx_ws_health_state_t *state,
    ngx_ws_probe_t *probe, const char *reason);


ngx_int_t
ngx_ws_health_zone_init(ngx_shm_zone_t *zone, void *data)
{
    size_t                   len;
    ngx_slab_pool_t         *shpool;
    ngx_ws_health_shared_t  *sh;

    shpool = (ngx_slab_pool_t *) zone->shm.addr;

    if (data) {
        zone->data = data;
        return NGX_OK;
    }

    if (zone->shm.exists) {
        zone->data = shpool->data;
        return NGX_OK;
    }

    sh = ngx_slab_calloc(shpool, sizeof(ngx_ws_health_shared_t));
    if (sh == NULL) {
        return NGX_ERROR;
    }

    ngx_rbtree_init(&sh->rbtree, &sh->sentinel, ngx_ws_health_insert);
    sh->generation = 1;

    shpool->data = sh;
    zone->data = sh;

    len = sizeof(" in ws_proxy_health_zone") + zone->shm.name.len;

    shpool->log_ctx = ngx_slab_alloc(shpool, len);
    if (shpool->log_ctx == NULL) {
        return NGX_ERROR;
    }

    ngx_sprintf(shpool->log_ctx, " in ws_proxy_health_zone%Z");
    shpool->log_nomem = 0;

    return NGX_OK;
}


static void
ngx_ws_health_insert(ngx_rbtree_node_t *temp, ngx_rbtree_node_t *node,
    ngx_rbtree_node_t *sentinel)
{
    ngx_int_t                rc;
    ngx_rbtree_node_t      **p;
    ngx_ws_health_state_t   *a, *b;

    for ( ;; ) {

        if (node->key != temp->key) {
            p = (node->key < temp->key) ? &temp->left : &temp->right;

        } else {
            a = (ngx_ws_health_state_t *) node;
            b = (ngx_ws_health_state_t *) temp;
            rc = ngx_memcmp(a->id, b->id, 16);
            p = (rc < 0) ? &temp->left : &temp->right;
        }

        if (*p == sentinel) {
            break;
        }

        temp = *p;
    }

    *p = node;
    node->parent = temp;
    node->left = sentinel;
    node->right = sentinel;
    ngx_rbt_red(node);
}


ngx_ws_health_state_t *
ngx_ws_health_state(ngx_shm_zone_t *zone, u_char *id,
    ngx_ws_health_check_t *check)
{
    ngx_slab_pool_t         *shpool;
    ngx_ws_health_state_t   *state;
    ngx_ws_health_shared_t  *sh;

    sh = zone->data;
    shpool = (ngx_slab_pool_t *) zone->shm.addr;

    ngx_shmtx_lock(&shpool->mutex);

    state = ngx_ws_health_find(sh, id);

    if (state == NULL) {
        state = ngx_ws_health_alloc(shpool, sh);

        if (state == NULL) {
            ngx_shmtx_unlock(&shpool->mutex);
            return NULL;
        }

        ngx_memzero(state, sizeof(ngx_ws_health_state_t));
        ngx_memcpy(state->id, id, 16);
        state->node.key = ngx_ws_health_key(id);
        ngx_rbtree_insert(&sh->rbtree, &state->node);

        /* a server is trusted until it fails, unless it must pass first */

        state->up = !check->mandatory;
        state->since = ngx_time();
        state->next = ngx_current_msec;

        if (!check->mandatory) {
            state->next += ngx_random() % ngx_min(check->interval + 1,
                                                  NGX_WS_HEALTH_SPREAD);
        }
    }

    state->touched = ngx_time();

    ngx_shmtx_unlock(&shpool->mutex);

    return state;
}


static ngx_ws_health_state_t *
ngx_ws_health_find(ngx_ws_health_shared_t *sh, u_char *id)
{
    ngx_int_t               rc;
    ngx_rbtree_key_t        key;
    ngx_rbtree_node_t      *node;
    ngx_ws_health_state_t  *state;

    key = ngx_ws_health_key(id);
    node = sh->rbtree.root;

    while (node != &sh->sentinel) {

        if (key != node->key) {
            node = (key < node->key) ? node->left : node->right;
            continue;
        }

        state = (ngx_ws_health_state_t *) node;
        rc = ngx_memcmp(id, state->id, 16);

        if (rc == 0) {
            return state;
        }

        node = (rc < 0) ? node->left : node->right;
    }

    return NULL;
}


static ngx_ws_health_state_t *
ngx_ws_health_alloc(ngx_slab_pool_t *shpool, ngx_ws_health_shared_t *sh)
{
    ngx_rbtree_node_t      *node;
    ngx_ws_health_state_t  *state;

    if (sh->rbtree.root != &sh->sentinel) {

        for (node = ngx_rbtree_min(sh->rbtree.root, &sh->sentinel);
             node;
             node = ngx_rbtree_next(&sh->rbtree, node))
        {
            state = (ngx_ws_health_state_t *) node;

            if (ngx_time() - state->touched > NGX_WS_HEALTH_STALE) {
                ngx_rbtree_delete(&sh->rbtree, node);
                return state;
            }
        }
    }

    return ngx_slab_alloc_locked(shpool, sizeof(ngx_ws_health_state_t));
}


static ngx_rbtree_key_t
ngx_ws_health_key(u_char *id)
{
    ngx_rbtree_key_t  key;

    ngx_memcpy(&key, id, sizeof(ngx_rbtree_key_t));

    return key;
}


ngx_atomic_uint_t
ngx_ws_health_generation(ngx_shm_zone_t *zone)
{
    ngx_ws_health_shared_t  *sh;

    sh = zone->data;

    return sh->generation;
}


ngx_int_t
ngx_ws_health_read(ngx_shm_zone_t *zone, ngx_ws_health_state_t *state,
    u_char *id, ngx_ws_health_info_t *info)
{
    ngx_slab_pool_t  *shpool;

    shpool = (ngx_slab_pool_t *) zone->shm.addr;

    ngx_shmtx_lock(&shpool->mutex);

    if (ngx_memcmp(state->id, id, 16) != 0) {
        ngx_shmtx_unlock(&shpool->mutex);
        return NGX_DECLINED;
    }

    state->touched = ngx_time();

    info->up = state->up;
    info->checks = state->checks;
    info->failed = state->failed;
    info->changes = state->changes;
    info->checked = state->checked;
    info->since = state->since;
    info->latency = state->latency;
    ngx_memcpy(info->reason, state->reason, NGX_WS_HEALTH_REASON);

    ngx_shmtx_unlock(&shpool->mutex);

    return NGX_OK;
}


ngx_int_t
ngx_ws_health_lease(ngx_shm_zone_t *zone, ngx_ws_health_state_t *state,
    u_char *id, ngx_ws_health_check_t *check, uint64_t *ticket,
    ngx_msec_t *wait)
{
    ngx_int_t                rc;
    ngx_msec_int_t           left;
    ngx_slab_pool_t         *shpool;
    ngx_ws_health_shared_t  *sh;

    sh = zone->data;
    shpool = (ngx_slab_pool_t *) zone->shm.addr;

    ngx_shmtx_lock(&shpool->mutex);

    if (ngx_memcmp(state->id, id, 16) != 0) {
        rc = NGX_DECLINED;
        goto done;
    }

    state->touched = ngx_time();

    left = (ngx_msec_int_t) ((state->leased ? state->lease : state->next)
                             - ngx_current_msec);

    /* an interval that was made shorter counts from now on */

    if (!state->leased
        && left > (ngx_msec_int_t) (check->interval + check->jitter))
    {
        left = check->interval;
        state->next = ngx_current_msec + check->interval;
    }

    if (left > 0) {
        *wait = left;
        rc = NGX_AGAIN;
        goto done;
    }

    state->leased = 1;
    state->lease = ngx_current_msec + check->timeout + NGX_WS_HEALTH_GRACE;
    state->owner = ngx_pid;
    state->ticket = ++sh->tickets;

    *ticket = state->ticket;
    rc = NGX_OK;

done:

    ngx_shmtx_unlock(&shpool->mutex);

    return rc;
}


void
ngx_ws_health_release(ngx_shm_zone_t *zone, ngx_ws_probe_t *probe)
{
    ngx_slab_pool_t        *shpool;
    ngx_ws_health_state_t  *state;

    state = probe->state;
    shpool = (ngx_slab_pool_t *) zone->shm.addr;

    ngx_shmtx_lock(&shpool->mutex);

    if (ngx_memcmp(state->id, probe->id, 16) == 0 && state->leased
        && state->ticket == probe->ticket)
    {
        state->leased = 0;
        state->next = ngx_current_msec;
    }

    ngx_shmtx_unlock(&shpool->mutex);
}


ngx_int_t
ngx_ws_health_result(ngx_shm_zone_t *zone, ngx_ws_probe_t *probe,
    const char *reason)
{
    ngx_int_t                rc;
    ngx_slab_pool_t         *shpool;
    ngx_ws_health_check_t   *check;
    ngx_ws_health_state_t   *state;
    ngx_ws_health_shared_t  *sh;

    sh = zone->data;
    shpool = (ngx_slab_pool_t *) zone->shm.addr;
    state = probe->state;
    check = probe->check;
    rc = NGX_DECLINED;

    ngx_shmtx_lock(&shpool->mutex);

    if (ngx_memcmp(state->id, probe->id, 16) != 0 || !state->leased
        || state->ticket != probe->ticket)
    {
        goto done;
    }

    ngx_ws_health_count(state, probe, reason);

    if (reason && state->up && state->fails >= check->fails) {
        state->up = 0;
        rc = NGX_ERROR;

    } else if (reason == NULL && !state->up && state->passes >= check->passes)
    {
        state->up = 1;
        rc = NGX_OK;
    }

    if (rc != NGX_DECLINED) {
        state->changes++;
        state->since = ngx_time();
        (void) ngx_atomic_fetch_add(&sh->generation, 1);
    }

done:

    ngx_shmtx_unlock(&shpool->mutex);

    return rc;
}


static void
ngx_ws_health_count(ngx_ws_health_state_t *state, ngx_ws_probe_t *probe,
    const char *reason)
{
    state->leased = 0;
    state->next = ngx_current_msec + probe->check->interval;

    if (probe->check->jitter) {
        state->next += ngx_random() % probe->check->jitter;
    }

    state->checks++;
    state->checked = ngx_time();
    state->latency = ngx_current_msec - probe->started;

    if (reason == NULL) {
        state->passes++;
        state->fails = 0;
        state->reason[0] = '\0';
        return;
    }

    state->failed++;
    state->fails++;
    state->passes = 0;
    ngx_cpystrn(state->reason, (u_char *) reason, NGX_WS_HEALTH_REASON);
}
