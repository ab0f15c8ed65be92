
/*
 * Copyright (C) ngx_egress authors
 *
 * What stands between askers and resolver types: the cache of a resolver in
 * this worker, and one question for all who ask the same at the same time.
 * A record answers until it expires; from then until it vanishes it still
 * answers, and the first to ask has it refreshed; then it is gone.
 */


#include "ngx_egress_resolver.h"


#define NGX_EGRESS_RESOLVE_MAX_TTL       604800  /* s: a TTL is cut to it */
#define NGX_EGRESS_RESOLVE_MAX_NEGATIVE  10800   /* RFC 2308, section 5 */
#define NGX_EGRESS_RESOLVE_RETRY         1000    /* ms between refreshes that
                                                    fail */
#define NGX_EGRESS_RESOLVE_SWEEP         4       /* old entries looked at for
                                                    each new one */


typedef struct {
    ngx_egress_resolver_t      *resolver;
    ngx_rbtree_t                tree;
    ngx_rbtree_node_t           sentinel;
    ngx_queue_t                 lru;        /* the last used one is first */
    ngx_queue_t                 answered;   /* entries with a new answer */
    ngx_event_t                 event;      /* posted: tell who waits */
    ngx_uint_t                  count;
} ngx_egress_cache_t;


/* All that is known, or is being asked, of one family of one name. */
typedef struct {
    ngx_str_node_t              node;       /* first: is what the tree holds */
    ngx_egress_cache_t         *cache;
    ngx_queue_t                 lru;
    ngx_queue_t                 answered;
    ngx_queue_t                 waiters;    /* of ngx_egress_resolve_t */
    ngx_event_t                 timer;      /* deadline of the query */
    ngx_egress_query_t          query;

    ngx_egress_reason_e         reason;     /* of the last answer */
    ngx_uint_t                  naddrs;
    ngx_egress_ip_t            *addrs;
    ngx_msec_t                  expire;
    ngx_msec_t                  vanish;

    unsigned                    cached:1;   /* the answer may be used again */
    unsigned                    asking:1;   /* the query is with the type */
    unsigned                    inside:1;   /* query() has not returned yet */
    unsigned                    news:1;     /* in cache->answered */
    unsigned                    telling:1;  /* handlers are being called */
} ngx_egress_entry_t;


static ngx_egress_entry_t *ngx_egress_entry_get(ngx_egress_cache_t *cache,
    ngx_egress_resolve_t *rs);
static ngx_egress_entry_t *ngx_egress_entry_create(ngx_egress_cache_t *cache,
    ngx_str_t *name, uint32_t hash, ngx_uint_t family);
static ngx_uint_t ngx_egress_entry_usable(ngx_egress_entry_t *entry);
static void ngx_egress_entry_ask(ngx_egress_entry_t *entry);
static void ngx_egress_entry_timeout(ngx_event_t *ev);
static ngx_int_t ngx_egress_entry_store(ngx_egress_entry_t *entry,
    ngx_egress_reason_e reason, ngx_egress_ip_t *addrs, ngx_uint_t naddrs,
    time_t ttl);
static void ngx_egress_entry_positive(ngx_egress_entry_t *entry, time_t ttl);
static void ngx_egress_entry_negative(ngx_egress_entry_t *entry, time_t ttl);
static ngx_uint_t ngx_egress_entry_idle(ngx_egress_entry_t *entry);
static void ngx_egress_entry_release(ngx_egress_entry_t *entry);
static void ngx_egress_entry_free(ngx_egress_entry_t *entry);
static void ngx_egress_cache_sweep(ngx_egress_cache_t *cache);
static void ngx_egress_cache_tell(ngx_event_t *ev);
static void ngx_egress_resolve_answer(ngx_egress_resolve_t *rs,
    ngx_egress_entry_t *entry, ngx_egress_reason_e reason);


ngx_int_t
ngx_egress_resolve(ngx_egress_resolve_t *rs)
{
    ngx_egress_cache_t  *cache;
    ngx_egress_entry_t  *entry;

    rs->query = NULL;
    rs->reason = NGX_EGRESS_DNS_NXDOMAIN;
    rs->naddrs = 0;
    rs->addrs = NULL;
    rs->ttl = 0;

    cache = rs->resolver->cache;

    if (rs->name.len == 0 || rs->name.len > NGX_EGRESS_RESOLVE_NAME) {
        return NGX_OK;
    }

    entry = ngx_egress_entry_get(cache, rs);
    if (entry == NULL) {
        return NGX_ERROR;
    }

    if (ngx_egress_entry_usable(entry)) {

        if (!entry->asking
            && (ngx_msec_int_t) (ngx_current_msec - entry->expire) >= 0)
        {
            ngx_log_debug1(NGX_LOG_DEBUG_CORE, rs->log, 0,
                           "egress resolve refresh \"%V\"", &rs->name);

            ngx_egress_entry_ask(entry);
        }

        ngx_egress_resolve_answer(rs, entry, entry->reason);

        return NGX_OK;
    }

    if (!entry->asking && !entry->news) {
        ngx_egress_entry_ask(entry);

        if (!entry->asking) {
            ngx_egress_resolve_answer(rs, entry, entry->reason);
            ngx_egress_entry_release(entry);

            return NGX_OK;
        }
    }

    /* a worker that is told to quit waits for a timer that is awaited */
    entry->timer.cancelable = 0;

    ngx_queue_insert_tail(&entry->waiters, &rs->queue);
    rs->query = entry;

    return NGX_AGAIN;
}


void
ngx_egress_resolve_cancel(ngx_egress_resolve_t *rs)
{
    ngx_egress_entry_t  *entry;

    entry = rs->query;

    if (entry == NULL) {
        return;
    }

    ngx_queue_remove(&rs->queue);
    rs->query = NULL;

    /* the question stays: its answer is good for the next one who asks */

    if (ngx_queue_empty(&entry->waiters)) {
        entry->timer.cancelable = 1;
    }
}


void
ngx_egress_query_done(ngx_egress_query_t *query, ngx_egress_reason_e reason,
    ngx_egress_ip_t *addrs, ngx_uint_t naddrs, time_t ttl)
{
    ngx_egress_entry_t *entry = query->entry;

    ngx_egress_cache_t  *cache;

    cache = entry->cache;

    entry->asking = 0;

    if (entry->timer.timer_set) {
        ngx_del_timer(&entry->timer);
    }

    if (reason == NGX_EGRESS_NONE && naddrs == 0) {
        reason = NGX_EGRESS_DNS_NO_ADDRESS;
    }

    ngx_log_debug4(NGX_LOG_DEBUG_CORE, ngx_cycle->log, 0,
                   "egress resolve done \"%V\" reason:%d addrs:%ui ttl:%T",
                   &query->name, reason, naddrs, ttl);

    if (ngx_egress_entry_store(entry, reason, addrs, naddrs, ttl) != NGX_OK) {

        if (ngx_egress_entry_usable(entry)) {
            entry->expire = ngx_current_msec + NGX_EGRESS_RESOLVE_RETRY;

        } else {
            entry->reason = (reason == NGX_EGRESS_NONE) ? NGX_EGRESS_DNS_ERROR
                                                        : reason;
        }
    }

    if (entry->inside) {
        return;
    }

    if (ngx_queue_empty(&entry->waiters)) {
        ngx_egress_entry_release(entry);
        return;
    }

    if (!entry->news) {
        entry->news = 1;
        ngx_queue_insert_tail(&cache->answered, &entry->answered);
    }

    ngx_post_event(&cache->event, &ngx_posted_events);
}


ngx_int_t
ngx_egress_resolve_open(ngx_egress_resolver_t *r)
{
    ngx_egress_cache_t  *cache;

    cache = ngx_calloc(sizeof(ngx_egress_cache_t), ngx_cycle->log);
    if (cache == NULL) {
        return NGX_ERROR;
    }

    cache->resolver = r;

    ngx_rbtree_init(&cache->tree, &cache->sentinel,
                    ngx_str_rbtree_insert_value);
    ngx_queue_init(&cache->lru);
    ngx_queue_init(&cache->answered);

    cache->event.data = cache;
    cache->event.handler = ngx_egress_cache_tell;
    cache->event.log = ngx_cycle->log;

    r->cache = cache;

    return NGX_OK;
}


void
ngx_egress_resolve_close(ngx_egress_resolver_t *r)
{
    ngx_queue_t         *q;
    ngx_egress_cache_t  *cache;
    ngx_egress_entry_t  *entry;

    cache = r->cache;

    if (cache == NULL) {
        return;
    }

    if (cache->event.posted) {
        ngx_delete_posted_event(&cache->event);
    }

    while (!ngx_queue_empty(&cache->lru)) {
        q = ngx_queue_head(&cache->lru);
        entry = ngx_queue_data(q, ngx_egress_entry_t, lru);

        if (entry->asking && r->type->cancel) {
            r->type->cancel(&entry->query);
        }

        while (!ngx_queue_empty(&entry->waiters)) {
            q = ngx_queue_head(&entry->waiters);
            ngx_egress_resolve_cancel(ngx_queue_data(q, ngx_egress_resolve_t,
                                                     queue));
        }

        ngx_egress_entry_free(entry);
    }

    ngx_free(cache);
    r->cache = NULL;
}


static ngx_egress_entry_t *
ngx_egress_entry_get(ngx_egress_cache_t *cache, ngx_egress_resolve_t *rs)
{
    u_char               buf[NGX_EGRESS_RESOLVE_NAME];
    uint32_t             hash;
    ngx_str_t            name;
    ngx_str_node_t      *node;
    ngx_egress_entry_t  *entry;

    name.len = rs->name.len;
    name.data = buf;
    ngx_strlow(buf, rs->name.data, rs->name.len);

    /* a name has two entries: the hash tells them apart */

    hash = ngx_crc32_short(buf, name.len);

    if (rs->family != AF_INET) {
        hash = ~hash;
    }

    node = ngx_str_rbtree_lookup(&cache->tree, &name, hash);

    if (node == NULL) {
        return ngx_egress_entry_create(cache, &name, hash, rs->family);
    }

    entry = (ngx_egress_entry_t *) node;

    ngx_queue_remove(&entry->lru);
    ngx_queue_insert_head(&cache->lru, &entry->lru);

    return entry;
}


static ngx_egress_entry_t *
ngx_egress_entry_create(ngx_egress_cache_t *cache, ngx_str_t *name,
    uint32_t hash, ngx_uint_t family)
{
    u_char              *p;
    ngx_egress_entry_t  *entry;

    ngx_egress_cache_sweep(cache);

    entry = ngx_calloc(sizeof(ngx_egress_entry_t) + name->len + 1,
                       ngx_cycle->log);
    if (entry == NULL) {
        return NULL;
    }

    p = (u_char *) entry + sizeof(ngx_egress_entry_t);
    ngx_memcpy(p, name->data, name->len);

    entry->node.str.len = name->len;
    entry->node.str.data = p;
    entry->node.node.key = hash;

    entry->cache = cache;

    entry->timer.data = entry;
    entry->timer.handler = ngx_egress_entry_timeout;
    entry->timer.log = ngx_cycle->log;

    entry->query.resolver = cache->resolver;
    entry->query.name = entry->node.str;
    entry->query.family = family;
    entry->query.entry = entry;

    ngx_queue_init(&entry->waiters);
    ngx_queue_insert_head(&cache->lru, &entry->lru);
    ngx_rbtree_insert(&cache->tree, &entry->node.node);
    cache->count++;

    return entry;
}


static ngx_uint_t
ngx_egress_entry_usable(ngx_egress_entry_t *entry)
{
    if (entry->cached
        && (ngx_msec_int_t) (ngx_current_msec - entry->vanish) >= 0)
    {
        entry->cached = 0;
    }

    return entry->cached;
}


static void
ngx_egress_entry_ask(ngx_egress_entry_t *entry)
{
    ngx_egress_query_t     *query;
    ngx_egress_resolver_t  *r;

    query = &entry->query;
    r = query->resolver;

    ngx_log_debug3(NGX_LOG_DEBUG_CORE, ngx_cycle->log, 0,
                   "egress resolve ask \"%V\" \"%V\" family:%ui",
                   &r->object.name, &query->name, query->family);

    entry->asking = 1;
    entry->inside = 1;

    if (r->type->query(query) != NGX_AGAIN) {
        ngx_egress_query_done(query, NGX_EGRESS_DNS_ERROR, NULL, 0, 0);
    }

    entry->inside = 0;

    if (entry->asking) {
        entry->timer.cancelable = 1;
        ngx_add_timer(&entry->timer, r->query_timeout);
    }
}


static void
ngx_egress_entry_timeout(ngx_event_t *ev)
{
    ngx_egress_entry_t     *entry;
    ngx_egress_query_t     *query;
    ngx_egress_resolver_t  *r;

    entry = ev->data;
    query = &entry->query;
    r = query->resolver;

    ngx_log_error(NGX_LOG_WARN, ev->log, 0,
                  "resolver \"%V\" did not answer in %M ms, name \"%V\"",
                  &r->object.name, r->query_timeout, &query->name);

    r->type->cancel(query);

    ngx_egress_query_done(query, NGX_EGRESS_DNS_TIMEOUT, NULL, 0, 0);
}


/* NGX_DECLINED: such an answer is not kept; NGX_ERROR: out of memory */

static ngx_int_t
ngx_egress_entry_store(ngx_egress_entry_t *entry, ngx_egress_reason_e reason,
    ngx_egress_ip_t *addrs, ngx_uint_t naddrs, time_t ttl)
{
    size_t            size;
    ngx_egress_ip_t  *copy;

    copy = NULL;

    switch (reason) {

    case NGX_EGRESS_NONE:
        naddrs = ngx_min(naddrs, NGX_EGRESS_RESOLVE_ADDRS);
        size = naddrs * sizeof(ngx_egress_ip_t);

        copy = ngx_alloc(size, ngx_cycle->log);
        if (copy == NULL) {
            return NGX_ERROR;
        }

        ngx_memcpy(copy, addrs, size);
        ngx_egress_entry_positive(entry, ttl);
        break;

    case NGX_EGRESS_DNS_NXDOMAIN:
    case NGX_EGRESS_DNS_NO_ADDRESS:
        naddrs = 0;
        ngx_egress_entry_negative(entry, ttl);
        break;

    default:
        return NGX_DECLINED;
    }

    if (entry->addrs) {
        ngx_free(entry->addrs);
    }

    entry->reason = reason;
    entry->addrs = copy;
    entry->naddrs = naddrs;
    entry->cached = 1;

    return NGX_OK;
}


/*
 * Expire and vanish are positive_min_ttl apart where the TTL allows it.  A
 * TTL of less than nothing is an overflow (RFC 2181, section 8): zero.
 */

static void
ngx_egress_entry_positive(ngx_egress_entry_t *entry, time_t ttl)
{
    time_t                  min, max, expire, vanish;
    ngx_egress_resolver_t  *r;

    r = entry->query.resolver;

    min = r->positive_min_ttl;
    max = r->positive_max_ttl;
    vanish = ngx_min(ttl, NGX_EGRESS_RESOLVE_MAX_TTL);

    if (vanish > max + min) {
        expire = max;

    } else if (vanish > min + min) {
        expire = vanish - min;

    } else {
        expire = min;
        vanish = ngx_max(vanish, min + 1);
    }

    entry->expire = ngx_current_msec + (ngx_msec_t) expire * 1000;
    entry->vanish = ngx_current_msec + (ngx_msec_t) vanish * 1000;
}


static void
ngx_egress_entry_negative(ngx_egress_entry_t *entry, time_t ttl)
{
    ttl = ngx_min(ttl, NGX_EGRESS_RESOLVE_MAX_NEGATIVE);
    ttl = ngx_max(ttl, entry->query.resolver->negative_min_ttl);

    entry->expire = ngx_current_msec + (ngx_msec_t) ttl * 1000;
    entry->vanish = entry->expire;
}


static ngx_uint_t
ngx_egress_entry_idle(ngx_egress_entry_t *entry)
{
    return !entry->asking && !entry->news && !entry->telling
           && ngx_queue_empty(&entry->waiters);
}


static void
ngx_egress_entry_release(ngx_egress_entry_t *entry)
{
    if (ngx_egress_entry_idle(entry) && !ngx_egress_entry_usable(entry)) {
        ngx_egress_entry_free(entry);
    }
}


static void
ngx_egress_entry_free(ngx_egress_entry_t *entry)
{
    ngx_egress_cache_t  *cache;

    cache = entry->cache;

    if (entry->timer.timer_set) {
        ngx_del_timer(&entry->timer);
    }

    ngx_rbtree_delete(&cache->tree, &entry->node.node);
    ngx_queue_remove(&entry->lru);
    cache->count--;

    if (entry->addrs) {
        ngx_free(entry->addrs);
    }

    ngx_free(entry);
}


/* makes room for a new entry: what vanished, or else what is not used */

static void
ngx_egress_cache_sweep(ngx_egress_cache_t *cache)
{
    ngx_uint_t           i, full;
    ngx_queue_t         *q, *prev;
    ngx_egress_entry_t  *entry;

    q = ngx_queue_last(&cache->lru);

    for (i = 0; i < NGX_EGRESS_RESOLVE_SWEEP; i++) {

        if (q == ngx_queue_sentinel(&cache->lru)) {
            return;
        }

        prev = ngx_queue_prev(q);
        entry = ngx_queue_data(q, ngx_egress_entry_t, lru);
        full = cache->count >= (ngx_uint_t) cache->resolver->cache_entries;

        if (ngx_egress_entry_idle(entry)
            && (full || !ngx_egress_entry_usable(entry)))
        {
            ngx_egress_entry_free(entry);
        }

        q = prev;
    }
}


static void
ngx_egress_cache_tell(ngx_event_t *ev)
{
    ngx_queue_t           *q, waiters;
    ngx_egress_cache_t    *cache;
    ngx_egress_entry_t    *entry;
    ngx_egress_reason_e    reason;
    ngx_egress_resolve_t  *rs;

    cache = ev->data;

    while (!ngx_queue_empty(&cache->answered)) {
        q = ngx_queue_head(&cache->answered);
        ngx_queue_remove(q);

        entry = ngx_queue_data(q, ngx_egress_entry_t, answered);
        entry->news = 0;
        entry->telling = 1;
        reason = entry->reason;

        /*
         * A handler may ask the same again and must wait for another answer
         * if this one is not to be kept: hence a queue of our own.
         */

        ngx_queue_init(&waiters);

        if (!ngx_queue_empty(&entry->waiters)) {
            ngx_queue_add(&waiters, &entry->waiters);
            ngx_queue_init(&entry->waiters);
        }

        while (!ngx_queue_empty(&waiters)) {
            q = ngx_queue_head(&waiters);
            ngx_queue_remove(q);

            rs = ngx_queue_data(q, ngx_egress_resolve_t, queue);
            rs->query = NULL;

            ngx_egress_resolve_answer(rs, entry, reason);
            rs->handler(rs);
        }

        entry->telling = 0;
        ngx_egress_entry_release(entry);
    }
}


static void
ngx_egress_resolve_answer(ngx_egress_resolve_t *rs, ngx_egress_entry_t *entry,
    ngx_egress_reason_e reason)
{
    ngx_msec_int_t  left;

    if (!entry->cached) {
        /* addresses that are not kept cannot be told */
        rs->reason = reason ? reason : NGX_EGRESS_DNS_ERROR;
        return;
    }

    left = entry->expire - ngx_current_msec;

    rs->reason = entry->reason;
    rs->naddrs = entry->naddrs;
    rs->addrs = entry->addrs;
    rs->ttl = (left > 0) ? (left + 999) / 1000 : 0;
}
