
/*
 * Copyright (C) ngx_egress authors
 *
 * Keys, token lists and extensions of the opening handshake.  Pure functions
 * of header values; who sends which header is decided elsewhere.
 */


#include <ngx_ws_handshake.h>
#include <ngx_sha1.h>


static ngx_uint_t ngx_ws_item(ngx_str_t *rest, u_char sep, ngx_str_t *item);
static void ngx_ws_trim(ngx_str_t *s);
static ngx_uint_t ngx_ws_is(ngx_str_t *s, const char *word);
static ngx_int_t ngx_ws_deflate_param(ngx_ws_extensions_t *ext,
    ngx_str_t *param);
static ngx_int_t ngx_ws_window_bits(ngx_str_t *value);


ngx_uint_t
ngx_ws_key_valid(ngx_str_t *key)
{
    u_char     raw[18];
    ngx_str_t  decoded;

    if (key->len != NGX_WS_KEY_LEN || key->data[23] != '='
        || key->data[22] != '=')
    {
        return 0;
    }

    decoded.data = raw;

    return ngx_decode_base64(&decoded, key) == NGX_OK && decoded.len == 16;
}


void
ngx_ws_key_create(u_char *key)
{
    u_char      raw[16];
    uint32_t    n;
    ngx_str_t   src, dst;
    ngx_uint_t  i;

    for (i = 0; i < 16; i += 4) {
        n = (uint32_t) ngx_random() ^ ((uint32_t) ngx_random() << 16);
        ngx_memcpy(raw + i, &n, 4);
    }

    src.data = raw;
    src.len = 16;
    dst.data = key;

    ngx_encode_base64(&dst, &src);
}


void
ngx_ws_accept(u_char *accept, ngx_str_t *key)
{
    u_char      digest[20];
    ngx_str_t   src, dst;
    ngx_sha1_t  sha1;

    static u_char  guid[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

    ngx_sha1_init(&sha1);
    ngx_sha1_update(&sha1, key->data, key->len);
    ngx_sha1_update(&sha1, guid, sizeof(guid) - 1);
    ngx_sha1_final(digest, &sha1);

    src.data = digest;
    src.len = sizeof(digest);
    dst.data = accept;

    ngx_encode_base64(&dst, &src);
}


ngx_uint_t
ngx_ws_has_token(ngx_str_t *list, const char *token)
{
    ngx_str_t  rest, item;

    rest = *list;

    while (ngx_ws_item(&rest, ',', &item)) {

        if (ngx_ws_is(&item, token)) {
            return 1;
        }
    }

    return 0;
}


ngx_int_t
ngx_ws_extensions(ngx_ws_extensions_t *ext, ngx_str_t *value)
{
    ngx_str_t  rest, params, item;

    rest = *value;

    while (ngx_ws_item(&rest, ',', &params)) {

        if (params.len == 0) {
            continue;
        }

        (void) ngx_ws_item(&params, ';', &item);

        if (!ngx_ws_is(&item, "permessage-deflate")) {
            ext->unknown = 1;
            continue;
        }

        if (ext->deflate) {
            return NGX_ERROR;
        }

        ext->deflate = 1;

        while (ngx_ws_item(&params, ';', &item)) {

            if (ngx_ws_deflate_param(ext, &item) != NGX_OK) {
                return NGX_ERROR;
            }
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_ws_deflate_param(ngx_ws_extensions_t *ext, ngx_str_t *param)
{
    ngx_str_t  name;

    (void) ngx_ws_item(param, '=', &name);
    ngx_ws_trim(param);

    if (ngx_ws_is(&name, "server_no_context_takeover")) {
        ext->server_no_takeover = 1;
        return NGX_OK;
    }

    if (ngx_ws_is(&name, "client_no_context_takeover")) {
        ext->client_no_takeover = 1;
        return NGX_OK;
    }

    if (ngx_ws_is(&name, "server_max_window_bits")
        || ngx_ws_is(&name, "client_max_window_bits"))
    {
        return ngx_ws_window_bits(param);
    }

    return NGX_ERROR;
}


static ngx_int_t
ngx_ws_window_bits(ngx_str_t *value)
{
    ngx_int_t  n;

    if (value->len > 1 && value->data[0] == '"'
        && value->data[value->len - 1] == '"')
    {
        value->data++;
        value->len -= 2;
    }

    n = ngx_atoi(value->data, value->len);

    return (n < 8 || n > 15) ? NGX_ERROR : NGX_OK;
}


/* cuts the next trimmed item off rest; 0 if there is none */

static ngx_uint_t
ngx_ws_item(ngx_str_t *rest, u_char sep, ngx_str_t *item)
{
    u_char  *p;

    if (rest->data == NULL) {
        ngx_str_null(item);
        return 0;
    }

    item->data = rest->data;
    p = ngx_strlchr(rest->data, rest->data + rest->len, sep);

    if (p == NULL) {
        item->len = rest->len;
        ngx_str_null(rest);

    } else {
        item->len = p - rest->data;
        rest->len -= item->len + 1;
        rest->data = p + 1;
    }

    ngx_ws_trim(item);

    return 1;
}


static void
ngx_ws_trim(ngx_str_t *s)
{
    while (s->len && (s->data[0] == ' ' || s->data[0] == '\t')) {
        s->data++;
        s->len--;
    }

    while (s->len && (s->data[s->len - 1] == ' '
                      || s->data[s->len - 1] == '\t'))
    {
        s->len--;
    }
}


static ngx_uint_t
ngx_ws_is(ngx_str_t *s, const char *word)
{
    return s->len == ngx_strlen(word)
           && ngx_strncasecmp(s->data, (u_char *) word, s->len) == 0;
}
