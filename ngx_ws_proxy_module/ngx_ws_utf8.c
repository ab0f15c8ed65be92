
/*
 * Copyright (C) ngx_egress authors
 *
 * UTF-8 check of a text that comes in pieces.
 */


#include <ngx_ws_utf8.h>


static ngx_int_t ngx_ws_utf8_lead(ngx_ws_utf8_t *u, u_char ch);


ngx_int_t
ngx_ws_utf8_check(ngx_ws_utf8_t *u, const u_char *p, size_t len)
{
    uint64_t       word;
    const u_char  *last;

    last = p + len;

    while (p < last) {

        if (u->left == 0) {

            while (last - p >= 8) {
                ngx_memcpy(&word, p, 8);

                if (word & 0x8080808080808080ULL) {
                    break;
                }

                p += 8;
            }

            if (p == last) {
                break;
            }

            if (*p >= 0x80 && ngx_ws_utf8_lead(u, *p) != NGX_OK) {
                return NGX_ERROR;
            }

            p++;
            continue;
        }

        if (*p < u->low || *p > u->high) {
            return NGX_ERROR;
        }

        u->low = 0x80;
        u->high = 0xbf;
        u->left--;
        p++;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_ws_utf8_lead(ngx_ws_utf8_t *u, u_char ch)
{
    u->low = 0x80;
    u->high = 0xbf;

    if (ch >= 0xc2 && ch <= 0xdf) {
        u->left = 1;
        return NGX_OK;
    }

    if (ch >= 0xe0 && ch <= 0xef) {
        u->left = 2;

        if (ch == 0xe0) {
            u->low = 0xa0;

        } else if (ch == 0xed) {
            u->high = 0x9f;
        }

        return NGX_OK;
    }

    if (ch >= 0xf0 && ch <= 0xf4) {
        u->left = 3;

        if (ch == 0xf0) {
            u->low = 0x90;

        } else if (ch == 0xf4) {
            u->high = 0x8f;
        }

        return NGX_OK;
    }

    return NGX_ERROR;
}
