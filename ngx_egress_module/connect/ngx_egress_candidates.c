
/*
 * Copyright (C) ngx_egress authors
 *
 * The order in which the addresses of a name are tried.  Asks no resolver and
 * judges nothing.
 */


#include "ngx_egress_connector.h"
#include "ngx_egress_jump.h"


static void ngx_egress_candidates_stick(ngx_str_t *key, ngx_egress_ip_t *addrs,
    ngx_uint_t n);
static void ngx_egress_candidates_shuffle(ngx_egress_ip_t *addrs,
    ngx_uint_t n);
static int ngx_libc_cdecl ngx_egress_candidates_cmp(const void *one,
    const void *two);


ngx_int_t
ngx_egress_candidates_set(ngx_egress_hop_t *hop, ngx_egress_candidates_t *cd,
    ngx_egress_ip_t *addrs, ngx_uint_t naddrs)
{
    cd->addrs = ngx_palloc(hop->task->pool, naddrs * sizeof(ngx_egress_ip_t));
    if (cd->addrs == NULL) {
        return NGX_ERROR;
    }

    ngx_memcpy(cd->addrs, addrs, naddrs * sizeof(ngx_egress_ip_t));
    cd->naddrs = naddrs;

    if (naddrs == 1) {
        return NGX_OK;
    }

    if (hop->sticky_key.len) {
        ngx_egress_candidates_stick(&hop->sticky_key, cd->addrs, naddrs);

    } else if (hop->conf->pick_random) {
        ngx_egress_candidates_shuffle(cd->addrs, naddrs);
    }

    return NGX_OK;
}


/*
 * Sorted, so that the order of the answer does not matter; the address that
 * the key picks comes first, and those after it are the retries.
 */

static void
ngx_egress_candidates_stick(ngx_str_t *key, ngx_egress_ip_t *addrs,
    ngx_uint_t n)
{
    ngx_uint_t       i;
    ngx_egress_ip_t  first;

    ngx_qsort(addrs, n, sizeof(ngx_egress_ip_t), ngx_egress_candidates_cmp);

    i = ngx_egress_jump(ngx_egress_hash64(key->data, key->len), n);

    first = addrs[i];
    addrs[i] = addrs[0];
    addrs[0] = first;
}


static void
ngx_egress_candidates_shuffle(ngx_egress_ip_t *addrs, ngx_uint_t n)
{
    ngx_uint_t       i;
    ngx_egress_ip_t  addr;

    while (n > 1) {
        i = (ngx_uint_t) ngx_random() % n--;

        addr = addrs[n];
        addrs[n] = addrs[i];
        addrs[i] = addr;
    }
}


static int ngx_libc_cdecl
ngx_egress_candidates_cmp(const void *one, const void *two)
{
    const ngx_egress_ip_t  *a, *b;

    a = one;
    b = two;

    return ngx_memcmp(a->bytes, b->bytes, (a->family == AF_INET) ? 4 : 16);
}
