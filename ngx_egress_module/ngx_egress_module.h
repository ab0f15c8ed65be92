/*
 * Copyright (C) ngx_egress authors
 *
 * The egress { } block: what all named objects hang on.  One per cycle.
 */

#ifndef _NGX_EGRESS_MODULE_H_INCLUDED_
#define _NGX_EGRESS_MODULE_H_INCLUDED_


#include "ngx_egress.h"
#include "relay/ngx_egress_relay.h"
#include "stat/ngx_egress_stat.h"


typedef struct {
    ngx_egress_conf_check_pt   handler;
    void                      *data;
} ngx_egress_check_t;


typedef struct {
    ngx_array_t                escapers;   /* of ngx_egress_escaper_t * */
    ngx_array_t                resolvers;  /* of ngx_egress_resolver_t * */
    ngx_array_t                user_groups;  /* of ngx_egress_user_group_t * */
    ngx_array_t                types;      /* of ngx_egress_escaper_type_t * */
    ngx_array_t                checks;     /* of ngx_egress_check_t */
    ngx_egress_relay_conf_t    relay;
    ngx_egress_filter_t       *filter;     /* of escapers without one */
    ngx_shm_zone_t            *zone;       /* NULL: no zone directive */
    unsigned                   block:1;    /* egress { } was seen */
} ngx_egress_conf_t;


#define ngx_egress_get_conf(cycle)                                            \
    ((ngx_egress_conf_t *) ngx_get_conf((cycle)->conf_ctx, ngx_egress_module))


/* escape/ngx_egress_escaper.c: the "escaper NAME TYPE { }" directive */
char *ngx_egress_escaper_block(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);

/* after the whole file: undeclared names, init of the types, loops */
char *ngx_egress_escapers_init(ngx_conf_t *cf, ngx_array_t *escapers);

extern ngx_egress_escaper_type_t  *ngx_egress_escaper_types[];


#endif /* _NGX_EGRESS_MODULE_H_INCLUDED_ */
