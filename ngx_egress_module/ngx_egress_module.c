
/*
 * Copyright (C) ngx_egress authors
 *
 * The egress { } block: owns the named objects, checks them when the whole
 * file has been read (names may be used before they are declared, also by
 * http { } and stream { }), and starts and stops their per-worker state.
 */


#include "ngx_egress_module.h"
#include "resolve/ngx_egress_resolver.h"
#include "user/ngx_egress_user_group.h"
#include "connect/ngx_egress_keepalive.h"
#include "task/ngx_egress_filter.h"
#include "relay/ngx_egress_udp.h"


static char *ngx_egress_block(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
static void *ngx_egress_create_conf(ngx_cycle_t *cycle);
static char *ngx_egress_init_conf(ngx_cycle_t *cycle, void *conf);
static ngx_int_t ngx_egress_init_process(ngx_cycle_t *cycle);
static void ngx_egress_exit_process(ngx_cycle_t *cycle);


/* inside the block; conf: ngx_egress_conf_t */

static ngx_command_t  ngx_egress_block_commands[] = {

    { ngx_string("zone"),
      NGX_EGRESS_CONF|NGX_CONF_TAKE2,
      ngx_egress_stat_zone,
      0,
      0,
      NULL },

    { ngx_string("resolver"),
      NGX_EGRESS_CONF|NGX_CONF_BLOCK|NGX_CONF_TAKE2,
      ngx_egress_resolver_block,
      0,
      0,
      NULL },

    { ngx_string("escaper"),
      NGX_EGRESS_CONF|NGX_CONF_BLOCK|NGX_CONF_TAKE2,
      ngx_egress_escaper_block,
      0,
      0,
      NULL },

    { ngx_string("user_group"),
      NGX_EGRESS_CONF|NGX_CONF_BLOCK|NGX_CONF_TAKE2,
      ngx_egress_user_group_block,
      0,
      0,
      NULL },

      ngx_null_command
};


static ngx_command_t  ngx_egress_commands[] = {

    { ngx_string("egress"),
      NGX_MAIN_CONF|NGX_CONF_BLOCK|NGX_CONF_NOARGS,
      ngx_egress_block,
      0,
      0,
      NULL },

      ngx_null_command
};


static ngx_core_module_t  ngx_egress_module_ctx = {
    ngx_string("egress"),
    ngx_egress_create_conf,
    ngx_egress_init_conf
};


ngx_module_t  ngx_egress_module = {
    NGX_MODULE_V1,
    &ngx_egress_module_ctx,                /* module context */
    ngx_egress_commands,                   /* module directives */
    NGX_CORE_MODULE,                       /* module type */
    NULL,                                  /* init master */
    NULL,                                  /* init module */
    ngx_egress_init_process,               /* init process */
    NULL,                                  /* init thread */
    NULL,                                  /* exit thread */
    ngx_egress_exit_process,               /* exit process */
    NULL,                                  /* exit master */
    NGX_MODULE_V1_PADDING
};


static ngx_int_t
ngx_egress_init_process(ngx_cycle_t *cycle)
{
    ngx_egress_conf_t  *ecf;

    ecf = ngx_egress_get_conf(cycle);

    if (ngx_process != NGX_PROCESS_WORKER && ngx_process != NGX_PROCESS_SINGLE)
    {
        return NGX_OK;
    }

    ngx_egress_self_init_process(cycle);

    if (ngx_egress_stat_init_process(cycle) != NGX_OK
        || ngx_egress_relay_init_process(cycle, &ecf->relay) != NGX_OK
        || ngx_egress_keepalive_init_process(cycle) != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_egress_resolvers_init_process(cycle, &ecf->resolvers);
}


static void
ngx_egress_exit_process(ngx_cycle_t *cycle)
{
    ngx_egress_conf_t  *ecf;

    ecf = ngx_egress_get_conf(cycle);

    if (ngx_process != NGX_PROCESS_WORKER && ngx_process != NGX_PROCESS_SINGLE)
    {
        return;
    }

    ngx_egress_keepalive_exit_process(cycle);
    ngx_egress_resolvers_exit_process(&ecf->resolvers);
    ngx_egress_relay_exit_process(cycle);
    ngx_egress_udp_exit_process();
}


static void *
ngx_egress_create_conf(ngx_cycle_t *cycle)
{
    ngx_uint_t                    i;
    ngx_egress_conf_t            *ecf;
    ngx_egress_escaper_type_t   **type;

    ecf = ngx_pcalloc(cycle->pool, sizeof(ngx_egress_conf_t));
    if (ecf == NULL) {
        return NULL;
    }

    if (ngx_array_init(&ecf->escapers, cycle->pool, 8,
                       sizeof(ngx_egress_escaper_t *))
        != NGX_OK)
    {
        return NULL;
    }

    if (ngx_array_init(&ecf->resolvers, cycle->pool, 4,
                       sizeof(ngx_egress_resolver_t *))
        != NGX_OK)
    {
        return NULL;
    }

    if (ngx_array_init(&ecf->user_groups, cycle->pool, 2,
                       sizeof(ngx_egress_user_group_t *))
        != NGX_OK)
    {
        return NULL;
    }

    if (ngx_array_init(&ecf->checks, cycle->pool, 4,
                       sizeof(ngx_egress_check_t))
        != NGX_OK)
    {
        return NULL;
    }

    if (ngx_array_init(&ecf->types, cycle->pool, 16,
                       sizeof(ngx_egress_escaper_type_t *))
        != NGX_OK)
    {
        return NULL;
    }

    for (i = 0; ngx_egress_escaper_types[i]; i++) {
        type = ngx_array_push(&ecf->types);
        if (type == NULL) {
            return NULL;
        }

        *type = ngx_egress_escaper_types[i];
    }

    ngx_egress_relay_conf_init(&ecf->relay);

    return ecf;
}


static char *
ngx_egress_init_conf(ngx_cycle_t *cycle, void *conf)
{
    ngx_egress_conf_t *ecf = conf;

    char                *rv;
    ngx_uint_t           i;
    ngx_conf_t           cf;
    ngx_egress_check_t  *check;

    ngx_memzero(&cf, sizeof(ngx_conf_t));

    cf.cycle = cycle;
    cf.pool = cycle->pool;
    cf.log = cycle->log;
    cf.temp_pool = cycle->pool;

    check = ecf->checks.elts;

    for (i = 0; i < ecf->checks.nelts; i++) {
        rv = check[i].handler(&cf, check[i].data);
        if (rv != NGX_CONF_OK) {
            return rv;
        }
    }

    /* escapers refer to resolvers, so theirs come to light first */

    rv = ngx_egress_escapers_init(&cf, &ecf->escapers);
    if (rv != NGX_CONF_OK) {
        return rv;
    }

    rv = ngx_egress_resolvers_init(&cf, &ecf->resolvers);
    if (rv != NGX_CONF_OK) {
        return rv;
    }

    rv = ngx_egress_user_groups_init(&cf, &ecf->user_groups);
    if (rv != NGX_CONF_OK) {
        return rv;
    }

    ecf->filter = ngx_egress_filter_default(&cf);
    if (ecf->filter == NULL) {
        return NGX_CONF_ERROR;
    }

    ngx_egress_relay_conf_merge(&ecf->relay);

    return NGX_CONF_OK;
}


char *
ngx_egress_conf_defer(ngx_conf_t *cf, ngx_egress_conf_check_pt handler,
    void *data)
{
    ngx_egress_conf_t   *ecf;
    ngx_egress_check_t  *check;

    ecf = ngx_egress_get_conf(cf->cycle);

    check = ngx_array_push(&ecf->checks);
    if (check == NULL) {
        return NGX_CONF_ERROR;
    }

    check->handler = handler;
    check->data = data;

    return NGX_CONF_OK;
}


static char *
ngx_egress_block(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_egress_conf_t   *ecf;
    ngx_egress_block_t   blocks[2];

    ecf = *(ngx_egress_conf_t **) conf;

    if (ecf->block) {
        return ngx_egress_is_duplicate;
    }

    ecf->block = 1;

    blocks[0].commands = ngx_egress_block_commands;
    blocks[0].conf = ecf;
    blocks[1].commands = ngx_egress_relay_commands;
    blocks[1].conf = &ecf->relay;

    return ngx_egress_conf_block(cf, blocks, 2);
}
