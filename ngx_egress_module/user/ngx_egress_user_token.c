
/*
 * Copyright (C) ngx_egress authors
 *
 * Salted hashes of passwords, those that g3proxy's tools write.  They are
 * fast: passwords are meant to be long and random.
 */


#include "ngx_egress_user_group.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rand.h>


static char *ngx_egress_user_token_hash(ngx_conf_t *cf, ngx_str_t *value,
    u_char *hash, size_t len);
static ngx_int_t ngx_egress_user_token_hex(u_char *dst, ngx_str_t *hex);
static ngx_int_t ngx_egress_user_token_digest(const EVP_MD *md,
    ngx_egress_user_token_t *token, ngx_str_t *password, u_char *hash);


ngx_uint_t
ngx_egress_user_token_match(ngx_egress_user_token_t *token,
    ngx_str_t *password)
{
    u_char  md5[NGX_EGRESS_USER_MD5], sha1[NGX_EGRESS_USER_SHA1];
    int     differ_md5, differ_sha1;

    if (ngx_egress_user_token_digest(EVP_md5(), token, password, md5)
            != NGX_OK
        || ngx_egress_user_token_digest(EVP_sha1(), token, password, sha1)
            != NGX_OK)
    {
        return 0;
    }

    /* always both, whatever the token has */

    differ_md5 = CRYPTO_memcmp(md5, token->md5, NGX_EGRESS_USER_MD5);
    differ_sha1 = CRYPTO_memcmp(sha1, token->sha1, NGX_EGRESS_USER_SHA1);

    return ((differ_md5 & -(int) token->has_md5)
            | (differ_sha1 & -(int) token->has_sha1)) == 0;
}


static ngx_int_t
ngx_egress_user_token_digest(const EVP_MD *md, ngx_egress_user_token_t *token,
    ngx_str_t *password, u_char *hash)
{
    int          rc;
    EVP_MD_CTX  *ctx;

    ctx = EVP_MD_CTX_new();
    if (ctx == NULL) {
        return NGX_ERROR;
    }

    rc = EVP_DigestInit_ex(ctx, md, NULL) == 1
         && EVP_DigestUpdate(ctx, password->data, password->len) == 1
         && EVP_DigestUpdate(ctx, token->salt, token->salt_len) == 1
         && EVP_DigestFinal_ex(ctx, hash, NULL) == 1;

    EVP_MD_CTX_free(ctx);

    return rc ? NGX_OK : NGX_ERROR;
}


ngx_int_t
ngx_egress_user_token_create(ngx_egress_user_token_t *token,
    ngx_str_t *password)
{
    token->has_md5 = 1;
    token->has_sha1 = 1;
    token->salt_len = NGX_EGRESS_USER_SALT;

    if (RAND_bytes(token->salt, NGX_EGRESS_USER_SALT) != 1) {
        return NGX_ERROR;
    }

    if (password == NULL) {
        return RAND_bytes(token->md5, NGX_EGRESS_USER_MD5) == 1
               && RAND_bytes(token->sha1, NGX_EGRESS_USER_SHA1) == 1
               ? NGX_OK : NGX_ERROR;
    }

    if (ngx_egress_user_token_digest(EVP_md5(), token, password, token->md5)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_egress_user_token_digest(EVP_sha1(), token, password,
                                        token->sha1);
}


char *
ngx_egress_user_token_parse(ngx_conf_t *cf, ngx_egress_user_token_t *token)
{
    char        *rv;
    ngx_str_t   *value, hex;
    ngx_uint_t   i;

    value = cf->args->elts;

    for (i = 1; i < cf->args->nelts; i++) {

        if (ngx_egress_conf_param(&value[i], "md5=", &hex)) {
            rv = token->has_md5 ? ngx_egress_is_duplicate
                                : ngx_egress_user_token_hash(cf, &hex,
                                           token->md5, NGX_EGRESS_USER_MD5);
            token->has_md5 = 1;

        } else if (ngx_egress_conf_param(&value[i], "sha1=", &hex)) {
            rv = token->has_sha1 ? ngx_egress_is_duplicate
                                 : ngx_egress_user_token_hash(cf, &hex,
                                           token->sha1, NGX_EGRESS_USER_SHA1);
            token->has_sha1 = 1;

        } else if (ngx_egress_conf_param(&value[i], "salt=", &hex)
                   && token->salt_len == 0
                   && hex.len != 0
                   && hex.len <= 2 * NGX_EGRESS_USER_SALT)
        {
            token->salt_len = (hex.len + 1) / 2;
            rv = ngx_egress_user_token_hash(cf, &hex, token->salt,
                                            token->salt_len);

        } else {
            rv = "takes one each of \"salt=\", \"md5=\" and \"sha1=\"";
        }

        if (rv != NGX_CONF_OK) {
            return rv;
        }
    }

    if (token->salt_len == 0 || !(token->has_md5 || token->has_sha1)) {
        return "needs \"salt=\" and at least one of \"md5=\" and \"sha1=\"";
    }

    return NGX_CONF_OK;
}


/* Does not show the value: it is half a secret. */

static char *
ngx_egress_user_token_hash(ngx_conf_t *cf, ngx_str_t *value, u_char *hash,
    size_t len)
{
    if (value->len != 2 * len
        || ngx_egress_user_token_hex(hash, value) != NGX_OK)
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid hash or salt, %uz hexadecimal digits "
                           "are expected", 2 * len);
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


static ngx_int_t
ngx_egress_user_token_hex(u_char *dst, ngx_str_t *hex)
{
    size_t     i;
    ngx_int_t  n;

    for (i = 0; i + 1 < hex->len; i += 2) {
        n = ngx_hextoi(hex->data + i, 2);

        if (n == NGX_ERROR) {
            return NGX_ERROR;
        }

        *dst++ = (u_char) n;
    }

    return NGX_OK;
}
