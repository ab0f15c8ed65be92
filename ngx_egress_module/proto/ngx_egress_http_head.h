
/*
 * Copyright (C) ngx_egress authors
 *
 * Looks into the head of an HTTP/1 request for the host it is meant for,
 * without answering it (RFC 9112, section 3.2).
 */


#ifndef _NGX_EGRESS_HTTP_HEAD_H_INCLUDED_
#define _NGX_EGRESS_HTTP_HEAD_H_INCLUDED_


#include "ngx_egress_proto.h"
#include "ngx_egress_addr.h"
#include "ngx_egress_field.h"


/* of the head, when ngx_egress_http_head_t.max is 0 */
#define NGX_EGRESS_HTTP_HEAD_MAX     32768

#define NGX_EGRESS_HTTP_METHOD_LEN   32

/* what is kept of a target: scheme and authority */
#define NGX_EGRESS_HTTP_TARGET_LEN   (sizeof("https://") - 1                  \
                                      + NGX_EGRESS_ADDR_LEN + 1)


typedef enum {
    NGX_EGRESS_HTTP_OK = 0,
    NGX_EGRESS_HTTP_NOT_HTTP,         /* no request line of HTTP/1 */
    NGX_EGRESS_HTTP_TARGET,           /* neither origin-, absolute-, authority-
                                         nor asterisk-form; host too long */
    NGX_EGRESS_HTTP_FIELD,            /* malformed header field */
    NGX_EGRESS_HTTP_HOST,             /* Host is too long */
    NGX_EGRESS_HTTP_HOSTS,            /* more than one Host */
    NGX_EGRESS_HTTP_TOO_LONG,         /* more than max */
    NGX_EGRESS_HTTP_ERRORS
} ngx_egress_http_error_e;


typedef struct {
    size_t              max;          /* bytes; the caller may set it after
                                         zeroing, 0 is the default */

    ngx_str_t           host;         /* "host" or "host:port" as it came, for
                                         ngx_egress_addr_parse(): of the target
                                         if that names one, else of Host, empty
                                         if there is neither */

    unsigned            connect:1;    /* authority-form */
    unsigned            absolute:1;   /* absolute-form ... */
    unsigned            https:1;      /* ... of scheme https */
    unsigned            error:8;      /* ngx_egress_http_error_e */

    /* the reader's own */

    unsigned            state:8;
    unsigned            is_host:1;    /* the current field may be Host */
    unsigned            hosts:1;      /* there was one */

    size_t              size;         /* bytes consumed */
    size_t              len;          /* of what is being read */
    size_t              target_len;
    size_t              value_len;
    ngx_egress_field_t  field;

    u_char              method[NGX_EGRESS_HTTP_METHOD_LEN];
    u_char              target[NGX_EGRESS_HTTP_TARGET_LEN];
    u_char              value[NGX_EGRESS_ADDR_LEN + 1];
} ngx_egress_http_head_t;


/*
 * A resumable reader, see ngx_egress_proto.h: NGX_OK after the empty line.
 * NGX_ERROR: error is set.  Must not be moved once it has answered.
 */
ngx_int_t ngx_egress_http_head(ngx_egress_http_head_t *st, u_char **pos,
    u_char *last) ngx_egress_must_check;

/* A phrase for the log, never NULL. */
char *ngx_egress_http_strerror(ngx_uint_t error);


#endif /* _NGX_EGRESS_HTTP_HEAD_H_INCLUDED_ */
