
/*
 * Copyright (C) ngx_egress authors
 *
 * Looks into a TLS ClientHello without answering it (RFC 8446, RFC 6066).
 * The hello may come in any number of records and segments.
 */


#ifndef _NGX_EGRESS_HELLO_H_INCLUDED_
#define _NGX_EGRESS_HELLO_H_INCLUDED_


#include "ngx_egress_proto.h"


/* of all records up to the hello's end, when ngx_egress_hello_t.max is 0 */
#define NGX_EGRESS_HELLO_MAX      32768

#define NGX_EGRESS_HELLO_SNI_LEN  255

/* lists of one name; room for a usual ALPN list */
#define NGX_EGRESS_HELLO_EXT_LEN  512


typedef enum {
    NGX_EGRESS_HELLO_OK = 0,
    NGX_EGRESS_HELLO_NOT_TLS,         /* no handshake record of TLS */
    NGX_EGRESS_HELLO_NOT_HELLO,       /* another handshake message */
    NGX_EGRESS_HELLO_EMPTY_RECORD,
    NGX_EGRESS_HELLO_LONG_RECORD,     /* more than 2^14 bytes */
    NGX_EGRESS_HELLO_TOO_LONG,        /* more than max */
    NGX_EGRESS_HELLO_MALFORMED,       /* lengths do not fit each other */
    NGX_EGRESS_HELLO_BAD_SNI,         /* not one name of 1..255 bytes */
    NGX_EGRESS_HELLO_BAD_ALPN,
    NGX_EGRESS_HELLO_DUPLICATE,       /* an extension we look at, twice */
    NGX_EGRESS_HELLO_ERRORS
} ngx_egress_hello_error_e;


typedef struct {
    size_t      max;                  /* bytes; the caller may set it after
                                         zeroing, 0 is the default */

    ngx_str_t   sni;                  /* into name[], as it came: to be judged
                                         by ngx_egress_addr_host(); empty if
                                         there is none */

    unsigned    alpn:1;               /* the extension is there ... */
    unsigned    alpn_h2:1;            /* ... and offers "h2" */
    unsigned    alpn_http1:1;         /* ... "http/1.1" */
    unsigned    ech:1;                /* sni is the outer name only */
    unsigned    error:8;              /* ngx_egress_hello_error_e */

    /* the reader's own */

    unsigned    record_state:8;
    unsigned    field:8;
    unsigned    sni_seen:1;

    size_t      size;                 /* bytes consumed */
    size_t      record;               /* bytes left in the record */
    size_t      body;                 /* ... in the handshake message */
    size_t      want;                 /* ... in the current field */
    uint32_t    value;                /* of an integer field */
    ngx_uint_t  ext_type;
    size_t      ext_len;              /* of ext[] */

    u_char      name[NGX_EGRESS_HELLO_SNI_LEN];
    u_char      ext[NGX_EGRESS_HELLO_EXT_LEN];
} ngx_egress_hello_t;


/*
 * A resumable reader, see ngx_egress_proto.h.  NGX_OK: the hello is complete;
 * *pos may be inside a record that goes on.  NGX_ERROR: error is set.  Must
 * not be moved once it has answered.
 */
ngx_int_t ngx_egress_hello(ngx_egress_hello_t *st, u_char **pos,
    u_char *last) ngx_egress_must_check;

/* A phrase for the log, never NULL. */
char *ngx_egress_hello_strerror(ngx_uint_t error);


#endif /* _NGX_EGRESS_HELLO_H_INCLUDED_ */
