/*
 * Copyright (C) ngx_egress authors
 *
 * Requests in absolute-form, as the files that forward them see it.
 *
 *     ngx_http_egress_forward.c            flow: task, upstream, end
 *     ngx_http_egress_forward_module.c     directives
 */

#ifndef _NGX_HTTP_EGRESS_FORWARD_H_INCLUDED_
#define _NGX_HTTP_EGRESS_FORWARD_H_INCLUDED_


#include "ngx_http_egress.h"
#include "../connect/ngx_egress_tls.h"


typedef enum {
    NGX_HTTP_EGRESS_FORWARDED_OFF = 0,
    NGX_HTTP_EGRESS_FORWARDED_CLASSIC,     /* X-Forwarded-For */
    NGX_HTTP_EGRESS_FORWARDED_STANDARD     /* Forwarded, RFC 7239 */
} ngx_http_egress_forwarded_e;


typedef struct {
    ngx_http_upstream_conf_t   upstream;   /* what the core wants to know */
    ngx_egress_tls_t          *tls;        /* NULL: no https */
    ngx_flag_t                 https;
    ngx_uint_t                 keepalive;  /* of a worker; 0: none */
    ngx_msec_t                 keepalive_timeout;
    ngx_flag_t                 via;
    ngx_uint_t                 forwarded;  /* ngx_http_egress_forwarded_e */
    ngx_flag_t                 steal_forwarded;
    ngx_flag_t                 custom_host;
} ngx_http_egress_forward_conf_t;


extern ngx_module_t  ngx_http_egress_forward_module;


#endif /* _NGX_HTTP_EGRESS_FORWARD_H_INCLUDED_ */
