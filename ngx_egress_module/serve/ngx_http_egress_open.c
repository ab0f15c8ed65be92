
/*
 * Copyright (C) ngx_egress authors
 *
 * A proxy that anybody can use has to be asked for.  Each address a proxy
 * listens on must be local, or guarded: by a "deny" rule, auth_request,
 * required client certificates, or a user group.  auth_basic does not count:
 * it answers 401, which no client takes from a proxy.
 *
 * The structure of the auth_request module is private to it; it begins with
 * the URI.  Modules are looked up by name, since they may not be there.
 */


#include "ngx_http_egress.h"
#include "ngx_egress_open.h"


typedef ngx_uint_t (*ngx_http_egress_guard_pt)(ngx_conf_t *cf,
    ngx_http_conf_addr_t *addr, ngx_http_core_srv_conf_t *cscf);


static char *ngx_http_egress_open_addr(ngx_conf_t *cf,
    ngx_http_conf_addr_t *addr);
static ngx_uint_t ngx_http_egress_guard_access(ngx_conf_t *cf,
    ngx_http_conf_addr_t *addr, ngx_http_core_srv_conf_t *cscf);
static ngx_uint_t ngx_http_egress_guard_auth_request(ngx_conf_t *cf,
    ngx_http_conf_addr_t *addr, ngx_http_core_srv_conf_t *cscf);
static ngx_uint_t ngx_http_egress_guard_certificate(ngx_conf_t *cf,
    ngx_http_conf_addr_t *addr, ngx_http_core_srv_conf_t *cscf);
static ngx_uint_t ngx_http_egress_guard_users(ngx_conf_t *cf,
    ngx_http_conf_addr_t *addr, ngx_http_core_srv_conf_t *cscf);
static void *ngx_http_egress_foreign_conf(ngx_conf_t *cf, const char *name,
    ngx_http_core_srv_conf_t *cscf);


static ngx_http_egress_guard_pt  ngx_http_egress_guards[] = {
    ngx_http_egress_guard_access,
    ngx_http_egress_guard_auth_request,
    ngx_http_egress_guard_certificate,
    ngx_http_egress_guard_users,
    NULL
};


ngx_int_t
ngx_http_egress_open_check(ngx_conf_t *cf)
{
    ngx_uint_t                  p, a;
    ngx_http_conf_port_t       *port;
    ngx_http_conf_addr_t       *addr;
    ngx_http_core_main_conf_t  *cmcf;

    cmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_core_module);

    if (cmcf->ports == NULL) {
        return NGX_OK;
    }

    port = cmcf->ports->elts;

    for (p = 0; p < cmcf->ports->nelts; p++) {
        addr = port[p].addrs.elts;

        for (a = 0; a < port[p].addrs.nelts; a++) {
            if (ngx_egress_open_is_local(addr[a].opt.sockaddr)) {
                continue;
            }

            if (ngx_http_egress_open_addr(cf, &addr[a]) != NGX_CONF_OK) {
                return NGX_ERROR;
            }
        }
    }

    return NGX_OK;
}


static char *
ngx_http_egress_open_addr(ngx_conf_t *cf, ngx_http_conf_addr_t *addr)
{
    ngx_uint_t                    s, g;
    ngx_http_core_srv_conf_t    **cscf;
    ngx_http_egress_srv_conf_t   *escf;

    cscf = addr->servers.elts;

    for (s = 0; s < addr->servers.nelts; s++) {

        escf = cscf[s]->ctx->srv_conf[ngx_http_egress_module.ctx_index];

        if (!ngx_http_egress_is_proxy(escf) || escf->open_proxy) {
            continue;
        }

        for (g = 0; ngx_http_egress_guards[g]; g++) {
            if (ngx_http_egress_guards[g](cf, addr, cscf[s])) {
                break;
            }
        }

        if (ngx_http_egress_guards[g] == NULL) {
            return ngx_egress_conf_error(cf, &escf->where,
                     "\"egress_http_proxy\" would be open to everybody on "
                     "%V: listen on a loopback address, restrict clients "
                     "by \"egress_user_group\", \"allow\" and \"deny\" "
                     "or \"auth_request\", or say \"egress_open_proxy "
                     "on\",", &addr->opt.addr_text);
        }
    }

    return NGX_CONF_OK;
}


static ngx_uint_t
ngx_http_egress_guard_access(ngx_conf_t *cf, ngx_http_conf_addr_t *addr,
    ngx_http_core_srv_conf_t *cscf)
{
    return ngx_egress_open_has_deny(
               ngx_http_egress_foreign_conf(cf, "ngx_http_access_module",
                                            cscf));
}


static ngx_uint_t
ngx_http_egress_guard_auth_request(ngx_conf_t *cf,
    ngx_http_conf_addr_t *addr, ngx_http_core_srv_conf_t *cscf)
{
    ngx_str_t  *uri;

    uri = ngx_http_egress_foreign_conf(cf, "ngx_http_auth_request_module",
                                       cscf);

    return uri != NULL && uri->len != 0;
}


static ngx_uint_t
ngx_http_egress_guard_certificate(ngx_conf_t *cf, ngx_http_conf_addr_t *addr,
    ngx_http_core_srv_conf_t *cscf)
{
#if (NGX_HTTP_SSL)
    ngx_http_ssl_srv_conf_t  *sscf;

    sscf = cscf->ctx->srv_conf[ngx_http_ssl_module.ctx_index];

    /* 1: "on", the other values let everybody in */

    return addr->opt.ssl && sscf->verify == 1;
#else
    return 0;
#endif
}


static ngx_uint_t
ngx_http_egress_guard_users(ngx_conf_t *cf, ngx_http_conf_addr_t *addr,
    ngx_http_core_srv_conf_t *cscf)
{
    ngx_http_egress_srv_conf_t  *escf;

    escf = cscf->ctx->srv_conf[ngx_http_egress_module.ctx_index];

    return escf->group != NULL;
}


/* The location level configuration of a server, of a module of the core. */

static void *
ngx_http_egress_foreign_conf(ngx_conf_t *cf, const char *name,
    ngx_http_core_srv_conf_t *cscf)
{
    ngx_module_t  *m;

    m = ngx_egress_open_module(cf, NGX_HTTP_MODULE, name);

    return m ? cscf->ctx->loc_conf[m->ctx_index] : NULL;
}
