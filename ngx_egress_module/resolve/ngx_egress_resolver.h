/*
 * Copyright (C) ngx_egress authors
 *
 * Resolvers as their types see them.  Askers include ngx_egress.h only.
 *
 * The walk of a question: ngx_egress_resolve() looks into the cache of the
 * resolver (one for each worker); what is not there is asked from the type,
 * once however many wait for it; the type answers ngx_egress_query_done(),
 * which fills the cache; those who wait are told from a posted event.  So a
 * type may answer from wherever it likes: no handler runs under its feet.
 *
 * To add a type: a file with an ngx_egress_resolver_type_t, a line in
 * ngx_egress_resolver_types[], the file in "config", doc/resolver_TYPE.md,
 * t/egress/resolver_TYPE.t.
 */

#ifndef _NGX_EGRESS_RESOLVER_H_INCLUDED_
#define _NGX_EGRESS_RESOLVER_H_INCLUDED_


#include "../ngx_egress.h"


/* common directives a type takes */
#define NGX_EGRESS_RESOLVER_TIMEOUT  0x01  /* protective_query_timeout */
#define NGX_EGRESS_RESOLVER_TTL      0x02  /* *_ttl, cache_entries */

#define NGX_EGRESS_RESOLVE_ADDRS     64    /* of one answer; more are cut */
#define NGX_EGRESS_RESOLVE_NAME      253   /* longest name, in characters */


/*
 * A question on its way to a type.  It belongs to the cache: no type may
 * touch it after ngx_egress_query_done(), or after its cancel() was called.
 */

typedef struct {
    ngx_egress_resolver_t      *resolver;
    ngx_str_t                   name;      /* lower case, NUL-terminated */
    ngx_uint_t                  family;    /* AF_INET or AF_INET6 */
    void                       *data;      /* the type's own */
    void                       *entry;     /* the cache's own */
} ngx_egress_query_t;


/*
 * create        the block begins: sets the defaults of r->conf, which is
 *               zeroed, and may change those of r itself.
 * init          configuration time, after the whole file has been read;
 *               checks the block, pushes what it asks to r->next.
 * init_process  makes the per-worker state (r->worker).
 * exit_process  destroys it; every query was cancelled before.
 * query         NGX_AGAIN: ngx_egress_query_done() will be called, perhaps
 *               before query() returns; NGX_ERROR: it will not.
 * cancel        forget this query, ngx_egress_query_done() must not be called
 *               any more.  NULL only if query() never leaves one open.
 *
 * All but query may be NULL.
 */

typedef struct {
    ngx_str_t        name;
    ngx_uint_t       flags;
    size_t           conf_size;
    ngx_command_t   *commands;             /* on r->conf; may be NULL */

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
    ngx_uint_t                   visit;     /* of the loop check */

    time_t                       positive_min_ttl;   /* seconds: 30 */
    time_t                       positive_max_ttl;   /* 3600 */
    time_t                       negative_min_ttl;   /* 30 */
    ngx_msec_t                   query_timeout;      /* protective: 60s */
    ngx_int_t                    cache_entries;      /* 10000 */
};


/*
 * The answer.  ttl in seconds, of this family's records only (the least of
 * the chain); it counts for addresses, NXDOMAIN and NO_ADDRESS: other reasons
 * are told to those who wait and forgotten.  Addresses are copied.
 */
void ngx_egress_query_done(ngx_egress_query_t *query,
    ngx_egress_reason_e reason, ngx_egress_ip_t *addrs, ngx_uint_t naddrs,
    time_t ttl);

/* The cache of one resolver in this worker; close() drops all questions. */
ngx_int_t ngx_egress_resolve_open(ngx_egress_resolver_t *r);
void ngx_egress_resolve_close(ngx_egress_resolver_t *r);


extern ngx_egress_resolver_type_t  ngx_egress_c_ares;
extern ngx_egress_resolver_type_t  ngx_egress_fail_over;
extern ngx_egress_resolver_type_t  ngx_egress_deny_all;

/* The "resolver NAME TYPE { }" directive, and the steps of the module. */
char *ngx_egress_resolver_block(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_egress_resolvers_init(ngx_conf_t *cf, ngx_array_t *resolvers);
ngx_int_t ngx_egress_resolvers_init_process(ngx_cycle_t *cycle,
    ngx_array_t *resolvers);
void ngx_egress_resolvers_exit_process(ngx_array_t *resolvers);


#endif /* _NGX_EGRESS_RESOLVER_H_INCLUDED_ */
