
/*
 * Copyright (C) ngx_egress authors
 *
 * Text that nobody has checked must not end a line of a log, begin another
 * one, or tell a terminal what to do.  Does not know what the text means.
 */


#include "ngx_egress_text.h"


static u_char *ngx_egress_text_hex(u_char *p, u_char ch);


void
ngx_egress_text(ngx_str_t *text, u_char *buf, ngx_str_t *s)
{
    size_t   i;
    u_char  *p, *last, ch;

    p = buf;
    last = buf + NGX_EGRESS_TEXT_LEN - (sizeof("\\xXX...") - 1);

    for (i = 0; i < s->len; i++) {

        if (p > last) {
            *p++ = '.';
            *p++ = '.';
            *p++ = '.';
            break;
        }

        ch = s->data[i];

        if (ch < 0x20 || ch > 0x7e || ch == '"' || ch == '\\') {
            p = ngx_egress_text_hex(p, ch);

        } else {
            *p++ = ch;
        }
    }

    text->data = buf;
    text->len = p - buf;
}


u_char *
ngx_egress_text_line(u_char *p, ngx_str_t *s)
{
    size_t  i;
    u_char  ch;

    for (i = 0; i < s->len; i++) {
        ch = s->data[i];

        if ((ch < 0x20 && ch != '\t') || ch == 0x7f) {
            p = ngx_egress_text_hex(p, ch);

        } else {
            *p++ = ch;
        }
    }

    return p;
}


static u_char *
ngx_egress_text_hex(u_char *p, u_char ch)
{
    static u_char  hex[] = "0123456789ABCDEF";

    *p++ = '\\';
    *p++ = 'x';
    *p++ = hex[ch >> 4];
    *p++ = hex[ch & 0xf];

    return p;
}
