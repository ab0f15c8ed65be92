
/*
 * Copyright (C) ngx_egress authors
 *
 * CONNECT on an nginx as it is.  Cores before 1.29.3 have no authority-form:
 * the linker puts __wrap_ngx_http_parse_request_line() in front of the core's
 * parser (-Wl,--wrap, see "config"), which then never sees a CONNECT line.
 * Newer cores parse it, but refuse it in HTTP/1.0.  No byte of a request is
 * changed, so $request, logs and errors show what the client has sent.
 *
 * Either way a request we answer for passes the core's checks with an unknown
 * method; the POST_READ handler makes a CONNECT of it again.
 */


#include "ngx_http_egress.h"


#define NGX_HTTP_EGRESS_CONNECT      "CONNECT "
#define NGX_HTTP_EGRESS_CONNECT_LEN  (sizeof(NGX_HTTP_EGRESS_CONNECT) - 1)


static ngx_int_t ngx_http_egress_post_read_handler(ngx_http_request_t *r);


#if (NGX_EGRESS_WRAP)

ngx_int_t __real_ngx_http_parse_request_line(ngx_http_request_t *r,
    ngx_buf_t *b);
ngx_int_t __wrap_ngx_http_parse_request_line(ngx_http_request_t *r,
    ngx_buf_t *b);


#if (NGX_EGRESS_NATIVE_CONNECT)

ngx_int_t
__wrap_ngx_http_parse_request_line(ngx_http_request_t *r, ngx_buf_t *b)
{
    ngx_int_t  rc;

    rc = __real_ngx_http_parse_request_line(r, b);

    if (rc == NGX_OK
        && r->method == NGX_HTTP_CONNECT
        && r->http_version == NGX_HTTP_VERSION_10)
    {
        r->method = NGX_HTTP_UNKNOWN;
    }

    return rc;
}

#else

static ngx_int_t ngx_http_egress_connect_line(ngx_http_request_t *r,
    ngx_buf_t *b, u_char *lf);
static u_char *ngx_http_egress_authority(u_char *p, u_char *last);
static u_char *ngx_http_egress_version(ngx_http_request_t *r, u_char *p,
    u_char *last);
static u_char *ngx_http_egress_blanks(u_char *p, u_char *last);


ngx_int_t
__wrap_ngx_http_parse_request_line(ngx_http_request_t *r, ngx_buf_t *b)
{
    u_char  *p, *lf;

    /* in state 0 no byte of the method has been seen yet */

    p = r->state ? r->request_start : b->pos;

    if (r->state == 0) {
        while (p < b->last && (*p == CR || *p == LF)) {
            p++;
        }
    }

    if ((size_t) (b->last - p) < NGX_HTTP_EGRESS_CONNECT_LEN
        || ngx_memcmp(p, NGX_HTTP_EGRESS_CONNECT, NGX_HTTP_EGRESS_CONNECT_LEN)
           != 0)
    {
        /* a part of "CONNECT " stays in the core's parser for now */
        return __real_ngx_http_parse_request_line(r, b);
    }

    /* the core moves both if the line outgrows its buffer */

    r->request_start = p;
    r->method_end = p + NGX_HTTP_EGRESS_CONNECT_LEN - 2;

    lf = memchr(p, LF, b->last - p);

    if (lf == NULL) {
        /* starts over when there is more; state 0 would mean blank lines */
        r->state = 1;
        b->pos = b->last;
        return NGX_AGAIN;
    }

    return ngx_http_egress_connect_line(r, b, lf);
}


/*
 * Leaves the request as cores with authority-form do: the host includes the
 * port, and the URI is the "/" of "HTTP/1.1".
 */

static ngx_int_t
ngx_http_egress_connect_line(ngx_http_request_t *r, ngx_buf_t *b, u_char *lf)
{
    u_char  *p, *last;

    last = lf;

    if (last[-1] == CR) {
        last--;
    }

    p = r->request_start + NGX_HTTP_EGRESS_CONNECT_LEN;
    p = ngx_http_egress_blanks(p, last);

    r->host_start = p;

    p = ngx_http_egress_authority(p, last);
    if (p == NULL) {
        return NGX_HTTP_PARSE_INVALID_REQUEST;
    }

    r->host_end = p;

    p = ngx_http_egress_blanks(p, last);

    if (p == r->host_end
        || last - p < (ssize_t) sizeof("HTTP/1.0") - 1
        || ngx_memcmp(p, "HTTP/", sizeof("HTTP/") - 1) != 0)
    {
        return NGX_HTTP_PARSE_INVALID_REQUEST;
    }

    r->http_protocol.data = p;
    r->uri_start = p + sizeof("HTTP") - 1;
    r->uri_end = r->uri_start + 1;

    p = ngx_http_egress_version(r, r->uri_end, last);

    if (p == NULL || ngx_http_egress_blanks(p, last) != last) {
        return NGX_HTTP_PARSE_INVALID_REQUEST;
    }

    if (r->http_major != 1) {
        return NGX_HTTP_PARSE_INVALID_VERSION;
    }

    /* the core answers a known CONNECT with 405 */

    r->method = NGX_HTTP_UNKNOWN;
    r->http_version = r->http_major * 1000 + r->http_minor;
    r->request_end = last;
    r->state = 0;
    b->pos = lf + 1;

    return NGX_OK;
}


/* host ":" port; returns its end, or NULL */

static u_char *
ngx_http_egress_authority(u_char *p, u_char *last)
{
    u_char  *start;

    start = p;

    if (p < last && *p == '[') {
        while (p < last && *p != ']' && *p != ' ') {
            p++;
        }

        if (p == last || *p++ != ']') {
            return NULL;
        }

    } else {
        while (p < last
               && (isalnum(*p) || *p == '.' || *p == '-' || *p == '_'))
        {
            p++;
        }
    }

    if (p == start || p == last || *p++ != ':') {
        return NULL;
    }

    start = p;

    while (p < last && *p >= '0' && *p <= '9') {
        p++;
    }

    return (p > start) ? p : NULL;
}


/* major "." minor; returns its end, or NULL */

static u_char *
ngx_http_egress_version(ngx_http_request_t *r, u_char *p, u_char *last)
{
    u_char  *dot, *end;

    dot = p;

    while (dot < last && *dot >= '0' && *dot <= '9') {
        dot++;
    }

    if (dot == p || dot == last || *dot != '.' || *p == '0') {
        return NULL;
    }

    end = dot + 1;

    while (end < last && *end >= '0' && *end <= '9') {
        end++;
    }

    if (end == dot + 1 || end - dot > 3) {
        return NULL;
    }

    r->http_major = (dot - p > 1) ? 2 : *p - '0';
    r->http_minor = ngx_atoi(dot + 1, end - dot - 1);

    return end;
}


static u_char *
ngx_http_egress_blanks(u_char *p, u_char *last)
{
    while (p < last && *p == ' ') {
        p++;
    }

    return p;
}

#endif
#endif


static ngx_int_t
ngx_http_egress_post_read_handler(ngx_http_request_t *r)
{
    ngx_http_egress_srv_conf_t  *escf;

    if (r != r->main) {
        return NGX_DECLINED;
    }

    escf = ngx_http_get_module_srv_conf(r, ngx_http_egress_module);

    if (r->method == NGX_HTTP_UNKNOWN
        && r->method_name.len == NGX_HTTP_EGRESS_CONNECT_LEN - 1
        && ngx_strncmp(r->method_name.data, NGX_HTTP_EGRESS_CONNECT,
                       NGX_HTTP_EGRESS_CONNECT_LEN - 1)
           == 0)
    {
        /* whatever becomes of it, what follows is no request */
        r->keepalive = 0;

        if (!ngx_http_egress_is_proxy(escf)) {
            ngx_log_error(NGX_LOG_INFO, r->connection->log, 0,
                          "client sent CONNECT method");
            return NGX_HTTP_NOT_ALLOWED;
        }

        r->method = NGX_HTTP_CONNECT;
    }

    if (r->method == NGX_HTTP_CONNECT && ngx_http_egress_is_proxy(escf)) {
        r->keepalive = 0;
    }

    return NGX_DECLINED;
}


void
ngx_http_egress_allow_connect(ngx_conf_t *cf)
{
#if (NGX_EGRESS_NATIVE_CONNECT)
    ngx_http_core_srv_conf_t  *cscf;

    cscf = ngx_http_conf_get_module_srv_conf(cf, ngx_http_core_module);
    cscf->allow_connect = 1;
#endif
}


ngx_int_t
ngx_http_egress_parse_init(ngx_conf_t *cf)
{
    ngx_http_handler_pt        *h;
    ngx_http_core_main_conf_t  *cmcf;

    cmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_core_module);

    h = ngx_array_push(&cmcf->phases[NGX_HTTP_POST_READ_PHASE].handlers);
    if (h == NULL) {
        return NGX_ERROR;
    }

    *h = ngx_http_egress_post_read_handler;

    return NGX_OK;
}
