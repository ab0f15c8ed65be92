
/*
 * Copyright (C) ngx_egress authors
 *
 * ws_proxy_ssl_*: the SSL context for wss:// and https:// backends.  The
 * handshake itself is ngx_http_upstream's.
 */


#include <ngx_http_ws_proxy.h>


#if (NGX_HTTP_SSL)

static ngx_int_t ngx_http_ws_proxy_ssl_own(ngx_http_ws_proxy_loc_conf_t *conf);
static char *ngx_http_ws_proxy_ssl_passwords(ngx_conf_t *cf,
    ngx_http_ws_proxy_loc_conf_t *conf);
static ngx_uint_t ngx_http_ws_proxy_ssl_dynamic(
    ngx_http_ws_proxy_loc_conf_t *conf);
static char *ngx_http_ws_proxy_ssl_context(ngx_conf_t *cf,
    ngx_http_ws_proxy_loc_conf_t *conf);
static char *ngx_http_ws_proxy_ssl_certificate(ngx_conf_t *cf,
    ngx_http_ws_proxy_loc_conf_t *conf);
static char *ngx_http_ws_proxy_ssl_verify(ngx_conf_t *cf,
    ngx_http_ws_proxy_loc_conf_t *conf);


ngx_conf_bitmask_t  ngx_http_ws_proxy_ssl_protocols[] = {
    { ngx_string("TLSv1"), NGX_SSL_TLSv1 },
    { ngx_string("TLSv1.1"), NGX_SSL_TLSv1_1 },
    { ngx_string("TLSv1.2"), NGX_SSL_TLSv1_2 },
    { ngx_string("TLSv1.3"), NGX_SSL_TLSv1_3 },
    { ngx_null_string, 0 }
};


void
ngx_http_ws_proxy_create_ssl(ngx_http_ws_proxy_loc_conf_t *conf)
{
    conf->upstream.ssl_session_reuse = NGX_CONF_UNSET;
    conf->upstream.ssl_name = NGX_CONF_UNSET_PTR;
    conf->upstream.ssl_server_name = NGX_CONF_UNSET;
    conf->upstream.ssl_verify = NGX_CONF_UNSET;
    conf->upstream.ssl_certificate = NGX_CONF_UNSET_PTR;
    conf->upstream.ssl_certificate_key = NGX_CONF_UNSET_PTR;
    conf->upstream.ssl_passwords = NGX_CONF_UNSET_PTR;
    conf->ssl_verify_depth = NGX_CONF_UNSET_UINT;
    conf->ssl_conf_commands = NGX_CONF_UNSET_PTR;
}


char *
ngx_http_ws_proxy_merge_ssl(ngx_conf_t *cf, ngx_http_ws_proxy_loc_conf_t *prev,
    ngx_http_ws_proxy_loc_conf_t *conf)
{
    ngx_uint_t  own;

    own = ngx_http_ws_proxy_ssl_own(conf);

    ngx_conf_merge_value(conf->upstream.ssl_session_reuse,
                         prev->upstream.ssl_session_reuse, 1);
    ngx_conf_merge_bitmask_value(conf->ssl_protocols, prev->ssl_protocols,
                                 (NGX_CONF_BITMASK_SET|NGX_SSL_TLSv1_2
                                  |NGX_SSL_TLSv1_3));
    ngx_conf_merge_str_value(conf->ssl_ciphers, prev->ssl_ciphers, "DEFAULT");
    ngx_conf_merge_ptr_value(conf->upstream.ssl_name,
                             prev->upstream.ssl_name, NULL);
    ngx_conf_merge_value(conf->upstream.ssl_server_name,
                         prev->upstream.ssl_server_name, 0);
    ngx_conf_merge_value(conf->upstream.ssl_verify,
                         prev->upstream.ssl_verify, 0);
    ngx_conf_merge_uint_value(conf->ssl_verify_depth,
                              prev->ssl_verify_depth, 1);
    ngx_conf_merge_str_value(conf->ssl_trusted_certificate,
                             prev->ssl_trusted_certificate, "");
    ngx_conf_merge_str_value(conf->ssl_crl, prev->ssl_crl, "");
    ngx_conf_merge_ptr_value(conf->upstream.ssl_certificate,
                             prev->upstream.ssl_certificate, NULL);
    ngx_conf_merge_ptr_value(conf->upstream.ssl_certificate_key,
                             prev->upstream.ssl_certificate_key, NULL);
    ngx_conf_merge_ptr_value(conf->upstream.ssl_passwords,
                             prev->upstream.ssl_passwords, NULL);
    ngx_conf_merge_ptr_value(conf->ssl_conf_commands,
                             prev->ssl_conf_commands, NULL);

    if (!conf->ssl_used) {
        return NGX_CONF_OK;
    }

    if (ngx_http_ws_proxy_ssl_passwords(cf, conf) != NGX_CONF_OK) {
        return NGX_CONF_ERROR;
    }

    /* with nothing of its own, a location shares the context of the server */

    if (!own && prev->upstream.ssl) {
        conf->upstream.ssl = prev->upstream.ssl;
        return NGX_CONF_OK;
    }

    if (ngx_http_ws_proxy_ssl_context(cf, conf) != NGX_CONF_OK) {
        return NGX_CONF_ERROR;
    }

    if (!own) {
        prev->upstream.ssl = conf->upstream.ssl;
    }

    return NGX_CONF_OK;
}


/* before the merge: does this level say anything that makes a context? */

static ngx_int_t
ngx_http_ws_proxy_ssl_own(ngx_http_ws_proxy_loc_conf_t *conf)
{
    return conf->ssl_protocols != 0
           || conf->ssl_ciphers.data != NULL
           || conf->upstream.ssl_certificate != NGX_CONF_UNSET_PTR
           || conf->upstream.ssl_certificate_key != NGX_CONF_UNSET_PTR
           || conf->upstream.ssl_passwords != NGX_CONF_UNSET_PTR
           || conf->upstream.ssl_verify != NGX_CONF_UNSET
           || conf->ssl_verify_depth != NGX_CONF_UNSET_UINT
           || conf->ssl_trusted_certificate.data != NULL
           || conf->ssl_crl.data != NULL
           || conf->upstream.ssl_session_reuse != NGX_CONF_UNSET
           || conf->ssl_conf_commands != NGX_CONF_UNSET_PTR;
}


/*
 * A key that is read for each connection, by ngx_http_upstream, needs its
 * passphrases longer than the configuration is read.
 */

static char *
ngx_http_ws_proxy_ssl_passwords(ngx_conf_t *cf,
    ngx_http_ws_proxy_loc_conf_t *conf)
{
    if (!ngx_http_ws_proxy_ssl_dynamic(conf)) {
        return NGX_CONF_OK;
    }

    conf->upstream.ssl_passwords =
                  ngx_ssl_preserve_passwords(cf, conf->upstream.ssl_passwords);

    return conf->upstream.ssl_passwords ? NGX_CONF_OK : NGX_CONF_ERROR;
}


static ngx_uint_t
ngx_http_ws_proxy_ssl_dynamic(ngx_http_ws_proxy_loc_conf_t *conf)
{
    ngx_http_complex_value_t  *cert, *key;

    cert = conf->upstream.ssl_certificate;
    key = conf->upstream.ssl_certificate_key;

    return cert && key && cert->value.len && (cert->lengths || key->lengths);
}


static char *
ngx_http_ws_proxy_ssl_context(ngx_conf_t *cf,
    ngx_http_ws_proxy_loc_conf_t *conf)
{
    ngx_ssl_t           *ssl;
    ngx_pool_cleanup_t  *cln;

    ssl = ngx_pcalloc(cf->pool, sizeof(ngx_ssl_t));
    if (ssl == NULL) {
        return NGX_CONF_ERROR;
    }

    ssl->log = cf->log;
    conf->upstream.ssl = ssl;

    if (ngx_ssl_create(ssl, conf->ssl_protocols, NULL) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    cln = ngx_pool_cleanup_add(cf->pool, 0);
    if (cln == NULL) {
        ngx_ssl_cleanup_ctx(ssl);
        return NGX_CONF_ERROR;
    }

    cln->handler = ngx_ssl_cleanup_ctx;
    cln->data = ssl;

    if (ngx_ssl_ciphers(cf, ssl, &conf->ssl_ciphers, 0) != NGX_OK
        || ngx_http_ws_proxy_ssl_certificate(cf, conf) != NGX_CONF_OK
        || ngx_http_ws_proxy_ssl_verify(cf, conf) != NGX_CONF_OK
        || ngx_ssl_client_session_cache(cf, ssl,
                                        conf->upstream.ssl_session_reuse)
           != NGX_OK
        || ngx_ssl_conf_commands(cf, ssl, conf->ssl_conf_commands) != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


static char *
ngx_http_ws_proxy_ssl_certificate(ngx_conf_t *cf,
    ngx_http_ws_proxy_loc_conf_t *conf)
{
    ngx_http_complex_value_t  *cert, *key;

    cert = conf->upstream.ssl_certificate;
    key = conf->upstream.ssl_certificate_key;

    if (cert == NULL || cert->value.len == 0) {
        return NGX_CONF_OK;
    }

    if (key == NULL) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "no \"ws_proxy_ssl_certificate_key\" is defined "
                      "for certificate \"%V\"", &cert->value);
        return NGX_CONF_ERROR;
    }

    if (ngx_http_ws_proxy_ssl_dynamic(conf)) {
        return NGX_CONF_OK;
    }

    if (ngx_ssl_certificate(cf, conf->upstream.ssl, &cert->value, &key->value,
                            conf->upstream.ssl_passwords)
        != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


static char *
ngx_http_ws_proxy_ssl_verify(ngx_conf_t *cf,
    ngx_http_ws_proxy_loc_conf_t *conf)
{
    if (!conf->upstream.ssl_verify) {
        return NGX_CONF_OK;
    }

    if (conf->ssl_trusted_certificate.len == 0) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "no \"ws_proxy_ssl_trusted_certificate\" for "
                      "\"ws_proxy_ssl_verify\"");
        return NGX_CONF_ERROR;
    }

    if (ngx_ssl_trusted_certificate(cf, conf->upstream.ssl,
                                    &conf->ssl_trusted_certificate,
                                    conf->ssl_verify_depth)
        != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    if (ngx_ssl_crl(cf, conf->upstream.ssl, &conf->ssl_crl) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


char *
ngx_http_ws_proxy_ssl_password_file(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf)
{
    ngx_http_ws_proxy_loc_conf_t *wlcf = conf;

    ngx_str_t  *value;

    if (wlcf->upstream.ssl_passwords != NGX_CONF_UNSET_PTR) {
        return "is duplicate";
    }

    value = cf->args->elts;

    wlcf->upstream.ssl_passwords = ngx_ssl_read_password_file(cf, &value[1]);

    return wlcf->upstream.ssl_passwords ? NGX_CONF_OK : NGX_CONF_ERROR;
}

#endif
