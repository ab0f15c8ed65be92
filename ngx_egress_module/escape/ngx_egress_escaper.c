
/*
 * Copyright (C) ngx_egress authors
 *
 * Escapers as objects: the registry of types, the "escaper NAME TYPE { }"
 * block, references by name, and the checks after the whole file has been
 * read.  What a type does is in the file of the type.
 */


#include "../ngx_egress_module.h"
#include "ngx_egress_proxy_addr.h"


typedef enum {
    ngx_egress_visit_new = 0,
    ngx_egress_visit_open,        /* on the path from where the walk began */
    ngx_egress_visit_done
} ngx_egress_visit_e;


static char *ngx_egress_escaper_create(ngx_conf_t *cf,
    ngx_egress_escaper_t *e);
static char *ngx_egress_escaper_check(ngx_conf_t *cf, ngx_egress_escaper_t *e);
static char *ngx_egress_escaper_walk(ngx_conf_t *cf, ngx_egress_escaper_t *e,
    ngx_uint_t depth);


/* to add a type of this module: one line here */

ngx_egress_escaper_type_t  *ngx_egress_escaper_types[] = {
    &ngx_egress_direct_fixed,
    &ngx_egress_dummy_deny,
    NULL
};


static ngx_command_t  ngx_egress_escaper_commands[] = {

    { ngx_string("enable_path_selection"),
      NGX_EGRESS_CONF|NGX_CONF_FLAG,
      ngx_conf_set_flag_slot,
      0,
      offsetof(ngx_egress_escaper_t, path_selection),
      NULL },

      ngx_null_command
};


ngx_egress_escaper_t *
ngx_egress_escaper_ref(ngx_conf_t *cf, ngx_str_t *name)
{
    ngx_egress_conf_t  *ecf;

    ecf = ngx_egress_get_conf(cf->cycle);

    return ngx_egress_object_ref(cf, &ecf->escapers, name,
                                 sizeof(ngx_egress_escaper_t));
}


ngx_egress_escaper_t *
ngx_egress_escaper_find(ngx_cycle_t *cycle, ngx_str_t *name)
{
    ngx_uint_t              i;
    ngx_egress_conf_t      *ecf;
    ngx_egress_escaper_t  **e;

    ecf = ngx_egress_get_conf(cycle);
    e = ecf->escapers.elts;

    for (i = 0; i < ecf->escapers.nelts; i++) {
        if (e[i]->object.name.len == name->len
            && ngx_memcmp(e[i]->object.name.data, name->data, name->len) == 0)
        {
            return e[i];
        }
    }

    return NULL;
}


ngx_int_t
ngx_egress_escaper_register(ngx_cycle_t *cycle,
    ngx_egress_escaper_type_t *type)
{
    ngx_egress_conf_t           *ecf;
    ngx_egress_escaper_type_t  **typep;

    ecf = ngx_egress_get_conf(cycle);

    typep = ngx_array_push(&ecf->types);
    if (typep == NULL) {
        return NGX_ERROR;
    }

    *typep = type;

    return NGX_OK;
}


char *
ngx_egress_escaper_block(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_egress_conf_t *ecf = conf;

    char                       *rv;
    ngx_str_t                  *value;
    ngx_uint_t                  n;
    ngx_egress_block_t          blocks[NGX_EGRESS_MAX_BLOCK_TABLES];
    ngx_egress_escaper_t       *e;
    ngx_egress_escaper_type_t  *type;

    value = cf->args->elts;

    type = ngx_egress_conf_type(cf, ecf->types.elts, ecf->types.nelts);
    if (type == NULL) {
        return NGX_CONF_ERROR;
    }

    e = ngx_egress_escaper_ref(cf, &value[1]);
    if (e == NULL) {
        return NGX_CONF_ERROR;
    }

    rv = ngx_egress_object_declare(cf, &e->object);
    if (rv != NGX_CONF_OK) {
        return rv;
    }

    e->type = type;

    rv = ngx_egress_escaper_create(cf, e);
    if (rv != NGX_CONF_OK) {
        return rv;
    }

    blocks[0].commands = type->commands;
    blocks[0].conf = e->conf;

    n = 1;

    if (type->flags & NGX_EGRESS_TAKES_PATH) {
        blocks[n].commands = ngx_egress_escaper_commands;
        blocks[n++].conf = e;
    }

    if (type->flags & NGX_EGRESS_TAKES_PROXY) {
        blocks[n].commands = ngx_egress_proxy_addr_commands;
        blocks[n++].conf = e->proxy;
    }

    if (type->flags & NGX_EGRESS_TAKES_CONNECT) {
        blocks[n].commands = ngx_egress_connect_commands;
        blocks[n++].conf = &e->connect;
    }

    if (type->flags & NGX_EGRESS_TAKES_TARGET) {
        blocks[n].commands = ngx_egress_target_commands;
        blocks[n++].conf = &e->connect;
    }

    return ngx_egress_conf_block(cf, blocks, n);
}


static char *
ngx_egress_escaper_create(ngx_conf_t *cf, ngx_egress_escaper_t *e)
{
    e->path_selection = NGX_CONF_UNSET;

    if (ngx_array_init(&e->next, cf->pool, 2, sizeof(ngx_egress_escaper_t *))
        != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    if (e->type->flags & NGX_EGRESS_TAKES_CONNECT) {
        ngx_egress_connect_conf_init(&e->connect);
    }

    if ((e->type->flags & NGX_EGRESS_TAKES_PROXY)
        && ngx_egress_proxy_addr_create(cf, e) != NGX_CONF_OK)
    {
        return NGX_CONF_ERROR;
    }

    if (e->type->conf_size) {
        e->conf = ngx_pcalloc(cf->pool, e->type->conf_size);
        if (e->conf == NULL) {
            return NGX_CONF_ERROR;
        }
    }

    return e->type->create ? e->type->create(cf, e) : NGX_CONF_OK;
}


char *
ngx_egress_escapers_init(ngx_conf_t *cf, ngx_array_t *escapers)
{
    char                   *rv;
    ngx_uint_t              i;
    ngx_egress_escaper_t  **e;

    /* init() may refer to more escapers: nelts grows, elts may move */

    for (i = 0; i < escapers->nelts; i++) {
        e = escapers->elts;

        rv = ngx_egress_escaper_check(cf, e[i]);
        if (rv != NGX_CONF_OK) {
            return rv;
        }
    }

    e = escapers->elts;

    for (i = 0; i < escapers->nelts; i++) {
        rv = ngx_egress_escaper_walk(cf, e[i], 1);
        if (rv != NGX_CONF_OK) {
            return rv;
        }
    }

    return NGX_CONF_OK;
}


static char *
ngx_egress_escaper_check(ngx_conf_t *cf, ngx_egress_escaper_t *e)
{
    char  *rv;

    if (!e->object.declared) {
        return ngx_egress_conf_error(cf, &e->object, "unknown escaper \"%V\"",
                                     &e->object.name);
    }

    ngx_conf_init_value(e->path_selection, 0);

    if (e->type->flags & NGX_EGRESS_TAKES_CONNECT) {
        rv = ngx_egress_connect_conf_merge(cf, &e->connect, &e->object);
        if (rv != NGX_CONF_OK) {
            return rv;
        }
    }

    if (e->type->flags & NGX_EGRESS_TAKES_PROXY) {
        rv = ngx_egress_proxy_addr_init(cf, e);
        if (rv != NGX_CONF_OK) {
            return rv;
        }
    }

    return e->type->init ? e->type->init(cf, e) : NGX_CONF_OK;
}


static char *
ngx_egress_escaper_walk(ngx_conf_t *cf, ngx_egress_escaper_t *e,
    ngx_uint_t depth)
{
    char                   *rv;
    ngx_uint_t              i;
    ngx_egress_escaper_t  **next;

    if (e->visit == ngx_egress_visit_done && depth == 1) {
        return NGX_CONF_OK;
    }

    if (e->visit == ngx_egress_visit_open) {
        return ngx_egress_conf_error(cf, &e->object,
                                     "escaper \"%V\" leads back to itself",
                                     &e->object.name);
    }

    if (depth > NGX_EGRESS_MAX_CHAIN) {
        return ngx_egress_conf_error(cf, &e->object,
                                     "escaper \"%V\" is link %ui of a chain, "
                                     "at most %d are possible",
                                     &e->object.name, depth,
                                     NGX_EGRESS_MAX_CHAIN);
    }

    e->visit = ngx_egress_visit_open;

    next = e->next.elts;

    for (i = 0; i < e->next.nelts; i++) {
        rv = ngx_egress_escaper_walk(cf, next[i], depth + 1);
        if (rv != NGX_CONF_OK) {
            return rv;
        }
    }

    e->visit = ngx_egress_visit_done;

    return NGX_CONF_OK;
}
