
/*
 * Copyright (C) ngx_egress authors
 *
 * ws_proxy_match: reads the blocks, and compares responses with them.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_ws_match.h>


static char *ngx_ws_match_line(ngx_conf_t *cf, ngx_command_t *dummy,
    void *conf);
static char *ngx_ws_match_set_status(ngx_conf_t *cf, ngx_ws_match_t *match);
static char *ngx_ws_match_set_header(ngx_conf_t *cf, ngx_ws_match_t *match);
static char *ngx_ws_match_set_body(ngx_conf_t *cf, ngx_ws_match_t *match);
static char *ngx_ws_match_regex(ngx_conf_t *cf, ngx_ws_match_rule_t *rule,
    ngx_str_t *op);
static ngx_uint_t ngx_ws_match_status(ngx_ws_match_t *match,
    ngx_uint_t status);
static ngx_uint_t ngx_ws_match_header(ngx_ws_match_rule_t *rule,
    ngx_ws_response_t *res);
static ngx_uint_t ngx_ws_match_value(ngx_ws_match_rule_t *rule,
    ngx_str_t *value);
static ngx_uint_t ngx_ws_contains(ngx_str_t *text, ngx_str_t *part);


char *
ngx_ws_match_block(ngx_conf_t *cf, ngx_array_t *matches)
{
    char             *rv;
    ngx_str_t        *value;
    ngx_uint_t        i;
    ngx_conf_t        save;
    ngx_ws_match_t   *match, **m;

    value = cf->args->elts;
    m = matches->elts;

    for (i = 0; i < matches->nelts; i++) {

        if (m[i]->name.len == value[1].len
            && ngx_strncmp(m[i]->name.data, value[1].data, value[1].len) == 0)
        {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "duplicate match \"%V\"", &value[1]);
            return NGX_CONF_ERROR;
        }
    }

    match = ngx_pcalloc(cf->pool, sizeof(ngx_ws_match_t));
    m = ngx_array_push(matches);

    if (match == NULL || m == NULL
        || ngx_array_init(&match->statuses, cf->pool, 4,
                          sizeof(ngx_ws_match_range_t))
           != NGX_OK
        || ngx_array_init(&match->rules, cf->pool, 4,
                          sizeof(ngx_ws_match_rule_t))
           != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    match->name = value[1];
    *m = match;

    save = *cf;
    cf->handler = ngx_ws_match_line;
    cf->handler_conf = (void *) match;

    rv = ngx_conf_parse(cf, NULL);

    *cf = save;

    return rv;
}


static char *
ngx_ws_match_line(ngx_conf_t *cf, ngx_command_t *dummy, void *conf)
{
    ngx_str_t       *value;
    ngx_ws_match_t  *match;

    value = cf->args->elts;
    match = (ngx_ws_match_t *) conf;

    if (ngx_strcmp(value[0].data, "status") == 0 && cf->args->nelts > 1) {
        return ngx_ws_match_set_status(cf, match);
    }

    if (ngx_strcmp(value[0].data, "header") == 0 && cf->args->nelts > 1) {
        return ngx_ws_match_set_header(cf, match);
    }

    if (ngx_strcmp(value[0].data, "body") == 0 && cf->args->nelts == 3) {
        return ngx_ws_match_set_body(cf, match);
    }

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "invalid match condition \"%V\"", &value[0]);

    return NGX_CONF_ERROR;
}


static char *
ngx_ws_match_set_status(ngx_conf_t *cf, ngx_ws_match_t *match)
{
    u_char                *p, *last, *dash;
    ngx_int_t              low, high;
    ngx_str_t             *value;
    ngx_uint_t             i;
    ngx_ws_match_range_t  *range;

    value = cf->args->elts;

    for (i = 1; i < cf->args->nelts; i++) {

        range = ngx_array_push(&match->statuses);
        if (range == NULL) {
            return NGX_CONF_ERROR;
        }

        p = value[i].data;
        last = p + value[i].len;

        range->not = (*p == '!');
        p += range->not;

        dash = ngx_strlchr(p, last, '-');

        low = ngx_atoi(p, (dash ? dash : last) - p);
        high = dash ? ngx_atoi(dash + 1, last - dash - 1) : low;

        if (low < 100 || high > 999 || low > high) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid status \"%V\"", &value[i]);
            return NGX_CONF_ERROR;
        }

        range->low = low;
        range->high = high;
    }

    return NGX_CONF_OK;
}


static char *
ngx_ws_match_set_header(ngx_conf_t *cf, ngx_ws_match_t *match)
{
    u_char               *op;
    ngx_str_t            *value;
    ngx_ws_match_rule_t  *rule;

    value = cf->args->elts;

    rule = ngx_array_push(&match->rules);
    if (rule == NULL) {
        return NGX_CONF_ERROR;
    }

    ngx_memzero(rule, sizeof(ngx_ws_match_rule_t));

    rule->what = NGX_WS_MATCH_HEADER;
    rule->name = value[1];

    if (cf->args->nelts == 2) {

        if (rule->name.data[0] == '!' && rule->name.len > 1) {
            rule->not = 1;
            rule->name.data++;
            rule->name.len--;
        }

        return NGX_CONF_OK;
    }

    if (cf->args->nelts != 4) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid number of arguments in \"header\"");
        return NGX_CONF_ERROR;
    }

    if (rule->name.data[0] == '!') {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"%V\" cannot be compared, put \"!\" before "
                           "the operator", &rule->name);
        return NGX_CONF_ERROR;
    }

    rule->value = value[3];
    op = value[2].data;

    if (*op == '!') {
        rule->not = 1;
        op++;
    }

    if (ngx_strcmp(op, "=") == 0) {
        rule->op = NGX_WS_MATCH_EQUAL;
        return NGX_CONF_OK;
    }

    return ngx_ws_match_regex(cf, rule, &value[2]);
}


static char *
ngx_ws_match_set_body(ngx_conf_t *cf, ngx_ws_match_t *match)
{
    u_char               *op;
    ngx_str_t            *value;
    ngx_ws_match_rule_t  *rule;

    value = cf->args->elts;

    rule = ngx_array_push(&match->rules);
    if (rule == NULL) {
        return NGX_CONF_ERROR;
    }

    ngx_memzero(rule, sizeof(ngx_ws_match_rule_t));

    rule->what = NGX_WS_MATCH_BODY;
    rule->value = value[2];
    match->body = 1;

    op = value[1].data;

    if (*op == '!') {
        rule->not = 1;
        op++;
    }

    if (ngx_strcmp(op, "contains") == 0) {
        rule->op = NGX_WS_MATCH_CONTAINS;
        return NGX_CONF_OK;
    }

    return ngx_ws_match_regex(cf, rule, &value[1]);
}


static char *
ngx_ws_match_regex(ngx_conf_t *cf, ngx_ws_match_rule_t *rule, ngx_str_t *op)
{
#if (NGX_PCRE)
    u_char               *p;
    ngx_regex_compile_t   rc;

    u_char  errstr[NGX_MAX_CONF_ERRSTR];
#endif

    rule->op = NGX_WS_MATCH_REGEX;

#if (NGX_PCRE)

    p = op->data + (op->data[0] == '!');

    if (ngx_strcmp(p, "~") == 0 || ngx_strcmp(p, "~*") == 0) {

        ngx_memzero(&rc, sizeof(ngx_regex_compile_t));

        rc.pattern = rule->value;
        rc.pool = cf->pool;
        rc.options = p[1] ? NGX_REGEX_CASELESS : 0;
        rc.err.data = errstr;
        rc.err.len = NGX_MAX_CONF_ERRSTR;

        if (ngx_regex_compile(&rc) != NGX_OK) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "%V", &rc.err);
            return NGX_CONF_ERROR;
        }

        rule->regex = rc.regex;
        return NGX_CONF_OK;
    }

#endif

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "invalid match operator \"%V\"", op);

    return NGX_CONF_ERROR;
}


const char *
ngx_ws_match(ngx_ws_match_t *match, ngx_ws_response_t *res, ngx_uint_t low,
    ngx_uint_t high)
{
    ngx_uint_t            i;
    ngx_ws_match_rule_t  *rule;

    if (match == NULL || match->statuses.nelts == 0) {

        if (res->status < low || res->status > high) {
            return "unexpected status";
        }

    } else if (!ngx_ws_match_status(match, res->status)) {
        return "unexpected status";
    }

    if (match == NULL) {
        return NULL;
    }

    rule = match->rules.elts;

    for (i = 0; i < match->rules.nelts; i++) {

        if (rule[i].what == NGX_WS_MATCH_HEADER) {

            if (ngx_ws_match_header(&rule[i], res) == rule[i].not) {
                return "unexpected header";
            }

        } else if (ngx_ws_match_value(&rule[i], &res->body) == rule[i].not) {
            return "unexpected body";
        }
    }

    return NULL;
}


/* any of the positive ones, if there are, and none of the negative ones */

static ngx_uint_t
ngx_ws_match_status(ngx_ws_match_t *match, ngx_uint_t status)
{
    ngx_uint_t             i, in, positive;
    ngx_ws_match_range_t  *range;

    in = 0;
    positive = 0;
    range = match->statuses.elts;

    for (i = 0; i < match->statuses.nelts; i++) {

        positive |= !range[i].not;

        if (status < range[i].low || status > range[i].high) {
            continue;
        }

        if (range[i].not) {
            return 0;
        }

        in = 1;
    }

    return in || !positive;
}


static ngx_uint_t
ngx_ws_match_header(ngx_ws_match_rule_t *rule, ngx_ws_response_t *res)
{
    ngx_str_t  value;

    value = ngx_ws_response_header(res, (char *) rule->name.data,
                                   rule->name.len);

    if (value.data == NULL) {
        return 0;
    }

    return rule->op == NGX_WS_MATCH_PRESENT
           || ngx_ws_match_value(rule, &value);
}


static ngx_uint_t
ngx_ws_match_value(ngx_ws_match_rule_t *rule, ngx_str_t *value)
{
    switch (rule->op) {

    case NGX_WS_MATCH_EQUAL:
        return value->len == rule->value.len
               && ngx_strncmp(value->data, rule->value.data, value->len) == 0;

    case NGX_WS_MATCH_CONTAINS:
        return ngx_ws_contains(value, &rule->value);

#if (NGX_PCRE)
    case NGX_WS_MATCH_REGEX:
        return ngx_regex_exec(rule->regex, value, NULL, 0) >= 0;
#endif

    default:
        return 1;
    }
}


static ngx_uint_t
ngx_ws_contains(ngx_str_t *text, ngx_str_t *part)
{
    size_t  i;

    for (i = 0; i + part->len <= text->len; i++) {

        if (ngx_memcmp(text->data + i, part->data, part->len) == 0) {
            return 1;
        }
    }

    return 0;
}
