
/*
 * Copyright (C) ngx_egress authors
 *
 * The value of a path selection header: a number, or a dictionary
 *
 *     way=2, direct=1, pool="node-7"
 *
 * as in RFC 8941, section 3.2, of which integers from 0 on, strings and
 * tokens are taken.  Keys are names of escapers and may have upper case.
 */


#ifndef _NGX_EGRESS_DICT_H_INCLUDED_
#define _NGX_EGRESS_DICT_H_INCLUDED_


#include "ngx_egress_proto.h"


typedef struct {
    ngx_str_t   key;                  /* inside the input */
    ngx_str_t   value;                /* inside the input: the digits, the
                                         token, or what is between quotes */
    ngx_uint_t  number;               /* if numeric */

    unsigned    numeric:1;
    unsigned    escaped:1;            /* value goes through _unescape() */
} ngx_egress_dict_member_t;


/*
 * Reads a value that is nothing but digits; blanks around it are allowed.
 * NGX_ERROR: anything else, or too large for *number.
 */
ngx_int_t ngx_egress_dict_number(ngx_str_t *value, ngx_uint_t *number)
    ngx_egress_must_check;

/*
 * Walks a dictionary: *rest starts as the whole value and is moved on.
 * NGX_OK: m is filled; NGX_DONE: no more; NGX_ERROR: malformed.  A caller
 * that acts on members must have seen NGX_DONE first, and decides what a
 * repeated key means.
 */
ngx_int_t ngx_egress_dict_next(ngx_str_t *rest, ngx_egress_dict_member_t *m)
    ngx_egress_must_check;

/* Writes a value without its backslashes, at most its length; the end. */
u_char *ngx_egress_dict_unescape(u_char *buf, ngx_str_t *value);


#endif /* _NGX_EGRESS_DICT_H_INCLUDED_ */
