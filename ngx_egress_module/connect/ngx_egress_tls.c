
/*
 * Copyright (C) ngx_egress authors
 *
 * Client TLS handshakes: SNI, verification, sessions within sessions.  Reads
 * no configuration and owns no timer.
 */


#include "ngx_egress_tls.h"
#include "../proto/ngx_egress_text.h"


#if (NGX_SSL)

#include <openssl/x509v3.h>


static ngx_int_t ngx_egress_tls_inner(ngx_egress_tls_t *tls,
    ngx_connection_t *c);
static ngx_int_t ngx_egress_tls_name(ngx_egress_tls_handshake_t *hs,
    ngx_connection_t *c);
static void ngx_egress_tls_handler(ngx_connection_t *c);
static ngx_egress_reason_e ngx_egress_tls_result(
    ngx_egress_tls_handshake_t *hs, ngx_connection_t *c);
static ngx_int_t ngx_egress_tls_match(ngx_egress_addr_t *addr, X509 *cert);


int  ngx_egress_tls_handshake_index = -1;


ngx_int_t
ngx_egress_tls_handshake(ngx_egress_tls_handshake_t *hs, ngx_connection_t *c)
{
    ngx_int_t  rc;

    hs->reason = NGX_EGRESS_INTERNAL;

    if (hs->tls->name.len) {
        hs->name = hs->tls->name;
    }

    rc = c->ssl ? ngx_egress_tls_inner(hs->tls, c)
                : ngx_ssl_create_connection(&hs->tls->ssl, c,
                                            NGX_SSL_BUFFER|NGX_SSL_CLIENT);

    if (rc != NGX_OK
        || SSL_set_ex_data(c->ssl->connection, ngx_egress_tls_handshake_index,
                           hs)
           == 0
        || ngx_egress_tls_name(hs, c) != NGX_OK
        || ngx_egress_tls_session_set(hs, c) != NGX_OK)
    {
        return NGX_ERROR;
    }

    rc = ngx_ssl_handshake(c);

    if (rc == NGX_AGAIN) {
        c->ssl->handler = ngx_egress_tls_handler;
        return NGX_AGAIN;
    }

    hs->reason = ngx_egress_tls_result(hs, c);

    return (hs->reason == NGX_EGRESS_NONE) ? NGX_OK : NGX_ERROR;
}


/*
 * TLS inside of TLS: the outer session becomes a BIO of the inner one, which
 * frees it.  Events still mean the socket: the inner session asks for more
 * only when the outer one has decrypted all it had.
 */

static ngx_int_t
ngx_egress_tls_inner(ngx_egress_tls_t *tls, ngx_connection_t *c)
{
    BIO                   *bio;
    ngx_ssl_conn_t        *inner;
    ngx_ssl_connection_t  *outer;

    outer = c->ssl;

    if (ngx_ssl_create_connection(&tls->ssl, c, NGX_SSL_BUFFER|NGX_SSL_CLIENT)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    inner = c->ssl->connection;

    bio = BIO_new(BIO_f_ssl());

    if (bio == NULL) {
        ngx_ssl_error(NGX_LOG_ALERT, c->log, 0, "BIO_new() failed");

        SSL_free(inner);
        c->ssl = outer;

        return NGX_ERROR;
    }

    BIO_set_ssl(bio, outer->connection, BIO_CLOSE);
    SSL_set_bio(inner, bio, bio);

    return NGX_OK;
}


/* hs->name becomes NUL-terminated, lower case and without brackets. */

static ngx_int_t
ngx_egress_tls_name(ngx_egress_tls_handshake_t *hs, ngx_connection_t *c)
{
    u_char     *buf, text[NGX_EGRESS_TEXT_LEN];
    ngx_str_t   name;

    buf = ngx_pnalloc(c->pool, hs->name.len + 1);
    if (buf == NULL) {
        return NGX_ERROR;
    }

    if (ngx_egress_addr_host(&hs->addr, buf, hs->name.data, hs->name.len)
        != NGX_OK)
    {
        ngx_egress_text(&name, text, &hs->name);

        ngx_log_error(NGX_LOG_INFO, c->log, 0, "invalid tls name \"%V\": %s",
                      &name, ngx_egress_addr_strerror(hs->addr.error));

        hs->reason = NGX_EGRESS_BAD_TARGET;
        return NGX_ERROR;
    }

    hs->name = hs->addr.host;
    buf[hs->name.len] = '\0';

    /* RFC 6066, section 3: literals are not permitted */

    if (!hs->tls->server_name || hs->addr.family != AF_UNSPEC) {
        return NGX_OK;
    }

    if (SSL_set_tlsext_host_name(c->ssl->connection, (char *) buf) == 0) {
        ngx_ssl_error(NGX_LOG_ERR, c->log, 0,
                      "SSL_set_tlsext_host_name(\"%s\") failed", buf);
        return NGX_ERROR;
    }

    return NGX_OK;
}


static void
ngx_egress_tls_handler(ngx_connection_t *c)
{
    ngx_egress_tls_handshake_t  *hs;

    hs = SSL_get_ex_data(c->ssl->connection, ngx_egress_tls_handshake_index);

    hs->reason = ngx_egress_tls_result(hs, c);

    hs->handler(c, hs->data, hs->reason);
}


static ngx_egress_reason_e
ngx_egress_tls_result(ngx_egress_tls_handshake_t *hs, ngx_connection_t *c)
{
    if (!c->ssl->handshaked) {
        return NGX_EGRESS_TLS_ERROR;
    }

    if (ngx_egress_tls_verify(hs, c->ssl->connection, c->log) != NGX_OK) {
        return NGX_EGRESS_TLS_CERTIFICATE;
    }

    if (!c->ssl->sendfile) {
        c->sendfile = 0;
    }

    ngx_log_debug3(NGX_LOG_DEBUG_EVENT, c->log, 0,
                   "egress tls with \"%V\", %s, reused:%d", &hs->name,
                   SSL_get_version(c->ssl->connection),
                   SSL_session_reused(c->ssl->connection));

    return NGX_EGRESS_NONE;
}


ngx_int_t
ngx_egress_tls_verify(ngx_egress_tls_handshake_t *hs, ngx_ssl_conn_t *ssl_conn,
    ngx_log_t *log)
{
    long        rc;
    X509       *cert;
    ngx_int_t   match;

    if (!hs->tls->verify) {
        return NGX_OK;
    }

    rc = SSL_get_verify_result(ssl_conn);

    if (rc != X509_V_OK) {
        ngx_log_error(NGX_LOG_INFO, log, 0,
                      "certificate of \"%V\" is not valid: (%l:%s)",
                      &hs->name, rc, X509_verify_cert_error_string(rc));
        return NGX_ERROR;
    }

    /* a resumed session has the certificate as well */

    cert = SSL_get_peer_certificate(ssl_conn);

    if (cert == NULL) {
        ngx_log_error(NGX_LOG_INFO, log, 0, "\"%V\" sent no certificate",
                      &hs->name);
        return NGX_ERROR;
    }

    match = ngx_egress_tls_match(&hs->addr, cert);

    X509_free(cert);

    if (match != NGX_OK) {
        ngx_log_error(NGX_LOG_INFO, log, 0,
                      "certificate does not match \"%V\"", &hs->name);
    }

    return match;
}


static ngx_int_t
ngx_egress_tls_match(ngx_egress_addr_t *addr, X509 *cert)
{
    int  rc;

    switch (addr->family) {

    case AF_INET:
        rc = X509_check_ip(cert, addr->ip.bytes, 4, 0);
        break;

    case AF_INET6:
        rc = X509_check_ip(cert, addr->ip.bytes, 16, 0);
        break;

    default:
        rc = X509_check_host(cert, (char *) addr->host.data, addr->host.len,
                             X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS, NULL);
    }

    return (rc == 1) ? NGX_OK : NGX_ERROR;
}

#endif
