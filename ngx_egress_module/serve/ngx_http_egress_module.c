
/*
 * Copyright (C) ngx_egress authors
 *
 * The directives of the HTTP proxy, "egress_http_proxy" and what goes with
 * it.  Those of absolute-form requests alone are in the forward module.
 */


#include "ngx_http_egress.h"


static ngx_int_t ngx_http_egress_preconfiguration(ngx_conf_t *cf);
static ngx_int_t ngx_http_egress_postconfiguration(ngx_conf_t *cf);
static void *ngx_http_egress_create_srv_conf(ngx_conf_t *cf);
static char *ngx_http_egress_merge_srv_conf(ngx_conf_t *cf, void *parent,
    void *child);
static void *ngx_http_egress_create_loc_conf(ngx_conf_t *cf);
static char *ngx_http_egress_merge_loc_conf(ngx_conf_t *cf, void *parent,
    void *child);

static char *ngx_http_egress_http_proxy(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_http_egress_path_header(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_http_egress_check_header(ngx_str_t *name);
static char *ngx_http_egress_speed_limit(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_http_egress_server_id(ngx_conf_t *cf, void *post,
    void *data);


static ngx_conf_enum_t  ngx_http_egress_error_codes[] = {
    { ngx_string("standard"), 0 },
    { ngx_string("extended"), 1 },
    { ngx_null_string, 0 }
};


static ngx_conf_post_t  ngx_http_egress_server_id_post =
    { ngx_http_egress_server_id };


static ngx_command_t  ngx_http_egress_commands[] = {

    { ngx_string("egress_http_proxy"),
      NGX_HTTP_SRV_CONF|NGX_CONF_TAKE1,
      ngx_http_egress_http_proxy,
      NGX_HTTP_SRV_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("egress_open_proxy"),
      NGX_HTTP_SRV_CONF|NGX_CONF_FLAG,
      ngx_conf_set_flag_slot,
      NGX_HTTP_SRV_CONF_OFFSET,
      offsetof(ngx_http_egress_srv_conf_t, open_proxy),
      NULL },

    { ngx_string("egress_user_group"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_CONF_TAKE1,
      ngx_http_egress_user_group,
      NGX_HTTP_SRV_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("egress_error_codes"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_enum_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_egress_loc_conf_t, extended),
      &ngx_http_egress_error_codes },

    { ngx_string("egress_server_id"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_str_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_egress_loc_conf_t, server_id),
      &ngx_http_egress_server_id_post },

    { ngx_string("egress_path_selection_header"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_CONF_TAKE12,
      ngx_http_egress_path_header,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("egress_idle_timeout"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_msec_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_egress_loc_conf_t, idle_timeout),
      NULL },

    { ngx_string("egress_tcp_sock_speed_limit"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_CONF_TAKE12,
      ngx_http_egress_speed_limit,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

      ngx_null_command
};


static ngx_http_module_t  ngx_http_egress_module_ctx = {
    ngx_http_egress_preconfiguration,      /* preconfiguration */
    ngx_http_egress_postconfiguration,     /* postconfiguration */

    NULL,                                  /* create main configuration */
    NULL,                                  /* init main configuration */

    ngx_http_egress_create_srv_conf,       /* create server configuration */
    ngx_http_egress_merge_srv_conf,        /* merge server configuration */

    ngx_http_egress_create_loc_conf,       /* create location configuration */
    ngx_http_egress_merge_loc_conf         /* merge location configuration */
};


ngx_module_t  ngx_http_egress_module = {
    NGX_MODULE_V1,
    &ngx_http_egress_module_ctx,           /* module context */
    ngx_http_egress_commands,              /* module directives */
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
ngx_http_egress_preconfiguration(ngx_conf_t *cf)
{
    return ngx_http_egress_add_variables(cf);
}


static ngx_int_t
ngx_http_egress_postconfiguration(ngx_conf_t *cf)
{
    if (ngx_http_egress_open_check(cf) != NGX_OK
        || ngx_http_egress_parse_init(cf) != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_http_egress_phase_init(cf);
}


static void *
ngx_http_egress_create_srv_conf(ngx_conf_t *cf)
{
    ngx_http_egress_srv_conf_t  *conf;

    conf = ngx_pcalloc(cf->pool, sizeof(ngx_http_egress_srv_conf_t));
    if (conf == NULL) {
        return NULL;
    }

    /*
     * set by ngx_pcalloc():
     *
     *     conf->proxy = { NULL, NULL };
     *     conf->where = { 0 };
     */

    conf->open_proxy = NGX_CONF_UNSET;
    conf->group = NGX_CONF_UNSET_PTR;

    return conf;
}


static char *
ngx_http_egress_merge_srv_conf(ngx_conf_t *cf, void *parent, void *child)
{
    ngx_http_egress_srv_conf_t *prev = parent;
    ngx_http_egress_srv_conf_t *conf = child;

    ngx_conf_merge_value(conf->open_proxy, prev->open_proxy, 0);

    return ngx_http_egress_user_group_merge(cf, prev, conf);
}


static void *
ngx_http_egress_create_loc_conf(ngx_conf_t *cf)
{
    ngx_http_egress_loc_conf_t  *conf;

    conf = ngx_pcalloc(cf->pool, sizeof(ngx_http_egress_loc_conf_t));
    if (conf == NULL) {
        return NULL;
    }

    /*
     * set by ngx_pcalloc():
     *
     *     conf->server_id = { 0, NULL };
     *     conf->path_header = { 0, NULL };
     *     conf->path_lowcase = { 0, NULL };
     */

    conf->extended = NGX_CONF_UNSET_UINT;
    conf->path_dictionary = NGX_CONF_UNSET_UINT;
    conf->idle_timeout = NGX_CONF_UNSET_MSEC;
    conf->upload_rate = NGX_CONF_UNSET_SIZE;
    conf->download_rate = NGX_CONF_UNSET_SIZE;

    return conf;
}


static char *
ngx_http_egress_merge_loc_conf(ngx_conf_t *cf, void *parent, void *child)
{
    ngx_http_egress_loc_conf_t *prev = parent;
    ngx_http_egress_loc_conf_t *conf = child;

    ngx_conf_merge_uint_value(conf->extended, prev->extended, 0);
    ngx_conf_merge_str_value(conf->server_id, prev->server_id, "ngx_egress");

    if (conf->path_dictionary == NGX_CONF_UNSET_UINT) {
        conf->path_header = prev->path_header;
        conf->path_lowcase = prev->path_lowcase;
    }

    ngx_conf_merge_uint_value(conf->path_dictionary, prev->path_dictionary, 0);
    ngx_conf_merge_msec_value(conf->idle_timeout, prev->idle_timeout,
                              5 * 60 * 1000);
    ngx_conf_merge_size_value(conf->upload_rate, prev->upload_rate, 0);
    ngx_conf_merge_size_value(conf->download_rate, prev->download_rate, 0);

    return NGX_CONF_OK;
}


static char *
ngx_http_egress_http_proxy(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_egress_srv_conf_t *escf = conf;

    ngx_str_t                         *value;
    ngx_http_complex_value_t           cv;
    ngx_http_compile_complex_value_t   ccv;

    if (ngx_http_egress_is_proxy(escf)) {
        return ngx_egress_is_duplicate;
    }

    value = cf->args->elts;

    if (value[1].len == 0) {
        return "needs the name of an escaper";
    }

    ngx_memzero(&ccv, sizeof(ngx_http_compile_complex_value_t));

    ccv.cf = cf;
    ccv.value = &value[1];
    ccv.complex_value = &cv;

    if (ngx_http_compile_complex_value(&ccv) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    if (cv.lengths == NULL) {
        escf->proxy.escaper = ngx_egress_escaper_ref(cf, &value[1]);
        if (escf->proxy.escaper == NULL) {
            return NGX_CONF_ERROR;
        }

    } else {
        escf->proxy.value = ngx_palloc(cf->pool,
                                       sizeof(ngx_http_complex_value_t));
        if (escf->proxy.value == NULL) {
            return NGX_CONF_ERROR;
        }

        *escf->proxy.value = cv;
    }

    escf->where.name = value[1];
    ngx_egress_object_here(cf, &escf->where);

    ngx_http_egress_allow_connect(cf);

    return NGX_CONF_OK;
}


static char *
ngx_http_egress_path_header(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_egress_loc_conf_t *elcf = conf;

    char       *rv;
    ngx_str_t  *value;

    if (elcf->path_dictionary != NGX_CONF_UNSET_UINT) {
        return ngx_egress_is_duplicate;
    }

    value = cf->args->elts;

    elcf->path_dictionary = 0;

    if (cf->args->nelts == 3) {
        if (ngx_strcmp(value[2].data, "dictionary") != 0) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid parameter \"%V\"", &value[2]);
            return NGX_CONF_ERROR;
        }

        elcf->path_dictionary = 1;
    }

    if (value[1].len == 3 && ngx_strcmp(value[1].data, "off") == 0) {
        return NGX_CONF_OK;
    }

    rv = ngx_http_egress_check_header(&value[1]);
    if (rv != NGX_CONF_OK) {
        return rv;
    }

    elcf->path_header = value[1];

    elcf->path_lowcase.len = value[1].len;
    elcf->path_lowcase.data = ngx_pnalloc(cf->pool, value[1].len);
    if (elcf->path_lowcase.data == NULL) {
        return NGX_CONF_ERROR;
    }

    ngx_strlow(elcf->path_lowcase.data, value[1].data, value[1].len);

    return NGX_CONF_OK;
}


/* The header is taken away: it must not be one that a message needs. */

static char *
ngx_http_egress_check_header(ngx_str_t *name)
{
    ngx_uint_t  i;

    static ngx_str_t  used[] = {
        ngx_string("Host"),
        ngx_string("Connection"),
        ngx_string("Proxy-Connection"),
        ngx_string("Proxy-Authorization"),
        ngx_string("Content-Length"),
        ngx_string("Transfer-Encoding"),
        ngx_string("Expect"),
        ngx_string("Upgrade"),
        ngx_null_string
    };

    for (i = 0; i < name->len; i++) {
        if (!isalnum(name->data[i]) && name->data[i] != '-') {
            return "must be the name of a header";
        }
    }

    for (i = 0; used[i].len; i++) {
        if (used[i].len == name->len
            && ngx_strncasecmp(used[i].data, name->data, name->len) == 0)
        {
            return "cannot be a header that HTTP itself uses";
        }
    }

    return (name->len == 0) ? "must be the name of a header" : NGX_CONF_OK;
}


static char *
ngx_http_egress_speed_limit(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_egress_loc_conf_t *elcf = conf;

    if (elcf->upload_rate != NGX_CONF_UNSET_SIZE
        || elcf->download_rate != NGX_CONF_UNSET_SIZE)
    {
        return ngx_egress_is_duplicate;
    }

    return ngx_egress_conf_speed_limit(cf, &elcf->upload_rate,
                                       &elcf->download_rate);
}


/* It is written as an RFC 8941 token, and as a pseudonym in Via. */

static char *
ngx_http_egress_server_id(ngx_conf_t *cf, void *post, void *data)
{
    ngx_str_t *id = data;

    u_char      c;
    ngx_uint_t  i;

    if (id->len == 0 || !isalpha(id->data[0])) {
        return "must begin with a letter";
    }

    for (i = 1; i < id->len; i++) {
        c = id->data[i];

        if (!isalnum(c) && ngx_strchr("-._", c) == NULL) {
            return "may have letters, digits, \"-\", \".\" and \"_\" only";
        }
    }

    return NGX_CONF_OK;
}
