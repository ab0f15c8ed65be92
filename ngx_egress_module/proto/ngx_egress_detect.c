
/*
 * Copyright (C) ngx_egress authors
 *
 * Detection by first bytes.  Answers as early as the bytes allow and leaves
 * the proof to the protocol's own reader.
 */


#include "ngx_egress_detect.h"
#include "ngx_egress_field.h"


#define NGX_EGRESS_DETECT_METHOD_LEN  32


static ngx_egress_detect_e ngx_egress_detect_literal(u_char *p, size_t len,
    ngx_str_t *literal, ngx_egress_detect_e protocol);
static ngx_egress_detect_e ngx_egress_detect_tls(u_char *p, size_t len);
static ngx_egress_detect_e ngx_egress_detect_method(u_char *p, size_t len);


static ngx_str_t  ngx_egress_detect_preface =
    ngx_string("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
static ngx_str_t  ngx_egress_detect_pp1 = ngx_string("PROXY ");
static ngx_str_t  ngx_egress_detect_pp2 =
    ngx_string("\r\n\r\n\0\r\nQUIT\n");


ngx_egress_detect_e
ngx_egress_detect(u_char *p, size_t len)
{
    ngx_egress_detect_e  rc;

    if (len == 0) {
        return NGX_EGRESS_DETECT_MORE;
    }

    switch (p[0]) {

    case 0x16:
        return ngx_egress_detect_tls(p, len);

    case 4:
        if (len == 1) {
            return NGX_EGRESS_DETECT_MORE;
        }

        return (p[1] == 1 || p[1] == 2) ? NGX_EGRESS_DETECT_SOCKS4
                                        : NGX_EGRESS_DETECT_UNKNOWN;

    case 5:
        return NGX_EGRESS_DETECT_SOCKS5;

    case CR:
        return ngx_egress_detect_literal(p, len, &ngx_egress_detect_pp2,
                                         NGX_EGRESS_DETECT_PP2);

    case 'P':
        rc = ngx_egress_detect_literal(p, len, &ngx_egress_detect_pp1,
                                       NGX_EGRESS_DETECT_PP1);
        if (rc != NGX_EGRESS_DETECT_UNKNOWN) {
            return rc;
        }

        rc = ngx_egress_detect_literal(p, len, &ngx_egress_detect_preface,
                                       NGX_EGRESS_DETECT_HTTP2);
        if (rc != NGX_EGRESS_DETECT_UNKNOWN) {
            return rc;
        }

        /* POST, PUT, PATCH, PROPFIND */

        /* fall through */

    default:
        return ngx_egress_detect_method(p, len);
    }
}


static ngx_egress_detect_e
ngx_egress_detect_literal(u_char *p, size_t len, ngx_str_t *literal,
    ngx_egress_detect_e protocol)
{
    if (ngx_memcmp(p, literal->data, ngx_min(len, literal->len)) != 0) {
        return NGX_EGRESS_DETECT_UNKNOWN;
    }

    return (len < literal->len) ? NGX_EGRESS_DETECT_MORE : protocol;
}


/* a handshake record of any version since SSL 3.0 */

static ngx_egress_detect_e
ngx_egress_detect_tls(u_char *p, size_t len)
{
    if ((len > 1 && p[1] != 3) || (len > 2 && p[2] > 4)) {
        return NGX_EGRESS_DETECT_UNKNOWN;
    }

    return (len < 3) ? NGX_EGRESS_DETECT_MORE : NGX_EGRESS_DETECT_TLS;
}


static ngx_egress_detect_e
ngx_egress_detect_method(u_char *p, size_t len)
{
    size_t  i;

    for (i = 0; i < len; i++) {

        if (p[i] == ' ' && i > 0) {
            return NGX_EGRESS_DETECT_HTTP1;
        }

        if (i == NGX_EGRESS_DETECT_METHOD_LEN
            || !ngx_egress_field_token(p[i])
            || (p[i] >= '0' && p[i] <= '9'))
        {
            return NGX_EGRESS_DETECT_UNKNOWN;
        }
    }

    return NGX_EGRESS_DETECT_MORE;
}
