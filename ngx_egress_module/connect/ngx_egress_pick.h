/*
 * Copyright (C) ngx_egress authors
 *
 * Weighted nodes and the policies that choose among them: addresses of next
 * proxies, targets of a mapped port.  A choice is an order: the first is
 * used, the others are tried after it.
 */

#ifndef _NGX_EGRESS_PICK_H_INCLUDED_
#define _NGX_EGRESS_PICK_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


#define NGX_EGRESS_PICK_MAX         8      /* nodes tried for one request */
#define NGX_EGRESS_PICK_MAX_WEIGHT  1000


typedef enum {
    NGX_EGRESS_PICK_RANDOM = 0,
    NGX_EGRESS_PICK_SERIAL,            /* by weight, then as configured */
    NGX_EGRESS_PICK_ROUND_ROBIN,       /* of this worker */
    NGX_EGRESS_PICK_KETAMA,
    NGX_EGRESS_PICK_RENDEZVOUS,
    NGX_EGRESS_PICK_JUMP_HASH
} ngx_egress_pick_policy_e;


typedef struct {
    ngx_str_t                 name;    /* what hashes: "host:port" */
    ngx_uint_t                weight;  /* 1 .. NGX_EGRESS_PICK_MAX_WEIGHT */
    ngx_int_t                 current; /* of round_robin */
} ngx_egress_pick_node_t;


typedef struct {
    uint64_t                  hash;
    ngx_uint_t                node;
} ngx_egress_pick_point_t;


typedef struct {
    ngx_uint_t                policy;  /* ngx_egress_pick_policy_e */
    ngx_egress_pick_node_t   *nodes;
    ngx_uint_t                n;
    ngx_uint_t                total;   /* of all weights */
    ngx_egress_pick_point_t  *ring;    /* of ketama */
    ngx_uint_t                npoints;
} ngx_egress_pick_t;


/* For ngx_conf_set_enum_slot(): the names of the policies. */
extern ngx_conf_enum_t  ngx_egress_pick_policies[];

/*
 * For setters of lists of nodes.  NGX_OK: arg is "weight=N" and the last node
 * of the array has got it; NGX_DECLINED: it is something else; NGX_ERROR: it
 * is no weight, or there is no node (nodes may be NULL); logged.
 */
ngx_int_t ngx_egress_pick_weight(ngx_conf_t *cf, ngx_array_t *nodes,
    ngx_str_t *arg);

/*
 * policy, nodes and n are set; computes the rest from pool.  NGX_ERROR: out of
 * memory.  The same nodes, in whatever order, give the same hashed choices on
 * every machine, but for jump_hash, which goes by position.
 */
ngx_int_t ngx_egress_pick_init(ngx_egress_pick_t *pick, ngx_pool_t *pool);

/* 1 if the policy looks at the key. */
ngx_uint_t ngx_egress_pick_hashes(ngx_egress_pick_t *pick);

/*
 * Writes the indices of the nodes to try to order, which has room for
 * NGX_EGRESS_PICK_MAX; returns how many: all nodes, if there are no more.
 */
ngx_uint_t ngx_egress_pick(ngx_egress_pick_t *pick, ngx_str_t *key,
    ngx_uint_t *order);


#endif /* _NGX_EGRESS_PICK_H_INCLUDED_ */
