
/*
 * Copyright (C) ngx_egress authors
 *
 * SOCKS5, the server's side (RFC 1928), user name and password (RFC 1929),
 * and the header of UDP datagrams, which both sides use.
 *
 * The walk: greeting, choice; if NGX_EGRESS_SOCKS5_USERPASS was chosen, auth
 * and its status; request, reply.  All readers are resumable, see
 * ngx_egress_proto.h; after NGX_ERROR frame.error tells why.  Their structs
 * point into themselves and must not be moved once they have answered.
 */


#ifndef _NGX_EGRESS_SOCKS5_H_INCLUDED_
#define _NGX_EGRESS_SOCKS5_H_INCLUDED_


#include "ngx_egress_socks.h"


#define NGX_EGRESS_SOCKS5_NO_AUTH           0x00
#define NGX_EGRESS_SOCKS5_USERPASS          0x02
#define NGX_EGRESS_SOCKS5_NONE_ACCEPTABLE   0xff

#define NGX_EGRESS_SOCKS5_SUCCEEDED         0x00
#define NGX_EGRESS_SOCKS5_FAILURE           0x01
#define NGX_EGRESS_SOCKS5_NOT_ALLOWED       0x02
#define NGX_EGRESS_SOCKS5_NET_UNREACHABLE   0x03
#define NGX_EGRESS_SOCKS5_HOST_UNREACHABLE  0x04
#define NGX_EGRESS_SOCKS5_REFUSED           0x05
#define NGX_EGRESS_SOCKS5_TTL_EXPIRED       0x06
#define NGX_EGRESS_SOCKS5_BAD_COMMAND       0x07
#define NGX_EGRESS_SOCKS5_BAD_ATYP          0x08

#define NGX_EGRESS_SOCKS5_CHOICE_LEN        2
#define NGX_EGRESS_SOCKS5_STATUS_LEN        2
#define NGX_EGRESS_SOCKS5_REPLY_LEN         (3 + NGX_EGRESS_SOCKS_ADDR_LEN)
#define NGX_EGRESS_SOCKS5_UDP_LEN           (3 + NGX_EGRESS_SOCKS_ADDR_LEN)


typedef struct {
    ngx_egress_socks_frame_t  frame;
} ngx_egress_socks5_greeting_t;


typedef struct {
    ngx_str_t                 user;       /* 1..255 bytes, no zero */
    ngx_str_t                 password;   /* the same */
    ngx_egress_socks_frame_t  frame;
} ngx_egress_socks5_auth_t;


typedef struct {
    ngx_uint_t                command;    /* any: what is not supported gets
                                             BAD_COMMAND in the reply */
    ngx_egress_addr_t         addr;       /* the port is 0 only if this is no
                                             CONNECT */
    u_char                    host[255];
    ngx_egress_socks_frame_t  frame;
} ngx_egress_socks5_request_t;


typedef struct {
    ngx_uint_t                frag;       /* not 0: a fragment, to be dropped */
    size_t                    size;       /* of the header; data follows */
    ngx_egress_addr_t         addr;       /* the port may be 0 */
    ngx_uint_t                error;      /* ngx_egress_socks_error_e */
    u_char                    host[255];
} ngx_egress_socks5_udp_t;


ngx_int_t ngx_egress_socks5_greeting(ngx_egress_socks5_greeting_t *st,
    u_char **pos, u_char *last) ngx_egress_must_check;

/* 1 if the client offers the method; a client may offer none at all */
ngx_uint_t ngx_egress_socks5_offers(ngx_egress_socks5_greeting_t *st,
    ngx_uint_t method);

u_char *ngx_egress_socks5_choice(u_char *buf, ngx_uint_t method);

ngx_int_t ngx_egress_socks5_auth(ngx_egress_socks5_auth_t *st, u_char **pos,
    u_char *last) ngx_egress_must_check;

/* ok: 1 or 0; after 0 the connection is to be closed */
u_char *ngx_egress_socks5_auth_status(u_char *buf, ngx_uint_t ok);

/*
 * NGX_ERROR: error NGX_EGRESS_SOCKS_ATYP asks for BAD_ATYP in the reply, any
 * other one for FAILURE.
 */
ngx_int_t ngx_egress_socks5_request(ngx_egress_socks5_request_t *st,
    u_char **pos, u_char *last) ngx_egress_must_check;

/* bound may be NULL: 0.0.0.0:0 */
u_char *ngx_egress_socks5_reply(u_char *buf, ngx_uint_t code,
    ngx_egress_addr_t *bound);

/*
 * Reads the header of the datagram p; u needs no initialization.  NGX_ERROR:
 * truncated or malformed, to be dropped; u->error is set.
 */
ngx_int_t ngx_egress_socks5_udp_read(ngx_egress_socks5_udp_t *u, u_char *p,
    size_t len) ngx_egress_must_check;

/* Writes the header of an unfragmented datagram; a is not NULL. */
u_char *ngx_egress_socks5_udp_write(u_char *buf, ngx_egress_addr_t *a);


#endif /* _NGX_EGRESS_SOCKS5_H_INCLUDED_ */
