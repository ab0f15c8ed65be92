/*
 * Copyright (C) ngx_egress authors
 *
 * Resolvers as their types see them.  Askers include ngx_egress.h only.
 *
 * The cache and the merging of concurrent questions stand in front of the
 * types, once for each resolver and worker: a type is asked one question at a
 * time for a (name, family) and answers it once.
 */

#ifndef _NGX_EGRESS_RESOLVER_H_INCLUDED_
#define _NGX_EGRESS_RESOLVER_H_INCLUDED_


#include "../ngx_egress.h"


typedef struct ngx_egress_query_s  ngx_egress_query_t;


/*
 * A question on its way to a type, malloc'ed and freed by the cache.  The
 * type calls ngx_egress_query_done() once; "data" is its own.
 */

struct ngx_egress_query_s {
    ngx_egress_resolver_t      *resolver;
    ngx_str_t                   name;
    ngx_uint_t                  family;
    void                       *data;
    void                       *entry;     /* of the cache */
};


/*
 * init          configuration time, after the whole file has been read.
 * init_process  makes the per-worker state (resolver->worker).
 * exit_process  destroys it; queries under way are dropped silently.
 * query         NGX_AGAIN: ngx_egress_query_done() will be called, perhaps
 *               before query() returns; NGX_ERROR: it will not.
 * cancel        forget this query; may be NULL: the answer is then awaited.
 */

typedef struct {
    ngx_str_t        name;
    size_t           conf_size;
    ngx_command_t   *commands;

    char          *(*create)(ngx_conf_t *cf, ngx_egress_resolver_t *r);
    char          *(*init)(ngx_conf_t *cf, ngx_egress_resolver_t *r);
    ngx_int_t      (*init_process)(ngx_cycle_t *cycle,
                                   ngx_egress_resolver_t *r);
    void           (*exit_process)(ngx_egress_resolver_t *r);
    ngx_int_t      (*query)(ngx_egress_query_t *query);
    void           (*cancel)(ngx_egress_query_t *query);
} ngx_egress_resolver_type_t;


struct ngx_egress_resolver_s {
    ngx_egress_object_t          object;
    ngx_egress_resolver_type_t  *type;      /* NULL: not declared (yet) */
    void                        *conf;      /* the type's own */
    void                        *worker;    /* the type's per-worker state */
    void                        *cache;     /* per-worker, of the cache */

    ngx_array_t                  next;      /* of ngx_egress_resolver_t *, for
                                               the loop check */

    time_t                       positive_min_ttl;   /* seconds: 30 */
    time_t                       positive_max_ttl;   /* 3600 */
    time_t                       negative_min_ttl;   /* 30 */
    ngx_msec_t                   query_timeout;      /* protective: 60s */
};


/*
 * ttl in seconds, of this family's records only (the least of the chain);
 * ignored unless there are addresses or the reason is NXDOMAIN or NO_ADDRESS:
 * those are cached for negative_min_ttl at least.  Addresses are copied.
 */
void ngx_egress_query_done(ngx_egress_query_t *query,
    ngx_egress_reason_e reason, ngx_egress_ip_t *addrs, ngx_uint_t naddrs,
    time_t ttl);


extern ngx_egress_resolver_type_t  *ngx_egress_resolver_types[];

/* The "resolver NAME TYPE { }" directive, and the steps of the module. */
char *ngx_egress_resolver_block(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_egress_resolvers_init(ngx_conf_t *cf, ngx_array_t *resolvers);
ngx_int_t ngx_egress_resolvers_init_process(ngx_cycle_t *cycle,
    ngx_array_t *resolvers);
void ngx_egress_resolvers_exit_process(ngx_array_t *resolvers);


#endif /* _NGX_EGRESS_RESOLVER_H_INCLUDED_ */
