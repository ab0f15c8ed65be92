/*
 * Copyright (C) ngx_egress authors
 *
 * TLS towards a peer or a target: the tls_client { } block of escapers and
 * egress_tls_client { } of servers are one thing with one command table.
 */

#ifndef _NGX_EGRESS_TLS_H_INCLUDED_
#define _NGX_EGRESS_TLS_H_INCLUDED_


#include "../ngx_egress.h"


struct ngx_egress_tls_s {
    ngx_ssl_t                *ssl;          /* freed with cf->pool */
    ngx_flag_t                verify;       /* on */
    ngx_uint_t                verify_depth; /* 5 */
    ngx_flag_t                server_name;  /* send SNI: on */
    ngx_flag_t                session_reuse;
    ngx_str_t                 ca_certificate;  /* empty: the system's */
    ngx_str_t                 crl;
    ngx_str_t                 certificate;
    ngx_str_t                 private_key;
    ngx_uint_t                protocols;
    ngx_str_t                 ciphers;
    ngx_array_t              *alpn;         /* of ngx_str_t, or NULL */
    ngx_str_t                 name;         /* tls_name: SNI and name to
                                               verify instead of the host */
};


/*
 * A setter for a block directive: stores an ngx_egress_tls_t * at
 * cmd->offset and is usable in egress { }, http { } and stream { }.
 */
char *ngx_egress_tls_client_block(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);

/* The settings an empty block gives; NULL: error, logged. */
ngx_egress_tls_t *ngx_egress_tls_default(ngx_conf_t *cf);

/*
 * Client handshake on an open connection, which needs a pool.  name: SNI (not
 * for literals) and what is verified, a DNS name or an address literal.
 * Answers through handler(c, reason), perhaps before it returns; the caller
 * owns the timer and closes c on failure.  Session reuse is keyed by name.
 */
typedef void (*ngx_egress_tls_pt)(ngx_connection_t *c, void *data,
    ngx_uint_t reason);

void ngx_egress_tls_handshake(ngx_egress_tls_t *tls, ngx_connection_t *c,
    ngx_str_t *name, ngx_egress_tls_pt handler, void *data);


#endif /* _NGX_EGRESS_TLS_H_INCLUDED_ */
