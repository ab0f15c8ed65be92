
/*
 * Copyright (C) ngx_egress authors
 *
 * egress_status: the counters of the zone as JSON, for a location that an
 * operator protects as he does stub_status.
 */


#include "ngx_http_egress.h"
#include "../stat/ngx_egress_stat.h"

#include <jansson.h>


static ngx_int_t ngx_http_egress_status_handler(ngx_http_request_t *r);
static json_t *ngx_http_egress_status_json(ngx_egress_stat_t *sum);
static ngx_int_t ngx_http_egress_status_text(ngx_http_request_t *r,
    json_t *json, ngx_str_t *text);
static ngx_int_t ngx_http_egress_status_send(ngx_http_request_t *r,
    ngx_str_t *text);
static char *ngx_http_egress_status(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);


static ngx_command_t  ngx_http_egress_status_commands[] = {

    { ngx_string("egress_status"),
      NGX_HTTP_LOC_CONF|NGX_CONF_NOARGS,
      ngx_http_egress_status,
      0,
      0,
      NULL },

      ngx_null_command
};


static ngx_http_module_t  ngx_http_egress_status_module_ctx = {
    NULL,                                  /* preconfiguration */
    NULL,                                  /* postconfiguration */

    NULL,                                  /* create main configuration */
    NULL,                                  /* init main configuration */

    NULL,                                  /* create server configuration */
    NULL,                                  /* merge server configuration */

    NULL,                                  /* create location configuration */
    NULL                                   /* merge location configuration */
};


ngx_module_t  ngx_http_egress_status_module = {
    NGX_MODULE_V1,
    &ngx_http_egress_status_module_ctx,    /* module context */
    ngx_http_egress_status_commands,       /* module directives */
    NGX_HTTP_MODULE,                       /* module type */
    NULL,                                  /* init master */
    NULL,                                  /* init module */
    NULL,                                  /* init process */
    NULL,                                  /* init thread */
    NULL,                                  /* exit thread */
    NULL,                                  /* exit process */
    NULL,                                  /* exit master */
    NGX_MODULE_V1_PADDING
};


static ngx_int_t
ngx_http_egress_status_handler(ngx_http_request_t *r)
{
    json_t             *json;
    ngx_int_t           rc;
    ngx_str_t           text;
    ngx_egress_stat_t   sum;

    if (!(r->method & (NGX_HTTP_GET|NGX_HTTP_HEAD))) {
        return NGX_HTTP_NOT_ALLOWED;
    }

    rc = ngx_http_discard_request_body(r);
    if (rc != NGX_OK) {
        return rc;
    }

    if (ngx_egress_stat_sum((ngx_cycle_t *) ngx_cycle, &sum) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    json = ngx_http_egress_status_json(&sum);
    if (json == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    rc = ngx_http_egress_status_text(r, json, &text);

    json_decref(json);

    return rc == NGX_OK ? ngx_http_egress_status_send(r, &text)
                        : NGX_HTTP_INTERNAL_SERVER_ERROR;
}


/* reasons are listed as far as they have happened; "done" is a good end */

static json_t *
ngx_http_egress_status_json(ngx_egress_stat_t *sum)
{
    json_t                     *reasons;
    ngx_uint_t                  i;
    const ngx_egress_reason_t  *reason;

    reasons = json_object();

    for (i = 0; i < NGX_EGRESS_REASONS; i++) {

        if (sum->reasons[i] == 0) {
            continue;
        }

        reason = ngx_egress_reason(i);

        if (json_object_set_new(reasons,
                                i ? (char *) reason->name.data : "done",
                                json_integer(sum->reasons[i]))
            != 0)
        {
            json_decref(reasons);
            return NULL;
        }
    }

    return json_pack("{s:{s:I,s:I,s:o},s:{s:I,s:I}}",
                     "tasks",
                     "created", (json_int_t) sum->created,
                     "alive", (json_int_t) sum->alive,
                     "ended", reasons,
                     "bytes",
                     "sent", (json_int_t) sum->bytes_sent,
                     "received", (json_int_t) sum->bytes_received);
}


static ngx_int_t
ngx_http_egress_status_text(ngx_http_request_t *r, json_t *json,
    ngx_str_t *text)
{
    size_t  len;

    len = json_dumpb(json, NULL, 0, JSON_INDENT(2));
    if (len == 0) {
        return NGX_ERROR;
    }

    text->data = ngx_pnalloc(r->pool, len + 1);
    if (text->data == NULL) {
        return NGX_ERROR;
    }

    if (json_dumpb(json, (char *) text->data, len, JSON_INDENT(2)) != len) {
        return NGX_ERROR;
    }

    text->data[len] = LF;
    text->len = len + 1;

    return NGX_OK;
}


static ngx_int_t
ngx_http_egress_status_send(ngx_http_request_t *r, ngx_str_t *text)
{
    ngx_int_t     rc;
    ngx_buf_t    *b;
    ngx_chain_t   out;

    ngx_str_set(&r->headers_out.content_type, "application/json");
    r->headers_out.content_type_len = r->headers_out.content_type.len;
    r->headers_out.status = NGX_HTTP_OK;
    r->headers_out.content_length_n = text->len;

    rc = ngx_http_send_header(r);

    if (rc == NGX_ERROR || rc > NGX_OK || r->header_only) {
        return rc;
    }

    b = ngx_calloc_buf(r->pool);
    if (b == NULL) {
        return NGX_ERROR;
    }

    b->pos = text->data;
    b->last = text->data + text->len;
    b->memory = 1;
    b->last_buf = (r == r->main);
    b->last_in_chain = 1;

    out.buf = b;
    out.next = NULL;

    return ngx_http_output_filter(r, &out);
}


static char *
ngx_http_egress_status(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_str_t                 *value;
    ngx_egress_object_t       *where;
    ngx_http_core_loc_conf_t  *clcf;

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    if (clcf->handler) {
        return "is duplicate, or another handler is set here";
    }

    clcf->handler = ngx_http_egress_status_handler;

    where = ngx_pcalloc(cf->pool, sizeof(ngx_egress_object_t));
    if (where == NULL) {
        return NGX_CONF_ERROR;
    }

    value = cf->args->elts;

    where->name = value[0];
    ngx_egress_object_here(cf, where);

    return ngx_egress_conf_defer(cf, ngx_egress_stat_check, where);
}
