
/*
 * Copyright (C) ngx_egress authors
 *
 * Setters of the ws_proxy_* directives that need more than a slot.
 */


#include <ngx_http_ws_proxy.h>


static char *ngx_http_ws_proxy_pass_uri(ngx_conf_t *cf,
    ngx_http_core_loc_conf_t *clcf, ngx_http_ws_proxy_loc_conf_t *conf);
static char *ngx_http_ws_proxy_origin_pattern(ngx_conf_t *cf,
    ngx_http_ws_proxy_origin_t *o, ngx_str_t *value);


/* the handshake decides on these */

static ngx_str_t  ngx_http_ws_proxy_reserved[] = {
    ngx_string("connection"),
    ngx_string("upgrade"),
    ngx_string("sec-websocket-key"),
    ngx_string("sec-websocket-version"),
    ngx_string("sec-websocket-accept"),
    ngx_string("sec-websocket-extensions"),
    ngx_string("content-length"),
    ngx_string("transfer-encoding"),
    ngx_null_string
};


char *
ngx_http_ws_proxy_set_pass(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_ws_proxy_loc_conf_t *wlcf = conf;

    ngx_url_t                          u;
    ngx_str_t                         *value;
    const char                        *err;
    ngx_http_core_loc_conf_t          *clcf;
    ngx_http_compile_complex_value_t   ccv;

    if (wlcf->upstream.upstream || wlcf->url_value) {
        return "is duplicate";
    }

    value = cf->args->elts;

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);
    clcf->handler = ngx_http_ws_proxy_handler;

    if (clcf->name.len && clcf->name.data[clcf->name.len - 1] == '/') {
        clcf->auto_redirect = 1;
    }

    if (ngx_http_script_variables_count(&value[1])) {

        wlcf->url_value = ngx_palloc(cf->pool,
                                     sizeof(ngx_http_complex_value_t));
        if (wlcf->url_value == NULL) {
            return NGX_CONF_ERROR;
        }

        ngx_memzero(&ccv, sizeof(ngx_http_compile_complex_value_t));

        ccv.cf = cf;
        ccv.value = &value[1];
        ccv.complex_value = wlcf->url_value;

        if (ngx_http_compile_complex_value(&ccv) != NGX_OK) {
            return NGX_CONF_ERROR;
        }

#if (NGX_HTTP_SSL)
        wlcf->ssl_used = 1;
#endif

        return NGX_CONF_OK;
    }

    if (ngx_http_ws_proxy_url(cf->pool, &value[1], &u, &wlcf->url, &err)
        != NGX_OK)
    {
        if (err) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "%s in \"%V\"", err,
                               &value[1]);
        }

        return NGX_CONF_ERROR;
    }

#if (NGX_HTTP_SSL)
    wlcf->ssl_used = wlcf->url.ssl;
#endif

    /* it parses the URL again and would append to the addresses */

    u.addrs = NULL;
    u.naddrs = 0;

    wlcf->upstream.upstream = ngx_http_upstream_add(cf, &u, 0);
    if (wlcf->upstream.upstream == NULL) {
        return NGX_CONF_ERROR;
    }

    return ngx_http_ws_proxy_pass_uri(cf, clcf, wlcf);
}


static char *
ngx_http_ws_proxy_pass_uri(ngx_conf_t *cf, ngx_http_core_loc_conf_t *clcf,
    ngx_http_ws_proxy_loc_conf_t *conf)
{
    conf->location = clcf->name;

    if (clcf->named
#if (NGX_PCRE)
        || clcf->regex
#endif
        || clcf->noname)
    {
        if (conf->url.uri.len) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "\"ws_proxy_pass\" cannot have a URI part in "
                               "a location given by regular expression, in "
                               "a named location, in \"if\" or in "
                               "\"limit_except\"");
            return NGX_CONF_ERROR;
        }

        conf->location.len = 0;
    }

    return NGX_CONF_OK;
}


char *
ngx_http_ws_proxy_set_header(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_ws_proxy_loc_conf_t *wlcf = conf;

    ngx_str_t                         *value, *s;
    ngx_http_ws_proxy_header_t        *header;
    ngx_http_compile_complex_value_t   ccv;

    if (wlcf->headers == NGX_CONF_UNSET_PTR) {
        wlcf->headers = ngx_array_create(cf->pool, 4,
                                         sizeof(ngx_http_ws_proxy_header_t));
        if (wlcf->headers == NULL) {
            return NGX_CONF_ERROR;
        }
    }

    header = ngx_array_push(wlcf->headers);
    if (header == NULL) {
        return NGX_CONF_ERROR;
    }

    value = cf->args->elts;

    header->name = value[1];
    header->lowcase.len = value[1].len;
    header->lowcase.data = ngx_pnalloc(cf->pool, value[1].len);
    if (header->lowcase.data == NULL) {
        return NGX_CONF_ERROR;
    }

    ngx_strlow(header->lowcase.data, value[1].data, value[1].len);

    for (s = ngx_http_ws_proxy_reserved; s->len; s++) {

        if (header->lowcase.len == s->len
            && ngx_strncmp(header->lowcase.data, s->data, s->len) == 0)
        {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "\"%V\" belongs to the websocket handshake "
                               "and cannot be set", &value[1]);
            return NGX_CONF_ERROR;
        }
    }

    ngx_memzero(&ccv, sizeof(ngx_http_compile_complex_value_t));

    ccv.cf = cf;
    ccv.value = &value[2];
    ccv.complex_value = &header->value;

    if (ngx_http_compile_complex_value(&ccv) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


char *
ngx_http_ws_proxy_set_origin(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_ws_proxy_loc_conf_t *wlcf = conf;

    ngx_str_t                   *value;
    ngx_uint_t                   i;
    ngx_http_ws_proxy_origin_t  *o;

    value = cf->args->elts;

    if (wlcf->origins == NGX_CONF_UNSET_PTR) {

        if (cf->args->nelts == 2 && ngx_strcmp(value[1].data, "off") == 0) {
            wlcf->origins = NULL;
            return NGX_CONF_OK;
        }

        wlcf->origins = ngx_array_create(cf->pool, 4,
                                         sizeof(ngx_http_ws_proxy_origin_t));
        if (wlcf->origins == NULL) {
            return NGX_CONF_ERROR;
        }
    }

    if (wlcf->origins == NULL) {
        return "is duplicate";
    }

    for (i = 1; i < cf->args->nelts; i++) {

        if (ngx_strcmp(value[i].data, "none") == 0) {
            wlcf->origin_none = 1;
            continue;
        }

        if (ngx_strcmp(value[i].data, "same") == 0) {
            wlcf->origin_same = 1;
            continue;
        }

        o = ngx_array_push(wlcf->origins);
        if (o == NULL) {
            return NGX_CONF_ERROR;
        }

        if (ngx_http_ws_proxy_origin_pattern(cf, o, &value[i])
            != NGX_CONF_OK)
        {
            return NGX_CONF_ERROR;
        }
    }

    return NGX_CONF_OK;
}


static char *
ngx_http_ws_proxy_origin_pattern(ngx_conf_t *cf,
    ngx_http_ws_proxy_origin_t *o, ngx_str_t *value)
{
    u_char  *p;

    ngx_memzero(o, sizeof(ngx_http_ws_proxy_origin_t));

    if (value->len > 1 && value->data[0] == '~') {

#if (NGX_PCRE)
        u_char               errstr[NGX_MAX_CONF_ERRSTR];
        ngx_regex_compile_t  rc;

        ngx_memzero(&rc, sizeof(ngx_regex_compile_t));

        rc.pattern.data = value->data + 1;
        rc.pattern.len = value->len - 1;
        rc.options = NGX_REGEX_CASELESS;
        rc.pool = cf->pool;
        rc.err.data = errstr;
        rc.err.len = NGX_MAX_CONF_ERRSTR;

        if (ngx_regex_compile(&rc) != NGX_OK) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "%V", &rc.err);
            return NGX_CONF_ERROR;
        }

        o->regex = rc.regex;
        return NGX_CONF_OK;
#else
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"%V\" requires the PCRE library", value);
        return NGX_CONF_ERROR;
#endif
    }

    if (ngx_strstr(value->data, "://") == NULL
        && ngx_strcmp(value->data, "null") != 0)
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid origin \"%V\", it must be "
                           "scheme://host[:port]", value);
        return NGX_CONF_ERROR;
    }

    o->prefix = *value;
    p = ngx_strlchr(value->data, value->data + value->len, '*');

    if (p) {
        o->wildcard = 1;
        o->prefix.len = p - value->data;
        o->suffix.data = p + 1;
        o->suffix.len = value->len - o->prefix.len - 1;
    }

    return NGX_CONF_OK;
}


char *
ngx_http_ws_proxy_set_size(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    char *p = conf;

    size_t     *field;
    ssize_t     size;
    ngx_str_t  *value;

    field = (size_t *) (p + cmd->offset);

    if (*field != NGX_CONF_UNSET_SIZE) {
        return "is duplicate";
    }

    value = cf->args->elts;

    if (ngx_strcmp(value[1].data, "off") == 0) {
        *field = 0;
        return NGX_CONF_OK;
    }

    size = ngx_parse_size(&value[1]);

    if (size == NGX_ERROR) {
        return "invalid value";
    }

    *field = size;

    return NGX_CONF_OK;
}


char *
ngx_http_ws_proxy_set_ping(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_ws_proxy_loc_conf_t *wlcf = conf;

    ngx_int_t   ms;
    ngx_str_t  *value;

    if (wlcf->ping != NGX_CONF_UNSET_MSEC) {
        return "is duplicate";
    }

    value = cf->args->elts;

    if (cf->args->nelts == 2 && ngx_strcmp(value[1].data, "off") == 0) {
        wlcf->ping = 0;
        wlcf->pong = 0;
        return NGX_CONF_OK;
    }

    ms = ngx_parse_time(&value[1], 0);

    if (ms == NGX_ERROR || ms == 0) {
        return "invalid value";
    }

    wlcf->ping = ms;
    wlcf->pong = 10000;

    if (cf->args->nelts == 3) {
        ms = ngx_parse_time(&value[2], 0);

        if (ms == NGX_ERROR || ms == 0) {
            return "invalid value";
        }

        wlcf->pong = ms;
    }

    return NGX_CONF_OK;
}
