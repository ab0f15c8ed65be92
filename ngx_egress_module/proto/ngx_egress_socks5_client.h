
/*
 * Copyright (C) ngx_egress authors
 *
 * SOCKS5, the client's side: what we say to a next proxy (RFC 1928, 1929).
 *
 * The walk: greeting, read the choice; if it is NGX_EGRESS_SOCKS5_USERPASS,
 * auth, read its status; request, read the reply.  All readers are resumable,
 * see ngx_egress_proto.h; frame.error tells why one failed.
 */


#ifndef _NGX_EGRESS_SOCKS5_CLIENT_H_INCLUDED_
#define _NGX_EGRESS_SOCKS5_CLIENT_H_INCLUDED_


#include "ngx_egress_socks5.h"


#define NGX_EGRESS_SOCKS5_GREETING_LEN  4
#define NGX_EGRESS_SOCKS5_AUTH_LEN      NGX_EGRESS_SOCKS_FRAME_LEN
#define NGX_EGRESS_SOCKS5_REQUEST_LEN   (3 + NGX_EGRESS_SOCKS_ADDR_LEN)


typedef struct {
    ngx_uint_t                code;   /* of a choice: the method; of a status:
                                         0 is success */
    ngx_egress_socks_frame_t  frame;
} ngx_egress_socks5_choice_t;


typedef struct {
    ngx_uint_t                code;   /* NGX_EGRESS_SOCKS5_SUCCEEDED ... */
    ngx_egress_addr_t         bound;  /* if it succeeded; a name that no host
                                         can have leaves bound.error set */
    u_char                    host[255];
    ngx_egress_socks_frame_t  frame;
} ngx_egress_socks5_reply_t;


/* Offers no authentication, and user name and password if auth is 1. */
u_char *ngx_egress_socks5_client_greeting(u_char *buf, ngx_uint_t auth);

ngx_int_t ngx_egress_socks5_client_choice(ngx_egress_socks5_choice_t *st,
    u_char **pos, u_char *last) ngx_egress_must_check;

/* 1 if RFC 1929 can carry them: 1..255 bytes each, without a zero */
ngx_uint_t ngx_egress_socks5_client_auth_valid(ngx_str_t *user,
    ngx_str_t *password);

/* both are valid */
u_char *ngx_egress_socks5_client_auth(u_char *buf, ngx_str_t *user,
    ngx_str_t *password);

ngx_int_t ngx_egress_socks5_client_status(ngx_egress_socks5_choice_t *st,
    u_char **pos, u_char *last) ngx_egress_must_check;

/* addr may be NULL for UDP ASSOCIATE: 0.0.0.0:0 */
u_char *ngx_egress_socks5_client_request(u_char *buf, ngx_uint_t command,
    ngx_egress_addr_t *addr);

/*
 * A reply that is no success is complete with its code: what follows it is
 * not always there, and not worth waiting for.
 */
ngx_int_t ngx_egress_socks5_client_reply(ngx_egress_socks5_reply_t *st,
    u_char **pos, u_char *last) ngx_egress_must_check;


#endif /* _NGX_EGRESS_SOCKS5_CLIENT_H_INCLUDED_ */
