
/*
 * Copyright (C) ngx_egress authors
 *
 * Names as targets of datagrams: resolved the way the escaper says, one family
 * after the other, while the first datagrams wait.
 */


#include "ngx_egress_udp_peer.h"


#define NGX_EGRESS_UDP_MIN_TTL   1000
#define NGX_EGRESS_UDP_MAX_TTL   300000
#define NGX_EGRESS_UDP_ASK_POOL  512


/* A datagram that waits for the name of its target; data follows. */
typedef struct {
    ngx_queue_t                queue;
    size_t                     len;
} ngx_egress_udp_held_t;


/* A name that is being resolved. */
struct ngx_egress_udp_ask_s {
    ngx_pool_t                *pool;
    ngx_egress_resolve_t       question;
    ngx_egress_addr_t          addr;       /* of the peer, redirected */
    ngx_egress_redirected_t   *redirected; /* its addresses, or NULL: ask */
    ngx_uint_t                 family[2];
    ngx_uint_t                 nfamilies;
    ngx_uint_t                 next;
    ngx_queue_t                held;
    unsigned                   pending:1;
};


static void ngx_egress_udp_ask_families(ngx_egress_udp_ask_t *ask,
    ngx_egress_hop_t *hop);
static void ngx_egress_udp_ask_next(ngx_egress_udp_peer_t *peer);
static void ngx_egress_udp_answered(ngx_egress_resolve_t *rs);
static void ngx_egress_udp_answer(ngx_egress_udp_peer_t *peer);
static ngx_uint_t ngx_egress_udp_first_answer(ngx_egress_udp_peer_t *peer,
    ngx_egress_resolve_t *rs);
static void ngx_egress_udp_ask_end(ngx_egress_udp_peer_t *peer);


void
ngx_egress_udp_ask(ngx_egress_udp_peer_t *peer)
{
    ngx_pool_t            *pool;
    ngx_egress_hop_t      *hop;
    ngx_egress_udp_ask_t  *ask;

    hop = peer->udp->task->hop;

    peer->state = ngx_egress_udp_peer_denied;
    peer->expire = ngx_current_msec + NGX_EGRESS_UDP_MIN_TTL;

    pool = ngx_create_pool(NGX_EGRESS_UDP_ASK_POOL, peer->udp->task->log);
    if (pool == NULL) {
        return;
    }

    ask = ngx_pcalloc(pool, sizeof(ngx_egress_udp_ask_t));
    if (ask == NULL) {
        ngx_destroy_pool(pool);
        return;
    }

    peer->ask = ask;
    peer->state = ngx_egress_udp_peer_asking;

    ask->pool = pool;
    ask->addr = peer->addr;

    ngx_queue_init(&ask->held);

    if (ngx_egress_redirect(hop->conf->redirection, pool, &ask->addr,
                            &ask->redirected)
        == NGX_ERROR)
    {
        peer->state = ngx_egress_udp_peer_denied;
        ngx_egress_udp_ask_end(peer);
        return;
    }

    if (ask->addr.family != AF_UNSPEC) {
        ngx_egress_udp_peer_try(peer, &ask->addr);
        ngx_egress_udp_ask_end(peer);
        return;
    }

    ngx_egress_udp_ask_families(ask, hop);
    ngx_egress_udp_ask_next(peer);
}


static void
ngx_egress_udp_ask_families(ngx_egress_udp_ask_t *ask, ngx_egress_hop_t *hop)
{
    ngx_uint_t  strategy;

    strategy = hop->conf->family;

    if (hop->conf->resolver == NULL && ask->redirected == NULL) {
        ngx_log_error(NGX_LOG_INFO, hop->task->log, 0,
                      "no resolver for \"%V\"", &ask->addr.host);
        return;
    }

    if ((strategy == NGX_EGRESS_IPV6_FIRST || strategy == NGX_EGRESS_IPV6_ONLY)
        && ngx_egress_udp_usable(hop, AF_INET6))
    {
        ask->family[ask->nfamilies++] = AF_INET6;
    }

    if (strategy != NGX_EGRESS_IPV6_ONLY
        && ngx_egress_udp_usable(hop, AF_INET))
    {
        ask->family[ask->nfamilies++] = AF_INET;
    }

    if (strategy == NGX_EGRESS_IPV4_FIRST
        && ngx_egress_udp_usable(hop, AF_INET6))
    {
        ask->family[ask->nfamilies++] = AF_INET6;
    }
}


/* One family after the other, until an address may be used. */

static void
ngx_egress_udp_ask_next(ngx_egress_udp_peer_t *peer)
{
    ngx_int_t              rc;
    ngx_egress_hop_t      *hop;
    ngx_egress_udp_ask_t  *ask;
    ngx_egress_resolve_t  *rs;

    ask = peer->ask;
    hop = peer->udp->task->hop;

    while (peer->state != ngx_egress_udp_peer_allowed
           && ask->next < ask->nfamilies)
    {
        rs = &ask->question;

        ngx_memzero(rs, sizeof(ngx_egress_resolve_t));

        rs->resolver = hop->conf->resolver;
        rs->name = ask->addr.host;
        rs->family = ask->family[ask->next++];
        rs->log = hop->task->log;
        rs->handler = ngx_egress_udp_answered;
        rs->data = peer;

        rc = ngx_egress_resolve_to(rs, ask->redirected);

        if (rc == NGX_AGAIN) {
            peer->state = ngx_egress_udp_peer_asking;
            ask->pending = 1;
            return;
        }

        if (rc == NGX_OK) {
            ngx_egress_udp_answer(peer);
        }
    }

    if (peer->state != ngx_egress_udp_peer_allowed) {
        peer->state = ngx_egress_udp_peer_denied;

        ngx_log_error(NGX_LOG_INFO, hop->task->log, 0,
                      "no usable address for \"%V\"", &peer->addr.host);
    }

    ngx_egress_udp_ask_end(peer);
}


static void
ngx_egress_udp_answered(ngx_egress_resolve_t *rs)
{
    ngx_egress_udp_peer_t  *peer;

    peer = rs->data;
    peer->ask->pending = 0;

    ngx_egress_udp_answer(peer);
    ngx_egress_udp_ask_next(peer);
}


static void
ngx_egress_udp_answer(ngx_egress_udp_peer_t *peer)
{
    ngx_uint_t             i, k;
    ngx_msec_t             ttl;
    ngx_egress_ip_t       *ip;
    ngx_egress_addr_t      addr;
    ngx_egress_resolve_t  *rs;
    u_char                 text[NGX_EGRESS_IP_LEN];

    rs = &peer->ask->question;

    if (rs->reason || rs->naddrs == 0) {
        return;
    }

    k = ngx_egress_udp_first_answer(peer, rs);

    for (i = 0; i < rs->naddrs; i++) {
        ip = &rs->addrs[(k + i) % rs->naddrs];

        if (ip->family == AF_INET) {
            ngx_egress_addr_in(&addr, text, ip->bytes, peer->addr.port);

        } else {
            ngx_egress_addr_in6(&addr, text, ip->bytes, peer->addr.port);
        }

        ngx_egress_udp_peer_try(peer, &addr);

        if (peer->state == ngx_egress_udp_peer_allowed) {
            ttl = (ngx_msec_t) ngx_max(rs->ttl, 0) * 1000;
            ttl = ngx_max(ttl, NGX_EGRESS_UDP_MIN_TTL);
            ttl = ngx_min(ttl, NGX_EGRESS_UDP_MAX_TTL);

            peer->expire = ngx_current_msec + ttl;
            return;
        }
    }
}


/*
 * A conversation must not move to another address as long as the name still
 * has the one that it began with.
 */

static ngx_uint_t
ngx_egress_udp_first_answer(ngx_egress_udp_peer_t *peer,
    ngx_egress_resolve_t *rs)
{
    ngx_uint_t         i;
    ngx_egress_addr_t  addr;
    u_char             text[NGX_EGRESS_IP_LEN];

    if (peer->linked
        && ngx_egress_addr_from_sockaddr(&addr, text, &peer->sockaddr.sockaddr)
           == NGX_OK)
    {
        for (i = 0; i < rs->naddrs; i++) {
            if (rs->addrs[i].family == addr.family
                && ngx_memcmp(rs->addrs[i].bytes, addr.ip.bytes,
                              addr.family == AF_INET ? 4 : 16)
                   == 0)
            {
                return i;
            }
        }
    }

    return peer->udp->task->hop->conf->pick_random
           ? ngx_random() % rs->naddrs : 0;
}


/* There is a verdict: what was held is sent or dropped. */

static void
ngx_egress_udp_ask_end(ngx_egress_udp_peer_t *peer)
{
    ngx_queue_t            *q;
    ngx_egress_udp_held_t  *held;

    if (peer->state == ngx_egress_udp_peer_allowed
        && !ngx_queue_empty(&peer->ask->held))
    {
        for (q = ngx_queue_head(&peer->ask->held);
             q != ngx_queue_sentinel(&peer->ask->held);
             q = ngx_queue_next(q))
        {
            held = ngx_queue_data(q, ngx_egress_udp_held_t, queue);

            ngx_egress_udp_put(peer, (u_char *) (held + 1), held->len);
        }

        ngx_egress_udp_send_all(peer->udp);
    }

    ngx_egress_udp_ask_free(peer);
}


void
ngx_egress_udp_ask_free(ngx_egress_udp_peer_t *peer)
{
    ngx_queue_t           *q;
    ngx_egress_udp_ask_t  *ask;

    ask = peer->ask;

    if (ask == NULL) {
        return;
    }

    peer->ask = NULL;

    if (ask->pending) {
        ngx_egress_resolve_cancel(&ask->question);
    }

    while (!ngx_queue_empty(&ask->held)) {
        q = ngx_queue_head(&ask->held);
        ngx_queue_remove(q);

        peer->udp->nheld--;
        ngx_free(ngx_queue_data(q, ngx_egress_udp_held_t, queue));
    }

    ngx_destroy_pool(ask->pool);
}


void
ngx_egress_udp_peer_hold(ngx_egress_udp_peer_t *peer, u_char *data, size_t len)
{
    ngx_egress_udp_t       *udp;
    ngx_egress_udp_held_t  *held;

    udp = peer->udp;

    if (udp->nheld == NGX_EGRESS_UDP_HELD) {
        return;
    }

    held = ngx_alloc(sizeof(ngx_egress_udp_held_t) + len, udp->task->log);
    if (held == NULL) {
        return;
    }

    held->len = len;
    ngx_memcpy(held + 1, data, len);

    udp->nheld++;
    ngx_queue_insert_tail(&peer->ask->held, &held->queue);
}
