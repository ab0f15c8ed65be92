
/*
 * Copyright (C) ngx_egress authors
 *
 * Tells the fields that end at a proxy from those that pass through, and
 * reads lists.  What is done with a field is up to the request and response
 * files.
 */


#include "ngx_http_egress_headers.h"


#define NGX_HTTP_EGRESS_MAX_NOMINATED  64


static ngx_uint_t ngx_http_egress_is_token(ngx_str_t *member,
    const char *token);
static ngx_int_t ngx_http_egress_nominate_list(
    ngx_http_egress_nominated_t *nominated, ngx_str_t *list);


typedef struct {
    ngx_str_t                  name;
    ngx_http_egress_header_e   header;
} ngx_http_egress_header_t;


static ngx_http_egress_header_t  ngx_http_egress_headers[] = {
    { ngx_string("te"), NGX_HTTP_EGRESS_TE },
    { ngx_string("via"), NGX_HTTP_EGRESS_VIA },
    { ngx_string("host"), NGX_HTTP_EGRESS_HOST },
    { ngx_string("expect"), NGX_HTTP_EGRESS_EXPECT },
    { ngx_string("trailer"), NGX_HTTP_EGRESS_TRAILER },
    { ngx_string("upgrade"), NGX_HTTP_EGRESS_UPGRADE },
    { ngx_string("forwarded"), NGX_HTTP_EGRESS_FORWARDED },
    { ngx_string("connection"), NGX_HTTP_EGRESS_CONNECTION },
    { ngx_string("keep-alive"), NGX_HTTP_EGRESS_HOP_BY_HOP },
    { ngx_string("max-forwards"), NGX_HTTP_EGRESS_MAX_FORWARDS },
    { ngx_string("proxy-status"), NGX_HTTP_EGRESS_PROXY_STATUS },
    { ngx_string("content-length"), NGX_HTTP_EGRESS_CONTENT_LENGTH },
    { ngx_string("http2-settings"), NGX_HTTP_EGRESS_HOP_BY_HOP },
    { ngx_string("x-forwarded-for"), NGX_HTTP_EGRESS_X_FORWARDED_FOR },
    { ngx_string("transfer-encoding"), NGX_HTTP_EGRESS_TRANSFER_ENCODING },
    { ngx_null_string, NGX_HTTP_EGRESS_END_TO_END }
};


ngx_http_egress_header_e
ngx_http_egress_header(u_char *name, size_t len)
{
    ngx_http_egress_header_t  *h;

    for (h = ngx_http_egress_headers; h->name.len; h++) {

        if (h->name.len == len && ngx_memcmp(h->name.data, name, len) == 0) {
            return h->header;
        }
    }

    if (len > 6 && ngx_memcmp(name, "proxy-", 6) == 0) {
        return NGX_HTTP_EGRESS_HOP_BY_HOP;
    }

    return NGX_HTTP_EGRESS_END_TO_END;
}


void
ngx_http_egress_trim(ngx_str_t *value)
{
    while (value->len && (*value->data == ' ' || *value->data == '\t')) {
        value->data++;
        value->len--;
    }

    while (value->len && (value->data[value->len - 1] == ' '
                          || value->data[value->len - 1] == '\t'))
    {
        value->len--;
    }
}


ngx_int_t
ngx_http_egress_list_next(u_char **p, u_char *last, ngx_str_t *member)
{
    u_char  *s, *end;

    s = *p;

    while (s < last && (*s == ',' || *s == ' ' || *s == '\t')) {
        s++;
    }

    if (s == last) {
        *p = last;
        return NGX_DONE;
    }

    member->data = s;

    while (s < last && *s != ',') {
        s++;
    }

    *p = s;

    for (end = s; end[-1] == ' ' || end[-1] == '\t'; end--) { /* void */ }

    member->len = end - member->data;

    return NGX_OK;
}


ngx_uint_t
ngx_http_egress_list_has(ngx_str_t *list, const char *token)
{
    u_char     *p;
    ngx_str_t   member;

    p = list->data;

    while (ngx_http_egress_list_next(&p, list->data + list->len, &member)
           == NGX_OK)
    {
        if (ngx_http_egress_is_token(&member, token)) {
            return 1;
        }
    }

    return 0;
}


static ngx_uint_t
ngx_http_egress_is_token(ngx_str_t *member, const char *token)
{
    return member->len == ngx_strlen(token)
           && ngx_strncasecmp(member->data, (u_char *) token, member->len)
              == 0;
}


ngx_int_t
ngx_http_egress_nominate(ngx_pool_t *pool, ngx_list_t *headers,
    ngx_http_egress_nominated_t *nominated)
{
    ngx_int_t         rc;
    ngx_uint_t        i;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *h;

    ngx_memzero(nominated, sizeof(ngx_http_egress_nominated_t));

    if (ngx_array_init(&nominated->names, pool, 4, sizeof(ngx_str_t))
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    ngx_http_egress_each_header(headers, part, i, h) {

        if (ngx_http_egress_header(h->lowcase_key, h->key.len)
            != NGX_HTTP_EGRESS_CONNECTION)
        {
            continue;
        }

        rc = ngx_http_egress_nominate_list(nominated, &h->value);
        if (rc != NGX_OK) {
            return rc;
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_egress_nominate_list(ngx_http_egress_nominated_t *nominated,
    ngx_str_t *list)
{
    u_char     *p;
    ngx_str_t   member, *name;

    p = list->data;

    while (ngx_http_egress_list_next(&p, list->data + list->len, &member)
           == NGX_OK)
    {
        if (nominated->names.nelts == NGX_HTTP_EGRESS_MAX_NOMINATED) {
            return NGX_DECLINED;
        }

        name = ngx_array_push(&nominated->names);
        if (name == NULL) {
            return NGX_ERROR;
        }

        *name = member;

        nominated->close |= ngx_http_egress_is_token(name, "close");
        nominated->upgrade |= ngx_http_egress_is_token(name, "upgrade");
        nominated->keep_alive |= ngx_http_egress_is_token(name, "keep-alive");
    }

    return NGX_OK;
}


ngx_uint_t
ngx_http_egress_is_nominated(ngx_http_egress_nominated_t *nominated,
    ngx_str_t *name)
{
    ngx_str_t   *names;
    ngx_uint_t   i;

    names = nominated->names.elts;

    for (i = 0; i < nominated->names.nelts; i++) {
        if (names[i].len == name->len
            && ngx_strncasecmp(names[i].data, name->data, name->len) == 0)
        {
            return 1;
        }
    }

    return 0;
}
