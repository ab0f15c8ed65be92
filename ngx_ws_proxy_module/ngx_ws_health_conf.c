
/*
 * Copyright (C) ngx_egress authors
 *
 * Reads a ws_proxy_health_check line: its parameters, their defaults, and what
 * makes it the same check as one of an earlier configuration.
 */


#include <ngx_ws_health.h>


typedef char *(*ngx_ws_health_set_pt)(ngx_conf_t *cf,
    ngx_ws_health_check_t *check, ngx_str_t *value, size_t offset);


typedef struct {
    ngx_str_t                   name;     /* with its "=" */
    ngx_ws_health_set_pt        set;
    size_t                      offset;
} ngx_ws_health_param_t;


static ngx_int_t ngx_ws_health_arg(ngx_conf_t *cf, ngx_uint_t *i,
    ngx_str_t *arg);
static char *ngx_ws_health_set_param(ngx_conf_t *cf,
    ngx_ws_health_check_t *check, ngx_str_t *arg);
static char *ngx_ws_health_set_type(ngx_conf_t *cf,
    ngx_ws_health_check_t *check, ngx_str_t *value, size_t offset);
static char *ngx_ws_health_set_msec(ngx_conf_t *cf,
    ngx_ws_health_check_t *check, ngx_str_t *value, size_t offset);
static char *ngx_ws_health_set_number(ngx_conf_t *cf,
    ngx_ws_health_check_t *check, ngx_str_t *value, size_t offset);
static char *ngx_ws_health_set_port(ngx_conf_t *cf,
    ngx_ws_health_check_t *check, ngx_str_t *value, size_t offset);
static char *ngx_ws_health_set_str(ngx_conf_t *cf,
    ngx_ws_health_check_t *check, ngx_str_t *value, size_t offset);
static char *ngx_ws_health_set_header(ngx_conf_t *cf,
    ngx_ws_health_check_t *check, ngx_str_t *value, size_t offset);
static char *ngx_ws_health_set_user(ngx_conf_t *cf,
    ngx_ws_health_check_t *check, ngx_str_t *value, size_t offset);
static char *ngx_ws_health_set_bit(ngx_conf_t *cf,
    ngx_ws_health_check_t *check, ngx_str_t *value, size_t offset);
static char *ngx_ws_health_add_line(ngx_conf_t *cf,
    ngx_ws_health_check_t *check, ngx_str_t *line);
static char *ngx_ws_health_complete(ngx_conf_t *cf,
    ngx_ws_health_conf_t *hscf, ngx_ws_health_check_t *check);


enum {
    bit_mandatory = 0,
    bit_ping,
    bit_ssl,
    bit_ssl_verify
};


static ngx_ws_health_param_t  ngx_ws_health_params[] = {

    { ngx_string("type="), ngx_ws_health_set_type, 0 },

    { ngx_string("interval="), ngx_ws_health_set_msec,
      offsetof(ngx_ws_health_check_t, interval) },

    { ngx_string("jitter="), ngx_ws_health_set_msec,
      offsetof(ngx_ws_health_check_t, jitter) },

    { ngx_string("timeout="), ngx_ws_health_set_msec,
      offsetof(ngx_ws_health_check_t, timeout) },

    { ngx_string("fails="), ngx_ws_health_set_number,
      offsetof(ngx_ws_health_check_t, fails) },

    { ngx_string("passes="), ngx_ws_health_set_number,
      offsetof(ngx_ws_health_check_t, passes) },

    { ngx_string("port="), ngx_ws_health_set_port, 0 },

    { ngx_string("uri="), ngx_ws_health_set_str,
      offsetof(ngx_ws_health_check_t, uri) },

    { ngx_string("method="), ngx_ws_health_set_str,
      offsetof(ngx_ws_health_check_t, method) },

    { ngx_string("host="), ngx_ws_health_set_str,
      offsetof(ngx_ws_health_check_t, host) },

    { ngx_string("header="), ngx_ws_health_set_header, 0 },

    { ngx_string("body="), ngx_ws_health_set_str,
      offsetof(ngx_ws_health_check_t, body) },

    { ngx_string("user="), ngx_ws_health_set_user, 0 },

    { ngx_string("match="), ngx_ws_health_set_str,
      offsetof(ngx_ws_health_check_t, match_name) },

    { ngx_string("mandatory="), ngx_ws_health_set_bit, bit_mandatory },

    { ngx_string("ping="), ngx_ws_health_set_bit, bit_ping },

#if (NGX_HTTP_SSL)

    { ngx_string("ssl="), ngx_ws_health_set_bit, bit_ssl },

    { ngx_string("ssl_verify="), ngx_ws_health_set_bit, bit_ssl_verify },

    { ngx_string("ssl_name="), ngx_ws_health_set_str,
      offsetof(ngx_ws_health_check_t, ssl_name) },

    { ngx_string("ssl_trusted_certificate="), ngx_ws_health_set_str,
      offsetof(ngx_ws_health_check_t, ssl_trusted_certificate) },

#endif

    { ngx_null_string, NULL, 0 }
};


/* words that may stand for "word=on" */

static ngx_str_t  ngx_ws_health_words[] = {
    ngx_string("mandatory"),
    ngx_string("ping"),
    ngx_string("ssl"),
    ngx_string("ssl_verify"),
    ngx_null_string
};


char *
ngx_ws_health_set_check(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_ws_health_conf_t *hscf = conf;

    char                   *rv;
    ngx_str_t               arg, type;
    ngx_uint_t              i;
    ngx_ws_health_check_t  *check;

    if (hscf->checks == NULL) {
        hscf->checks = ngx_array_create(cf->pool, 2,
                                        sizeof(ngx_ws_health_check_t));
        if (hscf->checks == NULL) {
            return NGX_CONF_ERROR;
        }
    }

    check = ngx_array_push(hscf->checks);
    if (check == NULL) {
        return NGX_CONF_ERROR;
    }

    ngx_memzero(check, sizeof(ngx_ws_health_check_t));

    ngx_str_set(&type, "http");
    ngx_str_set(&check->headers, "");

    check->type = ngx_ws_probe_type(&type);
    check->interval = 60000;
    check->jitter = NGX_CONF_UNSET_MSEC;
    check->timeout = 3000;
    check->fails = 1;
    check->passes = 1;

    for (i = 1; i < cf->args->nelts; i++) {

        if (ngx_ws_health_arg(cf, &i, &arg) != NGX_OK) {
            return NGX_CONF_ERROR;
        }

        rv = ngx_ws_health_set_param(cf, check, &arg);

        if (rv == NGX_CONF_OK) {
            continue;
        }

        if (rv != NGX_CONF_ERROR) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "%s \"%V\"", rv, &arg);
        }

        return NGX_CONF_ERROR;
    }

    return ngx_ws_health_complete(cf, hscf, check);
}


/*
 * nginx knows quotes around a whole argument only, "header=Name: value".  So
 * that header="Name: value" works as well, its words are put together again.
 */

static ngx_int_t
ngx_ws_health_arg(ngx_conf_t *cf, ngx_uint_t *i, ngx_str_t *arg)
{
    u_char      *p, *quote;
    size_t       len;
    ngx_str_t   *value;
    ngx_uint_t   n;

    value = cf->args->elts;
    *arg = value[*i];

    quote = ngx_strlchr(arg->data, arg->data + arg->len, '=');

    if (quote == NULL || quote[1] != '"') {
        return NGX_OK;
    }

    len = 0;

    for (n = *i; n < cf->args->nelts; n++) {
        len += value[n].len + 1;

        if (value[n].len && value[n].data[value[n].len - 1] == '"'
            && &value[n].data[value[n].len - 1] != quote + 1)
        {
            break;
        }
    }

    if (n == cf->args->nelts) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "no closing quote for %V",
                           arg);
        return NGX_ERROR;
    }

    p = ngx_pnalloc(cf->pool, len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    len = quote + 1 - arg->data;

    arg->data = p;
    p = ngx_cpymem(p, value[*i].data, len);
    p = ngx_cpymem(p, quote + 2, value[*i].len - len - 1);

    while (*i < n) {
        (*i)++;
        *p++ = ' ';
        p = ngx_cpymem(p, value[*i].data, value[*i].len);
    }

    /* the closing quote is the last byte */

    arg->len = p - arg->data - 1;

    return NGX_OK;
}


static char *
ngx_ws_health_set_param(ngx_conf_t *cf, ngx_ws_health_check_t *check,
    ngx_str_t *arg)
{
    ngx_str_t               value, *word;
    ngx_uint_t              i;
    ngx_ws_health_param_t  *param;

    for (param = ngx_ws_health_params; param->name.len; param++) {

        if (arg->len < param->name.len
            || ngx_strncmp(arg->data, param->name.data, param->name.len) != 0)
        {
            continue;
        }

        value.data = arg->data + param->name.len;
        value.len = arg->len - param->name.len;

        return param->set(cf, check, &value, param->offset);
    }

    for (word = ngx_ws_health_words, i = 0; word->len; word++, i++) {

        if (arg->len == word->len
            && ngx_strncmp(arg->data, word->data, word->len) == 0)
        {
            ngx_str_set(&value, "on");
            return ngx_ws_health_set_bit(cf, check, &value, i);
        }
    }

    return "unknown parameter";
}


static char *
ngx_ws_health_set_type(ngx_conf_t *cf, ngx_ws_health_check_t *check,
    ngx_str_t *value, size_t offset)
{
    check->type = ngx_ws_probe_type(value);

    return check->type ? NGX_CONF_OK : "unknown type in";
}


static char *
ngx_ws_health_set_msec(ngx_conf_t *cf, ngx_ws_health_check_t *check,
    ngx_str_t *value, size_t offset)
{
    ngx_int_t    ms;
    ngx_msec_t  *field;

    ms = ngx_parse_time(value, 0);

    if (ms == NGX_ERROR
        || (ms == 0 && offset != offsetof(ngx_ws_health_check_t, jitter)))
    {
        return "invalid time in";
    }

    field = (ngx_msec_t *) ((u_char *) check + offset);
    *field = ms;

    return NGX_CONF_OK;
}


static char *
ngx_ws_health_set_number(ngx_conf_t *cf, ngx_ws_health_check_t *check,
    ngx_str_t *value, size_t offset)
{
    ngx_int_t    n;
    ngx_uint_t  *field;

    n = ngx_atoi(value->data, value->len);

    if (n <= 0) {
        return "invalid number in";
    }

    field = (ngx_uint_t *) ((u_char *) check + offset);
    *field = n;

    return NGX_CONF_OK;
}


static char *
ngx_ws_health_set_port(ngx_conf_t *cf, ngx_ws_health_check_t *check,
    ngx_str_t *value, size_t offset)
{
    ngx_int_t  n;

    n = ngx_atoi(value->data, value->len);

    if (n < 1 || n > 65535) {
        return "invalid port in";
    }

    check->port = (in_port_t) n;

    return NGX_CONF_OK;
}


/* no value may begin another line of the request */

static char *
ngx_ws_health_set_str(ngx_conf_t *cf, ngx_ws_health_check_t *check,
    ngx_str_t *value, size_t offset)
{
    u_char     *p;
    ngx_str_t  *field;

    field = (ngx_str_t *) ((u_char *) check + offset);

    if (value->len == 0) {
        return "empty value in";
    }

    if (offset != offsetof(ngx_ws_health_check_t, body)) {

        for (p = value->data; p < value->data + value->len; p++) {

            if (*p <= ' ' || *p == 0x7f) {
                return "invalid character in";
            }
        }
    }

    *field = *value;

#if (NGX_HTTP_SSL)

    if (offset == offsetof(ngx_ws_health_check_t, ssl_trusted_certificate)
        && ngx_conf_full_name(cf->cycle, field, 1) != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

#endif

    return NGX_CONF_OK;
}


static char *
ngx_ws_health_set_header(ngx_conf_t *cf, ngx_ws_health_check_t *check,
    ngx_str_t *value, size_t offset)
{
    u_char  *p, *last;

    last = value->data + value->len;
    p = ngx_strlchr(value->data, last, ':');

    if (p == NULL || p == value->data) {
        return "no \"Name: value\" in";
    }

    for (p = value->data; p < last; p++) {

        if (*p == CR || *p == LF || *p == '\0') {
            return "invalid character in";
        }
    }

    return ngx_ws_health_add_line(cf, check, value);
}


static char *
ngx_ws_health_set_user(ngx_conf_t *cf, ngx_ws_health_check_t *check,
    ngx_str_t *value, size_t offset)
{
    ngx_str_t  line, encoded;

    if (ngx_strlchr(value->data, value->data + value->len, ':') == NULL) {
        return "no \"name:password\" in";
    }

    line.len = sizeof("Authorization: Basic ") - 1
               + ngx_base64_encoded_length(value->len);

    line.data = ngx_pnalloc(cf->pool, line.len);
    if (line.data == NULL) {
        return NGX_CONF_ERROR;
    }

    encoded.data = ngx_cpymem(line.data, "Authorization: Basic ",
                              sizeof("Authorization: Basic ") - 1);
    ngx_encode_base64(&encoded, value);
    line.len = encoded.data + encoded.len - line.data;

    return ngx_ws_health_add_line(cf, check, &line);
}


static char *
ngx_ws_health_add_line(ngx_conf_t *cf, ngx_ws_health_check_t *check,
    ngx_str_t *line)
{
    u_char  *p, *data;

    data = ngx_pnalloc(cf->pool, check->headers.len + line->len + 2);
    if (data == NULL) {
        return NGX_CONF_ERROR;
    }

    p = data;

    if (check->headers.len) {
        p = ngx_cpymem(p, check->headers.data, check->headers.len);
    }

    p = ngx_cpymem(p, line->data, line->len);
    *p++ = CR;
    *p++ = LF;

    check->headers.data = data;
    check->headers.len = p - data;

    return NGX_CONF_OK;
}


static char *
ngx_ws_health_set_bit(ngx_conf_t *cf, ngx_ws_health_check_t *check,
    ngx_str_t *value, size_t offset)
{
    ngx_uint_t  on;

    if (value->len == 2 && ngx_strncmp(value->data, "on", 2) == 0) {
        on = 1;

    } else if (value->len == 3 && ngx_strncmp(value->data, "off", 3) == 0) {
        on = 0;

    } else {
        return "\"on\" or \"off\" expected in";
    }

    switch (offset) {

    case bit_mandatory:
        check->mandatory = on;
        return NGX_CONF_OK;

    case bit_ping:
        check->ping = on;
        return NGX_CONF_OK;

#if (NGX_HTTP_SSL)

    case bit_ssl:
        check->use_ssl = on;
        return NGX_CONF_OK;

    case bit_ssl_verify:
        check->ssl_verify = on;
        return NGX_CONF_OK;

#endif

    default:
        return "SSL support is required for";
    }
}


static char *
ngx_ws_health_complete(ngx_conf_t *cf, ngx_ws_health_conf_t *hscf,
    ngx_ws_health_check_t *check)
{
    u_char                 *p;
    size_t                  len;
    ngx_uint_t              ssl;
    ngx_ws_health_check_t  *other;

    if (check->jitter == NGX_CONF_UNSET_MSEC) {
        check->jitter = check->interval / 10;
    }

    if (check->uri.len == 0) {
        ngx_str_set(&check->uri, "/");
    }

    if (check->uri.data[0] != '/') {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid URI \"%V\" of a health check",
                           &check->uri);
        return NGX_CONF_ERROR;
    }

    ssl = 0;

#if (NGX_HTTP_SSL)

    ssl = check->use_ssl;

    if (check->ssl_verify && !check->use_ssl) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"ssl_verify\" of a health check needs \"ssl\"");
        return NGX_CONF_ERROR;
    }

    if (check->use_ssl && ngx_ws_health_ssl(cf, check) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

#endif

    /* with the same id it goes on with the same state after a reload */

    len = check->type->name.len + check->method.len + check->host.len
          + check->uri.len + 32;

    p = ngx_pnalloc(cf->pool, len);
    if (p == NULL) {
        return NGX_CONF_ERROR;
    }

    check->id.data = p;
    p = ngx_sprintf(p, "%V %ui %ui %V %V %V", &check->type->name,
                    (ngx_uint_t) check->port, ssl, &check->method,
                    &check->host, &check->uri);
    check->id.len = p - check->id.data;

    /* alike they may be, and differ by a header or a match nevertheless */

    for (other = hscf->checks->elts; other < check; other++) {

        if (other->id.len == check->id.len
            && ngx_strncmp(other->id.data, check->id.data, check->id.len)
               == 0)
        {
            check->twin++;
        }
    }

    return NGX_CONF_OK;
}


#if (NGX_HTTP_SSL)

ngx_int_t
ngx_ws_health_ssl(ngx_conf_t *cf, ngx_ws_health_check_t *check)
{
    ngx_ssl_t           *ssl;
    ngx_pool_cleanup_t  *cln;

    ssl = ngx_pcalloc(cf->pool, sizeof(ngx_ssl_t));
    if (ssl == NULL) {
        return NGX_ERROR;
    }

    ssl->log = cf->log;
    check->ssl = ssl;

    if (ngx_ssl_create(ssl, NGX_SSL_TLSv1_2|NGX_SSL_TLSv1_3, NULL) != NGX_OK) {
        return NGX_ERROR;
    }

    cln = ngx_pool_cleanup_add(cf->pool, 0);
    if (cln == NULL) {
        ngx_ssl_cleanup_ctx(ssl);
        return NGX_ERROR;
    }

    cln->handler = ngx_ssl_cleanup_ctx;
    cln->data = ssl;

    if (!check->ssl_verify) {
        return NGX_OK;
    }

    if (check->ssl_trusted_certificate.len == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"ssl_verify\" of a health check needs "
                           "\"ssl_trusted_certificate\"");
        return NGX_ERROR;
    }

    return ngx_ssl_trusted_certificate(cf, ssl,
                                       &check->ssl_trusted_certificate, 3);
}

#endif
