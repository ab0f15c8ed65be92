
/*
 * Copyright (C) ngx_egress authors
 *
 * Whom the client of an association may send to, and who may answer it.  A
 * target is judged, and its name resolved, once for many datagrams; the ones
 * not used for the longest time are forgotten when there are too many.
 */


#include "ngx_egress_udp_peer.h"


static ngx_queue_t *ngx_egress_udp_name_bucket(ngx_egress_udp_t *udp,
    ngx_egress_addr_t *addr);
static ngx_queue_t *ngx_egress_udp_addr_bucket(ngx_egress_udp_t *udp,
    ngx_uint_t family, u_char *ip);
static ngx_egress_udp_peer_t *ngx_egress_udp_peer_find(ngx_egress_udp_t *udp,
    ngx_egress_addr_t *addr);
static ngx_egress_udp_peer_t *ngx_egress_udp_peer_create(
    ngx_egress_udp_t *udp, ngx_egress_addr_t *addr);
static void ngx_egress_udp_peer_free(ngx_egress_udp_peer_t *peer);
static ngx_int_t ngx_egress_udp_peer_judge(ngx_egress_udp_peer_t *peer);


void
ngx_egress_udp_peers_init(ngx_egress_udp_t *udp)
{
    ngx_uint_t  i;

    ngx_queue_init(&udp->peers);

    for (i = 0; i < NGX_EGRESS_UDP_BUCKETS; i++) {
        ngx_queue_init(&udp->names[i]);
        ngx_queue_init(&udp->addrs[i]);
    }
}


void
ngx_egress_udp_peers_free(ngx_egress_udp_t *udp)
{
    ngx_queue_t  *q;

    while (!ngx_queue_empty(&udp->peers)) {
        q = ngx_queue_last(&udp->peers);
        ngx_egress_udp_peer_free(ngx_queue_data(q, ngx_egress_udp_peer_t,
                                                lru));
    }
}


ngx_egress_udp_peer_t *
ngx_egress_udp_peer_get(ngx_egress_udp_t *udp, ngx_egress_addr_t *addr)
{
    ngx_egress_udp_peer_t  *peer;

    peer = ngx_egress_udp_peer_find(udp, addr);

    if (peer == NULL) {

        if (udp->single && udp->npeers) {
            return NULL;
        }

        return ngx_egress_udp_peer_create(udp, addr);
    }

    ngx_queue_remove(&peer->lru);
    ngx_queue_insert_head(&udp->peers, &peer->lru);

    if (peer->named
        && peer->state != ngx_egress_udp_peer_asking
        && !(udp->single && peer->state == ngx_egress_udp_peer_allowed)
        && (ngx_msec_int_t) (ngx_current_msec - peer->expire) >= 0)
    {
        ngx_egress_udp_ask(peer);
    }

    return peer;
}


static ngx_egress_udp_peer_t *
ngx_egress_udp_peer_find(ngx_egress_udp_t *udp, ngx_egress_addr_t *addr)
{
    ngx_queue_t            *q, *bucket;
    ngx_egress_udp_peer_t  *peer;

    if (addr->family != AF_UNSPEC) {
        bucket = ngx_egress_udp_addr_bucket(udp, addr->family,
                                            addr->ip.bytes);

        for (q = ngx_queue_head(bucket);
             q != ngx_queue_sentinel(bucket);
             q = ngx_queue_next(q))
        {
            peer = ngx_queue_data(q, ngx_egress_udp_peer_t, ip);

            if (!peer->named
                && peer->addr.port == addr->port
                && peer->addr.family == addr->family
                && ngx_memcmp(peer->addr.ip.bytes, addr->ip.bytes,
                              addr->family == AF_INET ? 4 : 16)
                   == 0)
            {
                return peer;
            }
        }

        return NULL;
    }

    bucket = ngx_egress_udp_name_bucket(udp, addr);

    for (q = ngx_queue_head(bucket);
         q != ngx_queue_sentinel(bucket);
         q = ngx_queue_next(q))
    {
        peer = ngx_queue_data(q, ngx_egress_udp_peer_t, name);

        if (peer->addr.port == addr->port
            && peer->addr.host.len == addr->host.len
            && ngx_memcmp(peer->addr.host.data, addr->host.data,
                          addr->host.len)
               == 0)
        {
            return peer;
        }
    }

    return NULL;
}


static ngx_queue_t *
ngx_egress_udp_name_bucket(ngx_egress_udp_t *udp, ngx_egress_addr_t *addr)
{
    return &udp->names[ngx_murmur_hash2(addr->host.data, addr->host.len)
                       % NGX_EGRESS_UDP_BUCKETS];
}


static ngx_queue_t *
ngx_egress_udp_addr_bucket(ngx_egress_udp_t *udp, ngx_uint_t family,
    u_char *ip)
{
    return &udp->addrs[ngx_murmur_hash2(ip, family == AF_INET ? 4 : 16)
                       % NGX_EGRESS_UDP_BUCKETS];
}


static ngx_egress_udp_peer_t *
ngx_egress_udp_peer_create(ngx_egress_udp_t *udp, ngx_egress_addr_t *addr)
{
    ngx_queue_t            *q;
    ngx_egress_udp_peer_t  *peer;

    if (udp->npeers == NGX_EGRESS_UDP_PEERS) {
        q = ngx_queue_last(&udp->peers);
        ngx_egress_udp_peer_free(ngx_queue_data(q, ngx_egress_udp_peer_t,
                                                lru));
    }

    peer = ngx_alloc(sizeof(ngx_egress_udp_peer_t) + addr->host.len,
                     udp->task->log);
    if (peer == NULL) {
        return NULL;
    }

    ngx_memzero(peer, sizeof(ngx_egress_udp_peer_t));

    peer->udp = udp;
    peer->addr = *addr;
    peer->addr.host.data = (u_char *) (peer + 1);
    ngx_memcpy(peer->addr.host.data, addr->host.data, addr->host.len);

    udp->npeers++;
    ngx_queue_insert_head(&udp->peers, &peer->lru);

    if (addr->family == AF_UNSPEC) {
        peer->named = 1;
        ngx_queue_insert_head(ngx_egress_udp_name_bucket(udp, addr),
                              &peer->name);
        ngx_egress_udp_ask(peer);

    } else {
        ngx_egress_udp_peer_try(peer, addr);
    }

    return peer;
}


static void
ngx_egress_udp_peer_free(ngx_egress_udp_peer_t *peer)
{
    ngx_egress_udp_ask_free(peer);

    ngx_queue_remove(&peer->lru);

    if (peer->named) {
        ngx_queue_remove(&peer->name);
    }

    if (peer->linked) {
        ngx_queue_remove(&peer->ip);
    }

    peer->udp->npeers--;

    ngx_free(peer);
}


/*
 * Gives the peer that literal address, and a verdict.  A denied one stays
 * linked when it is what the client says, so that it is judged once.
 */

void
ngx_egress_udp_peer_try(ngx_egress_udp_peer_t *peer, ngx_egress_addr_t *addr)
{
    if (peer->linked) {
        peer->linked = 0;
        ngx_queue_remove(&peer->ip);
    }

    peer->socklen = ngx_egress_addr_sockaddr(addr, &peer->sockaddr.sockaddr);

    peer->state = (ngx_egress_udp_peer_judge(peer) == NGX_OK)
                  ? ngx_egress_udp_peer_allowed : ngx_egress_udp_peer_denied;

    if (peer->state == ngx_egress_udp_peer_allowed || !peer->named) {
        peer->linked = 1;
        ngx_queue_insert_head(ngx_egress_udp_addr_bucket(peer->udp,
                                                         addr->family,
                                                         addr->ip.bytes),
                              &peer->ip);
    }
}


static ngx_int_t
ngx_egress_udp_peer_judge(ngx_egress_udp_peer_t *peer)
{
    ngx_int_t             rc;
    ngx_egress_hop_t     *hop;
    ngx_egress_addr_t     addr;
    ngx_egress_reason_e   reason;

    hop = peer->udp->task->hop;

    if (!ngx_egress_udp_usable(hop, peer->sockaddr.sockaddr.sa_family)) {
        return NGX_DECLINED;
    }

    /* what the log calls the target */

    addr = hop->addr;
    hop->addr = peer->addr;

    rc = ngx_egress_judge(hop, &peer->sockaddr.sockaddr, peer->socklen,
                          &reason);
    hop->addr = addr;

    return rc;
}


ngx_uint_t
ngx_egress_udp_usable(ngx_egress_hop_t *hop, ngx_uint_t family)
{
    if (family == AF_INET) {
        return !hop->conf->no_ipv4 && (hop->bind4 || hop->bind6 == NULL);
    }

    return !hop->conf->no_ipv6 && (hop->bind6 || hop->bind4 == NULL);
}


ngx_uint_t
ngx_egress_udp_peer_known(ngx_egress_udp_t *udp, struct sockaddr *sa)
{
    ngx_queue_t            *q, *bucket;
    ngx_egress_addr_t       from;
    ngx_egress_udp_peer_t  *peer;
    u_char                  text[NGX_EGRESS_IP_LEN];

    if (ngx_egress_addr_from_sockaddr(&from, text, sa) != NGX_OK) {
        return 0;
    }

    bucket = ngx_egress_udp_addr_bucket(udp, from.family, from.ip.bytes);

    for (q = ngx_queue_head(bucket);
         q != ngx_queue_sentinel(bucket);
         q = ngx_queue_next(q))
    {
        peer = ngx_queue_data(q, ngx_egress_udp_peer_t, ip);

        /* while its name is asked for again it still is who it was */

        if (peer->state != ngx_egress_udp_peer_denied
            && ngx_cmp_sockaddr(&peer->sockaddr.sockaddr, peer->socklen, sa,
                                peer->socklen, 0)
               == NGX_OK)
        {
            return 1;
        }
    }

    return 0;
}
