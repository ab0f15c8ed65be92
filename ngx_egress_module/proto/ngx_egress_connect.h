
/*
 * Copyright (C) ngx_egress authors
 *
 * What we say to a next HTTP proxy, and the head of its answer (RFC 9110,
 * 9.3.6; RFC 9112).
 */


#ifndef _NGX_EGRESS_CONNECT_H_INCLUDED_
#define _NGX_EGRESS_CONNECT_H_INCLUDED_


#include "ngx_egress_proto.h"
#include "ngx_egress_addr.h"
#include "ngx_egress_field.h"


/* of the head, interim heads included, when ngx_egress_connect_reply_t.max
   is 0 */
#define NGX_EGRESS_CONNECT_REPLY_MAX  16384


typedef struct {
    ngx_egress_addr_t  *target;         /* with a port */
    ngx_str_t           authorization;  /* value of Proxy-Authorization,
                                           "Basic ..."; empty: no field */
    ngx_str_t           headers;        /* whole lines, each with its CRLF */
} ngx_egress_connect_request_t;


typedef struct {
    size_t              max;            /* bytes; the caller may set it after
                                           zeroing, 0 is the default */
    size_t              size;           /* bytes consumed */

    ngx_uint_t          status;         /* 100..599, after NGX_OK */

    unsigned            state:8;        /* the reader's own */
    unsigned            digits:8;
    ngx_egress_field_t  field;
} ngx_egress_connect_reply_t;


/*
 * The length is an upper bound for the writer, which returns the end.  The
 * caller guarantees that its strings are ngx_egress_connect_safe().
 */
size_t ngx_egress_connect_request_len(ngx_egress_connect_request_t *r);
u_char *ngx_egress_connect_request(u_char *buf,
    ngx_egress_connect_request_t *r);

/* 1 if value may stand in a header field: no CR, LF, zero or other control */
ngx_uint_t ngx_egress_connect_safe(ngx_str_t *value);

/*
 * Reads the head of the final reply; interim ones (100, 102..199) are
 * skipped.  *pos stops right after the empty line: what follows a 2xx is the
 * tunnel's.  NGX_ERROR: no HTTP/1.x, malformed, or longer than max.
 */
ngx_int_t ngx_egress_connect_reply(ngx_egress_connect_reply_t *st,
    u_char **pos, u_char *last) ngx_egress_must_check;


#endif /* _NGX_EGRESS_CONNECT_H_INCLUDED_ */
