
/*
 * Copyright (C) ngx_egress authors
 *
 * What the SOCKS codecs share: numbers of the wire, and errors.
 * ngx_egress_socks4.h reads and answers SOCKS4 and 4a, ngx_egress_socks5.h
 * SOCKS5 as a server (RFC 1928, RFC 1929) and its UDP header,
 * ngx_egress_socks5_client.h is the client's side.
 */


#ifndef _NGX_EGRESS_SOCKS_H_INCLUDED_
#define _NGX_EGRESS_SOCKS_H_INCLUDED_


#include "ngx_egress_proto.h"
#include "ngx_egress_addr.h"


/* commands, the same in both versions but for UDP */

#define NGX_EGRESS_SOCKS_CONNECT        1
#define NGX_EGRESS_SOCKS_BIND           2
#define NGX_EGRESS_SOCKS_UDP_ASSOCIATE  3


typedef enum {
    NGX_EGRESS_SOCKS_OK = 0,
    NGX_EGRESS_SOCKS_VERSION,         /* not the expected version byte */
    NGX_EGRESS_SOCKS_COMMAND,         /* SOCKS4: neither CONNECT nor BIND */
    NGX_EGRESS_SOCKS_RESERVED,        /* reserved byte is not zero */
    NGX_EGRESS_SOCKS_ATYP,            /* unknown address type */
    NGX_EGRESS_SOCKS_HOST,            /* addr.error tells more */
    NGX_EGRESS_SOCKS_PORT,            /* CONNECT to port 0 */
    NGX_EGRESS_SOCKS_USER,            /* empty, too long, embedded zero */
    NGX_EGRESS_SOCKS_PASSWORD,        /* the same */
    NGX_EGRESS_SOCKS_SHORT,           /* truncated datagram */
    NGX_EGRESS_SOCKS_ERRORS
} ngx_egress_socks_error_e;


/* A phrase for the log, never NULL. */
char *ngx_egress_socks_strerror(ngx_uint_t error);


/*
 * The rest is for the SOCKS5 codecs.  Their messages say their length as they
 * go: a frame collects one, and the message's own need function, given what
 * there is, tells how many bytes are needed to know more.
 */

/* RFC 1929: version, length, user, length, password */
#define NGX_EGRESS_SOCKS_FRAME_LEN  (1 + 1 + 255 + 1 + 255)

/* type, length, name, port */
#define NGX_EGRESS_SOCKS_ADDR_LEN   (1 + 1 + 255 + 2)


typedef struct {
    size_t      len;                  /* of data */
    ngx_uint_t  error;                /* ngx_egress_socks_error_e */
    u_char      data[NGX_EGRESS_SOCKS_FRAME_LEN];
} ngx_egress_socks_frame_t;


/*
 * Returns the length of the message as far as it is known, which is f->len
 * if it is complete; 0: malformed, f->error is set.
 */
typedef size_t (*ngx_egress_socks_need_pt)(ngx_egress_socks_frame_t *f);


ngx_int_t ngx_egress_socks_collect(ngx_egress_socks_frame_t *f,
    ngx_egress_socks_need_pt need, u_char **pos, u_char *last)
    ngx_egress_must_check;

/* Sets f->error and returns 0: the last words of a need function. */
size_t ngx_egress_socks_failed(ngx_egress_socks_frame_t *f, ngx_uint_t error);

/* RFC 1928, section 5, from ATYP to the port; 0: unknown type */
size_t ngx_egress_socks_addr_need(u_char *p, size_t len);

/* p is a complete one; host has 255 bytes; NGX_ERROR: a->error is set */
ngx_int_t ngx_egress_socks_addr_read(ngx_egress_addr_t *a, u_char *host,
    u_char *p) ngx_egress_must_check;

/* a may be NULL: 0.0.0.0:0; at most NGX_EGRESS_SOCKS_ADDR_LEN bytes */
u_char *ngx_egress_socks_addr_write(u_char *p, ngx_egress_addr_t *a);


#endif /* _NGX_EGRESS_SOCKS_H_INCLUDED_ */
