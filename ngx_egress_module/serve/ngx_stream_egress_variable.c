
/*
 * Copyright (C) ngx_egress authors
 *
 * $egress_* in stream: the table of the core, for the task of the session.
 */


#include "ngx_stream_egress.h"


static ngx_int_t ngx_stream_egress_variable(ngx_stream_session_t *s,
    ngx_stream_variable_value_t *v, uintptr_t data);


static ngx_int_t
ngx_stream_egress_variable(ngx_stream_session_t *s,
    ngx_stream_variable_value_t *v, uintptr_t data)
{
    ngx_egress_variable_t *var = (ngx_egress_variable_t *) data;

    ngx_int_t                 rc;
    ngx_str_t                 value;
    ngx_stream_egress_ctx_t  *ctx;

    ctx = ngx_stream_egress_get_ctx(s);

    rc = ctx ? var->get(ctx->task, s->connection->pool, &value)
             : NGX_DECLINED;

    if (rc == NGX_ERROR) {
        return NGX_ERROR;
    }

    if (rc == NGX_DECLINED) {
        v->not_found = 1;
        return NGX_OK;
    }

    v->len = value.len;
    v->data = value.data;
    v->valid = 1;
    v->no_cacheable = 0;
    v->not_found = 0;

    return NGX_OK;
}


ngx_int_t
ngx_stream_egress_add_variables(ngx_conf_t *cf)
{
    ngx_egress_variable_t  *v;
    ngx_stream_variable_t  *var;

    for (v = ngx_egress_variables; v->name.len; v++) {

        var = ngx_stream_add_variable(cf, &v->name,
                                      NGX_STREAM_VAR_NOCACHEABLE);
        if (var == NULL) {
            return NGX_ERROR;
        }

        var->get_handler = ngx_stream_egress_variable;
        var->data = (uintptr_t) v;
    }

    return NGX_OK;
}
