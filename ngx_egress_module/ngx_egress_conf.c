
/*
 * Copyright (C) ngx_egress authors
 *
 * Configuration time helpers: named objects, blocks with a command table of
 * their own, setters.  Knows nothing of what the objects are.
 */


#include "ngx_egress_conf.h"


#define NGX_EGRESS_BLOCK_MODULE  0x4b424745   /* "EGBK" */


typedef struct {
    void  **confs;
} ngx_egress_block_ctx_t;


/* no header of the core declares it; "include" is its command */
extern ngx_module_t  ngx_conf_module;


char *
ngx_egress_conf_block(ngx_conf_t *cf, ngx_egress_block_t *blocks, ngx_uint_t n)
{
    char                    *rv;
    void                    *confs[NGX_EGRESS_MAX_BLOCK_TABLES];
    ngx_uint_t               i;
    ngx_conf_t               save;
    ngx_module_t           **modules, tables[NGX_EGRESS_MAX_BLOCK_TABLES];
    ngx_module_t            *known[NGX_EGRESS_MAX_BLOCK_TABLES + 2];
    ngx_egress_block_ctx_t   ctx;

    /*
     * ngx_conf_handler() takes any directive of a module of the current type,
     * so the blocks of two escaper types could not differ.  While this block
     * is read the cycle knows only modules made of its tables.
     */

    ngx_memzero(tables, sizeof(tables));

    for (i = 0; i < n; i++) {
        tables[i].ctx_index = i;
        tables[i].commands = blocks[i].commands;
        tables[i].type = NGX_EGRESS_BLOCK_MODULE;

        confs[i] = blocks[i].conf;
        known[i] = &tables[i];
    }

    known[n] = &ngx_conf_module;
    known[n + 1] = NULL;

    ctx.confs = confs;

    save = *cf;
    modules = cf->cycle->modules;

    cf->ctx = &ctx;
    cf->module_type = NGX_EGRESS_BLOCK_MODULE;
    cf->cmd_type = NGX_EGRESS_CONF;
    cf->cycle->modules = known;

    rv = ngx_conf_parse(cf, NULL);

    cf->cycle->modules = modules;
    *cf = save;

    return rv;
}


void *
ngx_egress_conf_type(ngx_conf_t *cf, void *types, ngx_uint_t n)
{
    u_char       known[NGX_MAX_CONF_ERRSTR], *p;
    ngx_str_t   *value, **type;
    ngx_uint_t   i;

    value = cf->args->elts;
    type = types;
    p = known;

    for (i = 0; i < n; i++) {

        if (type[i]->len == value[2].len
            && ngx_memcmp(type[i]->data, value[2].data, value[2].len) == 0)
        {
            return type[i];
        }

        p = ngx_slprintf(p, known + NGX_MAX_CONF_ERRSTR, "%s\"%V\"",
                         i ? (i == n - 1 ? " or " : ", ") : "", type[i]);
    }

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "unknown %V type \"%V\", use %*s",
                       &value[0], &value[2], p - known, known);

    return NULL;
}


void *
ngx_egress_object_ref(ngx_conf_t *cf, ngx_array_t *objects, ngx_str_t *name,
    size_t size)
{
    ngx_uint_t             i;
    ngx_egress_object_t  **objectp, *object;

    if (name->len == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "empty name");
        return NULL;
    }

    objectp = objects->elts;

    for (i = 0; i < objects->nelts; i++) {
        if (objectp[i]->name.len == name->len
            && ngx_memcmp(objectp[i]->name.data, name->data, name->len) == 0)
        {
            return objectp[i];
        }
    }

    object = ngx_pcalloc(cf->pool, size);
    if (object == NULL) {
        return NULL;
    }

    objectp = ngx_array_push(objects);
    if (objectp == NULL) {
        return NULL;
    }

    object->name = *name;
    ngx_egress_object_here(cf, object);

    *objectp = object;

    return object;
}


void
ngx_egress_object_here(ngx_conf_t *cf, ngx_egress_object_t *object)
{
    object->file = cf->conf_file->file.name;
    object->line = cf->conf_file->line;
}


char *
ngx_egress_object_declare(ngx_conf_t *cf, ngx_egress_object_t *object)
{
    ngx_str_t  *value;

    if (object->declared) {
        value = cf->args->elts;

        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "duplicate %V \"%V\", the first one is at "
                           "%V:%ui, this one",
                           &value[0], &object->name, &object->file,
                           object->line);
        return NGX_CONF_ERROR;
    }

    object->declared = 1;
    ngx_egress_object_here(cf, object);

    return NGX_CONF_OK;
}


char * ngx_cdecl
ngx_egress_conf_error(ngx_conf_t *cf, ngx_egress_object_t *object,
    const char *fmt, ...)
{
    u_char   errstr[NGX_MAX_CONF_ERRSTR], *last;
    va_list  args;

    va_start(args, fmt);
    last = ngx_vslprintf(errstr, errstr + NGX_MAX_CONF_ERRSTR, fmt, args);
    va_end(args);

    ngx_log_error(NGX_LOG_EMERG, cf->log, 0, "%*s in %V:%ui",
                  last - errstr, errstr, &object->file, object->line);

    return NGX_CONF_ERROR;
}


char *
ngx_egress_conf_speed_limit(ngx_conf_t *cf, size_t *upload, size_t *download)
{
    ssize_t      n;
    ngx_str_t   *value, rate;
    ngx_uint_t   i, both;

    value = cf->args->elts;

    for (i = 1; i < cf->args->nelts; i++) {

        both = 0;

        if (!ngx_egress_conf_param(&value[i], "upload=", &rate)
            && !ngx_egress_conf_param(&value[i], "download=", &rate))
        {
            both = 1;
            rate = value[i];
        }

        n = ngx_egress_parse_rate(&rate);
        if (n == NGX_ERROR) {
            return "has an invalid rate, use bytes a second as in \"512k\"";
        }

        if (both || value[i].data[0] == 'u') {
            *upload = n;
        }

        if (both || value[i].data[0] == 'd') {
            *download = n;
        }
    }

    return NGX_CONF_OK;
}


ssize_t
ngx_egress_parse_rate(ngx_str_t *value)
{
    ngx_str_t  s;

    s = *value;

    if (s.len == 3 && ngx_strncmp(s.data, "off", 3) == 0) {
        return 0;
    }

    if (s.len > 2 && ngx_strncmp(s.data + s.len - 2, "/s", 2) == 0) {
        s.len -= 2;
    }

    return ngx_parse_size(&s);
}


ngx_uint_t
ngx_egress_conf_param(ngx_str_t *arg, const char *key, ngx_str_t *value)
{
    size_t  len;

    len = ngx_strlen(key);

    if (arg->len < len || ngx_strncmp(arg->data, key, len) != 0) {
        return 0;
    }

    value->len = arg->len - len;
    value->data = arg->data + len;

    return 1;
}
