
/*
 * Copyright (C) ngx_egress authors
 *
 * The policies.  Each finds the best node among those not taken yet; the
 * order of a choice is what that gives when it is asked again and again.
 */


#include "ngx_egress_pick.h"
#include "ngx_egress_jump.h"
#include "../ngx_egress_conf.h"

#include <math.h>


#define NGX_EGRESS_PICK_POINTS   160       /* of a node of weight 1 */
#define NGX_EGRESS_PICK_RING     100000    /* points of a ring, at most */


typedef struct {
    uint64_t       key;                    /* hash of it */
    ngx_uint_t     ntaken;
    ngx_uint_t    *taken;
    ngx_uint_t     total;                  /* weight of those not taken */
} ngx_egress_pick_state_t;


typedef ngx_uint_t (*ngx_egress_pick_pt)(ngx_egress_pick_t *pick,
    ngx_egress_pick_state_t *st);


static ngx_uint_t ngx_egress_pick_random(ngx_egress_pick_t *pick,
    ngx_egress_pick_state_t *st);
static ngx_uint_t ngx_egress_pick_serial(ngx_egress_pick_t *pick,
    ngx_egress_pick_state_t *st);
static ngx_uint_t ngx_egress_pick_round_robin(ngx_egress_pick_t *pick,
    ngx_egress_pick_state_t *st);
static ngx_uint_t ngx_egress_pick_ketama(ngx_egress_pick_t *pick,
    ngx_egress_pick_state_t *st);
static ngx_uint_t ngx_egress_pick_rendezvous(ngx_egress_pick_t *pick,
    ngx_egress_pick_state_t *st);
static ngx_uint_t ngx_egress_pick_jump_hash(ngx_egress_pick_t *pick,
    ngx_egress_pick_state_t *st);

static ngx_uint_t ngx_egress_pick_following(ngx_egress_pick_t *pick,
    ngx_egress_pick_state_t *st);
static ngx_uint_t ngx_egress_pick_is_taken(ngx_egress_pick_state_t *st,
    ngx_uint_t node);
static ngx_int_t ngx_egress_pick_init_ring(ngx_egress_pick_t *pick,
    ngx_pool_t *pool);
static uint64_t ngx_egress_pick_mix(uint64_t a, uint64_t b);
static int ngx_libc_cdecl ngx_egress_pick_cmp_points(const void *one,
    const void *two);


/* in the order of ngx_egress_pick_policy_e */

static ngx_egress_pick_pt  ngx_egress_pick_handlers[] = {
    ngx_egress_pick_random,
    ngx_egress_pick_serial,
    ngx_egress_pick_round_robin,
    ngx_egress_pick_ketama,
    ngx_egress_pick_rendezvous,
    ngx_egress_pick_jump_hash
};


ngx_conf_enum_t  ngx_egress_pick_policies[] = {
    { ngx_string("random"), NGX_EGRESS_PICK_RANDOM },
    { ngx_string("serial"), NGX_EGRESS_PICK_SERIAL },
    { ngx_string("sequence"), NGX_EGRESS_PICK_SERIAL },
    { ngx_string("round_robin"), NGX_EGRESS_PICK_ROUND_ROBIN },
    { ngx_string("rr"), NGX_EGRESS_PICK_ROUND_ROBIN },
    { ngx_string("ketama"), NGX_EGRESS_PICK_KETAMA },
    { ngx_string("rendezvous"), NGX_EGRESS_PICK_RENDEZVOUS },
    { ngx_string("jump_hash"), NGX_EGRESS_PICK_JUMP_HASH },
    { ngx_null_string, 0 }
};


ngx_uint_t
ngx_egress_pick_hashes(ngx_egress_pick_t *pick)
{
    return pick->n > 1 && pick->policy >= NGX_EGRESS_PICK_KETAMA;
}


ngx_uint_t
ngx_egress_pick(ngx_egress_pick_t *pick, ngx_str_t *key, ngx_uint_t *order)
{
    ngx_uint_t                n;
    ngx_egress_pick_state_t   st;

    st.key = ngx_egress_pick_hashes(pick)
             ? ngx_egress_hash64(key->data, key->len) : 0;
    st.ntaken = 0;
    st.taken = order;
    st.total = pick->total;

    n = ngx_min(pick->n, NGX_EGRESS_PICK_MAX);

    while (st.ntaken < n) {
        order[st.ntaken] = ngx_egress_pick_handlers[pick->policy](pick, &st);
        st.total -= pick->nodes[order[st.ntaken]].weight;
        st.ntaken++;
    }

    return n;
}


static ngx_uint_t
ngx_egress_pick_random(ngx_egress_pick_t *pick, ngx_egress_pick_state_t *st)
{
    ngx_uint_t  i, left;

    left = ngx_random() % st->total;

    for (i = 0; i < pick->n; i++) {

        if (ngx_egress_pick_is_taken(st, i)) {
            continue;
        }

        if (left < pick->nodes[i].weight) {
            break;
        }

        left -= pick->nodes[i].weight;
    }

    return i;
}


static ngx_uint_t
ngx_egress_pick_serial(ngx_egress_pick_t *pick, ngx_egress_pick_state_t *st)
{
    ngx_uint_t  i, best;

    best = pick->n;

    for (i = 0; i < pick->n; i++) {
        if (!ngx_egress_pick_is_taken(st, i)
            && (best == pick->n
                || pick->nodes[i].weight > pick->nodes[best].weight))
        {
            best = i;
        }
    }

    return best;
}


/* the smooth weighted one of nginx; what follows the first is in order */

static ngx_uint_t
ngx_egress_pick_round_robin(ngx_egress_pick_t *pick,
    ngx_egress_pick_state_t *st)
{
    ngx_uint_t               i, best;
    ngx_egress_pick_node_t  *node;

    if (st->ntaken) {
        return ngx_egress_pick_following(pick, st);
    }

    best = 0;
    node = pick->nodes;

    for (i = 0; i < pick->n; i++) {
        node[i].current += node[i].weight;

        if (node[i].current > node[best].current) {
            best = i;
        }
    }

    node[best].current -= pick->total;

    return best;
}


/* clockwise from the key, the next node that is not taken */

static ngx_uint_t
ngx_egress_pick_ketama(ngx_egress_pick_t *pick, ngx_egress_pick_state_t *st)
{
    ngx_uint_t  first, last, middle;

    first = 0;
    last = pick->npoints;

    while (first < last) {
        middle = (first + last) / 2;

        if (pick->ring[middle].hash < st->key) {
            first = middle + 1;

        } else {
            last = middle;
        }
    }

    do {
        middle = pick->ring[first++ % pick->npoints].node;

    } while (ngx_egress_pick_is_taken(st, middle));

    return middle;
}


/* weighted rendezvous: the highest of -weight / ln(hash as a fraction) */

static ngx_uint_t
ngx_egress_pick_rendezvous(ngx_egress_pick_t *pick,
    ngx_egress_pick_state_t *st)
{
    double      score, most;
    uint64_t    hash;
    ngx_uint_t  i, best;

    best = pick->n;
    most = 0;

    for (i = 0; i < pick->n; i++) {

        if (ngx_egress_pick_is_taken(st, i)) {
            continue;
        }

        hash = ngx_egress_pick_mix(st->key, pick->ring[i].hash);

        /* 53 bits are exact; half a step keeps both ends out */

        score = -(double) pick->nodes[i].weight
                / log(((double) (hash >> 11) + 0.5) / 9007199254740992.0);

        if (best == pick->n || score > most) {
            best = i;
            most = score;
        }
    }

    return best;
}


/* over the weights laid end to end */

static ngx_uint_t
ngx_egress_pick_jump_hash(ngx_egress_pick_t *pick,
    ngx_egress_pick_state_t *st)
{
    ngx_uint_t  i, bucket;

    if (st->ntaken) {
        return ngx_egress_pick_following(pick, st);
    }

    bucket = ngx_egress_jump(st->key, pick->total);

    for (i = 0; bucket >= pick->nodes[i].weight; i++) {
        bucket -= pick->nodes[i].weight;
    }

    return i;
}


static ngx_uint_t
ngx_egress_pick_following(ngx_egress_pick_t *pick, ngx_egress_pick_state_t *st)
{
    return (st->taken[st->ntaken - 1] + 1) % pick->n;
}


static ngx_uint_t
ngx_egress_pick_is_taken(ngx_egress_pick_state_t *st, ngx_uint_t node)
{
    ngx_uint_t  i;

    for (i = 0; i < st->ntaken; i++) {
        if (st->taken[i] == node) {
            return 1;
        }
    }

    return 0;
}


ngx_int_t
ngx_egress_pick_weight(ngx_conf_t *cf, ngx_array_t *nodes, ngx_str_t *arg)
{
    ngx_int_t                weight;
    ngx_str_t                s;
    ngx_egress_pick_node_t  *node;

    if (!ngx_egress_conf_param(arg, "weight=", &s)) {
        return NGX_DECLINED;
    }

    weight = ngx_atoi(s.data, s.len);

    if (nodes == NULL || nodes->nelts == 0
        || weight < 1 || weight > NGX_EGRESS_PICK_MAX_WEIGHT)
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid parameter \"%V\"", arg);
        return NGX_ERROR;
    }

    node = nodes->elts;
    node[nodes->nelts - 1].weight = weight;

    return NGX_OK;
}


ngx_int_t
ngx_egress_pick_init(ngx_egress_pick_t *pick, ngx_pool_t *pool)
{
    ngx_uint_t  i;

    pick->total = 0;

    for (i = 0; i < pick->n; i++) {
        pick->total += pick->nodes[i].weight;
    }

    switch (pick->policy) {

    case NGX_EGRESS_PICK_KETAMA:
    case NGX_EGRESS_PICK_RENDEZVOUS:
        return ngx_egress_pick_init_ring(pick, pool);

    default:
        return NGX_OK;
    }
}


/* rendezvous needs the hash of each node's name, in their order */

static ngx_int_t
ngx_egress_pick_init_ring(ngx_egress_pick_t *pick, ngx_pool_t *pool)
{
    uint64_t                  name;
    ngx_uint_t                i, k, count, unit;
    ngx_egress_pick_point_t  *point;

    unit = (pick->policy == NGX_EGRESS_PICK_KETAMA) ? NGX_EGRESS_PICK_POINTS
                                                    : 0;
    if (unit * pick->total > NGX_EGRESS_PICK_RING) {
        unit = ngx_max(NGX_EGRESS_PICK_RING / pick->total, 1);
    }

    count = unit ? unit * pick->total : pick->n;

    pick->ring = ngx_palloc(pool, count * sizeof(ngx_egress_pick_point_t));
    if (pick->ring == NULL) {
        return NGX_ERROR;
    }

    point = pick->ring;

    for (i = 0; i < pick->n; i++) {
        name = ngx_egress_hash64(pick->nodes[i].name.data,
                                 pick->nodes[i].name.len);

        if (unit == 0) {
            point->hash = name;
            point++->node = i;
            continue;
        }

        for (k = 0; k < unit * pick->nodes[i].weight; k++) {
            point->hash = ngx_egress_pick_mix(name, k);
            point++->node = i;
        }
    }

    pick->npoints = count;

    if (unit) {
        ngx_qsort(pick->ring, count, sizeof(ngx_egress_pick_point_t),
                  ngx_egress_pick_cmp_points);
    }

    return NGX_OK;
}


/* the same on machines of either byte order */

static uint64_t
ngx_egress_pick_mix(uint64_t a, uint64_t b)
{
    u_char      seed[16];
    ngx_uint_t  i;

    for (i = 0; i < 8; i++) {
        seed[i] = (u_char) (a >> (56 - 8 * i));
        seed[8 + i] = (u_char) (b >> (56 - 8 * i));
    }

    return ngx_egress_hash64(seed, sizeof(seed));
}


static int ngx_libc_cdecl
ngx_egress_pick_cmp_points(const void *one, const void *two)
{
    const ngx_egress_pick_point_t *a = one;
    const ngx_egress_pick_point_t *b = two;

    return (a->hash > b->hash) - (a->hash < b->hash);
}
