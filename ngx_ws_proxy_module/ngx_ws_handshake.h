
/*
 * Copyright (C) ngx_egress authors
 *
 * What both ends of an opening handshake (RFC 6455, section 4) have to
 * compute or to judge, on header values alone.
 */


#ifndef _NGX_WS_HANDSHAKE_H_INCLUDED_
#define _NGX_WS_HANDSHAKE_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


#define NGX_WS_KEY_LEN              24    /* base64 of 16 bytes */
#define NGX_WS_ACCEPT_LEN           28    /* base64 of a SHA-1 */


/* extensions that a server has accepted */

typedef struct {
    unsigned                deflate:1;    /* permessage-deflate */
    unsigned                unknown:1;    /* anything else */
    unsigned                client_no_takeover:1;
    unsigned                server_no_takeover:1;
} ngx_ws_extensions_t;


/* true if the value of Sec-WebSocket-Key is one */
ngx_uint_t ngx_ws_key_valid(ngx_str_t *key);

/* writes a new random key, NGX_WS_KEY_LEN bytes */
void ngx_ws_key_create(u_char *key);

/* writes the Sec-WebSocket-Accept of a key, NGX_WS_ACCEPT_LEN bytes */
void ngx_ws_accept(u_char *accept, ngx_str_t *key);

/* true if a list of tokens, as in Connection, has this one in any case */
ngx_uint_t ngx_ws_has_token(ngx_str_t *list, const char *token);

/*
 * Parses one Sec-WebSocket-Extensions field of a server's answer into ext,
 * which must be zeroed before the first.  NGX_ERROR: malformed.
 */
ngx_int_t ngx_ws_extensions(ngx_ws_extensions_t *ext, ngx_str_t *value);


#endif /* _NGX_WS_HANDSHAKE_H_INCLUDED_ */
