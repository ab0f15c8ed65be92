
/*
 * Copyright (C) ngx_egress authors
 *
 * The arguments of the directives that are about datagrams.
 */


#include "ngx_stream_egress_socks.h"


static char *ngx_stream_egress_socks_echo(ngx_conf_t *cf,
    ngx_stream_egress_socks_conf_t *scf, ngx_str_t *value);
static ngx_int_t ngx_stream_egress_socks_ip(ngx_conf_t *cf,
    ngx_egress_addr_t *addr, u_char *p, size_t len);


/* The family is that of the field: bind4 or bind6. */

char *
ngx_stream_egress_socks_bind(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    char  *p = conf;

    int            family;
    ngx_str_t     *value;
    ngx_uint_t     i;
    ngx_addr_t    *addr;
    ngx_array_t  **array;

    array = (ngx_array_t **) (p + cmd->offset);

    family = (cmd->offset == offsetof(ngx_stream_egress_socks_conf_t, bind4))
             ? AF_INET : AF_INET6;

    if (*array == NGX_CONF_UNSET_PTR) {
        *array = ngx_array_create(cf->pool, 2, sizeof(ngx_addr_t));
        if (*array == NULL) {
            return NGX_CONF_ERROR;
        }
    }

    value = cf->args->elts;

    for (i = 1; i < cf->args->nelts; i++) {

        addr = ngx_array_push(*array);
        if (addr == NULL) {
            return NGX_CONF_ERROR;
        }

        if (ngx_parse_addr(cf->pool, addr, value[i].data, value[i].len)
            != NGX_OK
            || addr->sockaddr->sa_family != family)
        {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "\"%V\" is no IPv%d address", &value[i],
                               family == AF_INET ? 4 : 6);
            return NGX_CONF_ERROR;
        }

        addr->name = value[i];
    }

    return NGX_CONF_OK;
}


char *
ngx_stream_egress_socks_port_range(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf)
{
    ngx_stream_egress_socks_conf_t *scf = conf;

    u_char     *p;
    ngx_str_t  *value;

    if (scf->port_max) {
        return ngx_egress_is_duplicate;
    }

    value = cf->args->elts;

    p = ngx_strlchr(value[1].data, value[1].data + value[1].len, '-');

    if (p) {
        scf->port_min = ngx_egress_addr_port(value[1].data,
                                             p - value[1].data);
        p++;
        scf->port_max = ngx_egress_addr_port(p, value[1].data + value[1].len
                                                - p);
    }

    if (scf->port_min == 0 || scf->port_max < scf->port_min) {
        return "has an invalid range, use \"first-last\"";
    }

    return NGX_CONF_OK;
}


char *
ngx_stream_egress_socks_buffer(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_stream_egress_socks_conf_t *scf = conf;

    size_t       size;
    ngx_str_t   *value, s;
    ngx_uint_t   i, both, receive;

    if (scf->receive_buffer != NGX_CONF_UNSET_SIZE
        || scf->send_buffer != NGX_CONF_UNSET_SIZE)
    {
        return ngx_egress_is_duplicate;
    }

    value = cf->args->elts;

    for (i = 1; i < cf->args->nelts; i++) {

        receive = ngx_egress_conf_param(&value[i], "receive=", &s);
        both = !receive && !ngx_egress_conf_param(&value[i], "send=", &s);

        size = ngx_parse_size(both ? &value[i] : &s);

        if (size == (size_t) NGX_ERROR || size > NGX_MAX_INT32_VALUE) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "invalid size \"%V\"",
                               &value[i]);
            return NGX_CONF_ERROR;
        }

        if (both || receive) {
            scf->receive_buffer = size;
        }

        if (both || !receive) {
            scf->send_buffer = size;
        }
    }

    return NGX_CONF_OK;
}


char *
ngx_stream_egress_socks_transmute(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf)
{
    ngx_stream_egress_socks_conf_t *scf = conf;

    char        *rv;
    ngx_str_t   *value;
    ngx_uint_t   i, flag;

    value = cf->args->elts;

    flag = cf->args->nelts == 2
           && (ngx_strcmp(value[1].data, "on") == 0
               || ngx_strcmp(value[1].data, "off") == 0);

    /* a map may be continued by the next line */

    if (scf->transmute != NGX_CONF_UNSET
        && (flag || scf->echo == NGX_CONF_UNSET_PTR))
    {
        return ngx_egress_is_duplicate;
    }

    scf->transmute = 1;

    if (flag) {
        scf->transmute = (value[1].data[1] == 'n');
        return NGX_CONF_OK;
    }

    if (scf->echo == NGX_CONF_UNSET_PTR) {
        scf->echo = ngx_array_create(cf->pool, 2,
                                     sizeof(ngx_stream_egress_socks_echo_t));
        if (scf->echo == NULL) {
            return NGX_CONF_ERROR;
        }
    }

    for (i = 1; i < cf->args->nelts; i++) {
        rv = ngx_stream_egress_socks_echo(cf, scf, &value[i]);

        if (rv != NGX_CONF_OK) {
            return rv;
        }
    }

    return NGX_CONF_OK;
}


/* "local=address" */

static char *
ngx_stream_egress_socks_echo(ngx_conf_t *cf,
    ngx_stream_egress_socks_conf_t *scf, ngx_str_t *value)
{
    u_char                          *p, *last;
    ngx_stream_egress_socks_echo_t  *echo;

    echo = ngx_array_push(scf->echo);
    if (echo == NULL) {
        return NGX_CONF_ERROR;
    }

    last = value->data + value->len;
    p = ngx_strlchr(value->data, last, '=');

    if (p == NULL
        || ngx_stream_egress_socks_ip(cf, &echo->local, value->data,
                                      p - value->data)
           != NGX_OK
        || ngx_stream_egress_socks_ip(cf, &echo->echo, p + 1, last - p - 1)
           != NGX_OK)
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid map \"%V\", use \"on\", \"off\" or "
                           "\"local-address=address\"", value);
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


static ngx_int_t
ngx_stream_egress_socks_ip(ngx_conf_t *cf, ngx_egress_addr_t *addr, u_char *p,
    size_t len)
{
    u_char  *text;

    text = ngx_pnalloc(cf->pool, ngx_max(len, NGX_EGRESS_IP_LEN));
    if (text == NULL) {
        return NGX_ERROR;
    }

    if (ngx_egress_addr_host(addr, text, p, len) != NGX_OK
        || addr->family == AF_UNSPEC)
    {
        return NGX_ERROR;
    }

    return NGX_OK;
}


char *
ngx_stream_egress_socks_limit(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_stream_egress_socks_conf_t *scf = conf;

    return ngx_egress_udp_limit_conf(cf, &scf->limit);
}
