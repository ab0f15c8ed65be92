
/*
 * Copyright (C) ngx_egress authors
 *
 * ws_proxy_health_status: all servers of all checked upstreams as JSON or in
 * the text format of Prometheus.  Always 200: this view is well even if the
 * servers are not.
 */


#include <ngx_ws_health.h>


/* the text is written to memory that grows; failed: there was no more */

typedef struct {
    ngx_pool_t                 *pool;
    ngx_chain_t                *first;
    ngx_chain_t               **last;
    ngx_buf_t                  *buf;
    off_t                       size;
    unsigned                    failed:1;
} ngx_ws_health_text_t;


typedef void (*ngx_ws_health_view_pt)(ngx_ws_health_text_t *text,
    ngx_ws_health_main_conf_t *hmcf);


/* a metric of the Prometheus view */

typedef struct {
    const char                 *name;
    const char                 *type;
    const char                 *help;
    uint64_t                  (*value)(ngx_ws_health_info_t *info);
} ngx_ws_health_metric_t;


static ngx_int_t ngx_ws_health_json_handler(ngx_http_request_t *r);
static ngx_int_t ngx_ws_health_prometheus_handler(ngx_http_request_t *r);
static ngx_int_t ngx_ws_health_send(ngx_http_request_t *r,
    ngx_ws_health_view_pt view, ngx_str_t *type);
static void ngx_cdecl ngx_ws_health_print(ngx_ws_health_text_t *text,
    const char *fmt, ...);
static void ngx_ws_health_string(ngx_ws_health_text_t *text, u_char *data,
    size_t len);
static void ngx_ws_health_json(ngx_ws_health_text_t *text,
    ngx_ws_health_main_conf_t *hmcf);
static void ngx_ws_health_json_target(ngx_ws_health_text_t *text,
    ngx_ws_health_conf_t *conf, ngx_ws_health_target_t *t);
static void ngx_ws_health_json_check(ngx_ws_health_text_t *text,
    ngx_ws_health_conf_t *conf, ngx_ws_health_target_t *t, ngx_uint_t i);
static void ngx_ws_health_prometheus(ngx_ws_health_text_t *text,
    ngx_ws_health_main_conf_t *hmcf);
static void ngx_ws_health_prometheus_up(ngx_ws_health_text_t *text,
    ngx_ws_health_main_conf_t *hmcf);
static void ngx_ws_health_prometheus_metric(ngx_ws_health_text_t *text,
    ngx_ws_health_conf_t *conf, ngx_ws_health_metric_t *metric);
static uint64_t ngx_ws_health_metric_up(ngx_ws_health_info_t *info);
static uint64_t ngx_ws_health_metric_checks(ngx_ws_health_info_t *info);
static uint64_t ngx_ws_health_metric_failed(ngx_ws_health_info_t *info);
static uint64_t ngx_ws_health_metric_changes(ngx_ws_health_info_t *info);
static uint64_t ngx_ws_health_metric_checked(ngx_ws_health_info_t *info);
static uint64_t ngx_ws_health_metric_latency(ngx_ws_health_info_t *info);


static ngx_ws_health_metric_t  ngx_ws_health_metrics[] = {

    { "check_up", "gauge", "Whether the server passes this check.",
      ngx_ws_health_metric_up },

    { "checks_total", "counter", "Probes of this check.",
      ngx_ws_health_metric_checks },

    { "checks_failed_total", "counter", "Probes that failed.",
      ngx_ws_health_metric_failed },

    { "changes_total", "counter", "Changes of state.",
      ngx_ws_health_metric_changes },

    { "last_check_timestamp_seconds", "gauge",
      "When the last probe ended, 0: never.", ngx_ws_health_metric_checked },

    { "last_check_milliseconds", "gauge", "How long the last probe took.",
      ngx_ws_health_metric_latency },

    { NULL, NULL, NULL, NULL }
};


static ngx_int_t
ngx_ws_health_json_handler(ngx_http_request_t *r)
{
    ngx_str_t  type = ngx_string("application/json");

    return ngx_ws_health_send(r, ngx_ws_health_json, &type);
}


static ngx_int_t
ngx_ws_health_prometheus_handler(ngx_http_request_t *r)
{
    ngx_str_t  type = ngx_string("text/plain; version=0.0.4");

    return ngx_ws_health_send(r, ngx_ws_health_prometheus, &type);
}


static ngx_int_t
ngx_ws_health_send(ngx_http_request_t *r, ngx_ws_health_view_pt view,
    ngx_str_t *type)
{
    ngx_int_t              rc;
    ngx_ws_health_text_t   text;

    if (!(r->method & (NGX_HTTP_GET|NGX_HTTP_HEAD))) {
        return NGX_HTTP_NOT_ALLOWED;
    }

    rc = ngx_http_discard_request_body(r);

    if (rc != NGX_OK) {
        return rc;
    }

    ngx_memzero(&text, sizeof(ngx_ws_health_text_t));

    text.pool = r->pool;
    text.last = &text.first;

    view(&text, ngx_http_get_module_main_conf(r, ngx_http_ws_health_module));

    if (text.failed || text.buf == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    text.buf->last_buf = (r == r->main) ? 1 : 0;
    text.buf->last_in_chain = 1;

    r->headers_out.status = NGX_HTTP_OK;
    r->headers_out.content_length_n = text.size;
    r->headers_out.content_type = *type;
    r->headers_out.content_type_len = type->len;
    r->headers_out.content_type_lowcase = NULL;

    rc = ngx_http_send_header(r);

    if (rc == NGX_ERROR || rc > NGX_OK || r->header_only) {
        return rc;
    }

    return ngx_http_output_filter(r, text.first);
}


/* one call prints at most 1024 bytes: names are printed by _string() */

static void ngx_cdecl
ngx_ws_health_print(ngx_ws_health_text_t *text, const char *fmt, ...)
{
    u_char       *p;
    va_list       args;
    ngx_buf_t    *b;
    ngx_chain_t  *cl;

    b = text->buf;

    if (b == NULL || b->end - b->last < 1024) {

        b = ngx_create_temp_buf(text->pool, 16384);
        cl = ngx_alloc_chain_link(text->pool);

        if (b == NULL || cl == NULL) {
            text->failed = 1;
            return;
        }

        cl->buf = b;
        cl->next = NULL;
        *text->last = cl;
        text->last = &cl->next;
        text->buf = b;
    }

    va_start(args, fmt);
    p = ngx_vslprintf(b->last, b->end, fmt, args);
    va_end(args);

    text->size += p - b->last;
    b->last = p;
}


/* in quotes, for JSON and for labels of Prometheus alike */

static void
ngx_ws_health_string(ngx_ws_health_text_t *text, u_char *data, size_t len)
{
    u_char  ch;
    size_t  i;

    ngx_ws_health_print(text, "\"");

    for (i = 0; i < len; i++) {
        ch = data[i];

        if (ch == '"' || ch == '\\') {
            ngx_ws_health_print(text, "\\%c", ch);

        } else {
            ngx_ws_health_print(text, "%c", ch < 0x20 ? ' ' : ch);
        }
    }

    ngx_ws_health_print(text, "\"");
}


static void
ngx_ws_health_json(ngx_ws_health_text_t *text,
    ngx_ws_health_main_conf_t *hmcf)
{
    ngx_uint_t               i, j;
    ngx_ws_health_conf_t   **conf;
    ngx_ws_health_target_t  *t;

    conf = hmcf->upstreams.elts;

    ngx_ws_health_print(text, "{\"upstreams\":[");

    for (i = 0; i < hmcf->upstreams.nelts; i++) {

        ngx_ws_health_sync(conf[i]);

        ngx_ws_health_print(text, "%s\n {\"name\":", i ? "," : "");
        ngx_ws_health_string(text, conf[i]->upstream->host.data,
                             conf[i]->upstream->host.len);
        ngx_ws_health_print(text, ",\"healthy\":%ui,\"servers\":[",
                            conf[i]->healthy);

        t = conf[i]->targets.elts;

        for (j = 0; j < conf[i]->targets.nelts; j++) {
            ngx_ws_health_print(text, "%s\n  ", j ? "," : "");
            ngx_ws_health_json_target(text, conf[i], &t[j]);
        }

        ngx_ws_health_print(text, "]}");
    }

    ngx_ws_health_print(text, "]}\n");
}


static void
ngx_ws_health_json_target(ngx_ws_health_text_t *text,
    ngx_ws_health_conf_t *conf, ngx_ws_health_target_t *t)
{
    ngx_uint_t  i;

    ngx_ws_health_print(text, "{\"server\":");
    ngx_ws_health_string(text, t->server.data, t->server.len);
    ngx_ws_health_print(text, ",\"address\":");
    ngx_ws_health_string(text, t->name.data, t->name.len);
    ngx_ws_health_print(text, ",\"backup\":%s,\"state\":\"%s\",\"checks\":[",
                        t->backup ? "true" : "false",
                        t->down ? "disabled" : t->up ? "up" : "down");

    for (i = 0; i < conf->checks->nelts && !t->down; i++) {
        ngx_ws_health_print(text, "%s", i ? "," : "");
        ngx_ws_health_json_check(text, conf, t, i);
    }

    ngx_ws_health_print(text, "]}");
}


static void
ngx_ws_health_json_check(ngx_ws_health_text_t *text,
    ngx_ws_health_conf_t *conf, ngx_ws_health_target_t *t, ngx_uint_t i)
{
    ngx_ws_health_info_t    info;
    ngx_ws_health_check_t  *check;

    check = conf->checks->elts;

    if (ngx_ws_health_target_info(conf, t, i, &info) != NGX_OK) {
        ngx_ws_health_print(text, "null");
        return;
    }

    ngx_ws_health_print(text, "{\"type\":\"%V\",\"uri\":",
                        &check[i].type->name);
    ngx_ws_health_string(text, check[i].uri.data, check[i].uri.len);
    ngx_ws_health_print(text, ",\"state\":\"%s\",\"checks\":%uL,"
                        "\"failed\":%uL,\"changes\":%uL,\"since\":%T,"
                        "\"last_check\":%T,\"last_ms\":%M,\"reason\":",
                        info.checked == 0 ? "unchecked"
                                          : info.up ? "up" : "down",
                        info.checks, info.failed, info.changes, info.since,
                        info.checked, info.latency);
    ngx_ws_health_string(text, info.reason, ngx_strlen(info.reason));
    ngx_ws_health_print(text, "}");
}


static void
ngx_ws_health_prometheus(ngx_ws_health_text_t *text,
    ngx_ws_health_main_conf_t *hmcf)
{
    ngx_uint_t               i;
    ngx_ws_health_conf_t   **conf;
    ngx_ws_health_metric_t  *metric;

    ngx_ws_health_prometheus_up(text, hmcf);

    conf = hmcf->upstreams.elts;

    for (metric = ngx_ws_health_metrics; metric->name; metric++) {

        ngx_ws_health_print(text, "# HELP ws_proxy_health_%s %s\n"
                            "# TYPE ws_proxy_health_%s %s\n",
                            metric->name, metric->help,
                            metric->name, metric->type);

        for (i = 0; i < hmcf->upstreams.nelts; i++) {
            ngx_ws_health_prometheus_metric(text, conf[i], metric);
        }
    }
}


static void
ngx_ws_health_prometheus_up(ngx_ws_health_text_t *text,
    ngx_ws_health_main_conf_t *hmcf)
{
    ngx_uint_t               i, j;
    ngx_ws_health_conf_t   **conf;
    ngx_ws_health_target_t  *t;

    conf = hmcf->upstreams.elts;

    ngx_ws_health_print(text, "# HELP ws_proxy_health_server_up Whether the "
                        "server passes all its checks.\n"
                        "# TYPE ws_proxy_health_server_up gauge\n");

    for (i = 0; i < hmcf->upstreams.nelts; i++) {

        ngx_ws_health_sync(conf[i]);
        t = conf[i]->targets.elts;

        for (j = 0; j < conf[i]->targets.nelts; j++) {

            ngx_ws_health_print(text,
                                "ws_proxy_health_server_up{upstream=");
            ngx_ws_health_string(text, conf[i]->upstream->host.data,
                                 conf[i]->upstream->host.len);
            ngx_ws_health_print(text, ",server=");
            ngx_ws_health_string(text, t[j].name.data, t[j].name.len);
            ngx_ws_health_print(text, "} %d\n", t[j].up && !t[j].down);
        }
    }
}


static void
ngx_ws_health_prometheus_metric(ngx_ws_health_text_t *text,
    ngx_ws_health_conf_t *conf, ngx_ws_health_metric_t *metric)
{
    ngx_uint_t               i, j;
    ngx_ws_health_info_t     info;
    ngx_ws_health_check_t   *check;
    ngx_ws_health_target_t  *t;

    check = conf->checks->elts;
    t = conf->targets.elts;

    for (i = 0; i < conf->targets.nelts; i++) {
        for (j = 0; j < conf->checks->nelts && !t[i].down; j++) {

            if (ngx_ws_health_target_info(conf, &t[i], j, &info) != NGX_OK) {
                continue;
            }

            ngx_ws_health_print(text, "ws_proxy_health_%s{upstream=",
                                metric->name);
            ngx_ws_health_string(text, conf->upstream->host.data,
                                 conf->upstream->host.len);
            ngx_ws_health_print(text, ",server=");
            ngx_ws_health_string(text, t[i].name.data, t[i].name.len);
            ngx_ws_health_print(text, ",type=\"%V\",check=\"%ui\"} %uL\n",
                                &check[j].type->name, j + 1,
                                metric->value(&info));
        }
    }
}


static uint64_t
ngx_ws_health_metric_up(ngx_ws_health_info_t *info)
{
    return info->up;
}


static uint64_t
ngx_ws_health_metric_checks(ngx_ws_health_info_t *info)
{
    return info->checks;
}


static uint64_t
ngx_ws_health_metric_failed(ngx_ws_health_info_t *info)
{
    return info->failed;
}


static uint64_t
ngx_ws_health_metric_changes(ngx_ws_health_info_t *info)
{
    return info->changes;
}


static uint64_t
ngx_ws_health_metric_checked(ngx_ws_health_info_t *info)
{
    return info->checked;
}


static uint64_t
ngx_ws_health_metric_latency(ngx_ws_health_info_t *info)
{
    return info->latency;
}


char *
ngx_ws_health_set_status(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_str_t                 *value;
    ngx_http_core_loc_conf_t  *clcf;

    value = cf->args->elts;
    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    if (cf->args->nelts == 1 || ngx_strcmp(value[1].data, "json") == 0) {
        clcf->handler = ngx_ws_health_json_handler;
        return NGX_CONF_OK;
    }

    if (ngx_strcmp(value[1].data, "prometheus") == 0) {
        clcf->handler = ngx_ws_health_prometheus_handler;
        return NGX_CONF_OK;
    }

    return "must be \"json\" or \"prometheus\"";
}
