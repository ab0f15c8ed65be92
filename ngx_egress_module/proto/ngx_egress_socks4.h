
/*
 * Copyright (C) ngx_egress authors
 *
 * SOCKS4 and SOCKS4a, the server's side.
 */


#ifndef _NGX_EGRESS_SOCKS4_H_INCLUDED_
#define _NGX_EGRESS_SOCKS4_H_INCLUDED_


#include "ngx_egress_socks.h"


#define NGX_EGRESS_SOCKS4_USER_LEN   255

#define NGX_EGRESS_SOCKS4_GRANTED    90
#define NGX_EGRESS_SOCKS4_REJECTED   91
#define NGX_EGRESS_SOCKS4_NO_IDENT   92
#define NGX_EGRESS_SOCKS4_BAD_IDENT  93

#define NGX_EGRESS_SOCKS4_REPLY_LEN  8


typedef struct {
    ngx_uint_t         command;       /* CONNECT or BIND */
    ngx_egress_addr_t  addr;          /* addr.host points into host[] */
    ngx_str_t          user;          /* into text[]; may be empty */
    ngx_uint_t         error;         /* ngx_egress_socks_error_e */

    unsigned           state:8;       /* the reader's own, as what follows */
    unsigned           named:1;       /* SOCKS4a */
    size_t             len;
    u_char             head[8];
    u_char             text[NGX_EGRESS_SOCKS4_USER_LEN];
    u_char             host[NGX_EGRESS_HOST_LEN + 1];
} ngx_egress_socks4_request_t;


/*
 * From the version byte on.  A resumable reader, see ngx_egress_proto.h.
 * NGX_ERROR: error is set.  Must not be moved once it has answered.
 */
ngx_int_t ngx_egress_socks4_request(ngx_egress_socks4_request_t *st,
    u_char **pos, u_char *last) ngx_egress_must_check;

/*
 * Writes NGX_EGRESS_SOCKS4_REPLY_LEN bytes.  bound is shown if it is IPv4,
 * else, or if NULL, 0.0.0.0:0.
 */
u_char *ngx_egress_socks4_reply(u_char *buf, ngx_uint_t code,
    ngx_egress_addr_t *bound);


#endif /* _NGX_EGRESS_SOCKS4_H_INCLUDED_ */
