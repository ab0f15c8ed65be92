
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
    ngx_stream_egress_listen_t *ls, void *data);
static ngx_uint_t ngx_stream_egress_guard_access(ngx_conf_t *cf,
    ngx_stream_conf_ctx_t *ctx);
static ngx_uint_t ngx_stream_egress_guard_certificate(
    ngx_stream_conf_ctx_t *ctx, ngx_uint_t ssl);


#if (NGX_EGRESS_STREAM_PORTS)

ngx_int_t
ngx_stream_egress_each_listen(ngx_conf_t *cf,
    ngx_stream_egress_listen_pt handler, void *data)
{
    ngx_uint_t                     p, a, s;
    ngx_stream_conf_port_t        *port;
    ngx_stream_conf_addr_t        *addr;
    ngx_stream_egress_listen_t     ls;
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

            ls.sockaddr = addr[a].opt.sockaddr;
            ls.socklen = addr[a].opt.socklen;
            ls.text = &addr[a].opt.addr_text;
            ls.ssl = addr[a].opt.ssl;
            ls.udp = (addr[a].opt.type == SOCK_DGRAM);

            for (s = 0; s < addr[a].servers.nelts; s++) {
                ls.ctx = cscf[s]->ctx;
                ls.first = (cscf[s] == addr[a].default_server);

                if (handler(cf, &ls, data) != NGX_OK) {
                    return NGX_ERROR;
                }
            }
        }
    }

    return NGX_OK;
}

#else

ngx_int_t
ngx_stream_egress_each_listen(ngx_conf_t *cf,
    ngx_stream_egress_listen_pt handler, void *data)
{
    ngx_uint_t                    i;
    ngx_stream_listen_t          *listen;
    ngx_stream_egress_listen_t    ls;
    ngx_stream_core_main_conf_t  *cmcf;

    cmcf = ngx_stream_conf_get_module_main_conf(cf, ngx_stream_core_module);

    listen = cmcf->listen.elts;

    for (i = 0; i < cmcf->listen.nelts; i++) {
        ls.ctx = listen[i].ctx;
        ls.sockaddr = listen[i].sockaddr;
        ls.socklen = listen[i].socklen;
        ls.text = &listen[i].addr_text;
        ls.ssl = listen[i].ssl;
        ls.udp = (listen[i].type == SOCK_DGRAM);
        ls.first = 1;

        if (handler(cf, &ls, data) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}

#endif


ngx_int_t
ngx_stream_egress_open_check(ngx_conf_t *cf)
{
    return ngx_stream_egress_each_listen(cf, ngx_stream_egress_open_addr,
                                         NULL);
}


static ngx_int_t
ngx_stream_egress_open_addr(ngx_conf_t *cf, ngx_stream_egress_listen_t *ls,
    void *data)
{
    ngx_stream_core_srv_conf_t    *cscf;
    ngx_stream_egress_srv_conf_t  *escf;

    escf = ls->ctx->srv_conf[ngx_stream_egress_module.ctx_index];

    if (escf->where.name.len == 0) {
        return NGX_OK;
    }

    cscf = ls->ctx->srv_conf[ngx_stream_core_module.ctx_index];

    if (cscf->handler != escf->handler) {
        (void) ngx_egress_conf_error(cf, &escf->where,
                     "\"%V\" is overridden by another handler of the "
                     "server, such as \"proxy_pass\": remove one,",
                     &escf->where.name);
        return NGX_ERROR;
    }

    if (ls->udp) {
        (void) ngx_egress_conf_error(cf, &escf->where,
                     "\"%V\" does not serve datagrams: remove \"udp\" from "
                     "\"listen %V\",", &escf->where.name, ls->text);
        return NGX_ERROR;
    }

    if (escf->mapped
        || escf->open_proxy
        || escf->authenticate
        || ngx_egress_open_is_local(ls->sockaddr)
        || ngx_stream_egress_guard_access(cf, ls->ctx)
        || ngx_stream_egress_guard_certificate(ls->ctx, ls->ssl))
    {
        return NGX_OK;
    }

    (void) ngx_egress_conf_error(cf, &escf->where,
                     "\"%V\" would be open to everybody on %V: listen on a "
                     "loopback address, restrict clients by %s\"allow\" and "
                     "\"deny\", or say \"egress_open_proxy on\",",
                     &escf->where.name, ls->text,
                     escf->users ? "\"egress_user_group\", " : "");

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
