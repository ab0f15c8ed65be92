
/*
 * Copyright (C) ngx_egress authors
 *
 * Directives of resolvers of type "c_ares".
 */


#include "ngx_egress_c_ares.h"


#define NGX_EGRESS_C_ARES_PORT  53


static char *ngx_egress_c_ares_check(ngx_conf_t *cf, ngx_egress_resolver_t *r,
    ngx_egress_c_ares_conf_t *cacf);
static char *ngx_egress_c_ares_join(ngx_conf_t *cf,
    ngx_egress_c_ares_conf_t *cacf);
static char *ngx_egress_c_ares_server(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_egress_c_ares_bind_ipv4(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_egress_c_ares_bind_ipv6(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);


ngx_command_t  ngx_egress_c_ares_commands[] = {

    { ngx_string("server"),
      NGX_EGRESS_CONF|NGX_CONF_1MORE,
      ngx_egress_c_ares_server,
      0,
      0,
      NULL },

    { ngx_string("hosts"),
      NGX_EGRESS_CONF|NGX_CONF_FLAG,
      ngx_conf_set_flag_slot,
      0,
      offsetof(ngx_egress_c_ares_conf_t, hosts),
      NULL },

    { ngx_string("each_timeout"),
      NGX_EGRESS_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_msec_slot,
      0,
      offsetof(ngx_egress_c_ares_conf_t, each_timeout),
      NULL },

    { ngx_string("each_tries"),
      NGX_EGRESS_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_num_slot,
      0,
      offsetof(ngx_egress_c_ares_conf_t, each_tries),
      NULL },

    { ngx_string("max_timeout"),
      NGX_EGRESS_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_msec_slot,
      0,
      offsetof(ngx_egress_c_ares_conf_t, max_timeout),
      NULL },

    { ngx_string("round_robin"),
      NGX_EGRESS_CONF|NGX_CONF_FLAG,
      ngx_conf_set_flag_slot,
      0,
      offsetof(ngx_egress_c_ares_conf_t, round_robin),
      NULL },

    { ngx_string("socket_send_buffer_size"),
      NGX_EGRESS_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_size_slot,
      0,
      offsetof(ngx_egress_c_ares_conf_t, send_buffer),
      NULL },

    { ngx_string("socket_recv_buffer_size"),
      NGX_EGRESS_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_size_slot,
      0,
      offsetof(ngx_egress_c_ares_conf_t, recv_buffer),
      NULL },

    { ngx_string("bind_ipv4"),
      NGX_EGRESS_CONF|NGX_CONF_TAKE1,
      ngx_egress_c_ares_bind_ipv4,
      0,
      0,
      NULL },

    { ngx_string("bind_ipv6"),
      NGX_EGRESS_CONF|NGX_CONF_TAKE1,
      ngx_egress_c_ares_bind_ipv6,
      0,
      0,
      NULL },

      ngx_null_command
};


char *
ngx_egress_c_ares_create(ngx_conf_t *cf, ngx_egress_resolver_t *r)
{
    ngx_egress_c_ares_conf_t  *cacf;

    cacf = r->conf;

    /*
     * set by ngx_pcalloc():
     *
     *     cacf->csv = { 0, NULL };
     *     cacf->bind4 = 0;
     *     cacf->bind6 = { 0 };
     *     cacf->has_bind4 = 0;
     *     cacf->has_bind6 = 0;
     */

    cacf->hosts = NGX_CONF_UNSET;
    cacf->each_timeout = NGX_CONF_UNSET_MSEC;
    cacf->each_tries = NGX_CONF_UNSET;
    cacf->max_timeout = NGX_CONF_UNSET_MSEC;
    cacf->round_robin = NGX_CONF_UNSET;
    cacf->send_buffer = NGX_CONF_UNSET_SIZE;
    cacf->recv_buffer = NGX_CONF_UNSET_SIZE;

    if (ngx_array_init(&cacf->servers, cf->pool, 2, sizeof(ngx_str_t))
        != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


char *
ngx_egress_c_ares_init(ngx_conf_t *cf, ngx_egress_resolver_t *r)
{
    char                      *rv;
    ngx_egress_c_ares_conf_t  *cacf;

    cacf = r->conf;

    ngx_conf_init_value(cacf->hosts, cacf->servers.nelts == 0);
    ngx_conf_init_msec_value(cacf->each_timeout, 2000);
    ngx_conf_init_value(cacf->each_tries, 3);
    ngx_conf_init_msec_value(cacf->max_timeout, 0);
    ngx_conf_init_value(cacf->round_robin, 0);
    ngx_conf_init_size_value(cacf->send_buffer, 0);
    ngx_conf_init_size_value(cacf->recv_buffer, 0);

    rv = ngx_egress_c_ares_check(cf, r, cacf);
    if (rv != NGX_CONF_OK) {
        return rv;
    }

#ifndef ARES_OPT_MAXTIMEOUTMS
    if (cacf->max_timeout) {
        ngx_log_error(NGX_LOG_WARN, cf->log, 0,
                      "\"max_timeout\" of resolver \"%V\" has no effect with "
                      "c-ares %s, it needs 1.22 or newer",
                      &r->object.name, ARES_VERSION_STR);
    }
#endif

    return ngx_egress_c_ares_join(cf, cacf);
}


/* c-ares 1.18 doubles the time with each try, and does not look */

static char *
ngx_egress_c_ares_check(ngx_conf_t *cf, ngx_egress_resolver_t *r,
    ngx_egress_c_ares_conf_t *cacf)
{
    ngx_uint_t  i;

    struct {
        char        *name;
        ngx_uint_t   value;
        ngx_uint_t   least;
        ngx_uint_t   most;
        char        *limit;
    } checks[] = {
        { "each_timeout", cacf->each_timeout, 1, 60000, "60s" },
        { "each_tries", cacf->each_tries, 1, 10, "10" },
        { "max_timeout", cacf->max_timeout, 0, 60000, "60s" },
        { "socket_send_buffer_size", cacf->send_buffer, 0, 1024 * 1024 * 1024,
          "1024m" },
        { "socket_recv_buffer_size", cacf->recv_buffer, 0, 1024 * 1024 * 1024,
          "1024m" },
    };

    for (i = 0; i < sizeof(checks) / sizeof(checks[0]); i++) {

        if (checks[i].value < checks[i].least) {
            return ngx_egress_conf_error(cf, &r->object,
                                         "\"%s\" of resolver \"%V\" "
                                         "must not be 0", checks[i].name,
                                         &r->object.name);
        }

        if (checks[i].value > checks[i].most) {
            return ngx_egress_conf_error(cf, &r->object,
                                         "\"%s\" of resolver \"%V\" "
                                         "must not be more than %s",
                                         checks[i].name, &r->object.name,
                                         checks[i].limit);
        }
    }

    return NGX_CONF_OK;
}


static char *
ngx_egress_c_ares_join(ngx_conf_t *cf, ngx_egress_c_ares_conf_t *cacf)
{
    u_char      *p;
    size_t       len;
    ngx_str_t   *server;
    ngx_uint_t   i;

    len = 1;
    server = cacf->servers.elts;

    if (cacf->servers.nelts == 0) {
        return NGX_CONF_OK;
    }

    for (i = 0; i < cacf->servers.nelts; i++) {
        len += server[i].len + 1;
    }

    p = ngx_pnalloc(cf->pool, len);
    if (p == NULL) {
        return NGX_CONF_ERROR;
    }

    cacf->csv.data = p;

    for (i = 0; i < cacf->servers.nelts; i++) {

        if (i) {
            *p++ = ',';
        }

        p = ngx_cpymem(p, server[i].data, server[i].len);
    }

    *p = '\0';
    cacf->csv.len = p - cacf->csv.data;

    return NGX_CONF_OK;
}


static char *
ngx_egress_c_ares_server(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_egress_c_ares_conf_t *cacf = conf;

    ngx_int_t    rc;
    ngx_str_t   *value, *server;
    ngx_uint_t   i;
    ngx_addr_t   addr;

    value = cf->args->elts;

    for (i = 1; i < cf->args->nelts; i++) {

        rc = ngx_parse_addr_port(cf->pool, &addr, value[i].data,
                                 value[i].len);

        if (rc == NGX_ERROR) {
            return NGX_CONF_ERROR;
        }

        if (rc != NGX_OK) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid address \"%V\" of a name server, use "
                               "\"192.0.2.1\", \"192.0.2.1:53\" or "
                               "\"[2001:db8::1]:53\"", &value[i]);
            return NGX_CONF_ERROR;
        }

        if (ngx_inet_get_port(addr.sockaddr) == 0) {
            ngx_inet_set_port(addr.sockaddr, NGX_EGRESS_C_ARES_PORT);
        }

        server = ngx_array_push(&cacf->servers);
        if (server == NULL) {
            return NGX_CONF_ERROR;
        }

        server->data = ngx_pnalloc(cf->pool, NGX_SOCKADDR_STRLEN);
        if (server->data == NULL) {
            return NGX_CONF_ERROR;
        }

        server->len = ngx_sock_ntop(addr.sockaddr, addr.socklen,
                                    server->data, NGX_SOCKADDR_STRLEN, 1);
    }

    return NGX_CONF_OK;
}


static char *
ngx_egress_c_ares_bind_ipv4(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_egress_c_ares_conf_t *cacf = conf;

    ngx_str_t  *value;

    if (cacf->has_bind4) {
        return ngx_egress_is_duplicate;
    }

    value = cf->args->elts;

    cacf->bind4 = ngx_inet_addr(value[1].data, value[1].len);
    if (cacf->bind4 == INADDR_NONE) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid IPv4 address \"%V\"", &value[1]);
        return NGX_CONF_ERROR;
    }

    cacf->has_bind4 = 1;

    return NGX_CONF_OK;
}


static char *
ngx_egress_c_ares_bind_ipv6(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_egress_c_ares_conf_t *cacf = conf;

    ngx_str_t  *value;

    if (cacf->has_bind6) {
        return ngx_egress_is_duplicate;
    }

    value = cf->args->elts;

    if (ngx_inet6_addr(value[1].data, value[1].len, cacf->bind6) != NGX_OK) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid IPv6 address \"%V\"", &value[1]);
        return NGX_CONF_ERROR;
    }

    cacf->has_bind6 = 1;

    return NGX_CONF_OK;
}
