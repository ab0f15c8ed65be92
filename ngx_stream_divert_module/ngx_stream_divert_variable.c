
/*
 * Copyright (C) ngx_egress authors
 *
 * $divert_*: what the sender of a diverted connection has said.
 */


#include "ngx_stream_divert.h"
#include "../ngx_egress_module/proto/ngx_egress_uuid.h"


static ngx_int_t ngx_stream_divert_variable_target(ngx_stream_session_t *s,
    ngx_stream_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_stream_divert_variable_task_id(ngx_stream_session_t *s,
    ngx_stream_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_stream_divert_variable_type(ngx_stream_session_t *s,
    ngx_stream_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_stream_divert_variable_tlv(ngx_stream_session_t *s,
    ngx_stream_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_stream_divert_variable_addr(ngx_stream_session_t *s,
    ngx_stream_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_stream_divert_variable_port(ngx_stream_session_t *s,
    ngx_stream_variable_value_t *v, uintptr_t data);
static struct sockaddr *ngx_stream_divert_sockaddr(ngx_stream_session_t *s,
    uintptr_t data);
static void ngx_stream_divert_variable_set(ngx_stream_variable_value_t *v,
    u_char *p, size_t len);


#define NGX_STREAM_DIVERT_CLIENT  0
#define NGX_STREAM_DIVERT_SERVER  1


static ngx_stream_variable_t  ngx_stream_divert_variables[] = {

    { ngx_string("divert_target"), NULL,
      ngx_stream_divert_variable_target, 0, 0, 0 },

    { ngx_string("divert_tls_name"), NULL,
      ngx_stream_divert_variable_type, NGX_EGRESS_PP2_TLS_NAME, 0, 0 },

    { ngx_string("divert_username"), NULL,
      ngx_stream_divert_variable_type, NGX_EGRESS_PP2_USERNAME, 0, 0 },

    { ngx_string("divert_task_id"), NULL,
      ngx_stream_divert_variable_task_id, 0, 0, 0 },

    { ngx_string("divert_client_addr"), NULL,
      ngx_stream_divert_variable_addr, NGX_STREAM_DIVERT_CLIENT, 0, 0 },

    { ngx_string("divert_client_port"), NULL,
      ngx_stream_divert_variable_port, NGX_STREAM_DIVERT_CLIENT, 0, 0 },

    { ngx_string("divert_server_addr"), NULL,
      ngx_stream_divert_variable_addr, NGX_STREAM_DIVERT_SERVER, 0, 0 },

    { ngx_string("divert_server_port"), NULL,
      ngx_stream_divert_variable_port, NGX_STREAM_DIVERT_SERVER, 0, 0 },

    { ngx_string("divert_tlv_"), NULL,
      ngx_stream_divert_variable_tlv, 0, NGX_STREAM_VAR_PREFIX, 0 },

      ngx_stream_null_variable
};


static ngx_int_t
ngx_stream_divert_variable_target(ngx_stream_session_t *s,
    ngx_stream_variable_value_t *v, uintptr_t data)
{
    ngx_stream_divert_ctx_t  *ctx;

    ctx = ngx_stream_divert_get_ctx(s);

    if (ctx && ctx->target.len) {
        ngx_stream_divert_variable_set(v, ctx->target.data, ctx->target.len);

    } else {
        v->not_found = 1;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_stream_divert_variable_task_id(ngx_stream_session_t *s,
    ngx_stream_variable_value_t *v, uintptr_t data)
{
    u_char                   *p;
    ngx_stream_divert_ctx_t  *ctx;

    ctx = ngx_stream_divert_get_ctx(s);

    if (ctx == NULL || ctx->id.len == 0) {
        v->not_found = 1;
        return NGX_OK;
    }

    p = ngx_pnalloc(s->connection->pool, NGX_EGRESS_TASK_ID_TEXT);
    if (p == NULL) {
        return NGX_ERROR;
    }

    (void) ngx_egress_uuid_print(p, ctx->id.data);

    ngx_stream_divert_variable_set(v, p, NGX_EGRESS_TASK_ID_TEXT);

    return NGX_OK;
}


/* data is the type */

static ngx_int_t
ngx_stream_divert_variable_type(ngx_stream_session_t *s,
    ngx_stream_variable_value_t *v, uintptr_t data)
{
    ngx_str_t                 value;
    ngx_stream_divert_ctx_t  *ctx;

    ctx = ngx_stream_divert_get_ctx(s);

    if (ctx == NULL
        || ngx_egress_pp2_find(&ctx->pp.tlvs, data, &value) != NGX_OK)
    {
        v->not_found = 1;
        return NGX_OK;
    }

    ngx_stream_divert_variable_set(v, value.data, value.len);

    return NGX_OK;
}


/* data is the name of the variable; a TLV that comes twice has no value */

static ngx_int_t
ngx_stream_divert_variable_tlv(ngx_stream_session_t *s,
    ngx_stream_variable_value_t *v, uintptr_t data)
{
    ngx_str_t *name = (ngx_str_t *) data;

    ngx_int_t  type;
    ngx_str_t  tlv;

    tlv.data = name->data + sizeof("divert_tlv_") - 1;
    tlv.len = name->len - (sizeof("divert_tlv_") - 1);

    type = ngx_egress_divert_tlv_type(&tlv);

    if (type == NGX_ERROR) {
        v->not_found = 1;
        return NGX_OK;
    }

    return ngx_stream_divert_variable_type(s, v, type);
}


static ngx_int_t
ngx_stream_divert_variable_addr(ngx_stream_session_t *s,
    ngx_stream_variable_value_t *v, uintptr_t data)
{
    u_char           *p;
    size_t            len;
    struct sockaddr  *sa;

    sa = ngx_stream_divert_sockaddr(s, data);

    if (sa == NULL) {
        v->not_found = 1;
        return NGX_OK;
    }

    p = ngx_pnalloc(s->connection->pool, NGX_SOCKADDR_STRLEN);
    if (p == NULL) {
        return NGX_ERROR;
    }

    len = ngx_sock_ntop(sa, 0, p, NGX_SOCKADDR_STRLEN, 0);

    ngx_stream_divert_variable_set(v, p, len);

    return NGX_OK;
}


static ngx_int_t
ngx_stream_divert_variable_port(ngx_stream_session_t *s,
    ngx_stream_variable_value_t *v, uintptr_t data)
{
    u_char           *p;
    struct sockaddr  *sa;

    sa = ngx_stream_divert_sockaddr(s, data);

    if (sa == NULL) {
        v->not_found = 1;
        return NGX_OK;
    }

    p = ngx_pnalloc(s->connection->pool, sizeof("65535") - 1);
    if (p == NULL) {
        return NGX_ERROR;
    }

    ngx_stream_divert_variable_set(v, p,
                   ngx_egress_addr_print_port(p, ngx_inet_get_port(sa)) - p);

    return NGX_OK;
}


/* The header's address; where it has none, that of the connection itself. */

static struct sockaddr *
ngx_stream_divert_sockaddr(ngx_stream_session_t *s, uintptr_t data)
{
    ngx_connection_t         *c;
    struct sockaddr          *sa;
    ngx_stream_divert_ctx_t  *ctx;

    c = s->connection;
    ctx = ngx_stream_divert_get_ctx(s);

    if (ctx == NULL) {
        return NULL;
    }

    if (!ctx->pp.local
        && (ctx->pp.family == AF_INET || ctx->pp.family == AF_INET6))
    {
        return (data == NGX_STREAM_DIVERT_CLIENT) ? &ctx->pp.src.sockaddr
                                                  : &ctx->pp.dst.sockaddr;
    }

    if (data == NGX_STREAM_DIVERT_SERVER
        && ngx_connection_local_sockaddr(c, NULL, 0) != NGX_OK)
    {
        return NULL;
    }

    sa = (data == NGX_STREAM_DIVERT_CLIENT) ? c->sockaddr : c->local_sockaddr;

    return (sa->sa_family == AF_INET || sa->sa_family == AF_INET6) ? sa : NULL;
}


static void
ngx_stream_divert_variable_set(ngx_stream_variable_value_t *v, u_char *p,
    size_t len)
{
    v->data = p;
    v->len = len;
    v->valid = 1;
    v->no_cacheable = 0;
    v->not_found = 0;
}


ngx_int_t
ngx_stream_divert_add_variables(ngx_conf_t *cf)
{
    ngx_stream_variable_t  *var, *v;

    for (v = ngx_stream_divert_variables; v->name.len; v++) {
        var = ngx_stream_add_variable(cf, &v->name, v->flags);
        if (var == NULL) {
            return NGX_ERROR;
        }

        var->get_handler = v->get_handler;
        var->data = v->data;
    }

    return NGX_OK;
}
