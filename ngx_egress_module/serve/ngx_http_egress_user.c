
/*
 * Copyright (C) ngx_egress authors
 *
 * egress_user_group of the HTTP proxy: Proxy-Authorization with the Basic
 * scheme (RFC 7617), the same for CONNECT and for absolute-form.  Every request
 * is judged by its own header; the connection remembers nothing.
 */


#include "ngx_http_egress.h"


static ngx_int_t ngx_http_egress_user_credentials(ngx_http_request_t *r,
    ngx_str_t *user, ngx_str_t *password);
static ngx_table_elt_t *ngx_http_egress_user_header(ngx_http_request_t *r,
    ngx_uint_t *n);
static ngx_int_t ngx_http_egress_user_check(ngx_http_request_t *r,
    ngx_egress_task_t *task, ngx_egress_user_group_t *group);
static ngx_int_t ngx_http_egress_user_wait(ngx_http_request_t *r);
static void ngx_http_egress_user_waited(ngx_http_request_t *r);
static ngx_int_t ngx_http_egress_user_refuse(ngx_http_request_t *r,
    ngx_http_egress_ctx_t *ctx);


ngx_uint_t
ngx_http_egress_authenticate(ngx_http_request_t *r,
    ngx_http_egress_ctx_t *ctx, ngx_int_t *rc)
{
    ngx_http_egress_srv_conf_t  *escf;

    escf = ngx_http_get_module_srv_conf(r, ngx_http_egress_module);

    if (escf->group == NULL) {
        return 1;
    }

    switch (ngx_http_egress_user_check(r, ctx->task, escf->group)) {

    case NGX_OK:
        return 1;

    case NGX_DECLINED:
        ngx_log_error(NGX_LOG_INFO, r->connection->log, 0,
                      "client sent no credentials for the proxy");

        *rc = ngx_http_egress_user_refuse(r, ctx);
        return 0;

    case NGX_ABORT:
        ngx_log_error(NGX_LOG_INFO, r->connection->log, 0,
                      "client sent wrong credentials for the proxy");

        *rc = ngx_http_egress_user_wait(r);
        return 0;

    default: /* NGX_ERROR */
        *rc = ngx_http_egress_error(r, ctx, NGX_EGRESS_INTERNAL);
        return 0;
    }
}


/* NGX_DECLINED: there are no credentials; NGX_ABORT: they are wrong. */

static ngx_int_t
ngx_http_egress_user_check(ngx_http_request_t *r, ngx_egress_task_t *task,
    ngx_egress_user_group_t *group)
{
    ngx_int_t           rc;
    ngx_str_t           user, password;
    ngx_egress_user_t  *known;

    rc = ngx_http_egress_user_credentials(r, &user, &password);
    if (rc != NGX_OK) {
        return rc;
    }

    known = ngx_egress_user_check(group, &user, &password);

    ngx_explicit_memzero(password.data, password.len);

    if (known == NULL) {
        return NGX_ABORT;
    }

    task->user = known->node.str;

    return NGX_OK;
}


/* The first ":" ends the name; a password may have more of them. */

static ngx_int_t
ngx_http_egress_user_credentials(ngx_http_request_t *r, ngx_str_t *user,
    ngx_str_t *password)
{
    u_char           *p, *last;
    ngx_str_t         encoded, decoded;
    ngx_uint_t        n;
    ngx_table_elt_t  *h;

    h = ngx_http_egress_user_header(r, &n);

    if (n == 0
        || h->value.len < sizeof("Basic ") - 1
        || ngx_strncasecmp(h->value.data, (u_char *) "Basic ",
                           sizeof("Basic ") - 1)
           != 0)
    {
        return NGX_DECLINED;
    }

    if (n > 1) {
        return NGX_ABORT;
    }

    p = h->value.data + sizeof("Basic ") - 1;
    last = h->value.data + h->value.len;

    while (p < last && *p == ' ') {
        p++;
    }

    encoded.data = p;
    encoded.len = last - p;

    decoded.len = ngx_base64_decoded_length(encoded.len);

    decoded.data = ngx_pnalloc(r->pool, decoded.len + 1);
    if (decoded.data == NULL) {
        return NGX_ERROR;
    }

    if (ngx_decode_base64(&decoded, &encoded) != NGX_OK) {
        return NGX_ABORT;
    }

    last = decoded.data + decoded.len;

    p = ngx_strlchr(decoded.data, last, ':');
    if (p == NULL) {
        return NGX_ABORT;
    }

    user->data = decoded.data;
    user->len = p - decoded.data;

    password->data = p + 1;
    password->len = last - p - 1;

    return NGX_OK;
}


/* Not every core keeps a pointer to it.  n: how many there are. */

static ngx_table_elt_t *
ngx_http_egress_user_header(ngx_http_request_t *r, ngx_uint_t *n)
{
    ngx_uint_t        i;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *h, *found;

    found = NULL;
    *n = 0;

    for (part = &r->headers_in.headers.part; part; part = part->next) {
        h = part->elts;

        for (i = 0; i < part->nelts; i++) {

            if (h[i].key.len == sizeof("Proxy-Authorization") - 1
                && ngx_strncasecmp(h[i].key.data,
                                   (u_char *) "Proxy-Authorization",
                                   h[i].key.len)
                   == 0)
            {
                found = &h[i];
                (*n)++;
            }
        }
    }

    return found;
}


/* Guessing shall take time, but none of the worker's. */

static ngx_int_t
ngx_http_egress_user_wait(ngx_http_request_t *r)
{
    ngx_connection_t  *c;

    c = r->connection;

    if (c->read->ready) {
        ngx_post_event(c->read, &ngx_posted_events);

    } else if (ngx_handle_read_event(c->read, 0) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    r->read_event_handler = ngx_http_test_reading;
    r->write_event_handler = ngx_http_egress_user_waited;

    c->write->delayed = 1;
    ngx_add_timer(c->write, NGX_EGRESS_USER_DELAY);

    r->main->count++;

    return NGX_DONE;
}


static void
ngx_http_egress_user_waited(ngx_http_request_t *r)
{
    ngx_event_t            *wev;
    ngx_http_egress_ctx_t  *ctx;

    wev = r->connection->write;

    if (wev->delayed) {

        if (ngx_handle_write_event(wev, 0) != NGX_OK) {
            ngx_http_finalize_request(r, NGX_HTTP_INTERNAL_SERVER_ERROR);
        }

        return;
    }

    ctx = ngx_http_get_module_ctx(r, ngx_http_egress_module);

    r->read_event_handler = ngx_http_block_reading;
    r->write_event_handler = ngx_http_request_empty_handler;

    ngx_http_finalize_request(r, ngx_http_egress_user_refuse(r, ctx));
}


static ngx_int_t
ngx_http_egress_user_refuse(ngx_http_request_t *r, ngx_http_egress_ctx_t *ctx)
{
    u_char                      *p;
    ngx_table_elt_t             *h;
    ngx_http_egress_loc_conf_t  *elcf;

    elcf = ngx_http_get_module_loc_conf(r, ngx_http_egress_module);

    p = ngx_pnalloc(r->pool, sizeof("Basic realm=\"\"") + elcf->server_id.len);
    if (p == NULL) {
        return ngx_http_egress_error(r, ctx, NGX_EGRESS_INTERNAL);
    }

    h = ngx_list_push(&r->headers_out.headers);
    if (h == NULL) {
        return ngx_http_egress_error(r, ctx, NGX_EGRESS_INTERNAL);
    }

    ngx_memzero(h, sizeof(ngx_table_elt_t));

    h->hash = 1;
    ngx_egress_header_end(h);
    ngx_str_set(&h->key, "Proxy-Authenticate");

    /* egress_server_id has nothing that would have to be quoted */

    h->value.data = p;
    h->value.len = ngx_sprintf(p, "Basic realm=\"%V\"", &elcf->server_id) - p;

    return ngx_http_egress_error(r, ctx, NGX_EGRESS_AUTH_REQUIRED);
}


char *
ngx_http_egress_user_group(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_egress_srv_conf_t *escf = conf;

    if (!ngx_http_egress_is_proxy(escf)) {
        ngx_egress_object_here(cf, &escf->where);
    }

    return ngx_egress_user_group_set(cf, &escf->group);
}


char *
ngx_http_egress_user_group_merge(ngx_conf_t *cf,
    ngx_http_egress_srv_conf_t *prev, ngx_http_egress_srv_conf_t *conf)
{
    /* who says it here believes that something is guarded */

    if (conf->group != NGX_CONF_UNSET_PTR && conf->group != NULL
        && !ngx_http_egress_is_proxy(conf))
    {
        return ngx_egress_conf_error(cf, &conf->where,
                                     "\"egress_user_group\" guards nothing "
                                     "in a server without "
                                     "\"egress_http_proxy\",");
    }

    ngx_conf_merge_ptr_value(conf->group, prev->group, NULL);

    return NGX_CONF_OK;
}
