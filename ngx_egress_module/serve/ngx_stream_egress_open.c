
/*
 * Copyright (C) ngx_egress authors
 *
 * A proxy that anybody can use has to be asked for, in stream as in http:
 * each address it listens on must be local, or guarded by a "deny" rule,
 * required client certificates or a user group.  Servers whose targets are
 * mapped by the configuration are no proxies in this sense.
 */


#include "ngx_stream_egress.h"
#include "ngx_egress_open.h"


static ngx_int_t ngx_stream_egress_open_addr(ngx_conf_t *cf,
    ngx_stream_conf_ctx_t *ctx, struct sockaddr *sa, ngx_str_t *text,
    ngx_uint_t ssl);
static ngx_uint_t ngx_stream_egress_guard_access(ngx_conf_t *cf,
    ngx_stream_conf_ctx_t *ctx);
static ngx_uint_t ngx_stream_egress_guard_certificate(
    ngx_stream_conf_ctx_t *ctx, ngx_uint_t ssl);


#if (NGX_EGRESS_STREAM_PORTS)

ngx_int_t
ngx_stream_egress_open_check(ngx_conf_t *cf)
{
    ngx_uint_t                     p, a, s;
    ngx_stream_conf_port_t        *port;
    ngx_stream_conf_addr_t        *addr;
    ngx_stream_core_srv_conf_t   **cscf;
    ngx_stream_core_main_conf_t   *cmcf;

    cmcf = ngx_stream_conf_get_module_main_conf(cf, ngx_stream_core_module);

    if (cmcf->ports == NULL) {
        return NGX_OK;
    }

    port = cmcf->ports->elts;

    for (p = 0; p < cmcf->ports->nelts; p++) {
        addr = port[p].addrs.elts;

        for (a = 0; a < port[p].addrs.nelts; a++) {
            cscf = addr[a].servers.elts;

            for (s = 0; s < addr[a].servers.nelts; s++) {
                if (ngx_stream_egress_open_addr(cf, cscf[s]->ctx,
                                                addr[a].opt.sockaddr,
                                                &addr[a].opt.addr_text,
                                                addr[a].opt.ssl)
                    != NGX_OK)
                {
                    return NGX_ERROR;
                }
            }
        }
    }

    return NGX_OK;
}

#else

ngx_int_t
ngx_stream_egress_open_check(ngx_conf_t *cf)
{
    ngx_uint_t                    i;
    ngx_stream_listen_t          *ls;
    ngx_stream_core_main_conf_t  *cmcf;

    cmcf = ngx_stream_conf_get_module_main_conf(cf, ngx_stream_core_module);

    ls = cmcf->listen.elts;

    for (i = 0; i < cmcf->listen.nelts; i++) {
        if (ngx_stream_egress_open_addr(cf, ls[i].ctx, ls[i].sockaddr,
                                        &ls[i].addr_text, ls[i].ssl)
            != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}

#endif


static ngx_int_t
ngx_stream_egress_open_addr(ngx_conf_t *cf, ngx_stream_conf_ctx_t *ctx,
    struct sockaddr *sa, ngx_str_t *text, ngx_uint_t ssl)
{
    ngx_stream_egress_srv_conf_t  *escf;

    escf = ctx->srv_conf[ngx_stream_egress_module.ctx_index];

    if (escf->where.name.len == 0
        || escf->mapped
        || escf->open_proxy
        || ngx_egress_open_is_local(sa)
        || ngx_stream_egress_guard_access(cf, ctx)
        || ngx_stream_egress_guard_certificate(ctx, ssl))
    {
        return NGX_OK;
    }

    (void) ngx_egress_conf_error(cf, &escf->where,
                     "\"%V\" would be open to everybody on %V: listen on a "
                     "loopback address, restrict clients by \"allow\" and "
                     "\"deny\", or say \"egress_open_proxy on\",",
                     &escf->where.name, text);

    return NGX_ERROR;
}


static ngx_uint_t
ngx_stream_egress_guard_access(ngx_conf_t *cf, ngx_stream_conf_ctx_t *ctx)
{
    ngx_module_t  *m;

    m = ngx_egress_open_module(cf, NGX_STREAM_MODULE,
                               "ngx_stream_access_module");

    return m != NULL && ngx_egress_open_has_deny(ctx->srv_conf[m->ctx_index]);
}


static ngx_uint_t
ngx_stream_egress_guard_certificate(ngx_stream_conf_ctx_t *ctx, ngx_uint_t ssl)
{
#if (NGX_STREAM_SSL)
    ngx_egress_stream_ssl_conf_t  *sslcf;

    sslcf = ctx->srv_conf[ngx_stream_ssl_module.ctx_index];

    /* 1: "on", the other values let everybody in */

    return ssl && sslcf->verify == 1;
#else
    return 0;
#endif
}
