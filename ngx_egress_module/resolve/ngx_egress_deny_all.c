
/*
 * Copyright (C) ngx_egress authors
 *
 * Resolver type "deny_all": refuses every question.  It has no directives and
 * asks nobody; literal addresses do not come here.
 */


#include "ngx_egress_resolver.h"


static ngx_int_t ngx_egress_deny_all_query(ngx_egress_query_t *query);


ngx_egress_resolver_type_t  ngx_egress_deny_all = {
    ngx_string("deny_all"),
    0,                                     /* flags */
    0,                                     /* conf_size */
    NULL,                                  /* commands */
    NULL,                                  /* create */
    NULL,                                  /* init */
    NULL,                                  /* init_process */
    NULL,                                  /* exit_process */
    ngx_egress_deny_all_query,
    NULL                                   /* cancel */
};


static ngx_int_t
ngx_egress_deny_all_query(ngx_egress_query_t *query)
{
    ngx_egress_query_done(query, NGX_EGRESS_DNS_DENIED, NULL, 0, 0);

    return NGX_AGAIN;
}
