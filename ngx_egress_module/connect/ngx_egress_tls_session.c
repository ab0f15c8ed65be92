
/*
 * Copyright (C) ngx_egress authors
 *
 * TLS sessions of a worker, kept to be resumed.  A table of fixed size for
 * each block of settings: a new session replaces whatever has the same slot.
 * Each key is name, escaper and local address, since a resumed session tells
 * the peer that both connections come from one client.
 */


#include "ngx_egress_tls.h"
#include "ngx_egress_jump.h"


#if (NGX_SSL)

#define NGX_EGRESS_TLS_SESSIONS  256


typedef struct {
    ngx_str_t            key;          /* malloc'ed */
    ngx_ssl_session_t   *session;
} ngx_egress_tls_slot_t;


struct ngx_egress_tls_sessions_s {
    ngx_egress_tls_slot_t  slots[NGX_EGRESS_TLS_SESSIONS];
};


static ngx_int_t ngx_egress_tls_session_key(ngx_egress_tls_handshake_t *hs,
    ngx_connection_t *c);
static ngx_egress_tls_slot_t *ngx_egress_tls_session_slot(
    ngx_egress_tls_handshake_t *hs);
static int ngx_egress_tls_session_new(ngx_ssl_conn_t *ssl_conn,
    ngx_ssl_session_t *session);
static void ngx_egress_tls_slot_free(ngx_egress_tls_slot_t *slot);
static void ngx_egress_tls_sessions_cleanup(void *data);


/* Resumes what is kept for hs, if anything; later ones will be kept. */

ngx_int_t
ngx_egress_tls_session_set(ngx_egress_tls_handshake_t *hs, ngx_connection_t *c)
{
    ngx_egress_tls_slot_t  *slot;

    if (hs->tls->sessions == NULL) {
        return NGX_OK;
    }

    if (ngx_egress_tls_session_key(hs, c) != NGX_OK) {
        return NGX_ERROR;
    }

    slot = ngx_egress_tls_session_slot(hs);

    if (slot->key.len != hs->key.len
        || ngx_memcmp(slot->key.data, hs->key.data, hs->key.len) != 0)
    {
        return NGX_OK;
    }

    return ngx_ssl_set_session(c, slot->session);
}


static ngx_int_t
ngx_egress_tls_session_key(ngx_egress_tls_handshake_t *hs, ngx_connection_t *c)
{
    u_char  *p, local[NGX_SOCKADDR_STRLEN];
    size_t   len;

    len = 0;

    if (c->local_sockaddr) {
        len = ngx_sock_ntop(c->local_sockaddr, c->local_socklen, local,
                            NGX_SOCKADDR_STRLEN, 0);
    }

    hs->key.len = hs->owner.len + 1 + hs->name.len + 1 + len;

    p = ngx_pnalloc(c->pool, hs->key.len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    hs->key.data = p;

    p = ngx_cpymem(p, hs->owner.data, hs->owner.len);
    *p++ = '\0';
    p = ngx_cpymem(p, hs->name.data, hs->name.len);
    *p++ = '\0';
    ngx_memcpy(p, local, len);

    return NGX_OK;
}


static ngx_egress_tls_slot_t *
ngx_egress_tls_session_slot(ngx_egress_tls_handshake_t *hs)
{
    uint64_t  hash;

    hash = ngx_egress_hash64(hs->key.data, hs->key.len);

    return &hs->tls->sessions->slots[hash % NGX_EGRESS_TLS_SESSIONS];
}


/*
 * Called in the handshake or, for tickets of TLS 1.3, whenever one arrives:
 * the connection may belong to anybody by then.  1: the reference is kept.
 */

static int
ngx_egress_tls_session_new(ngx_ssl_conn_t *ssl_conn,
    ngx_ssl_session_t *session)
{
    u_char                      *key;
    ngx_connection_t            *c;
    ngx_egress_tls_slot_t       *slot;
    ngx_egress_tls_handshake_t  *hs;

    c = ngx_ssl_get_connection(ssl_conn);
    hs = SSL_get_ex_data(ssl_conn, ngx_egress_tls_handshake_index);

    /* a session of a refused peer would be refused even when it is cured */

    if (hs == NULL || ngx_egress_tls_verify(hs, ssl_conn, c->log) != NGX_OK) {
        return 0;
    }

    key = ngx_alloc(hs->key.len, c->log);
    if (key == NULL) {
        return 0;
    }

    ngx_memcpy(key, hs->key.data, hs->key.len);

    slot = ngx_egress_tls_session_slot(hs);

    ngx_egress_tls_slot_free(slot);

    slot->key.data = key;
    slot->key.len = hs->key.len;
    slot->session = session;

    return 1;
}


static void
ngx_egress_tls_slot_free(ngx_egress_tls_slot_t *slot)
{
    if (slot->session) {
        ngx_ssl_free_session(slot->session);
        ngx_free(slot->key.data);

        slot->session = NULL;
        ngx_str_null(&slot->key);
    }
}


static void
ngx_egress_tls_sessions_cleanup(void *data)
{
    ngx_egress_tls_sessions_t *sessions = data;

    ngx_uint_t  i;

    for (i = 0; i < NGX_EGRESS_TLS_SESSIONS; i++) {
        ngx_egress_tls_slot_free(&sessions->slots[i]);
    }
}


ngx_int_t
ngx_egress_tls_sessions_init(ngx_conf_t *cf, ngx_egress_tls_t *tls)
{
    ngx_pool_cleanup_t  *cln;

    if (!tls->session_reuse) {
        return NGX_OK;
    }

    cln = ngx_pool_cleanup_add(cf->pool, sizeof(ngx_egress_tls_sessions_t));
    if (cln == NULL) {
        return NGX_ERROR;
    }

    ngx_memzero(cln->data, sizeof(ngx_egress_tls_sessions_t));

    cln->handler = ngx_egress_tls_sessions_cleanup;

    tls->sessions = cln->data;

    SSL_CTX_set_session_cache_mode(tls->ssl.ctx,
                                   SSL_SESS_CACHE_CLIENT
                                   |SSL_SESS_CACHE_NO_INTERNAL);

    SSL_CTX_sess_set_new_cb(tls->ssl.ctx, ngx_egress_tls_session_new);

    return NGX_OK;
}

#endif
