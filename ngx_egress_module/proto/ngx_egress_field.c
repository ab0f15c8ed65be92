
/*
 * Copyright (C) ngx_egress authors
 *
 * Tells names from values in the fields of an HTTP/1 head.  Keeps none.
 */


#include "ngx_egress_field.h"


ngx_uint_t
ngx_egress_field_byte(ngx_egress_field_t *f, u_char ch)
{
    enum {
        sw_line = 0,
        sw_name,
        sw_value,
        sw_value_lf,
        sw_last_lf
    };

    switch (f->state) {

    case sw_line:
        if (ch == LF) {
            return NGX_EGRESS_FIELD_DONE;
        }

        if (ch == CR) {
            f->state = sw_last_lf;
            return NGX_EGRESS_FIELD_MORE;
        }

        /* a folded line starts with a blank, which is no token */

        f->state = sw_name;

        return ngx_egress_field_token(ch) ? NGX_EGRESS_FIELD_NAME
                                          : NGX_EGRESS_FIELD_ERROR;

    case sw_name:
        if (ch == ':') {
            f->state = sw_value;
            return NGX_EGRESS_FIELD_MORE;
        }

        return ngx_egress_field_token(ch) ? NGX_EGRESS_FIELD_NAME
                                          : NGX_EGRESS_FIELD_ERROR;

    case sw_value:
        if (ch == LF) {
            f->state = sw_line;
            return NGX_EGRESS_FIELD_END;
        }

        if (ch == CR) {
            f->state = sw_value_lf;
            return NGX_EGRESS_FIELD_MORE;
        }

        return (ch == '\0') ? NGX_EGRESS_FIELD_ERROR
                            : NGX_EGRESS_FIELD_VALUE;

    case sw_value_lf:
        f->state = sw_line;
        return (ch == LF) ? NGX_EGRESS_FIELD_END : NGX_EGRESS_FIELD_ERROR;

    default: /* sw_last_lf */
        return (ch == LF) ? NGX_EGRESS_FIELD_DONE : NGX_EGRESS_FIELD_ERROR;
    }
}


ngx_uint_t
ngx_egress_field_token(u_char ch)
{
    if ((ch >= 'a' && ch <= 'z') || (ch >= 'A' && ch <= 'Z')
        || (ch >= '0' && ch <= '9'))
    {
        return 1;
    }

    return ch != '\0' && strchr("!#$%&'*+-.^_`|~", ch) != NULL;
}
