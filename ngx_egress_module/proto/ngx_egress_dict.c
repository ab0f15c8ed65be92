
/*
 * Copyright (C) ngx_egress authors
 *
 * Reads path selection values.  Knows no escapers.
 */


#include "ngx_egress_dict.h"
#include "ngx_egress_field.h"


static u_char *ngx_egress_dict_blanks(u_char *p, u_char *last);
static u_char *ngx_egress_dict_key(u_char *p, u_char *last);
static u_char *ngx_egress_dict_value(ngx_egress_dict_member_t *m, u_char *p,
    u_char *last);
static u_char *ngx_egress_dict_string(ngx_egress_dict_member_t *m, u_char *p,
    u_char *last);
static u_char *ngx_egress_dict_digits(ngx_uint_t *number, u_char *p,
    u_char *last);
static u_char *ngx_egress_dict_token(u_char *p, u_char *last);
static ngx_uint_t ngx_egress_dict_alnum(u_char ch);


ngx_int_t
ngx_egress_dict_number(ngx_str_t *value, ngx_uint_t *number)
{
    u_char  *p, *last;

    last = value->data + value->len;

    p = ngx_egress_dict_blanks(value->data, last);
    p = ngx_egress_dict_digits(number, p, last);

    if (p == NULL || ngx_egress_dict_blanks(p, last) != last) {
        return NGX_ERROR;
    }

    return NGX_OK;
}


ngx_int_t
ngx_egress_dict_next(ngx_str_t *rest, ngx_egress_dict_member_t *m)
{
    u_char  *p, *last;

    ngx_memzero(m, sizeof(ngx_egress_dict_member_t));

    last = rest->data + rest->len;
    p = ngx_egress_dict_blanks(rest->data, last);

    if (p == last) {
        return NGX_DONE;
    }

    m->key.data = p;
    p = ngx_egress_dict_key(p, last);
    m->key.len = p - m->key.data;

    if (m->key.len == 0 || p == last || *p != '=') {
        return NGX_ERROR;
    }

    p = ngx_egress_dict_value(m, p + 1, last);

    if (p == NULL) {
        return NGX_ERROR;
    }

    p = ngx_egress_dict_blanks(p, last);

    if (p < last) {

        if (*p != ',') {
            return NGX_ERROR;
        }

        p = ngx_egress_dict_blanks(p + 1, last);

        if (p == last) {
            /* a comma promises another member */
            return NGX_ERROR;
        }
    }

    rest->data = p;
    rest->len = last - p;

    return NGX_OK;
}


static u_char *
ngx_egress_dict_blanks(u_char *p, u_char *last)
{
    while (p < last && (*p == ' ' || *p == '\t')) {
        p++;
    }

    return p;
}


static u_char *
ngx_egress_dict_key(u_char *p, u_char *last)
{
    while (p < last
           && (ngx_egress_dict_alnum(*p) || *p == '_' || *p == '-'
               || *p == '.' || *p == '*'))
    {
        p++;
    }

    return p;
}


/* the end of the value, or NULL */

static u_char *
ngx_egress_dict_value(ngx_egress_dict_member_t *m, u_char *p, u_char *last)
{
    if (p == last) {
        return NULL;
    }

    if (*p == '"') {
        return ngx_egress_dict_string(m, p + 1, last);
    }

    m->value.data = p;

    if (*p >= '0' && *p <= '9') {
        m->numeric = 1;
        p = ngx_egress_dict_digits(&m->number, p, last);

    } else {
        p = ngx_egress_dict_token(p, last);
    }

    if (p != NULL) {
        m->value.len = p - m->value.data;
    }

    return p;
}


/* p is behind the opening quote */

static u_char *
ngx_egress_dict_string(ngx_egress_dict_member_t *m, u_char *p, u_char *last)
{
    m->value.data = p;

    for ( /* void */ ; p < last; p++) {

        if (*p == '"') {
            m->value.len = p - m->value.data;
            return p + 1;
        }

        if (*p < ' ' || *p > '~') {
            return NULL;
        }

        if (*p == '\\') {
            m->escaped = 1;
            p++;

            if (p == last || (*p != '"' && *p != '\\')) {
                return NULL;
            }
        }
    }

    return NULL;
}


static u_char *
ngx_egress_dict_digits(ngx_uint_t *number, u_char *p, u_char *last)
{
    u_char      *start;
    ngx_uint_t   n, digit, max;

    n = 0;
    max = (ngx_uint_t) -1;

    for (start = p; p < last && *p >= '0' && *p <= '9'; p++) {

        digit = *p - '0';

        if (n > max / 10 || (n == max / 10 && digit > max % 10)) {
            return NULL;
        }

        n = n * 10 + digit;
    }

    *number = n;

    return (p > start) ? p : NULL;
}


/* RFC 8941, 3.3.4 */

static u_char *
ngx_egress_dict_token(u_char *p, u_char *last)
{
    if (!(ngx_egress_dict_alnum(*p) || *p == '*')) {
        return NULL;
    }

    while (p < last
           && (ngx_egress_field_token(*p) || *p == ':' || *p == '/'))
    {
        p++;
    }

    return p;
}


static ngx_uint_t
ngx_egress_dict_alnum(u_char ch)
{
    return (ch >= 'a' && ch <= 'z') || (ch >= 'A' && ch <= 'Z')
           || (ch >= '0' && ch <= '9');
}


u_char *
ngx_egress_dict_unescape(u_char *buf, ngx_str_t *value)
{
    size_t  i;

    for (i = 0; i < value->len; i++) {

        if (value->data[i] == '\\' && i + 1 < value->len) {
            i++;
        }

        *buf++ = value->data[i];
    }

    return buf;
}
