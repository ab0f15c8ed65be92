
/*
 * Copyright (C) ngx_egress authors
 *
 * Resolvers as objects: the registry of types, the "resolver NAME TYPE { }"
 * block with the directives that types share, the checks after the whole
 * file has been read, start and end in a worker.
 */


#include "../ngx_egress_module.h"
#include "ngx_egress_resolver.h"


typedef enum {
    ngx_egress_visit_new = 0,
    ngx_egress_visit_open,        /* on the path from where the walk began */
    ngx_egress_visit_done
} ngx_egress_visit_e;


static char *ngx_egress_resolver_check(ngx_conf_t *cf,
    ngx_egress_resolver_t *r);
static char *ngx_egress_resolver_walk(ngx_conf_t *cf,
    ngx_egress_resolver_t *r);

static char *ngx_egress_resolver_create(ngx_conf_t *cf,
    ngx_egress_resolver_t *r);


/* to add a type: one line here */

static ngx_egress_resolver_type_t  *ngx_egress_resolver_types[] = {
    &ngx_egress_c_ares,
    &ngx_egress_fail_over,
    &ngx_egress_deny_all
};


/* NGX_EGRESS_RESOLVER_TIMEOUT */

static ngx_command_t  ngx_egress_resolver_timeout_commands[] = {

    { ngx_string("protective_query_timeout"),
      NGX_EGRESS_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_msec_slot,
      0,
      offsetof(ngx_egress_resolver_t, query_timeout),
      NULL },

      ngx_null_command
};


/* NGX_EGRESS_RESOLVER_TTL */

static ngx_command_t  ngx_egress_resolver_ttl_commands[] = {

    { ngx_string("positive_min_ttl"),
      NGX_EGRESS_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_sec_slot,
      0,
      offsetof(ngx_egress_resolver_t, positive_min_ttl),
      NULL },

    { ngx_string("positive_max_ttl"),
      NGX_EGRESS_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_sec_slot,
      0,
      offsetof(ngx_egress_resolver_t, positive_max_ttl),
      NULL },

    { ngx_string("negative_min_ttl"),
      NGX_EGRESS_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_sec_slot,
      0,
      offsetof(ngx_egress_resolver_t, negative_min_ttl),
      NULL },

    /* g3proxy's other name of the same */

    { ngx_string("negative_ttl"),
      NGX_EGRESS_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_sec_slot,
      0,
      offsetof(ngx_egress_resolver_t, negative_min_ttl),
      NULL },

    { ngx_string("cache_entries"),
      NGX_EGRESS_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_num_slot,
      0,
      offsetof(ngx_egress_resolver_t, cache_entries),
      NULL },

      ngx_null_command
};


ngx_int_t
ngx_egress_resolvers_init_process(ngx_cycle_t *cycle, ngx_array_t *resolvers)
{
    ngx_uint_t               i;
    ngx_egress_resolver_t  **r;

    r = resolvers->elts;

    for (i = 0; i < resolvers->nelts; i++) {

        if (ngx_egress_resolve_open(r[i]) != NGX_OK) {
            return NGX_ERROR;
        }

        if (r[i]->type->init_process
            && r[i]->type->init_process(cycle, r[i]) != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


void
ngx_egress_resolvers_exit_process(ngx_array_t *resolvers)
{
    ngx_uint_t               i;
    ngx_egress_resolver_t  **r;

    r = resolvers->elts;

    for (i = 0; i < resolvers->nelts; i++) {
        ngx_egress_resolve_close(r[i]);
    }

    for (i = 0; i < resolvers->nelts; i++) {
        if (r[i]->type->exit_process) {
            r[i]->type->exit_process(r[i]);
        }
    }
}


char *
ngx_egress_resolvers_init(ngx_conf_t *cf, ngx_array_t *resolvers)
{
    char                    *rv;
    ngx_uint_t               i;
    ngx_egress_resolver_t  **r;

    r = resolvers->elts;

    for (i = 0; i < resolvers->nelts; i++) {
        rv = ngx_egress_resolver_check(cf, r[i]);
        if (rv != NGX_CONF_OK) {
            return rv;
        }
    }

    for (i = 0; i < resolvers->nelts; i++) {
        rv = ngx_egress_resolver_walk(cf, r[i]);
        if (rv != NGX_CONF_OK) {
            return rv;
        }
    }

    return NGX_CONF_OK;
}


static char *
ngx_egress_resolver_check(ngx_conf_t *cf, ngx_egress_resolver_t *r)
{
    if (!r->object.declared) {
        return ngx_egress_conf_error(cf, &r->object,
                                     "unknown resolver \"%V\"",
                                     &r->object.name);
    }

    ngx_conf_init_value(r->positive_min_ttl, 30);
    ngx_conf_init_value(r->positive_max_ttl, 3600);
    ngx_conf_init_value(r->negative_min_ttl, 30);
    ngx_conf_init_value(r->cache_entries, 10000);
    ngx_conf_init_msec_value(r->query_timeout, 60000);

    if (r->positive_max_ttl < r->positive_min_ttl) {
        return ngx_egress_conf_error(cf, &r->object,
                                     "\"positive_max_ttl\" must not be less "
                                     "than \"positive_min_ttl\" of resolver "
                                     "\"%V\"", &r->object.name);
    }

    if (r->query_timeout == 0) {
        return ngx_egress_conf_error(cf, &r->object,
                                     "\"protective_query_timeout\" of "
                                     "resolver \"%V\" must not be 0",
                                     &r->object.name);
    }

    if (r->cache_entries == 0) {
        return ngx_egress_conf_error(cf, &r->object,
                                     "\"cache_entries\" of resolver \"%V\" "
                                     "must not be 0", &r->object.name);
    }

    return r->type->init ? r->type->init(cf, r) : NGX_CONF_OK;
}


static char *
ngx_egress_resolver_walk(ngx_conf_t *cf, ngx_egress_resolver_t *r)
{
    char                    *rv;
    ngx_uint_t               i;
    ngx_egress_resolver_t  **next;

    if (r->visit == ngx_egress_visit_done) {
        return NGX_CONF_OK;
    }

    if (r->visit == ngx_egress_visit_open) {
        return ngx_egress_conf_error(cf, &r->object,
                                     "resolver \"%V\" leads back to itself",
                                     &r->object.name);
    }

    r->visit = ngx_egress_visit_open;

    next = r->next.elts;

    for (i = 0; i < r->next.nelts; i++) {
        rv = ngx_egress_resolver_walk(cf, next[i]);
        if (rv != NGX_CONF_OK) {
            return rv;
        }
    }

    r->visit = ngx_egress_visit_done;

    return NGX_CONF_OK;
}


ngx_egress_resolver_t *
ngx_egress_resolver_ref(ngx_conf_t *cf, ngx_str_t *name)
{
    ngx_egress_conf_t  *ecf;

    ecf = ngx_egress_get_conf(cf->cycle);

    return ngx_egress_object_ref(cf, &ecf->resolvers, name,
                                 sizeof(ngx_egress_resolver_t));
}


char *
ngx_egress_resolver_block(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    char                        *rv;
    ngx_str_t                   *value;
    ngx_uint_t                   n;
    ngx_egress_block_t           blocks[NGX_EGRESS_MAX_BLOCK_TABLES];
    ngx_egress_resolver_t       *r;
    ngx_egress_resolver_type_t  *type;

    value = cf->args->elts;

    n = sizeof(ngx_egress_resolver_types) / sizeof(void *);

    type = ngx_egress_conf_type(cf, ngx_egress_resolver_types, n);
    if (type == NULL) {
        return NGX_CONF_ERROR;
    }

    r = ngx_egress_resolver_ref(cf, &value[1]);
    if (r == NULL) {
        return NGX_CONF_ERROR;
    }

    rv = ngx_egress_object_declare(cf, &r->object);
    if (rv != NGX_CONF_OK) {
        return rv;
    }

    r->type = type;

    rv = ngx_egress_resolver_create(cf, r);
    if (rv != NGX_CONF_OK) {
        return rv;
    }

    blocks[0].commands = type->commands;
    blocks[0].conf = r->conf;

    n = 1;

    if (type->flags & NGX_EGRESS_RESOLVER_TIMEOUT) {
        blocks[n].commands = ngx_egress_resolver_timeout_commands;
        blocks[n++].conf = r;
    }

    if (type->flags & NGX_EGRESS_RESOLVER_TTL) {
        blocks[n].commands = ngx_egress_resolver_ttl_commands;
        blocks[n++].conf = r;
    }

    return ngx_egress_conf_block(cf, blocks, n);
}


static char *
ngx_egress_resolver_create(ngx_conf_t *cf, ngx_egress_resolver_t *r)
{
    r->positive_min_ttl = NGX_CONF_UNSET;
    r->positive_max_ttl = NGX_CONF_UNSET;
    r->negative_min_ttl = NGX_CONF_UNSET;
    r->query_timeout = NGX_CONF_UNSET_MSEC;
    r->cache_entries = NGX_CONF_UNSET;

    if (ngx_array_init(&r->next, cf->pool, 2, sizeof(ngx_egress_resolver_t *))
        != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    if (r->type->conf_size) {
        r->conf = ngx_pcalloc(cf->pool, r->type->conf_size);
        if (r->conf == NULL) {
            return NGX_CONF_ERROR;
        }
    }

    return r->type->create ? r->type->create(cf, r) : NGX_CONF_OK;
}
