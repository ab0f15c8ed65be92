
/*
 * Copyright (C) ngx_egress authors
 *
 * The egress path selection header of a request.  Not forwarded: see the
 * header rules of absolute-form requests.
 */


#include "ngx_http_egress.h"
#include "../proto/ngx_egress_dict.h"


static ngx_table_elt_t *ngx_http_egress_path_header(ngx_http_request_t *r,
    ngx_uint_t *many);
static ngx_uint_t ngx_http_egress_path_number(ngx_egress_task_t *task,
    ngx_str_t *value);
static ngx_uint_t ngx_http_egress_path_dictionary(ngx_egress_task_t *task,
    ngx_str_t *value);
static ngx_uint_t ngx_http_egress_path_member(ngx_egress_task_t *task,
    ngx_egress_dict_member_t *m);
static ngx_egress_path_t *ngx_http_egress_path_add(ngx_egress_task_t *task);


ngx_uint_t
ngx_http_egress_path(ngx_http_request_t *r, ngx_egress_task_t *task)
{
    ngx_uint_t                   many;
    ngx_table_elt_t             *h;
    ngx_http_egress_loc_conf_t  *elcf;

    elcf = ngx_http_get_module_loc_conf(r, ngx_http_egress_module);

    if (elcf->path_lowcase.len == 0) {
        return NGX_EGRESS_NONE;
    }

    h = ngx_http_egress_path_header(r, &many);

    if (h == NULL) {
        return NGX_EGRESS_NONE;
    }

    if (many) {
        ngx_log_error(NGX_LOG_INFO, r->connection->log, 0,
                      "client sent more than one \"%V\" header",
                      &elcf->path_header);
        return NGX_EGRESS_BAD_PATH_SELECTION;
    }

    if (elcf->path_dictionary) {
        return ngx_http_egress_path_dictionary(task, &h->value);
    }

    return ngx_http_egress_path_number(task, &h->value);
}


ngx_uint_t
ngx_http_egress_is_path_header(ngx_http_request_t *r, ngx_table_elt_t *h)
{
    ngx_http_egress_loc_conf_t  *elcf;

    elcf = ngx_http_get_module_loc_conf(r, ngx_http_egress_module);

    return h->key.len == elcf->path_lowcase.len
           && ngx_memcmp(h->lowcase_key, elcf->path_lowcase.data, h->key.len)
              == 0;
}


static ngx_table_elt_t *
ngx_http_egress_path_header(ngx_http_request_t *r, ngx_uint_t *many)
{
    ngx_uint_t        i;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *h, *found;

    found = NULL;
    *many = 0;

    for (part = &r->headers_in.headers.part; part; part = part->next) {
        h = part->elts;

        for (i = 0; i < part->nelts; i++) {
            if (!ngx_http_egress_is_path_header(r, &h[i])) {
                continue;
            }

            *many = (found != NULL);
            found = &h[i];
        }
    }

    return found;
}


/* the value for the escaper of the server */

static ngx_uint_t
ngx_http_egress_path_number(ngx_egress_task_t *task, ngx_str_t *value)
{
    ngx_uint_t          n;
    ngx_egress_path_t  *path;

    if (ngx_egress_dict_number(value, &n) != NGX_OK) {
        return NGX_EGRESS_BAD_PATH_SELECTION;
    }

    path = ngx_http_egress_path_add(task);
    if (path == NULL) {
        return NGX_EGRESS_INTERNAL;
    }

    path->escaper = task->escaper->object.name;
    path->kind = NGX_EGRESS_PATH_NUMBER;
    path->number = n;

    return NGX_EGRESS_NONE;
}


/* Values for any escaper; a single number is for the server's, as ever. */

static ngx_uint_t
ngx_http_egress_path_dictionary(ngx_egress_task_t *task, ngx_str_t *value)
{
    ngx_int_t                 rc;
    ngx_str_t                 rest;
    ngx_uint_t                reason;
    ngx_egress_dict_member_t  m;

    reason = ngx_http_egress_path_number(task, value);

    if (reason != NGX_EGRESS_BAD_PATH_SELECTION) {
        return reason;
    }

    rest = *value;

    while ((rc = ngx_egress_dict_next(&rest, &m)) == NGX_OK) {
        reason = ngx_http_egress_path_member(task, &m);

        if (reason) {
            return reason;
        }
    }

    return (rc == NGX_DONE) ? NGX_EGRESS_NONE : NGX_EGRESS_BAD_PATH_SELECTION;
}


static ngx_uint_t
ngx_http_egress_path_member(ngx_egress_task_t *task,
    ngx_egress_dict_member_t *m)
{
    u_char             *p;
    ngx_egress_path_t  *path;

    path = ngx_http_egress_path_add(task);
    if (path == NULL) {
        return NGX_EGRESS_INTERNAL;
    }

    path->escaper = m->key;

    if (m->numeric) {
        path->kind = NGX_EGRESS_PATH_NUMBER;
        path->number = m->number;
        return NGX_EGRESS_NONE;
    }

    path->kind = NGX_EGRESS_PATH_STRING;
    path->value = m->value;

    if (m->escaped) {
        p = ngx_pnalloc(task->pool, m->value.len);
        if (p == NULL) {
            return NGX_EGRESS_INTERNAL;
        }

        path->value.data = p;
        path->value.len = ngx_egress_dict_unescape(p, &m->value) - p;
    }

    return NGX_EGRESS_NONE;
}


static ngx_egress_path_t *
ngx_http_egress_path_add(ngx_egress_task_t *task)
{
    ngx_egress_path_t  *path;

    if (task->path == NULL) {
        task->path = ngx_array_create(task->pool, 1,
                                      sizeof(ngx_egress_path_t));
        if (task->path == NULL) {
            return NULL;
        }
    }

    path = ngx_array_push(task->path);

    if (path) {
        ngx_memzero(path, sizeof(ngx_egress_path_t));
    }

    return path;
}
