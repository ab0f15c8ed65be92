
/*
 * Copyright (C) ngx_egress authors
 *
 * The fields of an HTTP/1 head, byte by byte (RFC 9112, section 5), for the
 * readers of heads in this folder.
 */


#ifndef _NGX_EGRESS_FIELD_H_INCLUDED_
#define _NGX_EGRESS_FIELD_H_INCLUDED_


#include "ngx_egress_proto.h"


typedef enum {
    NGX_EGRESS_FIELD_MORE = 0,        /* part of neither name nor value */
    NGX_EGRESS_FIELD_NAME,            /* the byte is one of the name */
    NGX_EGRESS_FIELD_VALUE,           /* ... of the value, blanks included */
    NGX_EGRESS_FIELD_END,             /* the field is complete */
    NGX_EGRESS_FIELD_DONE,            /* the empty line is complete */
    NGX_EGRESS_FIELD_ERROR
} ngx_egress_field_event_e;


typedef struct {
    ngx_uint_t  state;                /* 0: before the first field */
} ngx_egress_field_t;


/*
 * A line may end with a lone LF, as in core.  Folded lines, names that are
 * no tokens, a blank before the colon, a lone CR and zeros are errors.
 */
ngx_uint_t ngx_egress_field_byte(ngx_egress_field_t *f, u_char ch)
    ngx_egress_must_check;

/* 1 if ch may stand in a token (RFC 9110, section 5.6.2) */
ngx_uint_t ngx_egress_field_token(u_char ch);


#endif /* _NGX_EGRESS_FIELD_H_INCLUDED_ */
