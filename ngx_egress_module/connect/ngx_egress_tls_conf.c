
/*
 * Copyright (C) ngx_egress authors
 *
 * The egress_tls_client { } block: reads it, checks it, makes its SSL_CTX.
 */


#include "ngx_egress_tls.h"


#if (NGX_SSL)

#define NGX_EGRESS_TLS_DEPTH  5


static ngx_egress_tls_t *ngx_egress_tls_create(ngx_conf_t *cf);
static char *ngx_egress_tls_init(ngx_conf_t *cf, ngx_egress_tls_t *tls);
static ngx_int_t ngx_egress_tls_init_ctx(ngx_conf_t *cf,
    ngx_egress_tls_t *tls);
static ngx_int_t ngx_egress_tls_init_trust(ngx_conf_t *cf,
    ngx_egress_tls_t *tls);
static char *ngx_egress_tls_alpn(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_egress_tls_server_name(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);


static ngx_conf_bitmask_t  ngx_egress_tls_protocols[] = {
    { ngx_string("TLSv1"), NGX_SSL_TLSv1 },
    { ngx_string("TLSv1.1"), NGX_SSL_TLSv1_1 },
    { ngx_string("TLSv1.2"), NGX_SSL_TLSv1_2 },
    { ngx_string("TLSv1.3"), NGX_SSL_TLSv1_3 },
    { ngx_null_string, 0 }
};


static ngx_command_t  ngx_egress_tls_commands[] = {

    { ngx_string("ca_certificate"),
      NGX_EGRESS_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_str_slot,
      0,
      offsetof(ngx_egress_tls_t, ca_certificate),
      NULL },

    { ngx_string("certificate"),
      NGX_EGRESS_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_str_slot,
      0,
      offsetof(ngx_egress_tls_t, certificate),
      NULL },

    { ngx_string("private_key"),
      NGX_EGRESS_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_str_slot,
      0,
      offsetof(ngx_egress_tls_t, private_key),
      NULL },

    { ngx_string("crl"),
      NGX_EGRESS_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_str_slot,
      0,
      offsetof(ngx_egress_tls_t, crl),
      NULL },

    { ngx_string("verify"),
      NGX_EGRESS_CONF|NGX_CONF_FLAG,
      ngx_conf_set_flag_slot,
      0,
      offsetof(ngx_egress_tls_t, verify),
      NULL },

    { ngx_string("verify_depth"),
      NGX_EGRESS_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_num_slot,
      0,
      offsetof(ngx_egress_tls_t, verify_depth),
      NULL },

    { ngx_string("server_name"),
      NGX_EGRESS_CONF|NGX_CONF_FLAG,
      ngx_conf_set_flag_slot,
      0,
      offsetof(ngx_egress_tls_t, server_name),
      NULL },

    { ngx_string("name"),
      NGX_EGRESS_CONF|NGX_CONF_TAKE1,
      ngx_egress_tls_server_name,
      0,
      0,
      NULL },

    { ngx_string("protocols"),
      NGX_EGRESS_CONF|NGX_CONF_1MORE,
      ngx_conf_set_bitmask_slot,
      0,
      offsetof(ngx_egress_tls_t, protocols),
      &ngx_egress_tls_protocols },

    { ngx_string("ciphers"),
      NGX_EGRESS_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_str_slot,
      0,
      offsetof(ngx_egress_tls_t, ciphers),
      NULL },

    { ngx_string("alpn"),
      NGX_EGRESS_CONF|NGX_CONF_1MORE,
      ngx_egress_tls_alpn,
      0,
      0,
      NULL },

    { ngx_string("session_reuse"),
      NGX_EGRESS_CONF|NGX_CONF_FLAG,
      ngx_conf_set_flag_slot,
      0,
      offsetof(ngx_egress_tls_t, session_reuse),
      NULL },

      ngx_null_command
};


char *
ngx_egress_tls_client_block(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    char                *rv;
    ngx_egress_tls_t   **tlsp, *tls;
    ngx_egress_block_t   block;

    tlsp = (ngx_egress_tls_t **) ((char *) conf + cmd->offset);

    if (*tlsp != NULL && *tlsp != NGX_CONF_UNSET_PTR) {
        return ngx_egress_is_duplicate;
    }

    tls = ngx_egress_tls_create(cf);
    if (tls == NULL) {
        return NGX_CONF_ERROR;
    }

    block.commands = ngx_egress_tls_commands;
    block.conf = tls;

    rv = ngx_egress_conf_block(cf, &block, 1);
    if (rv != NGX_CONF_OK) {
        return rv;
    }

    rv = ngx_egress_tls_init(cf, tls);

    if (rv == NGX_CONF_OK) {
        *tlsp = tls;
        return NGX_CONF_OK;
    }

    /* the arguments of the directive are gone, name it by hand */

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "\"%V\" block %s", &cmd->name,
                       rv);
    return NGX_CONF_ERROR;
}


ngx_egress_tls_t *
ngx_egress_tls_default(ngx_conf_t *cf)
{
    ngx_egress_tls_t  *tls;

    tls = ngx_egress_tls_create(cf);

    if (tls == NULL || ngx_egress_tls_init(cf, tls) != NGX_CONF_OK) {
        return NULL;
    }

    return tls;
}


static ngx_egress_tls_t *
ngx_egress_tls_create(ngx_conf_t *cf)
{
    ngx_egress_tls_t  *tls;

    /* set by ngx_pcalloc(): the strings, protocols and sessions */

    tls = ngx_pcalloc(cf->pool, sizeof(ngx_egress_tls_t));
    if (tls == NULL) {
        return NULL;
    }

    tls->verify = NGX_CONF_UNSET;
    tls->verify_depth = NGX_CONF_UNSET_UINT;
    tls->server_name = NGX_CONF_UNSET;
    tls->session_reuse = NGX_CONF_UNSET;

    return tls;
}


/* A phrase that follows the name of the block. */

static char *
ngx_egress_tls_init(ngx_conf_t *cf, ngx_egress_tls_t *tls)
{
    ngx_conf_init_value(tls->verify, 1);
    ngx_conf_init_uint_value(tls->verify_depth, NGX_EGRESS_TLS_DEPTH);
    ngx_conf_init_value(tls->server_name, 1);
    ngx_conf_init_value(tls->session_reuse, 1);

    if (tls->protocols == 0) {
        tls->protocols = NGX_SSL_TLSv1_2|NGX_SSL_TLSv1_3;
    }

    if (tls->certificate.len && tls->private_key.len == 0) {
        return "has \"certificate\" but no \"private_key\"";
    }

    if (tls->private_key.len && tls->certificate.len == 0) {
        return "has \"private_key\" but no \"certificate\"";
    }

    if (!tls->verify && (tls->ca_certificate.len || tls->crl.len)) {
        return "has \"verify off\", so nothing is checked against "
               "\"ca_certificate\" or \"crl\"";
    }

    if (ngx_egress_tls_init_ctx(cf, tls) != NGX_OK
        || ngx_egress_tls_init_trust(cf, tls) != NGX_OK)
    {
        return "is not usable, the line before tells why";
    }

    return NGX_CONF_OK;
}


static ngx_int_t
ngx_egress_tls_init_ctx(ngx_conf_t *cf, ngx_egress_tls_t *tls)
{
    ngx_ssl_t           *ssl;
    ngx_pool_cleanup_t  *cln;

    if (ngx_egress_tls_handshake_index == -1) {
        ngx_egress_tls_handshake_index = SSL_get_ex_new_index(0, NULL, NULL,
                                                              NULL, NULL);
        if (ngx_egress_tls_handshake_index == -1) {
            ngx_ssl_error(NGX_LOG_EMERG, cf->log, 0,
                          "SSL_get_ex_new_index() failed");
            return NGX_ERROR;
        }
    }

    ssl = &tls->ssl;
    ssl->log = cf->log;

    cln = ngx_pool_cleanup_add(cf->pool, 0);
    if (cln == NULL) {
        return NGX_ERROR;
    }

    if (ngx_ssl_create(ssl, tls->protocols, NULL) != NGX_OK) {
        return NGX_ERROR;
    }

    cln->handler = ngx_ssl_cleanup_ctx;
    cln->data = ssl;

    if (tls->certificate.len
        && ngx_ssl_certificate(cf, ssl, &tls->certificate, &tls->private_key,
                               NULL)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (tls->ciphers.len
        && ngx_ssl_ciphers(cf, ssl, &tls->ciphers, 0) != NGX_OK)
    {
        return NGX_ERROR;
    }

    /* 0: success, unlike everything else of OpenSSL */

    if (tls->alpn.len
        && SSL_CTX_set_alpn_protos(ssl->ctx, tls->alpn.data, tls->alpn.len)
           != 0)
    {
        ngx_ssl_error(NGX_LOG_EMERG, cf->log, 0,
                      "SSL_CTX_set_alpn_protos() failed");
        return NGX_ERROR;
    }

    return ngx_egress_tls_sessions_init(cf, tls);
}


static ngx_int_t
ngx_egress_tls_init_trust(ngx_conf_t *cf, ngx_egress_tls_t *tls)
{
    if (!tls->verify) {
        return NGX_OK;
    }

    if (ngx_ssl_trusted_certificate(cf, &tls->ssl, &tls->ca_certificate,
                                    tls->verify_depth)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (tls->ca_certificate.len == 0
        && SSL_CTX_set_default_verify_paths(tls->ssl.ctx) == 0)
    {
        ngx_ssl_error(NGX_LOG_EMERG, cf->log, 0,
                      "SSL_CTX_set_default_verify_paths() failed");
        return NGX_ERROR;
    }

    return ngx_ssl_crl(cf, &tls->ssl, &tls->crl);
}


/* Keeps the protocols as RFC 7301 sends them: each with its length. */

static char *
ngx_egress_tls_alpn(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_egress_tls_t *tls = conf;

    u_char      *p;
    size_t       len;
    ngx_str_t   *value;
    ngx_uint_t   i;

    if (tls->alpn.len) {
        return ngx_egress_is_duplicate;
    }

    value = cf->args->elts;
    len = 0;

    for (i = 1; i < cf->args->nelts; i++) {
        if (value[i].len == 0 || value[i].len > 255) {
            return "has a protocol that is not of 1 to 255 bytes";
        }

        len += 1 + value[i].len;
    }

    p = ngx_pnalloc(cf->pool, len);
    if (p == NULL) {
        return NGX_CONF_ERROR;
    }

    tls->alpn.data = p;
    tls->alpn.len = len;

    for (i = 1; i < cf->args->nelts; i++) {
        *p++ = (u_char) value[i].len;
        p = ngx_cpymem(p, value[i].data, value[i].len);
    }

    return NGX_CONF_OK;
}


static char *
ngx_egress_tls_server_name(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_egress_tls_t *tls = conf;

    u_char             *buf;
    ngx_str_t          *value;
    ngx_egress_addr_t   addr;

    if (tls->name.len) {
        return ngx_egress_is_duplicate;
    }

    value = cf->args->elts;

    buf = ngx_pnalloc(cf->pool, value[1].len + 1);
    if (buf == NULL) {
        return NGX_CONF_ERROR;
    }

    if (ngx_egress_addr_host(&addr, buf, value[1].data, value[1].len)
        != NGX_OK)
    {
        return "has an invalid host, use a name or an address without port";
    }

    tls->name = addr.host;

    return NGX_CONF_OK;
}


#else


char *
ngx_egress_tls_client_block(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    return "needs an nginx that is built with OpenSSL";
}


ngx_egress_tls_t *
ngx_egress_tls_default(ngx_conf_t *cf)
{
    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "TLS to peers needs an nginx built with OpenSSL");
    return NULL;
}

#endif
